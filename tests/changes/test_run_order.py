"""Which of two runs is the newer, whatever a listing leaves out, shows late, or spells otherwise."""

import pytest
from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, Outcome
from shared.changes.node_rules import Watch, decide_node, merge_statuses
from tests.changes.node_cases import PREPARATION_FAILED, PREPARATION_RESOLVED, Case
from tests.support.builders import at, failed, running, status, succeeded


def _without_start(info: ExecutionInfo) -> ExecutionInfo:
    return replace(info, start_time=None)


def _ended(start: float, end: float) -> ExecutionInfo:
    return replace(succeeded(start), end_time=at(end))


CASES = (
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decision(case: Case) -> None:
    """A status tells, opens and resolves exactly what the table says."""
    assert case.as_decided() == case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_same_again_is_no_news(case: Case) -> None:
    """Whatever was decided, the same status once more changes nothing and tells nothing."""
    known, _ = case.decide()

    assert decide_node(known, case.shown, case.watch) == (known, ())


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
