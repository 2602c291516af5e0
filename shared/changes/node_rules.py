"""What a node's new status means, given what is known of the node: the heart of Prepwatch.

Owns the rules for newly failed, resolved and what is to be ignored. Does not own grouping into events
(`changes.event_grouping`) or the job as a whole (`polling.job_rules`). Pure: a status and a record go in, a new record
and its changes come out, each with its reason. A listing is not a snapshot (nodes come and go from it, pages of
different age mix), so the moments of the runs, not the order of arrival, say which of two statuses is the newer.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.causes import cause_of
from shared.batch.model import ExecutionInfo, NodeStatus, Outcome, Phase
from shared.batch.outcomes import ended_at, has_failed, is_completed, outcome_of
from shared.changes.slow_preparations import follow
from shared.moments import as_utc
from shared.state.chains import Chain, OpenFailure
from shared.state.nodes import Change, NodeRecord, PhaseRecord, Reason


class Watch(Struct, frozen=True, kw_only=True):
    """What of the job a node's decision depends on.

    Failures that ended before `announce_from` on nodes never seen are recorded in silence (None: announce all); on a
    node that is known, whatever is new is news.
    `open` is False once the job's end has closed its open failures: then no mark is set and none is resolved.
    What is recorded as later than `latest` comes from a clock that is wrong, and outranks nothing (None: all counts).
    """

    announce_from: datetime | None
    open: bool = True
    latest: datetime | None = None


def decide_node(before: NodeRecord | None, status: NodeStatus, watch: Watch) -> tuple[NodeRecord, tuple[Change, ...]]:
    """The record that follows from a status, and the changes worth telling.

    `before` is None for a node that this incarnation of the job has not shown yet. A phase missing from the status
    keeps its record.
    """
    known = before or NodeRecord(pool_id=status.pool_id or "", node_id=status.node_id or "")
    silent_before = watch.announce_from if before is None else None
    run, has_newly_failed = _decide_phase(known.preparation, status.preparation, silent_before, watch.latest)
    release, has_release_failed = _decide_phase(known.release, status.release, silent_before, watch.latest)
    preparation, opened, ended = _decide_mark(known, run, watch, has_newly_failed=has_newly_failed)
    was_slow = _slow_until_now(known, preparation, watch)
    if preparation is not None and was_slow is not None:
        preparation = replace(preparation, reason=Reason.RESOLVED)
    record = NodeRecord(
        pool_id=status.pool_id or known.pool_id,
        node_id=status.node_id or known.node_id,
        node_url=status.node_url or known.node_url,
        preparation=preparation,
        release=release,
        open=opened,
        chain=follow(known, run),
        missing_since=known.missing_since if run is known.preparation else None,
        left=known.left if run is known.preparation and watch.open else None,
    )
    changes = []
    if preparation is not None and (
        was_slow is not None or _is_to_be_told(preparation, ended, has_failed_anew=has_newly_failed)
    ):
        phase, reason, info = Phase.PREPARATION, preparation.reason, preparation.info
        changes.append(Change(phase=phase, reason=reason, node=record, occurrence=info, opened=ended, chain=was_slow))
    if release is not None and _is_to_be_told(release, None, has_failed_anew=has_release_failed):
        phase, reason, info = Phase.RELEASE, release.reason, release.info
        changes.append(Change(phase=phase, reason=reason, node=record, occurrence=info))
    return record, tuple(changes)


def merge_statuses(first: NodeStatus, second: NodeStatus) -> NodeStatus:
    """One status of a node that a listing shows twice: of each phase the newer run."""
    return NodeStatus(
        pool_id=second.pool_id or first.pool_id,
        node_id=second.node_id or first.node_id,
        node_url=second.node_url or first.node_url,
        preparation=_later(first.preparation, second.preparation),
        release=_later(first.release, second.release),
    )


def _decide_phase(
    before: PhaseRecord | None, info: ExecutionInfo | None, silent_before: datetime | None, latest: datetime | None
) -> tuple[PhaseRecord | None, bool]:
    """A phase's record after a status, and whether its run has failed and was not yet recorded as failed."""
    # Batch leaves a phase out that the node has not come to.
    if info is None:
        return before, False
    failed = has_failed(info)
    if before is not None:
        # A listing may show how it was before.
        if _is_no_news(before.info, info, latest):
            return before, False
        # The same run, further on: whatever was to be told of it was told.
        if _is_same_run(before.info, info) and has_failed(before.info) == failed:
            return PhaseRecord(info=info, reason=before.reason, event_id=before.event_id), False
    # What runs or succeeded is news only after a failure, which the mark tells.
    if not failed:
        return PhaseRecord(info=info), False
    # A failure from before this job was first watched, on a node never seen: history.
    if silent_before is not None and as_utc(ended_at(info)) < silent_before:
        return PhaseRecord(info=info, reason=Reason.BEFORE_FIRST_SIGHT), True
    return PhaseRecord(info=info, reason=Reason.NEWLY_FAILED), True


def _decide_mark(
    known: NodeRecord, run: PhaseRecord | None, watch: Watch, *, has_newly_failed: bool
) -> tuple[PhaseRecord | None, OpenFailure | None, OpenFailure | None]:
    """The preparation's record, the mark that keeps the node from the job's tasks, and the mark that has ended."""
    # The job's end has closed every mark, and sets none: tasks of a job that is over wait for nobody.
    if not watch.open:
        return run, None, None
    # Another look at what is known already.
    if run is None or run is known.preparation:
        return run, known.open, None
    # Also a failure that is history holds the node up now, in silence.
    if has_newly_failed:
        return run, _open_failure(run.info, announced=run.reason is Reason.NEWLY_FAILED), None
    # Only success ends a failure: a run that goes on, or is tried again, may fail as well.
    if known.open is None or outcome_of(run.info) is not Outcome.SUCCEEDED:
        return run, known.open, None
    return PhaseRecord(info=run.info, reason=Reason.RESOLVED), None, known.open


def _slow_until_now(known: NodeRecord, run: PhaseRecord | None, watch: Watch) -> Chain | None:
    """The slow preparation, told as such, that this run has brought to its good end; a failure is told by itself."""
    # Nothing is new, nothing is waited for any more, or nobody knows that it was slow.
    if run is None or run is known.preparation or not watch.open or known.chain is None or not known.chain.owed:
        return None
    return known.chain if outcome_of(run.info) is Outcome.SUCCEEDED else None


def _is_to_be_told(run: PhaseRecord, ended: OpenFailure | None, *, has_failed_anew: bool) -> bool:
    # An end is told to those who were told of the failure.
    if ended is not None:
        return ended.announced
    # What failed before the job was watched is history.
    return has_failed_anew and run.reason is Reason.NEWLY_FAILED


def _is_no_news(known: ExecutionInfo, info: ExecutionInfo, latest: datetime | None) -> bool:
    """Whether a status tells nothing that is newer than what is known: it is the same, or of an older page."""
    # The same page once more, or one like it.
    if known == info:
        return True
    if _is_same_run(known, info) and has_failed(known) and not has_failed(info):
        return True  # a run's failure is final
    place = _place(known)
    if latest is not None and place[0] > latest:
        return False  # the node's clock was wrong: it would hide all that runs until then
    return _place(info) < place


def _is_same_run(known: ExecutionInfo, info: ExecutionInfo) -> bool:
    if known.start_time is None or info.start_time is None:
        # Without a start a run is known by its end; one that ended without any time is told apart from none.
        return known.end_time == info.end_time or (has_failed(known) and has_failed(info) and _has_no_time(known, info))
    return as_utc(known.start_time) == as_utc(info.start_time)


def _has_no_time(*runs: ExecutionInfo) -> bool:
    return any(run.start_time is None and run.end_time is None for run in runs)


def _place(info: ExecutionInfo) -> tuple[datetime, datetime, bool, bool]:
    """Where a status of a phase stands among others: by the run's last moment, then by its start.

    A clock that went back can put a start before the end of the run before, and an end before its own start. Of one
    moment of one run the end is newer than its running, and a failure is final.
    """
    started = as_utc(info.start_time)
    return max(started, as_utc(info.end_time)), started, is_completed(info), has_failed(info)


def _open_failure(info: ExecutionInfo, *, announced: bool) -> OpenFailure:
    code, message = cause_of(info)
    return OpenFailure(since=ended_at(info), code=code, message=message, announced=announced)


def _later(first: ExecutionInfo | None, second: ExecutionInfo | None) -> ExecutionInfo | None:
    if first is None or second is None:
        return first or second
    return max(first, second, key=_place)
