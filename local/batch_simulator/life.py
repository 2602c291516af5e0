"""What happens in a simulated account: seeded chance that moves jobs and nodes as the service would.

Owns when things happen and how they turn out. All time is passed in: the same seed and start give the same
story, however often and at whatever intervals it is advanced.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from local.batch_simulator.causes import PREPARATION_CAUSES, RELEASE_CAUSES, STUCK_CAUSE
from local.batch_simulator.jobs import Job, NodeKey
from local.batch_simulator.statuses import Cause, Phase, failed, running, succeeded, task_directory
from local.batch_simulator.world import World

Happening: TypeAlias = Callable[[datetime], None]

TASKS_PER_NODE = 3
RECOVERS, REBOOTS, RETRY_FAILS_AGAIN, DELETED_WHILE_ACTIVE, SAME_ID_AGAIN = 0.4, 0.05, 0.5, 0.15, 0.5
_NAMES = ("align-reads", "render-frames", "train-model", "price-options", "encode-video", "simulate-flow")
_POOLS = ("pool-cpu", "pool-gpu", "pool-spot")
_KINDS_REPEAT_AFTER = 20


class Kind(StrEnum):
    """What becomes of a job."""

    ORDINARY = "ordinary"
    STUCK = "stuck"  # its preparation fails on every node
    WITHOUT_PREPARATION = "without preparation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much happens, and how fast.

    `speed` divides all durations but `linger`: for so long every failure stays listed before a rerun or the
    job's end replaces it, so whoever looks that often sees each one.
    """

    jobs: int = 4
    nodes: int = 20
    fail_rate: float = 0.15
    speed: float = 1.0
    linger: timedelta = timedelta(seconds=90)


@dataclass(slots=True, kw_only=True)
class _JobLife:
    """One incarnation on its way."""

    job: Job
    kind: Kind
    nodes: list[str]
    busy: int = 0  # preparation and release tasks that run or are about to
    occupied: int = 0  # nodes that run, or prepare for, this job's tasks
    ready: set[str] = field(default_factory=set)  # nodes whose preparation succeeded
    same_id_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One attempt of a preparation task."""

    node: str
    start: datetime
    cause: Cause | None
    retry_count: int = 0
    last_retry: datetime | None = None


class Life:
    """Makes jobs and nodes live in `world` from `start` on."""

    def __init__(self, world: World, pace: Pace, *, seed: int, start: datetime) -> None:
        self._world = world
        self._pace = pace
        self._random = random.Random(seed)
        self._due: list[tuple[datetime, int, Happening]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._pools = {pool: [self._node_id(pool) for _ in range(pace.nodes)] for pool in _POOLS}
        for index in range(pace.jobs):
            kind = _kind(index, pace.fail_rate)
            self._at(start + self._within(0, 5), partial(self._create_new, kind))
        world.life = self

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`, in its order."""
        while self._due and self._due[0][0] <= now:
            at, _, happen = heapq.heappop(self._due)
            happen(at)

    # --- jobs ---

    def _create_new(self, kind: Kind, at: datetime) -> None:
        number = next(self._numbers)
        self._create(f"{_NAMES[number % len(_NAMES)]}-{number:03d}", kind, at)

    def _create(self, job_id: str, kind: Kind, at: datetime) -> None:
        pool = self._random.choice(_POOLS)
        job = self._world.add_job(
            job_id,
            creation_time=at,
            pool=pool,
            has_preparation=kind is not Kind.WITHOUT_PREPARATION,
            max_task_retry_count=self._random.choice((0, 0, 1, 2)),
        )
        life = _JobLife(job=job, kind=kind, nodes=self._pools[pool])
        self._count(life)
        if kind is not Kind.WITHOUT_PREPARATION:
            for node in life.nodes:
                self._at(at + self._within(1, 20), partial(self._prepare, life, node))
        length = self._within(480, 600) if kind is Kind.STUCK else self._within(60, 180)
        self._at(at + length, partial(self._end, life))

    def _end(self, life: _JobLife, at: datetime) -> None:
        """Terminate or delete the job: release runs where its tasks could run."""
        deleted = self._random.random() < DELETED_WHILE_ACTIVE
        reason = "AllTasksComplete" if life.ready else "UserTerminate"
        self._world.set_job_state(
            life.job.job_id,
            "deleting" if deleted else "terminating",
            at=at,
            terminate_reason=None if deleted else reason,
        )
        for node in sorted(life.ready):
            life.busy += 1
            self._at(at + self._within(0.5, 3), partial(self._release, life, node))
        life.occupied = 0
        self._count(life)
        self._finish_if_idle(life, at)

    def _finish_if_idle(self, life: _JobLife, at: datetime) -> None:
        if life.busy or life.job.state not in {"terminating", "deleting"}:
            return
        life.same_id_again = self._random.random() < SAME_ID_AGAIN
        if not life.same_id_again:
            self._at(at + self._within(1, 5), partial(self._create_new, life.kind))
        delay = self._pace.linger + self._within(5, 120)
        if life.job.state == "deleting":
            self._at(at + delay, partial(self._vanish, life))
            return
        self._world.set_job_state(life.job.job_id, "completed", at=at)
        self._at(at + delay, partial(self._delete, life))

    def _delete(self, life: _JobLife, at: datetime) -> None:
        self._world.set_job_state(life.job.job_id, "deleting", at=at)
        self._at(at + self._within(1, 3), partial(self._vanish, life))

    def _vanish(self, life: _JobLife, at: datetime) -> None:
        self._world.delete_job(life.job.job_id)
        if life.same_id_again:
            self._at(at + self._within(1, 10), partial(self._create, life.job.job_id, life.kind))

    # --- preparation ---

    def _prepare(self, life: _JobLife, node: str, at: datetime) -> None:
        """A task comes to the node, or the node is back after a reboot or reimage."""
        if life.job.state != "active":
            return
        life.busy += 1
        life.occupied += node not in life.ready
        life.ready.discard(node)
        self._count(life)
        if life.kind is Kind.STUCK:
            cause: Cause | None = STUCK_CAUSE
        else:
            cause = self._draw(PREPARATION_CAUSES)
        self._attempt(life, _Run(node=node, start=at, cause=cause))

    def _attempt(self, life: _JobLife, run: _Run) -> None:
        info = running(
            life.job.job_id,
            Phase.PREPARATION,
            start=run.start,
            retry_count=run.retry_count,
            last_retry=run.last_retry,
        )
        self._world.set_status(life.job.job_id, life.job.pool, run.node, preparation=info, at=run.start)
        self._at(run.start + self._within(2, 8), partial(self._end_attempt, life, run))

    def _end_attempt(self, life: _JobLife, run: _Run, at: datetime) -> None:
        job, cause = life.job, run.cause
        if cause is not None and cause.exit_code is not None and run.retry_count < job.max_task_retry_count:
            again = cause if self._random.random() < RETRY_FAILS_AGAIN else None
            retry = _Run(node=run.node, start=at, cause=again, retry_count=run.retry_count + 1, last_retry=at)
            self._attempt(life, retry)
            return
        life.busy -= 1
        if cause is None:
            info = succeeded(
                job.job_id,
                Phase.PREPARATION,
                start=run.start,
                end=at,
                retry_count=run.retry_count,
                last_retry=run.last_retry,
            )
            life.ready.add(run.node)
        else:
            info = failed(
                job.job_id,
                Phase.PREPARATION,
                cause,
                start=run.start,
                end=at,
                retry_count=run.retry_count,
                last_retry=run.last_retry,
            )
            life.occupied -= 1
        self._world.set_status(job.job_id, job.pool, run.node, preparation=info, at=at)
        self._write_logs(life, run.node, Phase.PREPARATION, cause)
        if job.state == "active":
            self._count(life)
            self._maybe_again(life, run, at)
        self._finish_if_idle(life, at)

    def _maybe_again(self, life: _JobLife, run: _Run, at: datetime) -> None:
        """A failed node may be reimaged, a good one may be rebooted: preparation runs again."""
        chance, pause = (REBOOTS, timedelta(0)) if run.cause is None else (RECOVERS, self._pace.linger)
        if life.kind is Kind.ORDINARY and self._random.random() < chance:
            self._at(at + pause + self._within(5, 30), partial(self._prepare, life, run.node))

    # --- release ---

    def _release(self, life: _JobLife, node: str, at: datetime) -> None:
        job = life.job
        preparation = job.statuses[_key(job, node)].preparation
        info = running(job.job_id, Phase.RELEASE, start=at)
        self._world.set_status(job.job_id, job.pool, node, preparation=preparation, release=info, at=at)
        self._at(at + self._within(2, 6), partial(self._end_release, life, node, at))

    def _end_release(self, life: _JobLife, node: str, start: datetime, at: datetime) -> None:
        job, cause = life.job, self._draw(RELEASE_CAUSES)
        preparation = job.statuses[_key(job, node)].preparation
        if cause is None:
            info = succeeded(job.job_id, Phase.RELEASE, start=start, end=at)
        else:
            info = failed(job.job_id, Phase.RELEASE, cause, start=start, end=at)
        self._world.set_status(job.job_id, job.pool, node, preparation=preparation, release=info, at=at)
        self._write_logs(life, node, Phase.RELEASE, cause)
        life.busy -= 1
        self._finish_if_idle(life, at)

    # --- chance and bookkeeping ---

    def _at(self, when: datetime, happen: Happening) -> None:
        heapq.heappush(self._due, (when, next(self._order), happen))

    def _within(self, least_seconds: float, most_seconds: float) -> timedelta:
        return timedelta(seconds=self._random.uniform(least_seconds, most_seconds) / self._pace.speed)

    def _draw(self, causes: tuple[Cause, ...]) -> Cause | None:
        fails, cause = self._random.random() < self._pace.fail_rate, self._random.choice(causes)
        return cause if fails else None

    def _node_id(self, pool: str) -> str:
        return f"tvmps_{self._random.getrandbits(256):064x}_{'p' if pool == 'pool-spot' else 'd'}"

    def _count(self, life: _JobLife) -> None:
        total = len(life.nodes) * TASKS_PER_NODE
        if life.job.state == "active":
            self._world.set_tasks(life.job.job_id, active=total - life.occupied, running=life.occupied)
        else:
            self._world.set_tasks(life.job.job_id, completed=total, succeeded=total)

    def _write_logs(self, life: _JobLife, node: str, phase: Phase, cause: Cause | None) -> None:
        """A task that could be started leaves its two logs."""
        if cause is not None and cause.exit_code is None:
            return
        directory = task_directory(life.job.job_id, phase)
        pool = life.job.pool
        self._world.set_file(pool, node, f"{directory}/stdout.txt", f"{phase} of {life.job.job_id}\n")
        self._world.set_file(pool, node, f"{directory}/stderr.txt", cause.stderr if cause else "")


def _kind(index: int, fail_rate: float) -> Kind:
    """The third job has no preparation task, the fourth is stuck; the same again every twenty jobs."""
    match index % _KINDS_REPEAT_AFTER:
        case 2:
            return Kind.WITHOUT_PREPARATION
        case 3 if fail_rate > 0:
            return Kind.STUCK
        case _:
            return Kind.ORDINARY


def _key(job: Job, node: str) -> NodeKey:
    return (node, job.pool.lower())
