"""What a node's new status means, given what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, FailureInfo, NodeStatus, Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.changes.node_rules import Watch, decide_node, merge_statuses
from shared.state.jobs import Change, NodeRecord, Reason
from tests.polling.oracle import EVERY_RUN, expected_outcome
from tests.support.builders import DISK_FULL, at, failed, running, status, succeeded

ALL = Watch(announce_from=None)
CLOSED = Watch(announce_from=None, open=False)
PREPARATION_FAILED = (Phase.PREPARATION, Reason.NEWLY_FAILED)
PREPARATION_RESOLVED = (Phase.PREPARATION, Reason.RESOLVED)
RELEASE_FAILED = (Phase.RELEASE, Reason.NEWLY_FAILED)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Statuses seen before, the one shown now, and what follows from it."""

    id: str
    seen: Sequence[NodeStatus] = ()
    shown: NodeStatus
    watch: Watch = ALL
    told: Sequence[tuple[Phase, Reason]] = ()
    open: bool = False
    outcome: Outcome | None = None


def _without_start(info: ExecutionInfo) -> ExecutionInfo:
    return replace(info, start_time=None)


def _ended(start: float, end: float) -> ExecutionInfo:
    return replace(succeeded(start), end_time=at(end))


CASES = (
    # --- first sight
    Case(id="first seen running", shown=status(running(0)), outcome=Outcome.RUNNING),
    Case(id="first seen retrying: not failed yet", shown=status(running(0, retries=3)), outcome=Outcome.RETRYING),
    Case(id="first seen succeeded", shown=status(succeeded(0)), outcome=Outcome.SUCCEEDED),
    Case(id="first seen failed", shown=status(failed(0)), told=[PREPARATION_FAILED], open=True, outcome=Outcome.FAILED),
    Case(id="first seen with neither phase", shown=status()),
    Case(
        id="first seen failed in both phases",
        shown=status(failed(0), failed(9)),
        told=[PREPARATION_FAILED, RELEASE_FAILED],
        open=True,
    ),
    Case(
        id="failed during an outage, after the last good cycle: told",
        shown=status(failed(100)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="ended exactly at announceFrom: told",
        shown=status(failed(49)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed before announceFrom: recorded and open, in silence",
        shown=status(failed(0)),
        watch=Watch(announce_from=at(50)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="without an end the start decides: before announceFrom",
        shown=status(replace(failed(0), end_time=None)),
        watch=Watch(announce_from=at(50)),
        open=True,
    ),
    Case(
        id="preparation is history, release is news",
        shown=status(failed(0), failed(60)),
        watch=Watch(announce_from=at(50)),
        told=[RELEASE_FAILED],
        open=True,
    ),
    Case(
        id="history resolves in silence",
        seen=[status(failed(0))],
        shown=status(succeeded(60)),
        watch=Watch(announce_from=at(50)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="a node of history that fails again is told",
        seen=[status(failed(0))],
        shown=status(failed(60)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="the same failure of history seen again stays silent",
        seen=[status(failed(0))],
        shown=status(replace(failed(0), exit_code=7)),
        watch=Watch(announce_from=at(50)),
        open=True,
    ),
    Case(
        id="a known node's failure is told, however early it ended",
        seen=[status(running(0))],
        shown=status(failed(0)),
        watch=Watch(announce_from=at(50)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="a known node's release failure is told, however early it ended",
        seen=[status(succeeded(0))],
        shown=status(succeeded(0), failed(10)),
        watch=Watch(announce_from=at(50)),
        told=[RELEASE_FAILED],
    ),
    # --- one run
    Case(
        id="running, then failed",
        seen=[status(running(0))],
        shown=status(failed(0)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="retrying, then failed",
        seen=[status(running(0, retries=1))],
        shown=status(failed(0)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="every retry has its startTime: the last one's failure is the failure",
        seen=[status(running(0)), status(running(3, retries=1)), status(running(6, retries=2))],
        shown=status(failed(6)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="running, then succeeded", seen=[status(running(0))], shown=status(succeeded(0)), outcome=Outcome.SUCCEEDED
    ),
    Case(id="seen failed once more", seen=[status(failed(0))], shown=status(failed(0)), open=True),
    Case(
        id="the same failure with more said of it",
        seen=[status(replace(failed(0), failure_info=None))],
        shown=status(failed(0)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="first succeeded, then failure information in the same run",
        seen=[status(succeeded(0))],
        shown=status(replace(succeeded(0), failure_info=FailureInfo(code="FileUpload"))),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    # --- open and resolved
    Case(
        id="failed, then another run succeeded",
        seen=[status(failed(0))],
        shown=status(succeeded(10)),
        told=[PREPARATION_RESOLVED],
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="failed, running again after a reimage: still open",
        seen=[status(failed(0))],
        shown=status(running(10)),
        open=True,
        outcome=Outcome.RUNNING,
    ),
    Case(
        id="failed, seen running, then succeeded: resolved",
        seen=[status(failed(0)), status(running(10))],
        shown=status(succeeded(10)),
        told=[PREPARATION_RESOLVED],
    ),
    Case(
        id="failed, seen running, failed again: told again",
        seen=[status(failed(0)), status(running(10))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed again without being seen in between",
        seen=[status(failed(0))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="resolved, seen once more with another detail: nothing",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(replace(succeeded(10), task_root_directory_url="https://elsewhere/")),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="resolved, then failed after a reboot",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(failed(20)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="resolved, then failure information in the same run",
        seen=[status(failed(0)), status(succeeded(10))],
        shown=status(replace(succeeded(10), failure_info=FailureInfo(code="FileUpload"))),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="succeeded, run again after a reboot, failed",
        seen=[status(succeeded(0)), status(running(10))],
        shown=status(failed(10)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="failed, then a run of unknown result: still open",
        seen=[status(failed(0))],
        shown=status(replace(succeeded(10), result="skipped")),
        open=True,
        outcome=Outcome.UNKNOWN,
    ),
    Case(
        id="resolved and release failed at once",
        seen=[status(failed(0))],
        shown=status(succeeded(10), failed(20)),
        told=[PREPARATION_RESOLVED, RELEASE_FAILED],
    ),
    # --- release
    Case(
        id="release failed", seen=[status(succeeded(0))], shown=status(succeeded(0), failed(9)), told=[RELEASE_FAILED]
    ),
    Case(
        id="release failed, is no open failure",
        seen=[status(succeeded(0), failed(9))],
        shown=status(succeeded(0), succeeded(20)),
    ),
    Case(
        id="release failed twice",
        seen=[status(succeeded(0), failed(9))],
        shown=status(succeeded(0), failed(20)),
        told=[RELEASE_FAILED],
    ),
    # --- listings are not snapshots
    Case(
        id="an older run from a stale page",
        seen=[status(succeeded(10))],
        shown=status(failed(0)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="running from a page before its end",
        seen=[status(failed(0))],
        shown=status(running(0)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="succeeded, then running from a stale page",
        seen=[status(succeeded(0))],
        shown=status(running(0)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="a failure is final: the same run as succeeded is stale",
        seen=[status(failed(0))],
        shown=status(succeeded(0)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="the clock went back: the run that ended later is the newer",
        seen=[status(failed(10))],
        shown=status(_ended(9, 12)),
        told=[PREPARATION_RESOLVED],
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="the run that ended earlier is stale, though it started later",
        seen=[status(_ended(9, 12))],
        shown=status(failed(10)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="the same end: the later start is the newer",
        seen=[status(failed(10))],
        shown=status(_ended(8, 11)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="the clock went back within a run: its end is newer than its running",
        seen=[status(running(10))],
        shown=status(_ended(10, 9)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="a phase that is missing keeps its record",
        seen=[status(failed(0))],
        shown=status(None, succeeded(9)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    # --- the job is over
    Case(id="fails after the end: told, not open", shown=status(failed(0)), watch=CLOSED, told=[PREPARATION_FAILED]),
    Case(
        id="succeeds after the end: nothing to resolve",
        seen=[status(failed(0))],
        shown=status(succeeded(9)),
        watch=CLOSED,
    ),
    Case(
        id="release fails after the end",
        seen=[status(failed(0))],
        shown=status(failed(0), failed(9)),
        watch=CLOSED,
        told=[RELEASE_FAILED],
    ),
    # --- what Batch may leave out, spell otherwise, or add
    Case(id="no startTime, failed", shown=status(_without_start(failed(0))), told=[PREPARATION_FAILED], open=True),
    Case(
        id="no startTime, failed, again",
        seen=[status(_without_start(failed(0)))],
        shown=status(_without_start(failed(0))),
        open=True,
    ),
    Case(
        id="no startTime, failed, then a run with startTime succeeded",
        seen=[status(_without_start(failed(0)))],
        shown=status(succeeded(9)),
        told=[PREPARATION_RESOLVED],
    ),
    Case(
        id="no startTime and an earlier end: older",
        seen=[status(succeeded(9))],
        shown=status(_without_start(failed(5))),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="no startTime and a later end: newer",
        seen=[status(succeeded(9))],
        shown=status(_without_start(failed(20))),
        told=[PREPARATION_FAILED],
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="no startTime and the same end: older",
        seen=[status(succeeded(9))],
        shown=status(_without_start(failed(9))),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="no startTime, history at first sight by its end",
        shown=status(_without_start(failed(0))),
        watch=Watch(announce_from=at(50)),
        open=True,
    ),
    Case(
        id="other casing",
        shown=status(replace(failed(0), state="Completed", result="Failure")),
        told=[PREPARATION_FAILED],
        open=True,
    ),
    Case(
        id="FORWARD COMPATIBILITY: an unknown state",
        seen=[status(running(0))],
        shown=status(replace(running(10), state="suspended")),
        outcome=Outcome.UNKNOWN,
    ),
    Case(
        id="FORWARD COMPATIBILITY: an unknown result, then failed",
        seen=[status(replace(succeeded(0), result="pending"))],
        shown=status(failed(0)),
        told=[PREPARATION_FAILED],
        open=True,
    ),
)


def _last(case: Case) -> tuple[NodeRecord, tuple[Change, ...]]:
    known: NodeRecord | None = None
    for seen in case.seen:
        known, _ = decide_node(known, seen, replace_open(case.watch))
    return decide_node(known, case.shown, case.watch)


def replace_open(watch: Watch) -> Watch:
    """The same watch before the job's end."""
    return Watch(announce_from=watch.announce_from)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decision(case: Case) -> None:
    """A status tells, opens and resolves exactly what the table says."""
    known, changes = _last(case)

    assert [(change.phase, change.reason) for change in changes] == list(case.told)
    assert (known.open is not None) is case.open
    if case.outcome is not None:
        assert known.preparation is not None
        assert outcome_of(known.preparation.info) is case.outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_same_again_is_no_news(case: Case) -> None:
    """Whatever was decided, the same status once more changes nothing and tells nothing."""
    known, _ = _last(case)

    assert decide_node(known, case.shown, case.watch) == (known, ())


@pytest.mark.parametrize("phase", Phase)
def test_every_combination_at_first_sight(phase: Phase) -> None:
    """Of every combination of state, result, exit code, failure information and retries exactly the failed are told."""
    for run in EVERY_RUN:
        shown = status(run) if phase is Phase.PREPARATION else status(None, run)
        known, changes = decide_node(None, shown, ALL)
        is_failure = expected_outcome(run) is Outcome.FAILED

        assert [change.phase for change in changes] == [phase] * is_failure, run
        assert (known.open is not None) is (is_failure and phase is Phase.PREPARATION), run


def test_every_combination_after_a_failure() -> None:
    """Of every later run exactly the succeeded resolve, the failed are told again, and all others leave it open."""
    known, _ = decide_node(None, status(failed(0)), ALL)
    told = {Outcome.FAILED: [Reason.NEWLY_FAILED], Outcome.SUCCEEDED: [Reason.RESOLVED]}
    for run in EVERY_RUN:
        after, changes = decide_node(known, status(replace(run, start_time=at(5))), ALL)

        assert [change.reason for change in changes] == told.get(expected_outcome(run), []), run
        assert (after.open is None) is (expected_outcome(run) is Outcome.SUCCEEDED), run


def test_a_resolution_names_the_failure_that_it_ends() -> None:
    """A resolution carries since when and why the node was failing, and the run that ended it."""
    known, _ = decide_node(None, status(failed(0, DISK_FULL)), ALL)
    known, _ = decide_node(known, status(running(10)), ALL)
    known, (change,) = decide_node(known, status(succeeded(10)), ALL)

    assert change.opened is not None
    assert (change.opened.since, change.opened.code) == (at(1), "DiskFull")
    assert change.occurrence == succeeded(10)
    assert change.node == known


def test_the_telling_event_stays_with_the_run() -> None:
    """The id of the event that told a failure outlasts later words about the same run, and only those."""
    known, _ = decide_node(None, status(replace(failed(0), failure_info=None)), ALL)
    assert known.preparation is not None
    known = replace(known, preparation=replace(known.preparation, event_id="told"))

    again, _ = decide_node(known, status(failed(0)), ALL)
    later, _ = decide_node(again, status(failed(5)), ALL)

    assert again.preparation is not None
    assert later.preparation is not None
    assert (again.preparation.event_id, again.preparation.info) == ("told", failed(0))
    assert later.preparation.event_id is None


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        pytest.param(failed(0), succeeded(5), succeeded(5), id="the later end"),
        pytest.param(failed(10), _ended(9, 12), _ended(9, 12), id="the later end, though the clock went back"),
        pytest.param(_ended(8, 11), failed(10), failed(10), id="the same end: the later start"),
        pytest.param(failed(0), running(5), running(5), id="the later start while it runs"),
        pytest.param(running(10), _ended(10, 9), _ended(10, 9), id="an end before its own start is an end"),
        pytest.param(running(0), failed(0), failed(0), id="the end of the same run"),
        pytest.param(succeeded(0), failed(0), failed(0), id="a failure is final"),
        pytest.param(None, running(0), running(0), id="the only one"),
        pytest.param(_without_start(failed(0)), running(5), running(5), id="the one that has started"),
        pytest.param(None, None, None, id="none"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_the_same_node_twice(
    one: ExecutionInfo | None, other: ExecutionInfo | None, kept: ExecutionInfo | None, *, swapped: bool
) -> None:
    """A node that a listing shows twice has, of each phase, the newer run, whatever the order."""
    first, second = (other, one) if swapped else (one, other)

    assert merge_statuses(status(first), status(second)).preparation == kept
    assert merge_statuses(status(None, first), status(None, second)).release == kept
