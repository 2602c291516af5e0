"""How a pool is remembered from count to count."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.batch.pool_model import NodeCounts
from shared.pools.count_rules import remember_counts, remember_gone, unseen_after
from shared.state.pools import PoolMemory, UnseenPool

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=7)


def test_since_when_no_node_is_able_is_remembered() -> None:
    """The moment stays while no count shows an able node, and goes with the first that does."""
    broken = NodeCounts(pool_id="Cpu", by_state={"unusable": 3})
    first = remember_counts({}, [broken], ["cpu"], EARLIER)
    second = remember_counts(first, [broken], ["CPU"], NOW)
    healed = remember_counts(second, [NodeCounts(pool_id="Cpu", by_state={"idle": 1})], ["cpu"], NOW)

    assert first["cpu"].none_able_since == EARLIER
    assert second["cpu"].none_able_since == EARLIER
    assert healed == {"cpu": PoolMemory(pool_id="Cpu", by_state={"idle": 1})}


def test_only_watched_pools_are_remembered() -> None:
    """A pool that no watched job uses is counted by Batch, and left out here."""
    assert remember_counts({}, [NodeCounts(pool_id="other", by_state={"idle": 1})], ["cpu"], NOW) == {}


def test_a_pool_that_the_counts_leave_out_is_not_gone() -> None:
    """Nothing is known of it, unless Batch itself said that it does not exist; back again it is counted anew."""
    known = {"cpu": PoolMemory(pool_id="cpu", by_state={"unusable": 1}, none_able_since=EARLIER)}
    gone = {"cpu": remember_gone(known["cpu"], "cpu", EARLIER)}

    assert remember_counts(known, [], ["cpu"], NOW) == {}
    assert remember_counts(gone, [], ["cpu"], NOW) == gone
    assert remember_gone(gone["cpu"], "cpu", NOW).gone_since == EARLIER
    assert remember_counts(gone, [NodeCounts(pool_id="cpu", by_state={"idle": 1})], ["cpu"], NOW) == {
        "cpu": PoolMemory(pool_id="cpu", by_state={"idle": 1})
    }


def test_pools_are_in_the_order_of_their_ids() -> None:
    """Whoever goes through them asks Batch in the same order in every process."""
    counts = [NodeCounts(pool_id=f"pool-{number}", by_state={"idle": 1}) for number in range(20)]
    known = remember_counts({}, counts, {each.pool_id.upper() for each in counts}, NOW)
    assert list(known) == sorted(known)


@pytest.mark.parametrize(("minutes", "goes_on"), [(1, True), (2, True), (5, True), (6, False), (60, False)])
def test_a_pool_that_is_left_out_for_a_moment_goes_on(minutes: int, *, goes_on: bool) -> None:
    """For five minutes it is known since when none of its nodes is able; after that it is counted anew."""
    broken = NodeCounts(pool_id="cpu", by_state={"unusable": 3})
    pools: dict[str, PoolMemory] = {}
    unseen: dict[str, UnseenPool] = {}
    now = NOW
    for counted in ([broken], *([[]] * minutes), [broken]):
        after = remember_counts(pools, counted, ["cpu"], now, unseen)
        unseen = unseen_after(pools, unseen, after, now)
        pools, now = after, now + timedelta(minutes=1)
    counted_again = now - timedelta(minutes=1)
    assert (pools["cpu"].none_able_since, unseen) == (NOW if goes_on else counted_again, {})
