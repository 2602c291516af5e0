"""A Batch account in memory that counts what it is asked, and takes as long over it as a test says.

Owns the answers of `shared.ports.BatchService` that a cycle needs. Its filter is the simulator's own.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

import msgspec

from local.batch_simulator.filters import JOB_PROPERTIES, parse_filter
from shared.batch.model import BatchJob, NodeStatus, TaskCounts
from shared.errors import JobNotFoundError
from shared.ports import ListingOptions, StatusPage


@dataclass(slots=True)
class FakeClock:
    """A clock that stands still until somebody's work takes time."""

    now: datetime
    _lock: Lock = field(default_factory=Lock)

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time go by."""
        with self._lock:
            self.now += by


@dataclass(slots=True)
class FakeBatch:
    """Jobs by id with the statuses of their nodes; `asked` counts requests, `listed` has each status page's job.

    `before_page` is called with the job's id before each page of statuses.
    """

    jobs: dict[str, BatchJob] = field(default_factory=dict)
    nodes: dict[str, list[NodeStatus]] = field(default_factory=dict)
    before_page: Callable[[str], None] = lambda _job: None
    page_nodes: int = 1000
    asked: Counter[str] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, job: BatchJob, nodes: Sequence[NodeStatus] = ()) -> None:
        """Put a job there, or change it."""
        self.jobs[job.id] = job
        self.nodes[job.id] = list(nodes)

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """The jobs that the filter lets pass, a thousand a page."""
        self.filters.append(odata_filter or "")
        chosen = parse_filter(odata_filter or "", JOB_PROPERTIES)
        found = [job for job in self.jobs.values() if chosen(msgspec.to_builtins(job))]
        for start in range(0, max(len(found), 1), 1000):
            self._count("jobs")
            yield found[start : start + 1000]

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job."""
        self._count("job")
        return self._job(job_id)

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[StatusPage]:
        """The statuses of one job."""
        self._job(job_id)
        nodes = self.nodes[job_id]
        starts = range(0, max(len(nodes), 1), self.page_nodes)
        for start in starts:
            self.before_page(job_id)
            self._count("statuses")
            with self._lock:
                self.listed.append(job_id)
            link = f"page {start + self.page_nodes}" if start != starts[-1] else None
            yield StatusPage(value=msgspec.json.encode(nodes[start : start + self.page_nodes]), next_link=link)

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> StatusPage:
        """The first page."""
        return next(self.list_statuses(job_id, options))

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """No tasks at all."""
        self._count("task counts")
        return TaskCounts()

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """Nothing."""
        self._count("file")
        return b""

    def _job(self, job_id: str) -> BatchJob:
        if job_id not in self.jobs:
            raise JobNotFoundError("JobNotFound", "The specified job does not exist.", status=404)
        return self.jobs[job_id]

    def _count(self, what: str) -> None:
        with self._lock:
            self.asked[what] += 1
