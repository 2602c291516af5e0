"""A Batch account in memory that a test may change at any time, that remembers what it is asked, and has switches.

Its filter of jobs is the simulator's own. Does not page jobs, select fields or authenticate: the simulator does.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from local.batch_simulator.filters import JOB_PROPERTIES, parse_filter
from shared.batch.model import BatchJob, NodeStatus, TaskCounts, UnreadableJob
from shared.batch.pool_model import ComputeNode, NodeCounts, Pool, Task
from shared.errors import BatchError, JobNotFoundError, NoPreparationTaskError
from shared.ports import ListingOptions, ListingPage


@dataclass(kw_only=True)
class MemoryPools:
    """Node counts, pools, nodes and running tasks by pool or job id; `refused` is raised instead while it is set.

    `pools_asked` has each call by method name and id.
    """

    node_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    pools: dict[str, Pool | BatchError] = field(default_factory=dict)
    pool_nodes: dict[str, Sequence[ComputeNode]] = field(default_factory=dict)
    running: dict[str, Sequence[Task]] = field(default_factory=dict)
    refused: BatchError | None = None
    pools_asked: list[tuple[str, str]] = field(default_factory=list)

    def list_node_counts(self, *, deadline: datetime | None = None) -> Iterator[Sequence[NodeCounts]]:
        """All counts on one page."""
        self._ask_pools("list_node_counts", "")
        yield tuple(NodeCounts(pool_id=pool, by_state=by_state) for pool, by_state in self.node_counts.items())

    def get_pool(self, pool_id: str, *, select: str | None, deadline: datetime | None = None) -> Pool:
        """One pool, steady unless the test says otherwise."""
        self._ask_pools("get_pool", pool_id)
        found = self.pools.get(pool_id) or Pool(id=pool_id, allocation_state="steady")
        if isinstance(found, BatchError):
            raise found
        return found

    def list_nodes(
        self, pool_id: str, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[ComputeNode]]:
        """The nodes that the test has set in the states that the filter lets pass, and those without one."""
        self._ask_pools("list_nodes", pool_id)
        states = re.findall(r"state eq '(\w+)'", odata_filter or "")
        nodes = self.pool_nodes.get(pool_id, ())
        yield [node for node in nodes if not states or node.state is None or node.state.lower() in states]

    def list_tasks(
        self,
        job_id: str,
        *,
        odata_filter: str | None,
        select: str | None,
        max_results: int | None = None,
        deadline: datetime | None = None,
    ) -> Iterator[Sequence[Task]]:
        """The tasks that the test has set, else as many as are counted as running, on no node in particular."""
        self._ask_pools("list_tasks", job_id)
        counted = [Task(id=f"task-{number}") for number in range(self.count_tasks(job_id).running)]
        yield self.running.get(job_id, counted)

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The job's tasks by state."""
        raise NotImplementedError

    def _ask_pools(self, method: str, name: str) -> None:
        self.pools_asked.append((method, name))
        if self.refused is not None:
            raise self.refused


@dataclass
class FakeBatch(MemoryPools):
    """A `shared.ports.BatchService`: jobs by id, the statuses of their nodes, and task counts.

    Jobs and statuses are values or what the wire says of them; None in `nodes` is a job without a preparation task.
    `failures` holds by method name the error that it raises; `before_page` is called with a job's id before each page
    of statuses, `before_asking` with method and job before any request is answered. `asked` has every request by method
    and job, `deadlines` until when the last of a method had time (None for ever), `files` the path of each file that
    was read, `filters` each filter of jobs, `options` each page of statuses that was asked for alone, with its link.
    """

    jobs: dict[str, BatchJob | Mapping[str, Any]] = field(default_factory=dict)
    nodes: dict[str, Sequence[Any] | None] = field(default_factory=dict)
    tasks: TaskCounts = field(default_factory=TaskCounts)
    counts: dict[str, TaskCounts] = field(default_factory=dict)
    tail: bytes = b""
    files: list[str] = field(default_factory=list)
    page: ListingPage | None = None
    page_nodes: int = 1000
    before_asking: Callable[[str, str], None] = lambda _method, _job: None
    before_page: Callable[[str], None] = lambda _job: None
    failures: dict[str, BatchError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    deadlines: dict[str, datetime | None] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)
    options: list[tuple[ListingOptions, str | None]] = field(default_factory=list)

    def add(self, job: BatchJob, *nodes: NodeStatus) -> None:
        """Have a job with these nodes, or change it."""
        self.jobs[job.id] = job
        self.nodes[job.id] = nodes

    @property
    def requests(self) -> Counter[str]:
        """How often each method was asked, page by page."""
        return Counter(method for method, _ in self.asked)

    @property
    def listed(self) -> list[str]:
        """The job of each page of statuses, in order."""
        return [job_id for method, job_id in self.asked if method == "list_statuses"]

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """The jobs that the filter lets pass, a thousand a page."""
        self.filters.append(odata_filter or "")
        found = list(map(_job, self.jobs.values()))
        if odata_filter is not None:
            chosen = parse_filter(odata_filter, JOB_PROPERTIES)
            # Batch itself can read what we can't.
            found = [job for job in found if isinstance(job, UnreadableJob) or chosen(msgspec.to_builtins(job))]
        for start in range(0, max(len(found), 1), 1000):
            self._ask("list_jobs", "", deadline)
            yield found[start : start + 1000]

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job, whatever the case of its id."""
        self._ask("get_job", job_id, deadline)
        return _job(self.jobs[self._id(job_id)])

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[ListingPage]:
        """The statuses of one job, page by page."""
        starts = range(0, max(len(self._nodes(job_id)), 1), self.page_nodes)
        for start in starts:
            self.before_page(job_id)
            nodes = self._nodes(job_id)
            self._ask("list_statuses", job_id, deadline)
            link = f"page {start + self.page_nodes}" if start != starts[-1] else None
            yield ListingPage(value=msgspec.json.encode(nodes[start : start + self.page_nodes]), next_link=link)

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> ListingPage:
        """The page that the test has set, otherwise all nodes on one."""
        self._ask("list_status_page", job_id)
        self.options.append((options, link))
        return self.page or ListingPage(value=msgspec.json.encode(self._nodes(job_id)))

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The counts of this job, or those of every job."""
        self._ask("count_tasks", job_id, deadline)
        return self.counts.get(job_id, self.tasks)

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """What every file ends with."""
        self._ask("read_file_tail", node_id, deadline)
        self.files.append(path)
        return self.tail[-max_bytes:]

    def _ask(self, method: str, job_id: str, deadline: datetime | None = None) -> None:
        self.asked.append((method, job_id))
        self.before_asking(method, job_id)
        self.deadlines[method] = deadline
        if method in self.failures:
            raise self.failures[method]

    def _id(self, job_id: str) -> str:
        found = job_id if job_id in self.jobs else next((key for key in self.jobs if key.lower() == job_id.lower()), "")
        if not found:
            raise JobNotFoundError("JobNotFound", "The specified job does not exist.", status=404)
        return found

    def _nodes(self, job_id: str) -> Sequence[Any]:
        nodes = self.nodes.get(self._id(job_id), ())
        if nodes is None:
            raise NoPreparationTaskError("JobPreparationTaskNotSpecified", "No preparation task.", status=409)
        return nodes


def _job(job: BatchJob | Mapping[str, Any]) -> BatchJob:
    return job if isinstance(job, BatchJob) else msgspec.convert(job, BatchJob)
