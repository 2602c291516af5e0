"""What a job as a whole goes through: first sight, end, loss, trouble, standstill.

Owns every decision about a head that does not look at nodes. Does not own nodes (`changes.node_rules`) or which jobs
are looked at (`polling.cycle_rules`). Pure: a head and facts go in, the next head and the events that tell of it come
out.
"""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import BatchJob, Phase, UnreadableJob
from shared.batch.outcomes import is_active
from shared.errors import BatchError, PrepwatchError
from shared.messages.events import Event, EventType, Origin, trouble_data
from shared.messages.job_events import closed_event, job_event, resumed_event, standstill_data
from shared.moments import as_utc
from shared.pools.standstill_rules import StandstillChange, StandstillDecision
from shared.state.jobs import Cause, JobEnd, JobHead, Tracking, Trouble
from shared.state.pools import EndedStandstill, StandstillEnd

SETTLES_AFTER = timedelta(minutes=10)
"""A completed job is not settled before: listings lag, and a release failure that comes late is news."""
SETTLES_ANYWAY_AFTER = timedelta(hours=24)
"""A completed job is settled then, even if Batch goes on showing a phase as running."""
UNREACHABLE_AFTER_CYCLES = 3
_GONE_AFTER = timedelta(minutes=2)
"""How long Batch has to go on saying that a job does not exist: one such answer may be wrong."""

COMPLETED = "completed"
_ENDING = frozenset({"terminating", "deleting"})


class Decision(Struct, frozen=True, kw_only=True):
    """The next head of a job, and the events that tell what led to it."""

    head: JobHead
    events: tuple[Event, ...] = ()


def is_ending(state: str | None) -> bool:
    """Whether release tasks run now and the job may be gone soon."""
    return (state or "").lower() in _ENDING


def is_job_completed(state: str | None) -> bool:
    """Whether the job is over and may be listed until it is deleted."""
    return (state or "").lower() == COMPLETED


def head_at_first_sight(
    job: BatchJob, *, requested: bool, read_up_to: datetime | None, first_sight: timedelta, now: datetime
) -> JobHead:
    """The head of an incarnation that is seen for the first time, before its nodes are.

    Failures that ended before `read_up_to`, the account's (None: before now), minus `first_sight` are history.
    """
    head = JobHead(
        job_id=job.id,
        requested=requested,
        creation_time=job.creation_time,
        announce_from=(read_up_to or now) - first_sight,
        first_seen_at=now,
        changed_at=now,
        failed_at=(),
    )
    return with_facts(head, job)


def replacing(before: JobHead, new: JobHead) -> JobHead:
    """A new head as it takes another's place: chat and pager go on counting where they were."""
    return replace(new, generation=before.generation, carried=before.ever, stuck_ended=before.stuck_ended)


def why_over(state: str | None) -> StandstillEnd | None:
    """Why the tasks of a job in this state are not to run; None while they are."""
    if is_active(state):
        return None
    ends = is_ending(state) or is_job_completed(state)
    return StandstillEnd.JOB_ENDED if ends else StandstillEnd.JOB_DISABLED


def is_same_incarnation(head: JobHead, job: BatchJob) -> bool:
    """Whether Batch still shows the job that the head is about, and not a new one of the same id."""
    return head.creation_time is None or job.creation_time is None or head.creation_time == job.creation_time


def take_facts(origin: Origin, head: JobHead, job: BatchJob, now: datetime) -> Decision:
    """The head with what Batch says of the job; an ended job closes its open failures."""
    facts = with_facts(head, job)
    if facts.state != head.state:
        facts = replace(facts, changed_at=now)
    # No task waits for the nodes of a job that ends.
    if facts.closed is None and (is_ending(facts.state) or is_job_completed(facts.state)):
        return close(origin, facts, JobEnd.ENDED, facts.state_transition_time or now, now)
    return Decision(head=facts)


def with_facts(head: JobHead, job: BatchJob) -> JobHead:
    """The head with what Batch says of the job itself, as far as that can be read."""
    if isinstance(job, UnreadableJob):
        return head
    execution = job.execution_info
    appears_late = head.creation_time is None and job.creation_time is not None and bool(head.chunks)
    return replace(
        head,
        job_id=job.id,
        undated=head.undated or appears_late,
        creation_time=head.creation_time or job.creation_time,
        creation_digits=job.creation_digits if job.creation_time is not None else head.creation_digits,
        state=job.state,
        state_transition_time=job.state_transition_time,
        pool_id=execution.pool_id if execution else None,
        terminate_reason=execution.terminate_reason if execution else None,
    )


def close(origin: Origin, head: JobHead, end: JobEnd, since: datetime, now: datetime) -> Decision:
    """End all that stands of a job, failures, slow preparations, a standstill, a trouble, and tell what was told of."""
    stood_still = head.stuck_since is not None
    ended = _end_standstill(origin, head, StandstillEnd(end.value), now)
    head, resumed = ended.head, ended.events
    ended = _end_trouble(origin, head, end, now)
    head, events = ended.head, ended.events
    # Its failures had their end when it was closed.
    if head.closed is not None:
        return replace(ended, events=(*events, *resumed))
    was_open = head.preparation.open > 0
    if (was_open and head.preparation_failed_ever > 0) or head.preparation.slow > 0:
        events = (*events, closed_event(origin, head, end, since, now))
    closed = replace(
        head,
        closed=end,
        mended=not (was_open or head.left or stood_still),
        preparation=replace(head.preparation, open=0, slow=0),
        unfinished={},
        left=0,
        often_retried=0,
        causes=_without_preparation(head.causes),
        generation=head.generation + (1 if was_open else 0),
        changed_at=now if was_open else head.changed_at,
    )
    return Decision(head=closed, events=(*events, *resumed))


def note_missing(origin: Origin, head: JobHead, now: datetime) -> Decision:
    """Batch says that the job does not exist: it is gone once that has been said twice, two minutes apart."""
    since = head.missing_since
    if since is None:
        return Decision(head=replace(head, missing_since=now))
    return end_as_gone(origin, head, since, now) if now - since >= _GONE_AFTER else Decision(head=head)


def end_as_gone(origin: Origin, head: JobHead, since: datetime, now: datetime) -> Decision:
    """The job is not found any more, since that moment.

    It is told if failures were open, or if somebody asked for this very job, and it was never seen completed.
    """
    worth_telling = (head.preparation.open > 0 or head.requested) and not is_job_completed(head.state)
    closed = close(origin, head, JobEnd.GONE, since, now)
    events = closed.events
    if worth_telling:
        events = (*events, job_event(origin, head, EventType.JOB_GONE, since, now))
    gone = replace(
        closed.head,
        tracking=Tracking.GONE,
        vanished=worth_telling,
        settled_at=now,
        changed_at=now,
        generation=closed.head.generation + (1 if worth_telling else 0),
    )
    return Decision(head=gone, events=events)


def fail(origin: Origin, head: JobHead, error: PrepwatchError, now: datetime) -> Decision:
    """A cycle could not look at the job, for a reason of the job's own; told once, after three cycles in a row."""
    known = head.trouble
    # People know; they hear of it again when it is over.
    if known is not None and known.event_id is not None:
        return Decision(head=head)
    trouble = trouble_of(error, since=known.since if known else now, times=known.times + 1 if known else 1)
    failing = replace(head, trouble=trouble, changed_at=now)
    # Most errors are gone with the next cycle.
    if trouble.times < UNREACHABLE_AFTER_CYCLES:
        return Decision(head=failing)
    event = job_event(origin, failing, EventType.JOB_UNREACHABLE, trouble.since, now, error=trouble_data(trouble))
    announced = replace(trouble, event_id=event.id)
    unreachable = replace(failing, trouble=announced, tracking=Tracking.UNREACHABLE, generation=head.generation + 1)
    return Decision(head=unreachable, events=(event,))


def recover(origin: Origin, head: JobHead, now: datetime) -> Decision:
    """A cycle could look at the job (again)."""
    if head.trouble is None:
        return Decision(head=head)
    watching = Tracking.WATCHING if head.tracking is Tracking.UNREACHABLE else head.tracking
    return _end_trouble(origin, replace(head, tracking=watching), None, now)


def judge_reading(origin: Origin, head: JobHead, error: BatchError | None, now: datetime) -> Decision:
    """A cycle has looked at the job, though not at what can't be read for this error (None: at all of it)."""
    # All of it was read, so whatever was wrong is over.
    if error is None:
        return recover(origin, head, now)
    # Nobody reads it again.
    if head.tracking is Tracking.SETTLED:
        return _end_trouble(origin, head, JobEnd.ENDED, now)
    return fail(origin, head, error, now)


def settle(head: JobHead, now: datetime) -> JobHead:
    """A job that has been completed for a while, and whose phases have all ended, need not be listed again."""
    # Nobody lists it any more, or it may still run tasks.
    if head.tracking not in {Tracking.WATCHING, Tracking.UNREACHABLE} or not is_job_completed(head.state):
        return head
    running = sum(counts.running + counts.retrying + counts.unknown for counts in map(head.counts_of, Phase))
    waited = now - as_utc(head.state_transition_time or head.changed_at or head.first_seen_at)
    # What can't be read now may be what still runs.
    if waited < (SETTLES_ANYWAY_AFTER if running or head.trouble else SETTLES_AFTER):
        return head
    return replace(head, tracking=Tracking.SETTLED, settled_at=now)


def stop_listing(head: JobHead, tracking: Tracking, now: datetime) -> JobHead:
    """A job that need not be looked at: it has no preparation task, or nobody tracks it any more."""
    return replace(head, tracking=tracking, settled_at=now, changed_at=now)


def change_standstill(origin: Origin, head: JobHead, decided: StandstillDecision, now: datetime) -> Decision:
    """The head after a look into whether its job can move, and the event when that has changed."""
    standstill = decided.standstill
    if decided.change is StandstillChange.ENDS:
        return _end_standstill(origin, head, decided.why, now)
    # A suspicion is nobody's news.
    if decided.change is None or standstill is None:
        return Decision(head=replace(head, stuck=standstill))
    stuck = replace(standstill, pool_id=head.pool_id or "")
    changed = replace(head, stuck=stuck, generation=head.generation + 1, changed_at=now)
    # Programs are told of one beginning and of one end, people also of what it comes of by now.
    if decided.change is StandstillChange.GOES_ON:
        return Decision(head=changed)
    about = standstill_data(head, stuck)
    return Decision(head=changed, events=(job_event(origin, changed, EventType.JOB_STUCK, stuck.since, now, **about),))


def trouble_of(error: PrepwatchError, *, since: datetime, times: int = 1) -> Trouble:
    """An error as it is remembered and shown."""
    if isinstance(error, BatchError):
        return Trouble(
            code=error.code,
            message=error.message,
            since=since,
            request_id=error.request_id,
            values=error.values,
            times=times,
        )
    return Trouble(code=type(error).__name__.removesuffix("Error"), message=str(error), since=since, times=times)


def _end_standstill(origin: Origin, head: JobHead, why: StandstillEnd | None, now: datetime) -> Decision:
    """The head without its standstill, and its end if the standstill was told; `why` is None when the job can move."""
    # What nobody was told of has no end to tell.
    if head.stuck_since is None:
        return Decision(head=replace(head, stuck=None))
    ended = EndedStandstill(at=now, why=why)
    moving = replace(head, stuck=None, stuck_ended=ended, generation=head.generation + 1, changed_at=now)
    return Decision(head=moving, events=(resumed_event(origin, moving, head.stuck_since, why, now),))


def _end_trouble(origin: Origin, head: JobHead, end: JobEnd | None, now: datetime) -> Decision:
    """The head without its trouble, and its end if the trouble was told; `end` says why the job itself is over."""
    trouble = head.trouble
    if trouble is None:
        return Decision(head=head)
    well = replace(head, trouble=None, changed_at=now)
    # What nobody was told of has no end to tell.
    if trouble.event_id is None:
        return Decision(head=well)
    well = replace(well, generation=head.generation + 1)
    why = {"reason": end.value} if end else {}
    return Decision(head=well, events=(job_event(origin, well, EventType.JOB_REACHABLE, trouble.since, now, **why),))


def _without_preparation(causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    return tuple(cause for cause in causes if cause.phase is not Phase.PREPARATION)
