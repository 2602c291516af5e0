"""What chat and pager should have been told by now of pools, for whoever shows how things stand."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.digests.mutes import read_mutes
from shared.digests.rows import dismiss_refusal
from shared.digests.untold import Untold, read_untold
from shared.state.pools import Standstill, StandstillReason
from shared.state.rows import digests_of, is_about_pool
from tests.digests.pools.troubled_world import breaks, over, set_pool
from tests.digests.told_world import World
from tests.support.told_jobs import ACCOUNT, webhook


def untold(world: World) -> Untold:
    """What the only webhook has not been told."""
    (hook,) = world.webhooks
    return read_untold(world.table, world.origin, hook, tuple(read_mutes(world.table).values()), world.now)


def passes(world: World, minutes: float) -> None:
    """Time in which nobody tells anything: the process has died, or its queue is switched off."""
    world.now += timedelta(minutes=minutes)


def _job(world: World, *, stuck: bool = False) -> None:
    standstill = Standstill(
        reason=StandstillReason.START_TASK_FAILED,
        since=world.now,
        looked_at=world.now,
        pool_id="pool",
        tasks=4,
        confirmed=True,
    )
    world.change("nightly", pool_id="pool", state="active", stuck=standstill if stuck else None)


def _breaks(world: World) -> None:
    _job(world)
    breaks(world, 12)


def _breaks_while_a_standstill_says_it(world: World) -> None:
    _job(world, stuck=True)
    world.tick(2)
    breaks(world, 12)


def _breaks_on_all_nodes(world: World) -> None:
    """Its tasks are given ten minutes to be told as a standstill."""
    _job(world)
    breaks(world, 12, size=12)


def _is_told(world: World) -> None:
    _breaks(world)
    world.tick(3)


def _grows(world: World) -> None:
    """Twice as many nodes as were told can't work; the first message was two hours ago."""
    _is_told(world)
    world.tick(120)
    breaks(world, 24)


def _grows_soon_after(world: World) -> None:
    """A pause holds the second message back for five minutes or ten."""
    _is_told(world)
    breaks(world, 24)


def _ends(world: World) -> None:
    """What ends is over ten minutes later."""
    _is_told(world)
    world.tick(120)
    nodes = breaks(world, 12)
    set_pool(world, over(world, nodes))


CASES = {
    "in trouble": (_breaks, 20, 1, 1),
    "in trouble since a moment": (_breaks, 10, 1, 0),
    "told": (_is_told, 20, 0, 0),
    "a standstill says it": (_breaks_while_a_standstill_says_it, 20, 0, 0),
    "a standstill may say it": (_breaks_on_all_nodes, 8, 0, 0),
    "no standstill has said it": (_breaks_on_all_nodes, 20, 1, 0),
    "no standstill has said it for long": (_breaks_on_all_nodes, 26, 1, 1),
    "it grows": (_grows, 16, 1, 1),
    "it grows soon after": (_grows_soon_after, 1, 0, 0),
}


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty"])
@pytest.mark.parametrize(("story", "minutes", "pools", "late"), CASES.values(), ids=CASES)
def test_news_of_pools_wait_as_those_of_jobs_do(
    kind: str, story: Callable[[World], None], minutes: int, pools: int, late: int
) -> None:
    """A pool of which somebody should have been told is counted, and is late after a quarter of an hour."""
    world = World(kind)
    story(world)
    passes(world, minutes)
    waits = untold(world)
    assert (waits.jobs, waits.pools, waits.late) == (0, pools, late)
    assert (waits.since is not None) == bool(pools)
    world.tick()
    assert untold(world) == Untold()


def test_the_end_that_chat_was_not_told_is_late_too() -> None:
    """The end of what chat was told can be told ten minutes after the last node works, and is late from then on."""
    world = World("slack")
    _ends(world)
    ended_at = world.now
    for minutes, pools, late in ((9, 0, 0), (2, 1, 0), (10, 1, 0), (6, 1, 1)):
        passes(world, minutes)
        waits = untold(world)
        assert (waits.pools, waits.late) == (pools, late)
        assert waits.since == (ended_at + timedelta(minutes=10) if pools else None)


def test_what_waits_since_when() -> None:
    """The oldest news counts, of a job or a pool."""
    world = World("slack")
    _breaks(world)
    began = world.now
    passes(world, 5)
    world.change("other", preparation=replace(world.job("nightly")[1].preparation, failed=1, open=1))  # type: ignore[union-attr]  # it is there
    waits = untold(world)
    assert (waits.jobs, waits.pools, waits.since) == (0, 1, began)


def test_who_wants_to_know_of_other_pools_alone() -> None:
    """What a filter keeps back is not late."""
    world = World(webhooks=[replace(webhook("slack"), pools=("gpu-*",))])
    _breaks(world)
    passes(world, 30)
    assert untold(world) == Untold()


@pytest.mark.parametrize("kind", ["slack", "pagerduty"])
def test_what_is_called_wrong_is_no_news_until_there_is_more(kind: str) -> None:
    """What a webhook refuses counts as refused alone; once somebody knows of it nothing waits, until the pool grows."""
    world = World(kind)
    world.sender.answers[kind] = (400, b"no")
    _breaks(world)
    world.tick(20)
    waits = untold(world)
    assert (waits.pools, waits.late, [each.about for each in waits.refused]) == (0, 0, ["pool"])
    assert waits.since == waits.refused[0].attempt.at
    (row,) = (row for row in world.table.query(ACCOUNT, *digests_of(kind)) if is_about_pool(row.key))
    assert dismiss_refusal(world.table, ACCOUNT, row)
    waits = untold(world)
    assert (waits.pools, waits.since, [each.dismissed for each in waits.refused]) == (0, None, [True])
    breaks(world, 24)
    passes(world, 20)
    assert (untold(world).pools, untold(world).late) == (1, 1)
