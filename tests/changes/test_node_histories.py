"""What holds of every history of a node, in whatever order its pages come, and of every run."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, NodeStatus, Outcome, Phase
from shared.batch.outcomes import has_failed, outcome_of
from shared.changes.node_rules import Watch, decide_node
from shared.state.nodes import Change, NodeRecord, Reason
from tests.polling.oracle import EVERY_RUN, expected_outcome
from tests.support.builders import DISK_FULL, at, failed, running, status, succeeded

ALL = Watch(announce_from=None)
CLOSED = Watch(announce_from=None, open=False)


@st.composite
def _histories(draw: st.DrawFn) -> list[NodeStatus]:
    """What Batch holds of one node, moment by moment: each phase only goes forward."""
    moments: list[NodeStatus] = []
    runs: dict[Phase, ExecutionInfo | None] = dict.fromkeys(Phase)
    for minute in range(draw(st.integers(1, 12))):
        phase = draw(st.sampled_from(Phase))
        run = runs[phase]
        if run is None or outcome_of(run) not in {Outcome.RUNNING, Outcome.RETRYING} or draw(st.booleans()):
            runs[phase] = running(minute * 10, retries=draw(st.integers(0, 2)))
        else:
            assert run.start_time is not None
            start = (run.start_time - at(0)) / timedelta(minutes=1)
            runs[phase] = draw(st.sampled_from([succeeded(start), failed(start), failed(start, DISK_FULL)]))
        moments.append(status(runs[Phase.PREPARATION], runs[Phase.RELEASE]))
    return moments


@st.composite
def _listings(draw: st.DrawFn) -> list[tuple[int, NodeStatus]]:
    """Pages of that history in any order and number, some with one phase missing."""
    history = draw(_histories())
    order = draw(st.lists(st.integers(0, len(history) - 1), min_size=1, max_size=25))
    return [(moment, history[moment]) for moment in order]


def _feed(listings: Sequence[NodeStatus], watch: Watch) -> tuple[NodeRecord, list[Change]]:
    known: NodeRecord | None = None
    told: list[Change] = []
    for shown in listings:
        known, changes = decide_node(known, shown, watch)
        told.extend(changes)
    assert known is not None
    return known, told


_starts = st.one_of(st.none(), st.integers(0, 120).map(at))


@given(_listings(), _starts)
def test_an_occurrence_is_told_at_most_once(listings: list[tuple[int, NodeStatus]], announce_from: datetime) -> None:
    """Whatever the order and number of the listings, no run of a phase is told twice as failed or as resolved."""
    _, told = _feed([shown for _, shown in listings], Watch(announce_from=announce_from))
    occurrences = [(change.phase, change.reason, change.occurrence.start_time) for change in told]

    assert len(occurrences) == len(set(occurrences))
    assert all(has_failed(change.occurrence) is (change.reason is Reason.NEWLY_FAILED) for change in told)


@given(_listings(), _starts)
def test_stale_pages_change_nothing(listings: list[tuple[int, NodeStatus]], announce_from: datetime) -> None:
    """A page older than one already seen changes neither the record nor what is told."""
    newest, fresh = -1, []
    for moment, shown in listings:
        if moment >= newest:
            newest = moment
            fresh.append(shown)
    watch = Watch(announce_from=announce_from)

    assert _feed([shown for _, shown in listings], watch) == _feed(fresh, watch)


@given(_listings(), _starts)
def test_resolved_only_after_an_open_failure_was_told(
    listings: list[tuple[int, NodeStatus]], announce_from: datetime
) -> None:
    """Between two resolutions of a node, and before the first, a failure was told; release failures never resolve."""
    _, told = _feed([shown for _, shown in listings], Watch(announce_from=announce_from))
    is_told_open = False
    for change in told:
        if change.phase is Phase.RELEASE:
            assert change.reason is Reason.NEWLY_FAILED
        elif change.reason is Reason.RESOLVED:
            assert is_told_open
            is_told_open = False
        else:
            is_told_open = True


@st.composite
def _late_pages(draw: st.DrawFn) -> list[NodeStatus]:
    """What Batch holds of a node each minute, in pages up to six minutes old, and at last as it is in the end.

    One run ends before the next begins, but where a run begins the node's clock may be five minutes slow.
    """
    held: list[NodeStatus] = []
    for run in range(draw(st.integers(1, 6))):
        begin = len(held)
        end = begin + draw(st.integers(1, 8))
        start = begin - draw(st.integers(0, 5)) + run / 60  # no two runs begin at the same moment
        done = replace(draw(st.sampled_from([succeeded(start), failed(start)])), end_time=at(end))
        held.extend([status(running(start))] * (end - begin))
        held.extend([status(done)] * draw(st.integers(1, 3)))
    pages = [held[max(minute - draw(st.integers(0, 6)), 0)] for minute in range(len(held))]
    return [*pages, held[-1]]


@given(_late_pages())
def test_late_pages_tell_nothing_twice(pages: list[NodeStatus]) -> None:
    """Pages up to six minutes old, in any order, with clocks that go back, tell nothing twice; the last run stays."""
    known, told = _feed(pages, ALL)
    occurrences = [(change.reason, change.occurrence.start_time) for change in told]

    assert len(occurrences) == len(set(occurrences))
    assert known.preparation is not None
    assert known.preparation.info == pages[-1].preparation


@given(_histories())
def test_nothing_that_is_shown_is_missed(history: list[NodeStatus]) -> None:
    """Who sees every moment is told every failure, and knows in the end what Batch shows."""
    known, told = _feed(history, ALL)
    shown = {
        (phase, run.start_time)
        for moment in history
        for phase, run in ((Phase.PREPARATION, moment.preparation), (Phase.RELEASE, moment.release))
        if run is not None and has_failed(run)
    }

    assert {(c.phase, c.occurrence.start_time) for c in told if c.reason is Reason.NEWLY_FAILED} == shown
    assert known.preparation is None or known.preparation.info == history[-1].preparation


@given(_listings())
def test_after_the_end_nothing_is_open(listings: list[tuple[int, NodeStatus]]) -> None:
    """A closed head's nodes have no open failure and nothing to resolve."""
    known, told = _feed([shown for _, shown in listings], CLOSED)

    assert known.open is None
    assert all(change.reason is Reason.NEWLY_FAILED for change in told)


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
