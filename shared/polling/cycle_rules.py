"""Which jobs a cycle looks at, in which order, and up to when its account is read after it.

Owns the choice and order of jobs, and what a finished cycle leaves for the next. Does not own how jobs are listed
(`polling.job_listing`), a job's fate (`polling.job_rules`) or the account's (`polling.account_troubles`). Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field

from shared.batch.model import BatchJob, UnreadableJob
from shared.errors import PrepwatchError, ThrottledError
from shared.moments import as_utc, is_to_come
from shared.patterns import IdPatterns
from shared.polling.counters import FailureKind, grown
from shared.polling.job_listing import LISTING_OVERLAP
from shared.polling.job_rules import is_ending, is_job_completed, is_same_incarnation
from shared.polling.waiting_jobs import WaitingJobs, go_on_waiting, wait
from shared.ports import Row
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead, Tracking
from shared.state.pools import Counted

THROTTLE_STEPS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300))
LONGEST_PATIENCE = timedelta(minutes=15)
"""How long one answer of Batch can hold us off: a Retry-After of days would blind us for as long."""

_ASKED_FOR_SINGLY = frozenset({Tracking.WATCHING, Tracking.UNREACHABLE})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
NO_CYCLE = Cycle(started_at=_LONG_AGO, finished_at=_LONG_AGO)
"""What is known of an account before its first cycle."""


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
    `not_looked_at` name jobs by lower-case id, `sighted` those that were listed for the first time; `error` is the
    account-wide error that ended the cycle, `unreadable` why some of the listed jobs have no name, both None as a rule;
    `requests` counts what Batch was asked, by code, `failures` what newly failed; `counted` are the pools, None when
    they were not to be counted.
    """

    started_at: datetime
    finished_at: datetime
    listed: bool
    looked_at: frozenset[str]
    not_looked_at: frozenset[str]
    sighted: frozenset[str] = frozenset()
    job_errors: int
    error: PrepwatchError | None
    unreadable: PrepwatchError | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    counted: Counted | None = None
    failures: Mapping[FailureKind, int] = field(default_factory=dict)


def choose_jobs(
    known: Mapping[str, KnownJob],
    listed: Sequence[BatchJob],
    patterns: IdPatterns,
    cycle: Cycle | None,
    *,
    is_whole: bool = True,
) -> Choice:
    """The jobs to look at: ending ones first, then those that wait, longest first, then the rest as listed.

    New jobs are among the rest: were they first, a stream of them would keep the others waiting for ever. What a
    listing leaves out is asked for singly, unless it is not whole: then it may only not have come that far.
    """
    jobs = {job.id.lower(): job for job in listed}
    untracked = tuple(
        entry
        for entry in known.values()
        if (_is_watched(entry.head) or entry.head.stuck_since is not None)
        and not is_tracked(entry.head, entry.head.job_id, patterns)
    )
    due = [
        DueJob(job_id=job.id, known=known.get(key), job=job)
        for key, job in jobs.items()
        if _is_due(known.get(key), job, patterns)
    ]
    due.extend(
        DueJob(job_id=entry.head.job_id, known=entry, job=None)
        for key, entry in known.items()
        if is_whole
        and key not in jobs
        and _is_watched(entry.head)
        and is_tracked(entry.head, entry.head.job_id, patterns)
    )
    waiting = cycle.waiting if cycle else {}
    turns = {job: turn for turn, job in enumerate(sorted(waiting, key=waiting.__getitem__))}
    due.sort(key=lambda item: (not _is_ending(item), turns.get(item.job_id.lower(), len(turns))))
    return Choice(due=tuple(due), untracked=untracked)


def cycle_after(before: Cycle | None, result: CycleResult) -> Cycle:
    """The account's row after a cycle; what was wrong with the account before is still said to be."""
    known = before or NO_CYCLE
    good, now = result.listed and result.error is None, result.finished_at
    throttled = isinstance(result.error, ThrottledError)
    waiting = _waiting(known, result)
    return Cycle(
        started_at=max(known.started_at, result.started_at),
        finished_at=now,
        read_up_to=_read_up_to(known, result, waiting),
        listed_from=_next_listing_start(known, result),
        not_before=_not_before(known, result),
        throttles=known.throttles + 1 if throttled and not result.looked_at else 0,
        jobs=len(result.looked_at) + len(result.not_looked_at),
        not_looked_at=len(result.not_looked_at),
        errors=result.job_errors,
        waiting=dict(waiting.named),
        waiting_unnamed=waiting.unnamed,
        waiting_unnamed_since=waiting.unnamed_since,
        trouble=known.trouble,
        recurrence=known.recurrence,
        cycles=known.cycles + 1,
        good_cycles=known.good_cycles + good,
        throttled=known.throttled + throttled,
        requests=dict(Counter(known.requests) + Counter(result.requests)),
        pools=dict(known.pools if result.counted is None else result.counted.pools),
        unseen_pools=dict(known.unseen_pools if result.counted is None else result.counted.unseen),
        pools_error=_pools_error(known, result),
        pools_error_since=_pools_error_since(known, result),
        unanswered=known.unanswered if result.counted is None else result.counted.unanswered,
        unanswered_since=_unanswered_since(known, result),
        failures=grown(known.failures, result.failures),
    )


def is_tracked(head: JobHead | None, job_id: str, patterns: IdPatterns) -> bool:
    """Whether a job is to be watched: by request, or because the settings name it; never one that was stopped."""
    # Who stopped it meant this very job; a glob did not.
    if head is not None and head.tracking is Tracking.STOPPED:
        return False
    return (head is not None and head.requested) or patterns.matches(job_id)


def _is_watched(head: JobHead) -> bool:
    return head.tracking in _ASKED_FOR_SINGLY


def _is_due(known: KnownJob | None, job: BatchJob, patterns: IdPatterns) -> bool:
    # Nobody wants to know of it.
    if not is_tracked(known.head if known else None, job.id, patterns):
        return False
    # Nothing is known of it, or only of another job of its id.
    if known is None or not is_same_incarnation(known.head, job):
        return True
    # It has nothing to watch, and can't get a preparation task later.
    if known.head.tracking is Tracking.NO_PREPARATION_TASK:
        return False
    # What is settled stays so until it is active again.
    ended = is_job_completed(job.state) or isinstance(job, UnreadableJob)
    return not (known.head.tracking is Tracking.SETTLED and ended)


def _is_ending(item: DueJob) -> bool:
    return is_ending(item.job.state) if item.job else item.known is not None and is_ending(item.known.head.state)


def _next_listing_start(known: Cycle, result: CycleResult) -> datetime | None:
    if not result.listed:
        return known.listed_from
    # Jobs that were due and not looked at may complete meanwhile: they have heads, and are asked for singly.
    return max(as_utc(known.listed_from), result.started_at - LISTING_OVERLAP)


def _listed_at(cycle: Cycle) -> datetime | None:
    """When the last complete job listing began: every job that did not have to wait was looked at since."""
    return cycle.listed_from + LISTING_OVERLAP if cycle.listed_from else None


def _waiting(known: Cycle, result: CycleResult) -> WaitingJobs:
    if not result.listed:
        return go_on_waiting(known, result.looked_at)
    last_look = _listed_at(known) or result.started_at
    return wait(known, result.not_looked_at, result.sighted, last_look=last_look, now=result.started_at)


def _read_up_to(known: Cycle, result: CycleResult, waiting: WaitingJobs) -> datetime | None:
    listed_at = result.started_at if result.listed else _listed_at(known)
    # Without one whole listing nobody knows which jobs there are.
    if listed_at is None:
        return known.read_up_to
    return max(as_utc(known.read_up_to), min(listed_at, waiting.since or listed_at))


def _pools_error(known: Cycle, result: CycleResult) -> str | None:
    if result.counted is not None:
        return result.counted.error
    # The jobs were got on with, and nothing was left for the pools: if that lasts, nobody sees them.
    if isinstance(result.error, ThrottledError) and result.looked_at:
        return result.error.code
    # They were not to be counted: what stood stands.
    return known.pools_error


def _pools_error_since(known: Cycle, result: CycleResult) -> datetime | None:
    return None if _pools_error(known, result) is None else known.pools_error_since or result.started_at


def _unanswered_since(known: Cycle, result: CycleResult) -> datetime | None:
    # Nothing was to be asked: what stood stands.
    if result.counted is None:
        return known.unanswered_since
    return None if result.counted.unanswered is None else known.unanswered_since or result.started_at


def _not_before(known: Cycle, result: CycleResult) -> datetime | None:
    # Whatever else went wrong, asking again harms nobody.
    if not isinstance(result.error, ThrottledError):
        return None
    # It got on: Batch's own wish is enough.
    if result.looked_at:
        return result.finished_at + min(result.error.retry_after or timedelta(0), LONGEST_PATIENCE)
    step = THROTTLE_STEPS[min(known.throttles, len(THROTTLE_STEPS) - 1)]
    asked = result.error.retry_after or step
    return result.finished_at + min(max(asked, step if known.throttles else timedelta(0)), LONGEST_PATIENCE)


def is_stale(cycle: Cycle | None, age: timedelta, now: datetime) -> bool:
    """Whether an account is read up to a moment longer ago than `age`, or was never read whole.

    Of a moment that is still to come nobody knows how long ago it was; the next cycle does.
    """
    if cycle is None or cycle.read_up_to is None:
        return True
    upto = as_utc(cycle.read_up_to)
    return now - upto > age or is_to_come(upto, now)
