"""What is believed of the last cycle once a clock that was fast has been set right."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.polling.last_cycle import believable_cycle
from shared.state.accounts import Cycle
from shared.state.pools import PoolMemory, UnseenPool

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
BEFORE, TO_COME = NOW - timedelta(minutes=3), NOW + timedelta(hours=3)


@pytest.mark.parametrize("began", ["none_able_since", "gone_since"])
def test_what_a_pool_lacks_counts_from_now(began: str) -> None:
    """It is so, and nobody knows since when; what was noted by then stays."""
    for noted, believed in ((TO_COME, NOW), (BEFORE, BEFORE), (None, None)):
        memory = replace(PoolMemory(pool_id="cpu"), **{began: noted})
        assert getattr(_believed(memory), began) == believed


@pytest.mark.parametrize("done", ["listed_at", "searched_at"])
def test_what_was_listed_in_time_to_come_is_listed_again(done: str) -> None:
    """Nothing waits for that moment; what was done by then was done."""
    for noted, believed in ((TO_COME, None), (BEFORE, BEFORE), (None, None)):
        memory = replace(PoolMemory(pool_id="cpu"), **{done: noted})
        assert getattr(_believed(memory), done) == believed


def test_what_was_left_out_in_time_to_come_is_forgotten() -> None:
    """Nobody knows for how long the counts have left a pool out."""
    unseen = {
        "late": UnseenPool(none_able_since=BEFORE, unseen_since=TO_COME),
        "known": UnseenPool(none_able_since=BEFORE, unseen_since=BEFORE),
    }
    assert believable_cycle(_cycle(unseen_pools=unseen), NOW).unseen_pools == {"known": unseen["known"]}


def _believed(memory: PoolMemory) -> PoolMemory:
    return believable_cycle(_cycle(pools={"cpu": memory}), NOW).pools["cpu"]


def _cycle(**fields: object) -> Cycle:
    return Cycle(started_at=BEFORE, finished_at=BEFORE, **fields)  # type: ignore[arg-type] # a test's fields
