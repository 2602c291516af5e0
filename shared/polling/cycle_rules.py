"""Which jobs a cycle looks at, in which order, and what a finished cycle says about its account.

Owns the job listing's filter, the choice and order of jobs, and the account's own troubles. Does not own a job's fate
(`polling.job_rules`). Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.model import BatchJob
from shared.errors import AccountDeniedError, PrepwatchError, ThrottledError
from shared.messages.events import Event, EventType, Origin, account_event, trouble_data
from shared.moments import as_utc
from shared.patterns import JobPatterns
from shared.polling.job_rules import is_ending, is_job_completed, is_same_incarnation, trouble_of
from shared.ports import Row
from shared.state.jobs import Cycle, JobHead, Tracking, Trouble

JOB_SELECT = "id,state,creationTime,stateTransitionTime,executionInfo"
LISTING_OVERLAP = timedelta(minutes=10)
"""How far a job listing reaches back before the last complete one: clocks differ, and listings lag."""
NOT_POLLED = "NotPolled"
THROTTLE_STEPS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300))
LONGEST_PATIENCE = timedelta(minutes=15)
"""How long one answer of Batch can hold us off: a Retry-After of days would blind us for as long."""

_STATES_THAT_MATTER = ("active", "disabling", "disabled", "enabling", "terminating", "deleting")
_ASKED_FOR_SINGLY = frozenset({Tracking.WATCHING, Tracking.UNREACHABLE})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class KnownJob(Struct, frozen=True, kw_only=True):
    """A head with the row that it was read from; `row` is None before its first commit."""

    head: JobHead
    row: Row | None


class DueJob(Struct, frozen=True, kw_only=True):
    """A job to look at: what is known of it (None: never seen), and what the listing says (None: it was left out)."""

    job_id: str
    known: KnownJob | None
    job: BatchJob | None


class Choice(Struct, frozen=True, kw_only=True):
    """The jobs of a cycle in order, and the heads of jobs that the settings no longer name."""

    due: tuple[DueJob, ...]
    untracked: tuple[KnownJob, ...]


class CycleResult(Struct, frozen=True, kw_only=True):
    """What a cycle did.

    `listed` says that the job listing was complete and every job to look at has a stored head; `looked_at` and
    `waiting` name jobs by lower-case id; `error` is the account-wide error that ended the cycle, None for none;
    `requests` counts what Batch was asked, by code.
    """

    started_at: datetime
    finished_at: datetime
    listed: bool
    looked_at: frozenset[str]
    waiting: frozenset[str]
    job_errors: int
    error: PrepwatchError | None
    requests: Mapping[str, int] = field(default_factory=dict)


def listing_start(cycle: Cycle | None, window: timedelta, now: datetime) -> datetime:
    """From when on completed jobs are listed: older ones were settled before, or are history at first sight."""
    if cycle is None or cycle.listed_from is None:
        return now - window
    return cycle.listed_from


def listing_filter(start: datetime) -> str:
    """The $filter that leaves out jobs completed before `start`, of which an account may have any number."""
    states = " or ".join(f"state eq '{state}'" for state in _STATES_THAT_MATTER)
    return f"{states} or stateTransitionTime ge DateTime'{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"


def choose_jobs(
    known: Mapping[str, KnownJob], listed: Sequence[BatchJob], patterns: JobPatterns, cycle: Cycle | None
) -> Choice:
    """The jobs to look at: ending ones first, then those that wait, longest first, then the rest as listed.

    New jobs are among the rest: were they first, a stream of them would keep the others waiting for ever.
    """
    jobs = {job.id.lower(): job for job in listed}
    untracked = tuple(
        entry
        for entry in known.values()
        if _is_watched(entry.head) and not _is_tracked(entry.head, entry.head.job_id, patterns)
    )
    due = [
        DueJob(job_id=job.id, known=known.get(key), job=job)
        for key, job in jobs.items()
        if _is_due(known.get(key), job, patterns)
    ]
    due.extend(
        DueJob(job_id=entry.head.job_id, known=entry, job=None)
        for key, entry in known.items()
        if key not in jobs and _is_watched(entry.head) and _is_tracked(entry.head, entry.head.job_id, patterns)
    )
    waiting = cycle.waiting if cycle else {}
    just_looked_at = cycle.started_at if cycle else _LONG_AGO
    due.sort(key=lambda item: (not _is_ending(item), waiting.get(item.job_id.lower(), just_looked_at)))
    return Choice(due=tuple(due), untracked=untracked)


def finish_cycle(
    origin: Origin, before: Cycle | None, result: CycleResult, stale_after: timedelta
) -> tuple[Cycle, tuple[Event, ...]]:
    """The account's next cycle row, and the events that tell of the account's troubles and their end.

    A cycle is good when its job listing was complete and no error concerned the whole account. A refused credential is
    told at once, throttling and faults of the service when no cycle has been good for `stale_after`; that nothing ran
    for so long is told by the first cycle that does.
    """
    known = before or Cycle(started_at=_LONG_AGO, finished_at=_LONG_AGO)
    good = result.listed and result.error is None
    now = result.finished_at
    last_good = max(as_utc(known.last_good_at), result.started_at) if good else known.last_good_at
    cycle = Cycle(
        started_at=max(known.started_at, result.started_at),
        finished_at=now,
        last_good_at=last_good,
        listed_from=_next_listing_start(known, result),
        not_before=_not_before(known, result),
        throttles=known.throttles + 1 if isinstance(result.error, ThrottledError) else 0,
        jobs=len(result.looked_at) + len(result.waiting),
        not_looked_at=len(result.waiting),
        errors=result.job_errors,
        waiting=_waiting(known, result),
        cycles=known.cycles + 1,
        good_cycles=known.good_cycles + good,
        throttled=known.throttled + isinstance(result.error, ThrottledError),
        requests=dict(Counter(known.requests) + Counter(result.requests)),
    )
    if good:
        return _recovered(origin, known, cycle, stale_after, now)
    return _troubled(origin, known, cycle, result, stale_after)


def _is_tracked(head: JobHead | None, job_id: str, patterns: JobPatterns) -> bool:
    if head is not None and head.tracking is Tracking.STOPPED:
        return False
    return (head is not None and head.requested) or patterns.matches(job_id)


def _is_watched(head: JobHead) -> bool:
    return head.tracking in _ASKED_FOR_SINGLY


def _is_due(known: KnownJob | None, job: BatchJob, patterns: JobPatterns) -> bool:
    if not _is_tracked(known.head if known else None, job.id, patterns):
        return False
    if known is None or not is_same_incarnation(known.head, job):
        return True
    if known.head.tracking is Tracking.NO_PREPARATION_TASK:
        return False
    return not (known.head.tracking is Tracking.SETTLED and is_job_completed(job.state))


def _is_ending(item: DueJob) -> bool:
    return is_ending(item.job.state) if item.job else item.known is not None and is_ending(item.known.head.state)


def _next_listing_start(known: Cycle, result: CycleResult) -> datetime | None:
    # Jobs that were due and not looked at may have completed meanwhile: they have heads or are listed again.
    if not result.listed or result.error is not None:
        return known.listed_from
    return result.started_at - LISTING_OVERLAP


def _waiting(known: Cycle, result: CycleResult) -> dict[str, datetime]:
    if not result.listed:
        return known.waiting
    return {job: known.waiting.get(job, known.started_at) for job in sorted(result.waiting)}


def _not_before(known: Cycle, result: CycleResult) -> datetime | None:
    if not isinstance(result.error, ThrottledError):
        return None
    step = THROTTLE_STEPS[min(known.throttles, len(THROTTLE_STEPS) - 1)]
    asked = result.error.retry_after or step
    return result.finished_at + min(max(asked, step if known.throttles else timedelta(0)), LONGEST_PATIENCE)


def _recovered(
    origin: Origin, known: Cycle, cycle: Cycle, stale_after: timedelta, now: datetime
) -> tuple[Cycle, tuple[Event, ...]]:
    trouble = known.trouble
    unreachable: tuple[Event, ...] = ()
    if trouble is None or trouble.event_id is None:
        last_good = known.last_good_at
        if last_good is None or cycle.started_at - last_good < stale_after:
            return cycle, ()
        trouble = Trouble(code=NOT_POLLED, message="No cycle ended well: did the timer stop?", since=last_good)
        _, unreachable = _tell_unreachable(origin, cycle, trouble, now)
    return cycle, (*unreachable, account_event(origin, EventType.ACCOUNT_REACHABLE, trouble.since, now))


def _troubled(
    origin: Origin, known: Cycle, cycle: Cycle, result: CycleResult, stale_after: timedelta
) -> tuple[Cycle, tuple[Event, ...]]:
    now = result.finished_at
    before = known.trouble
    if result.error is None:
        return replace(cycle, trouble=before), ()
    times = before.times + 1 if before else 1
    trouble = trouble_of(result.error, since=before.since if before else now, times=times)
    if before is not None and before.event_id is not None:
        return replace(cycle, trouble=replace(trouble, event_id=before.event_id)), ()
    blind_for = now - as_utc(known.last_good_at or trouble.since)
    if not isinstance(result.error, AccountDeniedError) and blind_for < stale_after:
        return replace(cycle, trouble=trouble), ()
    return _tell_unreachable(origin, cycle, trouble, now)


def _tell_unreachable(origin: Origin, cycle: Cycle, trouble: Trouble, now: datetime) -> tuple[Cycle, tuple[Event, ...]]:
    event = account_event(origin, EventType.ACCOUNT_UNREACHABLE, trouble.since, now, error=trouble_data(trouble))
    return replace(cycle, trouble=replace(trouble, event_id=event.id)), (event,)


def is_stale(cycle: Cycle | None, age: timedelta, now: datetime) -> bool:
    """Whether an account's last good cycle began longer ago than `age`, or there was none."""
    return cycle is None or cycle.last_good_at is None or now - as_utc(cycle.last_good_at) > age
