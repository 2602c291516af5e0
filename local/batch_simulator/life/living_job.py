"""One incarnation of a job on its way: which nodes take its tasks, and on which its preparation runs.

Owns these values. Does not decide how it goes on (`jobs`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local.batch_simulator.jobs import Job, NodeKey, Task
from local.batch_simulator.life.pace import Kind
from local.batch_simulator.statuses import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of a preparation task."""

    node: str
    start: datetime
    cause: Cause | None
    retry_count: int = 0
    last_retry: datetime | None = None


@dataclass(slots=True, kw_only=True)
class LivingJob:
    """One incarnation: `busy` counts its special tasks that run, `runs` has its preparations that do, by node.

    `ready` are the nodes that take its tasks.
    """

    job: Job
    kind: Kind
    nodes: list[str]
    busy: int = 0
    runs: dict[str, Run] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    same_id_again: bool = False

    def places(self) -> list[tuple[str, str]]:
        """The nodes that run, or prepare for, a task of the job, each with the state of that task."""
        return [*((node, "running") for node in sorted(self.ready)), *((node, "preparing") for node in self.runs)]


def tasks_of(job: Job, places: Sequence[tuple[str, str]], total: int) -> Iterator[Task]:
    """The tasks of a job: one on each of these nodes, in that state, and the others that wait."""
    since = job.creation_time
    for number, (node, state) in enumerate(places):
        yield Task(task_id=f"work-{number:05d}", state=state, created=since, since=since, pool=job.pool, node=node)
    for number in range(len(places), total):
        yield Task(task_id=f"task-{number:05d}", state="active", created=since, since=since)


def key_of(job: Job, node: str) -> NodeKey:
    """Under which key a job keeps a node of its pool."""
    return (node, job.pool.lower())
