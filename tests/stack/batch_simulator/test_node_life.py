"""The life of a pool's nodes: repeatable by seed, in the states that the service lets them take."""

from datetime import datetime, timedelta

from local.batch_simulator.jobs import Job
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.pools import Pool, Pools
from local.batch_simulator.statuses import is_failed
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import NOW
from tests.stack.batch_simulator.test_life import HOUR, picture

LIVING = Pace(jobs=5, nodes=4, fail_rate=0.25, node_fail_rate=0.3, speed=2, linger=timedelta(seconds=30))
NODE_MOVES = {
    (None, "idle"),
    (None, "creating"),
    ("creating", "starting"),
    ("rebooting", "starting"),
    ("preempted", "starting"),
    ("starting", "waitingforstarttask"),
    ("waitingforstarttask", "idle"),
    ("waitingforstarttask", "starttaskfailed"),
    ("starttaskfailed", None),
    ("unusable", "idle"),
    ("unusable", None),
    ("idle", "preempted"),
    ("idle", "unusable"),
    ("idle", None),
    *((state, "rebooting") for state in ("idle", "starttaskfailed", "unusable")),
}
"""None is not in the pool."""


class ToldPools(Pools):
    """Pools that remember what became of each node."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: set[tuple[str | None, str | None]] = set()

    def set_node(self, pool_id: str, node_id: str, *, at: datetime, state: str = "idle", **fields: object) -> None:
        """Remember the move."""
        known = self.put(pool_id, at=at).nodes.get(node_id)
        self.moves |= {(known.state if known else None, state)} if known is None or known.state != state else set()
        super().set_node(pool_id, node_id, at=at, state=state, **fields)

    def drop_node(self, pool_id: str, node_id: str, *, at: datetime) -> None:
        """Remember the move."""
        pool = self.find(pool_id)
        if pool is not None and node_id in pool.nodes:
            self.moves.add((pool.nodes[node_id].state, None))
        super().drop_node(pool_id, node_id, at=at)


def live_with_nodes(seed: int, step: timedelta) -> tuple[World, ToldPools]:
    """A world whose pools live too, after three hours; each step begins with a look at its tasks."""
    world, pools = World(now=NOW), ToldPools()
    world.pools = pools
    Life(world, LIVING, seed=seed, start=NOW)
    now = NOW
    while now < (end := NOW + 3 * HOUR):
        for job in world.jobs():
            check_tasks(world, job)
        for pool in pools.all():
            check_start_tasks(world, pool)
        now = min(now + step, end)
        world.advance(now)
    return world, pools


def check_tasks(world: World, job: Job) -> None:
    """Tasks are on nodes that work, and where preparation is waited for run only after its success."""
    pool = world.pools.find(job.pool)
    assert pool is not None
    for task in job.shown_tasks() if job.state == "active" else ():
        if task.node is not None:
            assert pool.nodes[task.node].state == "idle"
        if task.node is not None and task.state == "running" and job.has_preparation:
            info = job.statuses[task.node, job.pool].preparation
            assert info is not None
            assert info["result"] == "success"


def check_start_tasks(world: World, pool: Pool) -> None:
    """A node whose start task failed says so, and has kept what the task wrote."""
    for node in pool.nodes.values():
        if node.state == "starttaskfailed":
            assert is_failed(node.start_task_info or {})
            assert "startup/stderr.txt" in (world.files(pool.pool_id, node.node_id) or {})


def test_the_nodes_of_pools_live_when_they_are_to() -> None:
    """They come, run their start task, fail, break, heal, leave and come back, by seed; tasks run where they can."""
    world, pools = live_with_nodes(3, timedelta(minutes=7))
    again, _ = live_with_nodes(3, timedelta(minutes=31))

    assert picture(again) == picture(world)
    assert [pool.nodes for pool in again.pools.all()] == [pool.nodes for pool in world.pools.all()]
    assert pools.moves == NODE_MOVES
