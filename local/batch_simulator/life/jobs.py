"""What happens to the jobs of a simulated account: seeded chance that moves them as the service would.

Owns when things happen to jobs and how they turn out; nodes have a life of their own (`pools`). All time is passed in:
the same seed and start give the same story, however often and at whatever intervals it is advanced.
"""

import itertools
import random
from datetime import datetime, timedelta
from functools import partial

from local.batch_simulator.causes import PREPARATION_CAUSES, RELEASE_CAUSES, STUCK_CAUSE
from local.batch_simulator.life.agenda import Agenda, Happening
from local.batch_simulator.life.living_job import LivingJob, Run, key_of, tasks_of
from local.batch_simulator.life.pace import Kind, Pace
from local.batch_simulator.life.pools import PoolLife, node_id
from local.batch_simulator.statuses import Cause, Phase, failed, is_failed, running, succeeded, task_directory
from local.batch_simulator.world import World

TASKS_PER_NODE = 3
RECOVERS, REBOOTS, RETRY_FAILS_AGAIN, DELETED_WHILE_ACTIVE, SAME_ID_AGAIN = 0.4, 0.05, 0.5, 0.15, 0.5
_NAMES = ("align-reads", "render-frames", "train-model", "price-options", "encode-video", "simulate-flow")
_POOLS = ("pool-cpu", "pool-gpu", "pool-spot")
_LASTS = {Kind.STUCK: (480, 600), Kind.HANGING: (900, 1200)}
"""Seconds from a job's creation to its end, where it is not as long as ordinary ones."""


class Life:
    """Makes jobs and nodes live in `world` from `start` on."""

    def __init__(self, world: World, pace: Pace, *, seed: int, start: datetime) -> None:
        self._world = world
        self._pace = pace
        self._random = random.Random(seed)
        self._agenda = Agenda()
        self._numbers = itertools.count(1)
        self._pools = {pool: [node_id(pool, self._random) for _ in range(pace.nodes)] for pool in _POOLS}
        self._lives: dict[str, list[LivingJob]] = {pool: [] for pool in _POOLS}
        if pace.node_fail_rate > 0:
            nodes = PoolLife(world, pace, self._agenda, seed=seed, tenants=self)
            for pool in _POOLS:
                nodes.live(pool, self._pools[pool], start)
        for index in range(pace.jobs):
            self._at(start + self._within(0, 5), partial(self._create_new, pace.kind(index)))
        world.life = self

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`, in its order."""
        self._agenda.advance(now)

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
        life = LivingJob(job=job, kind=kind, nodes=self._pools[pool])
        self._lives[pool].append(life)
        if kind is Kind.WITHOUT_PREPARATION and self._pace.node_fail_rate > 0:
            life.ready.update(node for node in life.nodes if self._is_able(pool, node))
        self._count(life)
        if kind is not Kind.WITHOUT_PREPARATION:
            for node in life.nodes:
                self._at(at + self._within(1, 20), partial(self._prepare, life, node))
        length = self._within(*_LASTS.get(kind, (60, 180)))
        self._at(at + length, partial(self._end, life))

    def _end(self, life: LivingJob, at: datetime) -> None:
        """Terminate or delete the job: release runs where its tasks could run."""
        deleted = self._random.random() < DELETED_WHILE_ACTIVE
        reason = "AllTasksComplete" if life.ready else "UserTerminate"
        self._world.set_job_state(
            life.job.job_id,
            "deleting" if deleted else "terminating",
            at=at,
            terminate_reason=None if deleted else reason,
        )
        for node in sorted(life.ready) if life.job.has_preparation else ():
            life.busy += 1
            self._at(at + self._within(0.5, 3), partial(self._release, life, node))
        if life.kind is Kind.HANGING:
            life.busy -= len(life.runs)
            life.runs.clear()
        self._count(life)
        self._finish_if_idle(life, at)

    def _finish_if_idle(self, life: LivingJob, at: datetime) -> None:
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

    def _delete(self, life: LivingJob, at: datetime) -> None:
        self._world.set_job_state(life.job.job_id, "deleting", at=at)
        self._at(at + self._within(1, 3), partial(self._vanish, life))

    def _vanish(self, life: LivingJob, at: datetime) -> None:
        self._world.delete_job(life.job.job_id)
        self._lives[life.job.pool].remove(life)
        if life.same_id_again:
            self._at(at + self._within(1, 10), partial(self._create, life.job.job_id, life.kind))

    # --- preparation ---

    def _prepare(self, life: LivingJob, node: str, at: datetime) -> None:
        """A task comes to the node, or the node is back after a reboot or reimage."""
        if life.job.state != "active" or node in life.runs or not self._is_able(life.job.pool, node):
            return
        life.busy += 1
        life.ready.discard(node)
        if life.kind is Kind.STUCK:
            cause: Cause | None = STUCK_CAUSE
        else:
            cause = self._draw(PREPARATION_CAUSES)
        self._attempt(life, Run(node=node, start=at, cause=cause))
        self._count(life)

    def _attempt(self, life: LivingJob, run: Run) -> None:
        life.runs[run.node] = run
        info = running(
            life.job.job_id,
            Phase.PREPARATION,
            start=run.start,
            retry_count=run.retry_count,
            last_retry=run.last_retry,
        )
        self._world.set_status(life.job.job_id, life.job.pool, run.node, preparation=info, at=run.start)
        if life.kind is not Kind.HANGING:
            self._at(run.start + self._within(2, 8), partial(self._end_attempt, life, run))

    def _end_attempt(self, life: LivingJob, run: Run, at: datetime) -> None:
        job, cause = life.job, run.cause
        # It was cut off: its node was lost.
        if life.runs.get(run.node) is not run:
            return
        if cause is not None and cause.exit_code is not None and run.retry_count < job.max_task_retry_count:
            again = cause if self._random.random() < RETRY_FAILS_AGAIN else None
            retry = Run(node=run.node, start=at, cause=again, retry_count=run.retry_count + 1, last_retry=at)
            self._attempt(life, retry)
            return
        life.busy -= 1
        del life.runs[run.node]
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
        self._world.set_status(job.job_id, job.pool, run.node, preparation=info, at=at)
        self._write_logs(life, run.node, Phase.PREPARATION, cause)
        if job.state == "active":
            self._count(life)
            self._maybe_again(life, run, at)
        self._finish_if_idle(life, at)

    def _maybe_again(self, life: LivingJob, run: Run, at: datetime) -> None:
        """A failed node may be reimaged, a good one may be rebooted: preparation runs again."""
        chance, pause = (REBOOTS, timedelta(0)) if run.cause is None else (RECOVERS, self._pace.linger)
        if life.kind is Kind.ORDINARY and self._random.random() < chance:
            self._at(at + pause + self._within(5, 30), partial(self._prepare, life, run.node))

    # --- release ---

    def _release(self, life: LivingJob, node: str, at: datetime) -> None:
        job = life.job
        # It was lost: nothing runs there any more.
        if not self._is_able(job.pool, node):
            life.busy -= 1
            self._finish_if_idle(life, at)
            return
        preparation = job.statuses[key_of(job, node)].preparation
        info = running(job.job_id, Phase.RELEASE, start=at)
        self._world.set_status(job.job_id, job.pool, node, preparation=preparation, release=info, at=at)
        self._at(at + self._within(2, 6), partial(self._end_release, life, node, at))

    def _end_release(self, life: LivingJob, node: str, start: datetime, at: datetime) -> None:
        job, cause = life.job, self._draw(RELEASE_CAUSES)
        life.busy -= 1
        if not self._is_able(job.pool, node):
            self._finish_if_idle(life, at)
            return
        preparation = job.statuses[key_of(job, node)].preparation
        if cause is None:
            info = succeeded(job.job_id, Phase.RELEASE, start=start, end=at)
        else:
            info = failed(job.job_id, Phase.RELEASE, cause, start=start, end=at)
        self._world.set_status(job.job_id, job.pool, node, preparation=preparation, release=info, at=at)
        self._write_logs(life, node, Phase.RELEASE, cause)
        self._finish_if_idle(life, at)

    # --- nodes that come and go ---

    def node_works(self, pool: str, node: str, at: datetime, *, booted: bool) -> None:
        """Let the jobs of a pool use a node; see `Tenants`."""
        for life in self._lives[pool]:
            known = life.job.statuses.get(key_of(life.job, node))
            info = known.preparation if known is not None and not booted else None
            if life.job.state != "active" or (info is not None and is_failed(info)):
                continue
            if not life.job.has_preparation or (info is not None and info.get("result") == "success"):
                life.ready.add(node)
                self._count(life)
            else:
                self._at(at + self._within(1, 20), partial(self._prepare, life, node))

    def node_is_lost(self, pool: str, node: str, at: datetime) -> None:
        """Let the tasks of a node wait for another; see `Tenants`. What prepared there stays listed as running."""
        for life in self._lives[pool]:
            was_preparing = life.runs.pop(node, None) is not None
            life.ready.discard(node)
            if life.job.state == "active":
                self._count(life)
            if was_preparing:
                life.busy -= 1
                self._finish_if_idle(life, at)

    def _is_able(self, pool: str, node: str) -> bool:
        """Whether a node takes tasks; in a pool that does not live each does."""
        found = self._world.pools.find(pool) if self._pace.node_fail_rate > 0 else None
        known = found.nodes.get(node) if found is not None else None
        return found is None or (known is not None and known.state == "idle")

    # --- chance and bookkeeping ---

    def _at(self, when: datetime, happen: Happening) -> None:
        self._agenda.at(when, happen)

    def _within(self, least_seconds: float, most_seconds: float) -> timedelta:
        return timedelta(seconds=self._random.uniform(least_seconds, most_seconds) / self._pace.speed)

    def _draw(self, causes: tuple[Cause, ...]) -> Cause | None:
        fails, cause = self._random.random() < self._pace.fail_rate, self._random.choice(causes)
        return cause if fails else None

    def _count(self, life: LivingJob) -> None:
        job, total = life.job, self._pace.nodes * TASKS_PER_NODE
        if job.state != "active":
            self._world.set_tasks(job.job_id, completed=total, succeeded=total)
            return
        places = life.places()
        self._world.set_tasks(job.job_id, active=total - len(places), running=len(places))
        if self._pace.node_fail_rate > 0:
            self._world.list_tasks(job.job_id, *tasks_of(job, places, total))

    def _write_logs(self, life: LivingJob, node: str, phase: Phase, cause: Cause | None) -> None:
        """A task that could be started leaves its two logs."""
        if cause is not None and cause.exit_code is None:
            return
        directory = task_directory(life.job.job_id, phase)
        pool = life.job.pool
        self._world.set_file(pool, node, f"{directory}/stdout.txt", f"{phase} of {life.job.job_id}\n")
        self._world.set_file(pool, node, f"{directory}/stderr.txt", cause.stderr if cause else "")
