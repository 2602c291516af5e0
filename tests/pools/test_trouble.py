"""When a pool is in trouble, told by pools as they are in practice."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from shared.pools.trouble import TOLD_AFTER, in_trouble_since, why_unable
from shared.state.pools import PoolRecord, UnableNode
from tests.support.fakes import START

NOW = START


def record(minutes: Sequence[float], over: int = 0) -> PoolRecord:
    """A pool with nodes that are unable since so many minutes, and so many that are not any more."""
    nodes = {
        f"n-{number}": UnableNode(
            node_id=f"n-{number}",
            reason="startTaskFailed",
            counts_from=NOW - timedelta(minutes=ago),
            code="FailureExitCode",
            occurrence_id=f"occ-{number}",
        )
        for number, ago in enumerate(minutes)
    }
    ended = {
        f"e-{number}": UnableNode(
            node_id="e", reason="unusable", counts_from=NOW, occurrence_id=f"occ-e{number}", ended_at=NOW
        )
        for number in range(over)
    }
    return PoolRecord(pool_id="cpu", announce_from=NOW, nodes={**nodes, **ended})


@pytest.mark.parametrize(
    ("minutes", "by_state", "since"),
    [
        pytest.param([5, 4, 3], {"idle": 247, "starttaskfailed": 3}, None, id="1 % of a spot pool of 250"),
        pytest.param([100_000], {"idle": 7, "unusable": 1}, None, id="one of eight, always"),
        pytest.param([1] * 12, {"idle": 28, "starttaskfailed": 12}, 1, id="12 of 40"),
        pytest.param([50, 40, 30], {"idle": 27, "starttaskfailed": 3}, 30, id="three, a tenth"),
        pytest.param([50, 40, 30], {"idle": 28, "starttaskfailed": 3}, None, id="three, less than a tenth"),
        pytest.param([50, 31], {"idle": 8, "unusable": 2}, 1, id="two for half an hour"),
        pytest.param([50, 29], {"idle": 8, "unusable": 2}, None, id="two, not for long"),
        pytest.param([30], {"unusable": 1}, 0, id="the only one for half an hour"),
        pytest.param([29], {"unusable": 1}, None, id="the only one, not for long"),
        pytest.param([40], {"unusable": 1, "preempted": 9}, 10, id="the only one that is there"),
        pytest.param([2, 2, 2], {}, 2, id="not counted"),
        pytest.param([], {"idle": 8}, None, id="healthy"),
    ],
)
def test_trouble(minutes: Sequence[float], by_state: Mapping[str, int], since: float | None) -> None:
    """Three and a tenth at once, two and a tenth or all after half an hour."""
    expected = None if since is None else NOW - timedelta(minutes=since)
    assert in_trouble_since(record(minutes, over=9), by_state, NOW) == expected


def test_without_a_record_nothing_is_wrong() -> None:
    """A pool of which nothing is recorded is in no trouble and has no causes."""
    assert in_trouble_since(None, {"idle": 1}, NOW) is None
    assert why_unable(None) == []
    assert why_unable(record([1, 1])) == [("FailureExitCode", "", 2)]
    assert timedelta(minutes=30) == TOLD_AFTER
