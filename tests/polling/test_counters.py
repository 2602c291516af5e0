"""Totals of failures: what is counted, and that they stay small enough for the account's row."""

from shared.batch.model import Phase
from shared.polling.counters import MOST_COUNTED, OTHER, FailureCounter, grown
from shared.state.accounts import FailureCount
from shared.state.nodes import Change, NodeRecord, Reason
from tests.support.builders import BLOB_NOT_FOUND, failed


def a_change(reason: Reason = Reason.NEWLY_FAILED) -> Change:
    """A change on a node of the pool p."""
    node = NodeRecord(pool_id="p", node_id="n")
    return Change(phase=Phase.PREPARATION, reason=reason, node=node, occurrence=failed(1, BLOB_NOT_FOUND))


def test_failures_are_counted_and_ends_are_not() -> None:
    """Each new failure counts under its pool, phase and code until somebody takes the count."""
    counter = FailureCounter()
    counter.add([a_change(), a_change(), a_change(Reason.RESOLVED)])
    assert counter.take() == {("p", "preparation", "BlobNotFound"): 2}
    assert counter.take() == {}


def test_totals_grow() -> None:
    """What is new is added to what was; what is not named stays."""
    known = (FailureCount(pool_id="p", phase="release", code="X", failures=3),)
    new = {("p", "release", "X"): 1, ("q", "preparation", "Y"): 2}
    assert grown(known, new) == (
        FailureCount(pool_id="p", phase="release", code="X", failures=4),
        FailureCount(pool_id="q", phase="preparation", code="Y", failures=2),
    )
    assert grown(known, {}) == known


def test_the_totals_fit_the_row() -> None:
    """Beyond so many kinds there is one total for all further ones of a phase; those that have their own keep it."""
    known = grown((), {(f"pool-{number:03}", "preparation", "X"): 1 for number in range(MOST_COUNTED)})
    more = grown(
        known, {("new-1", "preparation", "X"): 2, ("new-2", "preparation", "Y"): 3, ("pool-007", "preparation", "X"): 1}
    )
    assert len(more) == MOST_COUNTED + 1
    totals = {(one.pool_id, one.code): one.failures for one in more}
    assert (totals[OTHER, OTHER], totals["pool-007", "X"]) == (5, 2)
    assert sum(totals.values()) == MOST_COUNTED + 6
