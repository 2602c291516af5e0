"""What the simulated Batch account holds: jobs, the statuses of their special tasks, pools, node files, and the truth.

Owns state and its consistency. Does not decide what happens (that is `life`, or a test) nor how it is shown.
Time is passed in; nothing here reads a clock. All methods may be called from several threads.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from local.batch_simulator.jobs import Failure, Job, NodeKey, NodeStatus, Task
from local.batch_simulator.pools import Pools
from local.batch_simulator.protocol import format_time
from local.batch_simulator.statuses import Info, Phase, is_failed, why


class Life(Protocol):
    """Whoever makes things happen in a world."""

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`."""
        ...


class World:
    """The account's content; `now` is the latest time that it was told.

    `on_failure` is called once for every occurrence that ends as failed, before any listing shows it.
    """

    def __init__(self, *, now: datetime, on_failure: Callable[[Failure], None] | None = None) -> None:
        self.now = now
        self.pools = Pools()
        self.life: Life | None = None
        self.failures: list[Failure] = []
        self._on_failure = on_failure
        self._jobs: dict[str, Job] = {}
        self._files: dict[NodeKey, dict[str, bytes]] = {}
        self._removed_nodes: set[NodeKey] = set()
        self._failed: set[tuple[str | None, ...]] = set()
        self._lock = threading.RLock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the world still while several things are read or written together."""
        with self._lock:
            yield

    def advance(self, now: datetime) -> None:
        """Move time forward to `now`, letting the world's life happen; an earlier `now` changes nothing."""
        with self._lock:
            if now < self.now:
                return
            if self.life is not None:
                self.life.advance(now)
            self.now = now

    def add_job(
        self,
        job_id: str,
        *,
        creation_time: datetime | None = None,
        pool: str = "pool-1",
        has_preparation: bool = True,
        has_release: bool = True,
        wait_for_success: bool = True,
        max_task_retry_count: int = 0,
        state: str = "active",
        tasks: Mapping[str, int] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Job:
        """Add a job, or a new incarnation of one that is there; `creation_time` None means now.

        `tasks` are Get Task Counts by name (active, running, completed, succeeded, failed), 0 where absent;
        `extra` goes into the job's JSON over everything else.
        """
        created = creation_time or self.now
        job = Job(
            job_id=job_id,
            creation_time=created,
            pool=pool,
            has_preparation=has_preparation,
            has_release=has_release,
            wait_for_success=wait_for_success,
            max_task_retry_count=max_task_retry_count,
            state=state,
            state_transition_time=created,
            last_modified=created,
            tasks=tasks or {},
            extra=extra or {},
        )
        with self._lock:
            self._jobs[job_id.lower()] = job
            self.pools.mention(pool, created)
        return job

    def job(self, job_id: str) -> Job | None:
        """The job, whatever case its id is written in; None when there is none."""
        return self._jobs.get(job_id.lower())

    def jobs(self) -> list[Job]:
        """All jobs by id, without regard to case."""
        with self._lock:
            return [self._jobs[key] for key in sorted(self._jobs)]

    def set_job_state(
        self, job_id: str, state: str, *, at: datetime | None = None, terminate_reason: str | None = None
    ) -> None:
        """Move a job to `state` at `at` (None: now); becoming completed also sets its end time.

        Raises:
            KeyError: there is no such job; add it first.
        """
        with self._lock:
            job = self._jobs[job_id.lower()]
            job.state, job.state_transition_time = state, at or self.now
            job.terminate_reason = terminate_reason or job.terminate_reason
            if state == "completed":
                job.end_time = at or self.now
            _touch(job, at or self.now)

    def set_tasks(self, job_id: str, **counts: int) -> None:
        """Replace what Get Task Counts says.

        Raises:
            KeyError: there is no such job; add it first.
        """
        with self._lock:
            self._jobs[job_id.lower()].tasks = counts

    def list_tasks(self, job_id: str, *tasks: Task) -> None:
        """Replace the tasks that List Tasks shows; what Get Task Counts says is set by itself.

        Raises:
            KeyError: there is no such job; add it first.
        """
        with self._lock:
            self._jobs[job_id.lower()].listed_tasks = tuple(sorted(tasks, key=lambda task: task.task_id))

    def delete_job(self, job_id: str) -> None:
        """Let a job vanish with its statuses and its files; one that is not there stays so."""
        with self._lock:
            job = self._jobs.pop(job_id.lower(), None)
            directory = f"workitems/{job_id}/".lower()
            for key in job.statuses if job else ():
                files = self._files.get(key, {})
                self._files[key] = {p: c for p, c in files.items() if not p.lower().startswith(directory)}

    def set_status(
        self,
        job_id: str,
        pool: str,
        node: str,
        *,
        preparation: Info | None = None,
        release: Info | None = None,
        at: datetime | None = None,
    ) -> None:
        """Set one entry of a job's listing to exactly these execution infos (None: absent).

        Whatever is given is listed as it is, also what the service would never say.

        Raises:
            KeyError: there is no such job; add it first.
        """
        with self._lock:
            job = self._jobs[job_id.lower()]
            key = (node, pool.lower())
            status = NodeStatus(pool=pool, node=node, preparation=preparation, release=release)
            for phase, info in ((Phase.PREPARATION, preparation), (Phase.RELEASE, release)):
                if info is not None and is_failed(info):
                    self._record(job, status, phase, info)
            if key not in job.statuses:
                job.order = None
            job.statuses[key] = status
            self._removed_nodes.discard(key)
            self.pools.show_node(pool, node, at or self.now)
            self._files.setdefault(key, {})
            _touch(job, at or self.now)

    def forget_status(self, job_id: str, pool: str, node: str) -> None:
        """Leave one entry out of a job's listing, as if it had never been there.

        Raises:
            KeyError: there is no such job.
        """
        with self._lock:
            job = self._jobs[job_id.lower()]
            job.statuses.pop((node, pool.lower()), None)
            job.order = None
            _touch(job, self.now)

    def set_file(self, pool: str, node: str, path: str, content: str | bytes) -> None:
        """Put a file onto a node."""
        data = content.encode() if isinstance(content, str) else content
        with self._lock:
            self._files.setdefault((node, pool.lower()), {})[path] = data

    def remove_node(self, pool: str, node: str, *, at: datetime | None = None) -> None:
        """Take a node out of its pool at `at` (None: now): its files are gone, its entries stay listed."""
        with self._lock:
            self._files.pop((node, pool.lower()), None)
            self._removed_nodes.add((node, pool.lower()))
            self.pools.drop_node(pool, node, at=at or self.now)

    def files(self, pool: str, node: str) -> Mapping[str, bytes] | None:
        """A node's files by path; None when the pool has no such node."""
        key = (node, pool.lower())
        return None if key in self._removed_nodes else self._files.get(key)

    def _record(self, job: Job, status: NodeStatus, phase: Phase, info: Info) -> None:
        created = format_time(job.creation_time)
        start = info.get("startTime")
        occurrence = (job.job_id.lower(), created, status.pool.lower(), status.node, phase.value, start)
        if occurrence in self._failed:
            return
        self._failed.add(occurrence)
        failure = Failure(
            job=job.job_id,
            creation_time=created,
            pool=status.pool,
            node=status.node,
            phase=phase,
            start_time=start,
            end_time=info.get("endTime"),
            why=why(info),
        )
        self.failures.append(failure)
        if self._on_failure is not None:
            self._on_failure(failure)


def _touch(job: Job, at: datetime) -> None:
    job.version += 1
    job.last_modified = at
