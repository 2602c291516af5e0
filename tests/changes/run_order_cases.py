"""Cases of a status that is older or newer than what is known: stale pages, clocks that went back, missing times."""

from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, Outcome
from shared.changes.node_rules import Watch
from tests.changes.node_cases import PREPARATION_FAILED, PREPARATION_RESOLVED, Case
from tests.support.builders import at, failed, running, status, succeeded


def without_start(info: ExecutionInfo) -> ExecutionInfo:
    """A run of which Batch gave no start."""
    return replace(info, start_time=None)


def ended(start: float, end: float) -> ExecutionInfo:
    """A run that succeeded, with its end wherever a clock put it."""
    return replace(succeeded(start), end_time=at(end))


RUN_ORDER = (
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
        shown=status(ended(9, 12)),
        told=[PREPARATION_RESOLVED],
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="the run that ended earlier is stale, though it started later",
        seen=[status(ended(9, 12))],
        shown=status(failed(10)),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="the same end: the later start is the newer",
        seen=[status(failed(10))],
        shown=status(ended(8, 11)),
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="the clock went back within a run: its end is newer than its running",
        seen=[status(running(10))],
        shown=status(ended(10, 9)),
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
    Case(id="no startTime, failed", shown=status(without_start(failed(0))), told=[PREPARATION_FAILED], open=True),
    Case(
        id="no startTime, failed, again",
        seen=[status(without_start(failed(0)))],
        shown=status(without_start(failed(0))),
        open=True,
    ),
    Case(
        id="no startTime, failed, then a run with startTime succeeded",
        seen=[status(without_start(failed(0)))],
        shown=status(succeeded(9)),
        told=[PREPARATION_RESOLVED],
    ),
    Case(
        id="no startTime and an earlier end: older",
        seen=[status(succeeded(9))],
        shown=status(without_start(failed(5))),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="no startTime and a later end: newer",
        seen=[status(succeeded(9))],
        shown=status(without_start(failed(20))),
        told=[PREPARATION_FAILED],
        open=True,
        outcome=Outcome.FAILED,
    ),
    Case(
        id="no startTime and the same end: older",
        seen=[status(succeeded(9))],
        shown=status(without_start(failed(9))),
        outcome=Outcome.SUCCEEDED,
    ),
    Case(
        id="no startTime, history at first sight by its end",
        shown=status(without_start(failed(0))),
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
