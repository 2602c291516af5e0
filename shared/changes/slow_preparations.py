"""How long a preparation goes on, and when that is too long.

Owns which tries belong together, and the limit. Does not own who is asked before it is told
(`polling.slow_and_left_nodes`). Pure.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, Outcome
from shared.batch.outcomes import outcome_of
from shared.state.chains import Chain
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord, PhaseRecord

MANY_RETRIES = 10
"""So many retries are slow, however short each was: a task without a limit of its own is tried for ever."""
WHILE_NONE_SUCCEEDED = timedelta(minutes=60)
AT_LEAST, AT_MOST = timedelta(minutes=30), timedelta(hours=6)
COUNTED_BY = timedelta(minutes=5)
_UNFINISHED = frozenset({Outcome.RUNNING, Outcome.RETRYING})
_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def chain_of(record: NodeRecord) -> Chain | None:
    """The preparation that goes on on a node; None when none does."""
    run = record.preparation
    if run is None or outcome_of(run.info) not in _UNFINISHED:
        return None
    return record.chain or Chain(since=run.info.start_time)


def is_slow(record: NodeRecord) -> bool:
    """Whether the preparation that goes on on a node was found to take too long."""
    chain = chain_of(record)
    return chain is not None and chain.slow


def is_held_up(record: NodeRecord) -> bool:
    """Whether preparation keeps a node from the job's tasks: it has failed and does not run anew, or takes too long."""
    # A try after the first is part of what fails; a run of its own may be on a machine that was mended or replaced.
    runs_anew = record.preparation is not None and outcome_of(record.preparation.info) is Outcome.RUNNING
    return is_slow(record) or (record.open is not None and not runs_anew)


def follow(known: NodeRecord, run: PhaseRecord | None) -> Chain | None:
    """What is to be remembered of a node's preparation when its run is this one now; None when the run says it all."""
    # Another look at what is known already.
    if run is None or run is known.preparation:
        return known.chain
    # It has come to its end; the run itself says which.
    if outcome_of(run.info) not in _UNFINISHED:
        return None
    before = chain_of(known)
    anew = Chain(since=run.info.start_time, owed=known.chain is not None and known.chain.owed)
    if before is None or known.preparation is None or not _goes_on(known.preparation.info, run.info):
        chain = anew
    else:
        # A node that tries again is not lost.
        chain = before if _is_same_try(known.preparation.info, run.info) else replace(before, lost=False)
    return None if chain == Chain(since=run.info.start_time) else chain


def _goes_on(known: ExecutionInfo, info: ExecutionInfo) -> bool:
    return (info.retry_count or 0) > (known.retry_count or 0) or _is_same_try(known, info)


def _is_same_try(known: ExecutionInfo, info: ExecutionInfo) -> bool:
    return info.start_time == known.start_time


def limit_of(head: JobHead, fixed: timedelta | None) -> timedelta | None:
    """How long a preparation of the job may go on; None when nobody wants to know.

    `fixed` is the limit that somebody has set, zero to switch it off; None lets the job's own past decide.
    """
    # What somebody has set holds, whatever was usual.
    if fixed is not None:
        return fixed or None
    # Nothing to compare with: so long is slow for anybody.
    if head.longest is None:
        return WHILE_NONE_SUCCEEDED
    return min(max(2 * head.longest, AT_LEAST), AT_MOST)


def may_be_slow(head: JobHead, limit: timedelta, now: datetime) -> bool:
    """Whether some preparation of the job has gone on for too long, as far as the head tells."""
    # What still runs when the job is over keeps nobody waiting.
    if head.closed is not None:
        return False
    return head.often_retried > 0 or any(begun_at(number) + limit <= now for number in head.unfinished)


def became_slow_at(record: NodeRecord, limit: timedelta, now: datetime) -> datetime | None:
    """When the preparation that goes on on a node became slow; None when it did not, was told, or its node is lost."""
    chain, run = chain_of(record), record.preparation
    # Nothing goes on, people know of it, or nobody can tell what becomes of it.
    if chain is None or run is None or chain.slow or chain.lost:
        return None
    # The limit tells since when; the number of tries does not.
    if chain.since is not None and chain.since + limit <= now:
        return chain.since + limit
    return (run.info.last_retry_time or run.info.start_time or now) if is_often_retried(run.info) else None


def is_often_retried(info: ExecutionInfo) -> bool:
    """Whether a preparation was tried so often that the next try will hardly do better."""
    return (info.retry_count or 0) >= MANY_RETRIES


def interval_of(chain: Chain) -> int | None:
    """The five minutes in which a preparation began, counted from 1970; None when Batch did not say."""
    return None if chain.since is None else (chain.since - _THE_BEGINNING) // COUNTED_BY


def begun_at(number: int) -> datetime:
    """When the five minutes of this number began."""
    return _THE_BEGINNING + number * COUNTED_BY
