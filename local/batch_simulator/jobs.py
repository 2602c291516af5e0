"""Jobs of the simulated account, their tasks, and the entries of their listings.

Owns the values and the order of a listing. Does not own when they change (`world`) or how they are shown.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from local.batch_simulator.statuses import Info

NodeKey: TypeAlias = tuple[str, str]  # node id, pool id in lower case: the order of a listing
_ALL_POOLS = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One occurrence that ended as failed, times as the listing spells them; None where it has none."""

    job: str
    creation_time: str
    pool: str
    node: str
    phase: str
    start_time: str | None
    end_time: str | None
    why: str

    def to_json(self) -> dict[str, str | None]:
        """The record under the names that Batch uses."""
        return {
            "job": self.job,
            "creationTime": self.creation_time,
            "pool": self.pool,
            "node": self.node,
            "phase": self.phase,
            "startTime": self.start_time,
            "endTime": self.end_time,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One entry of a listing; None where that task has not run on the node."""

    pool: str
    node: str
    preparation: Info | None = None
    release: Info | None = None
    encoded: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)  # JSON by base URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of a job; `pool` and `node` say where it prepares or runs, None while it waits."""

    task_id: str
    state: str
    created: datetime
    since: datetime
    pool: str | None = None
    node: str | None = None


@dataclass(slots=True, kw_only=True)
class Job:
    """One incarnation of a job id; change it by the world's methods only."""

    job_id: str
    creation_time: datetime
    pool: str
    has_preparation: bool
    has_release: bool
    wait_for_success: bool
    max_task_retry_count: int
    state: str
    state_transition_time: datetime
    last_modified: datetime
    end_time: datetime | None = None
    terminate_reason: str | None = None
    tasks: Mapping[str, int] = field(default_factory=dict)
    listed_tasks: tuple[Task, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    statuses: dict[NodeKey, NodeStatus] = field(default_factory=dict)
    order: list[NodeKey] | None = None
    shown: tuple[int, str, dict[str, Any], bytes] | None = None  # JSON of one version under one base URL

    def shown_tasks(self) -> tuple[Task, ...]:
        """What List Tasks shows: the tasks that were put there, else as many as are counted.

        Those that count as running prepare on the nodes whose preparation runs, and run on the others.
        """
        if self.listed_tasks is not None:
            return self.listed_tasks
        infos = {key: status.preparation or {} for key, status in self.statuses.items()}
        ready = [key for key, info in infos.items() if info.get("result") == "success"]
        preparing = [key for key, info in infos.items() if info.get("state") == "running"]
        places = [*((key, "running") for key in ready), *((key, "preparing") for key in preparing)]
        places = places or [(key, "running") for key in self.statuses]
        tasks = [
            Task(task_id=f"task-{number:05d}", state="active", created=self.creation_time, since=self.creation_time)
            for number in range(self.tasks.get("active", 0))
        ]
        for number in range(self.tasks.get("running", 0)):
            (node, _), state = places[number % len(places)] if places else ((None, ""), "running")
            tasks.append(
                Task(
                    task_id=f"work-{number:05d}",
                    state=state,
                    created=self.creation_time,
                    since=self.creation_time,
                    pool=self.pool if node is not None else None,
                    node=node,
                )
            )
        return tuple(tasks)

    def after(self, token: str | None) -> list[NodeKey]:
        """Keys behind a skip token, which is a node id, or `node id|pool` where a page ends between pools."""
        if self.order is None:
            self.order = sorted(self.statuses)
        if token is None:
            return self.order
        node, bar, pool = token.partition("|")
        return self.order[bisect_right(self.order, (node, pool if bar else _ALL_POOLS)) :]
