"""What happens to the nodes of living pools: they boot, run their start task, break, heal, leave and come back.

Owns when that happens and how it turns out. Does not own what it means to jobs: `Tenants` hear of it.
"""

import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from local.batch_simulator.causes import START_TASK_CAUSES
from local.batch_simulator.life.agenda import Agenda, Happening
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.statuses import Cause, Phase, failed, of_start_task, running, succeeded
from local.batch_simulator.world import World

DISK_FULL = {
    "code": "DiskFull",
    "message": "There is not enough disk space on the node",
    "errorDetails": [{"name": "Message", "value": "The VM disk is full. Delete jobs, tasks, or files on the node."}],
}
UNUSABLE_WITH_ERRORS, REBOOTED_TO_REPAIR, BROKEN_BY_ITS_START_TASK = 0.4, 0.6, 0.6
START_TASK_DIRECTORY = "startup"
_RETRIES = 1


class Tenants(Protocol):
    """Whoever uses the nodes."""

    def node_works(self, pool: str, node: str, at: datetime, *, booted: bool) -> None:
        """A node takes tasks from now on; `booted` when nothing is left of what ran on it."""
        ...

    def node_is_lost(self, pool: str, node: str, at: datetime) -> None:
        """A node takes no tasks from now on, and what ran on it does not any more."""
        ...


class PoolLife:
    """Makes the nodes of pools live in `world`."""

    def __init__(self, world: World, pace: Pace, agenda: Agenda, *, seed: int, tenants: Tenants) -> None:
        self._world = world
        self._pace = pace
        self._agenda = agenda
        self._random = random.Random(f"pools {seed}")
        self._tenants = tenants
        self._nodes: dict[str, list[str]] = {}
        self._turns: dict[str, int] = {}
        self._broken: set[str] = set()

    def live(self, pool: str, nodes: list[str], start: datetime) -> None:
        """Let these nodes of a pool live from `start` on, when all of them work; the list follows who is in it."""
        self._nodes[pool] = nodes
        self._world.pools.put(pool, at=start).has_start_task = True
        for node in nodes:
            self._world.pools.set_node(pool, node, at=start, dedicated=not is_spot(pool), booted=start)
            self._next(pool, node, start)
        self._agenda.at(start + self._within(200, 1600), partial(self._break_pool, pool))

    # --- one node ---

    def _next(self, pool: str, node: str, at: datetime) -> None:
        """Something happens to a node that works, at its time."""
        self._later(node, at + self._within(300, 3000), partial(self._happen, pool, node))

    def _happen(self, pool: str, node: str, at: datetime) -> None:
        what = self._random.choice((self._reboot, self._become_unusable, self._leave, self._replace))
        what(pool, node, at)

    def _reboot(self, pool: str, node: str, at: datetime) -> None:
        self._lose(pool, node, at, "rebooting", start_task_info=None)
        self._later(node, at + self._within(3, 10), partial(self._boot, pool, node))

    def _boot(self, pool: str, node: str, at: datetime) -> None:
        self._set(pool, node, at, "starting", booted=at, start_task_info=None, errors=())
        self._later(node, at + self._within(2, 8), partial(self._start_task, pool, node, 0))

    def _start_task(self, pool: str, node: str, retries: int, at: datetime) -> None:
        retried = at if retries else None
        info = running("", Phase.PREPARATION, start=at, retry_count=retries, last_retry=retried)
        self._set(pool, node, at, "waitingforstarttask", start_task_info=of_start_task(info))
        self._later(node, at + self._within(2, 8), partial(self._end_start_task, pool, node, retries, at))

    def _end_start_task(self, pool: str, node: str, retries: int, start: datetime, at: datetime) -> None:
        cause, retried = self._draw(pool), start if retries else None
        if cause is None:
            info = succeeded("", Phase.PREPARATION, start=start, end=at, retry_count=retries, last_retry=retried)
            self._work(pool, node, at, booted=True, start_task_info=of_start_task(info))
        elif retries < _RETRIES and cause.exit_code is not None:
            self._start_task(pool, node, retries + 1, at)
        else:
            info = failed("", Phase.PREPARATION, cause, start=start, end=at, retry_count=retries, last_retry=retried)
            self._set(pool, node, at, "starttaskfailed", start_task_info=of_start_task(info))
            self._world.set_file(pool, node, f"{START_TASK_DIRECTORY}/stderr.txt", cause.stderr)
            self._world.set_file(pool, node, f"{START_TASK_DIRECTORY}/stdout.txt", "start.sh\n")
            self._repair(pool, node, at)

    def _become_unusable(self, pool: str, node: str, at: datetime) -> None:
        has_errors = self._random.random() < UNUSABLE_WITH_ERRORS
        self._lose(pool, node, at, "unusable", errors=(DISK_FULL,) if has_errors else ())
        if has_errors:
            self._repair(pool, node, at)
        else:
            self._later(node, at + self._within(30, 1200), partial(self._heal, pool, node))

    def _heal(self, pool: str, node: str, at: datetime) -> None:
        """Batch reaches the node again, which has gone on meanwhile."""
        self._work(pool, node, at, booted=False)

    def _repair(self, pool: str, node: str, at: datetime) -> None:
        """Somebody reboots a node that can't work, or has another put in its place, some time later."""
        repair = self._reboot if self._random.random() < REBOOTED_TO_REPAIR else self._replace
        self._later(node, at + self._pace.linger + self._within(200, 600), partial(repair, pool, node))

    def _leave(self, pool: str, node: str, at: datetime) -> None:
        """A spot node is taken back and given again under its id; of other nodes another takes the place."""
        if not is_spot(pool):
            self._replace(pool, node, at)
            return
        self._lose(pool, node, at, "preempted")
        self._later(node, at + self._within(30, 200), partial(self._boot, pool, node))

    def _replace(self, pool: str, node: str, at: datetime) -> None:
        self._turns[node] = self._turn(node) + 1
        self._tenants.node_is_lost(pool, node, at)
        self._world.remove_node(pool, node, at=at)
        self._nodes[pool].remove(node)
        self._agenda.at(at + self._within(5, 60), partial(self._join, pool))

    def _join(self, pool: str, at: datetime) -> None:
        node = node_id(pool, self._random)
        self._nodes[pool].append(node)
        self._world.pools.set_node(pool, node, at=at, state="creating", dedicated=not is_spot(pool))
        self._later(node, at + self._within(5, 30), partial(self._boot, pool, node))

    # --- a whole pool ---

    def _break_pool(self, pool: str, at: datetime) -> None:
        """For a while the start task fails on every node, or none can be reached."""
        lasts = self._within(120, 600)
        nodes = self._world.pools.put(pool, at=at).nodes
        working = [node for node in self._nodes[pool] if nodes[node].state == "idle"]
        if self._random.random() < BROKEN_BY_ITS_START_TASK:
            self._broken.add(pool)
            for node in working:
                self._reboot(pool, node, at)
        else:
            for node in working:
                self._lose(pool, node, at, "unusable", errors=())
                self._later(node, at + lasts, partial(self._heal, pool, node))
        self._agenda.at(at + lasts, partial(self._mend_pool, pool))

    def _mend_pool(self, pool: str, at: datetime) -> None:
        self._broken.discard(pool)
        self._agenda.at(at + self._within(400, 1600), partial(self._break_pool, pool))

    # --- chance and bookkeeping ---

    def _later(self, node: str, when: datetime, happen: Happening) -> None:
        """Let something happen to a node, unless something else does before."""
        turn = self._turns[node] = self._turn(node) + 1

        def unless_overtaken(at: datetime) -> None:
            if self._turn(node) == turn:
                happen(at)

        self._agenda.at(when, unless_overtaken)

    def _turn(self, node: str) -> int:
        return self._turns.get(node, 0)

    def _work(self, pool: str, node: str, at: datetime, *, booted: bool, **fields: Any) -> None:
        self._set(pool, node, at, "idle", errors=(), **fields)
        self._tenants.node_works(pool, node, at, booted=booted)
        self._next(pool, node, at)

    def _lose(self, pool: str, node: str, at: datetime, state: str, **fields: Any) -> None:
        self._set(pool, node, at, state, **fields)
        self._tenants.node_is_lost(pool, node, at)

    def _set(self, pool: str, node: str, at: datetime, state: str, **fields: Any) -> None:
        self._world.pools.set_node(pool, node, at=at, state=state, **fields)

    def _draw(self, pool: str) -> Cause | None:
        fails = self._random.random() < self._pace.node_fail_rate
        cause = self._random.choice(START_TASK_CAUSES)
        return cause if fails or pool in self._broken else None

    def _within(self, least_seconds: float, most_seconds: float) -> timedelta:
        return timedelta(seconds=self._random.uniform(least_seconds, most_seconds) / self._pace.speed)


def node_id(pool: str, chance: random.Random) -> str:
    """The id of a node that joins a pool, as the service makes them up."""
    return f"tvmps_{chance.getrandbits(256):064x}_{'p' if is_spot(pool) else 'd'}"


def is_spot(pool: str) -> bool:
    """Whether the nodes of a living pool are spot nodes."""
    return "spot" in pool
