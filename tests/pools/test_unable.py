"""From when on a node counts as one that can't work."""

from datetime import timedelta

import pytest

from shared.batch.pool_model import ComputeNode, NodeError
from shared.pools.states import ABLE, AWAY
from shared.pools.unable import Unable, UnableReason, unable_of
from tests.support.fakes import START

NOW = START
SINCE = NOW - timedelta(minutes=5)
DISK_FULL = (NodeError(code="DiskFull"),)
AT_ONCE, HALF_AN_HOUR, AN_HOUR = timedelta(0), timedelta(minutes=30), timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "errors", "reason", "patience"),
    [
        ("starttaskfailed", (), UnableReason.START_TASK_FAILED, AT_ONCE),
        ("StartTaskFailed", DISK_FULL, UnableReason.START_TASK_FAILED, AT_ONCE),
        ("unusable", DISK_FULL, UnableReason.NODE_ERROR, AT_ONCE),
        ("unknown", DISK_FULL, UnableReason.NODE_ERROR, AT_ONCE),
        ("starting", DISK_FULL, UnableReason.NODE_ERROR, AT_ONCE),
        ("creating", DISK_FULL, UnableReason.NODE_ERROR, AT_ONCE),
        ("waitingforstarttask", DISK_FULL, UnableReason.NODE_ERROR, AT_ONCE),
        ("unusable", (), UnableReason.UNUSABLE, HALF_AN_HOUR),
        ("unknown", (), UnableReason.UNKNOWN, HALF_AN_HOUR),
        ("waitingforstarttask", (), UnableReason.START_TASK_SLOW, AN_HOUR),
        ("creating", (), UnableReason.NOT_READY, HALF_AN_HOUR),
        ("starting", (), UnableReason.NOT_READY, HALF_AN_HOUR),
        ("rebooting", (), UnableReason.NOT_READY, HALF_AN_HOUR),
        ("rebooting", DISK_FULL, UnableReason.NOT_READY, HALF_AN_HOUR),
        ("reimaging", (), UnableReason.NOT_READY, HALF_AN_HOUR),
        ("upgradingos", (), UnableReason.NOT_READY, HALF_AN_HOUR),
    ],
)
def test_a_node_counts_as_unable(
    state: str, errors: tuple[NodeError, ...], reason: UnableReason, patience: timedelta
) -> None:
    """What ends only by somebody's doing counts at once, what may end by itself after a while."""
    node = ComputeNode(id="n", state=state, state_transition_time=SINCE, errors=errors)
    unable = unable_of(node, NOW)
    assert unable == Unable(reason=reason, since=SINCE, counts_from=SINCE + patience)
    assert not unable.counts(SINCE + patience - timedelta(microseconds=1))
    assert unable.counts(SINCE + patience)


@pytest.mark.parametrize("state", [*sorted(ABLE | AWAY), "hibernating", "", None])
def test_a_node_that_works_or_is_away_is_not_unable(state: str | None) -> None:
    """Nothing is said of a node that takes tasks, is gone on purpose, or in a state that is not known here."""
    assert unable_of(ComputeNode(id="n", state=state, errors=DISK_FULL), NOW) is None


@pytest.mark.parametrize(
    ("state", "counts"), [("starttaskfailed", True), ("unusable", False), ("waitingforstarttask", False)]
)
def test_without_a_beginning_only_what_needs_no_patience_counts(state: str, *, counts: bool) -> None:
    """Where Batch does not say since when, nobody can tell that it has taken too long."""
    unable = unable_of(ComputeNode(id="n", state=state), NOW)
    assert unable is not None
    assert (unable.since, unable.counts(NOW)) == (None, counts)
