"""Whom a mute keeps from hearing of a pool, and for how long."""

from datetime import timedelta

import pytest

from shared.digests.mutes import Mute
from shared.digests.pools.rules import PoolState, decide_pools
from shared.state.pools import PoolRecord
from tests.digests.pools.troubled_world import unable
from tests.support.told_jobs import NOW, occasion

HOUR = timedelta(hours=1)


def mute(*, jobs: tuple[str, ...] = (), pools: tuple[str, ...] = ()) -> Mute:
    """A mute of an hour."""
    return Mute(jobs=jobs, pools=pools, starts_at=NOW, ends_at=NOW + HOUR, created_by="me", comment="maintenance")


@pytest.mark.parametrize(
    ("mutes", "is_muted"),
    [
        pytest.param([mute(pools=("cp*",))], True, id="the pool"),
        pytest.param([mute(pools=("gpu",))], False, id="another pool"),
        pytest.param([mute(jobs=("*",))], True, id="all jobs"),
        pytest.param([mute(jobs=("a",))], False, id="one of its two jobs"),
        pytest.param([mute(jobs=("a",)), mute(jobs=("b",))], True, id="both of its jobs, one by one"),
    ],
)
@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty"])
def test_mutes(kind: str, mutes: list[Mute], is_muted: bool) -> None:  # noqa: FBT001 - a column of the table
    """A pool is muted by its own name, or when every job that uses it is; it is told when the mute ends."""
    nodes = {f"n{index}": unable(f"n{index}", NOW) for index in range(12)}
    record = PoolRecord(pool_id="cpu", announce_from=NOW - HOUR, nodes=nodes)
    pool = PoolState(pool_id="cpu", record=record, by_state={"idle": 28}, jobs=frozenset({"a", "b"}))
    now = decide_pools(occasion(kind, mutes=mutes), [pool], {})
    assert (not now.news, now.wake_at) == (is_muted, NOW + HOUR if is_muted else None)
    assert decide_pools(occasion(kind, NOW + HOUR, mutes=mutes), [pool], {}).news
