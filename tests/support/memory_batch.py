"""A Batch account in memory: a `shared.ports.BatchService` without a network, under an address of the test's choice.

Owns jobs and nodes as they would be listed. Does not page, filter or authenticate: the simulator does.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from shared.batch.model import BatchJob, TaskCounts
from shared.batch.wire import decode_jobs
from shared.errors import BatchError, JobNotFoundError, NoPreparationTaskError
from shared.ports import ListingOptions, StatusPage


@dataclass(slots=True)
class MemoryBatch:
    """Jobs by id as Batch spells them, and their listed nodes (None: the job has no preparation task).

    `refusal` is raised instead of any answer while it is set.
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, list[dict[str, Any]] | None] = field(default_factory=dict)
    tasks: TaskCounts = field(default_factory=lambda: TaskCounts(active=1))
    refusal: BatchError | None = None

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """All jobs on one page."""
        self._check()
        yield decode_jobs(json.dumps(list(self.jobs.values())).encode())

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job."""
        self._check(job_id)
        return decode_jobs(json.dumps([self.jobs[job_id]]).encode())[0]

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[StatusPage]:
        """All nodes of a job on one page."""
        yield self.list_status_page(job_id, options)

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> StatusPage:
        """The same page."""
        self._check(job_id)
        nodes = self.nodes.get(job_id, [])
        if nodes is None:
            raise NoPreparationTaskError("JobPreparationTaskNotSpecified", "No preparation task.", status=409)
        return StatusPage(value=msgspec.json.encode(nodes))

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The same counts for every job."""
        self._check(job_id)
        return self.tasks

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """What every file ends with."""
        self._check()
        return b"No space left on device"[-max_bytes:]

    def _check(self, job_id: str | None = None) -> None:
        if self.refusal is not None:
            raise self.refusal
        if job_id is not None and job_id not in self.jobs:
            raise JobNotFoundError("JobNotFound", "The specified job does not exist.", status=404)
