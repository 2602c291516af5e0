"""The stories of pools: nodes that can't work, preparations that take too long, and tasks that wait in vain.

Owns what becomes of the nodes. Does not own what people are told of that (`tests/whole/scenarios`).
"""

from datetime import datetime, timedelta

from local.batch_simulator.statuses import Phase, running
from local.batch_simulator.world import World
from trials.faults.story import POOL, Chapter, Story, deliver, fails, nothing, succeeds

MINUTE = timedelta(minutes=1)
_OTHER_POOL = "pool-2"
_A_MOMENT = timedelta(seconds=20)


def _start_task_fails(world: World, now: datetime) -> None:
    world.add_job("align", creation_time=now - 10 * MINUTE)
    world.pools.set_node(POOL, "p1", at=now - _A_MOMENT, state="starttaskfailed")
    world.pools.set_node(POOL, "p2", at=now - _A_MOMENT)


def _works_again(world: World, now: datetime) -> None:
    world.pools.set_node(POOL, "p1", at=now - _A_MOMENT)


def _most_start_tasks_fail(world: World, now: datetime) -> None:
    for node in ("p2", "p3", "p4"):
        world.pools.set_node(POOL, node, at=now - _A_MOMENT, state="starttaskfailed")


def _one_fails_and_one_hangs(world: World, now: datetime) -> None:
    world.add_job("align", creation_time=now - 10 * MINUTE, tasks={"active": 9})
    fails(world, "align", "a1", now)
    hangs = running("align", Phase.PREPARATION, start=now - _A_MOMENT)
    world.set_status("align", POOL, "a2", preparation=hangs, at=now - _A_MOMENT)
    world.add_job("render", creation_time=now - 10 * MINUTE, pool=_OTHER_POOL)
    world.pools.set_node(_OTHER_POOL, "r2", at=now - _A_MOMENT)
    fails(world, "render", "r1", now, pool=_OTHER_POOL)


def _the_failed_one_leaves(world: World, _now: datetime) -> None:
    world.remove_node(_OTHER_POOL, "r1")


def _one_succeeds(world: World, now: datetime) -> None:
    succeeds(world, "align", "a2", now)


POOLS = Story(
    name="pools",
    chats=True,
    chapters=(
        Chapter(name="a node can't work", after=timedelta(0), happen=_start_task_fails, breaks=frozenset({"pool"})),
        Chapter(name="it works again", after=3 * MINUTE, happen=_works_again, breaks=frozenset({"pool"})),
        Chapter(
            name="chat hears of the pool",
            after=3 * MINUTE,
            happen=_most_start_tasks_fail,
            breaks=frozenset({"told"}),
        ),
        Chapter(
            name="it stands in the morning",
            after=timedelta(hours=20),
            happen=nothing,
            act=deliver,
            breaks=frozenset({"told"}),
        ),
    ),
)
"""A node of a pool whose start task fails, and that then works; most of them fail, which chat is told, twice."""

STANDSTILL = Story(
    name="standstill",
    late=6 * MINUTE,  # pools with open failures are listed every five minutes
    chapters=(
        Chapter(
            name="one fails and one hangs", after=timedelta(0), happen=_one_fails_and_one_hangs, breaks=frozenset()
        ),
        Chapter(name="the failed one leaves", after=55 * MINUTE, happen=_the_failed_one_leaves, breaks=frozenset()),
        Chapter(
            name="it has left, and the other takes too long",
            after=6 * MINUTE,
            happen=nothing,
            breaks=frozenset({"commit"}),
        ),
        Chapter(name="nothing moves", after=3 * MINUTE, happen=nothing, breaks=frozenset({"commit"})),
        Chapter(name="it moves again", after=3 * MINUTE, happen=_one_succeeds, breaks=frozenset({"commit"})),
    ),
)
"""A failure ends because its node has left; where one node failed and one hangs no task can run, until it succeeds."""
