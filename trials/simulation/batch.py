"""A Batch account in process: `shared.ports.BatchService` over the simulated world, with everything a service does.

Owns paging, the lag of pages, entries that go missing and errors. Does not own what happens in the account (`truth`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.batch_simulator.filters import JOB_PROPERTIES, NODE_PROPERTIES, TASK_PROPERTIES, parse_filter
from local.batch_simulator.jobs import Job, NodeStatus
from local.batch_simulator.pool_rendering import counts_json, node_json, pool_json, task_json
from local.batch_simulator.pools import Pool as SimulatedPool
from local.batch_simulator.rendering import job_json, status_bytes, task_counts_json
from shared.batch.job_wire import decode_job, decode_jobs, decode_task_counts
from shared.batch.model import BatchJob, TaskCounts
from shared.batch.pool_model import ComputeNode, NodeCounts, Pool, Task
from shared.batch.pool_wire import decode_node_counts, decode_nodes, decode_pool, decode_tasks
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    JobNotFoundError,
    NoPreparationTaskError,
    PoolNotFoundError,
    ThrottledError,
)
from shared.ports import ListingOptions, ListingPage
from trials.promises.truth import Incarnation, TrueWorld, incarnation_of
from trials.simulation.fault_rates import NO_FAULTS, AccountState, Chance
from trials.simulation.scheduler import Scheduler

ACCOUNT = "simulated.westeurope.batch.azure.com"
BASE = f"https://{ACCOUNT}"
_KEPT_VERSIONS = 4
_BROKEN = frozenset({"starttaskfailed", "unusable"})


@dataclass(slots=True, kw_only=True)
class SimulatedAccount:
    """What all processes share of the account.

    `first_listed` says when a job listing first showed an incarnation, `frozen` stops the world. `sick_jobs` are job
    ids (lower case) whose own requests fail with 500. `broken_shown` says when the nodes of a pool that can't work were
    shown, since they were last not.
    """

    world: TrueWorld
    chance: Chance
    page_size: int = 100
    frozen: bool = False
    first_listed: dict[Incarnation, datetime] = field(default_factory=dict)
    sick_jobs: set[str] = field(default_factory=set)
    versions: dict[Incarnation, list[tuple[int, list[NodeStatus]]]] = field(default_factory=dict)
    broken_shown: dict[str, list[datetime]] = field(default_factory=dict)

    def advance(self, now: datetime) -> None:
        """Let happen what is due."""
        if not self.frozen:
            self.world.advance(now)

    def shows_what_it_did(self, job_id: str) -> bool:
        """Whether the next listing is sure to show what the last one did; from then on the world stands still."""
        job = self.world.job(job_id)
        if job is None:
            return False
        versions = self.versions.get(incarnation_of(job), [])
        if not versions or versions[-1][0] != job.version:
            return False
        self.frozen, self.chance.rates = True, NO_FAULTS
        return True

    def remember(self, job: Job) -> list[NodeStatus]:
        """The statuses as they are now, kept for pages that lag."""
        kept = self.versions.setdefault(incarnation_of(job), [])
        if not kept or kept[-1][0] != job.version:
            kept.append((job.version, [job.statuses[key] for key in job.after(None)]))
            del kept[:-_KEPT_VERSIONS]
        return kept[-1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBatch:
    """One process's way to the account; `tell` is handed a line for every call."""

    account: SimulatedAccount
    scheduler: Scheduler
    tell: Callable[[str], None]

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """The account's jobs; the last page may lack one."""
        self._travel("jobs", None, deadline)
        wanted = parse_filter(odata_filter, JOB_PROPERTIES) if odata_filter else (lambda _entity: True)
        bodies = [(job, job_json(job, BASE)) for job in self.account.world.jobs()]
        shown = [(job, body) for job, body in bodies if wanted(body)]
        chance, size = self.account.chance, self.account.page_size
        for start in range(0, len(shown), size):
            if start:
                self._travel("more jobs", None, deadline)
            page = [each for each in shown[start : start + size] if not chance.happens(chance.rates.skip_job)]
            for job, _ in page:
                self.account.first_listed.setdefault(incarnation_of(job), self.scheduler.now)
            yield decode_jobs(json.dumps([_selected(body, select) for _, body in page]).encode())

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job."""
        self._travel(f"job {job_id}", job_id, deadline)
        return decode_job(json.dumps(_selected(job_json(self._job(job_id), BASE), select)).encode())

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[ListingPage]:
        """The statuses of a job; pages are of different age, as each is asked for at its own time."""
        skip, more = 0, True
        while more:
            self._travel(f"statuses of {job_id} from {skip}", job_id, deadline)
            job = self._job(job_id)
            if not job.has_preparation:
                raise NoPreparationTaskError("JobPreparationTaskNotSpecified", "no preparation task", status=409)
            size = self.account.page_size
            statuses = self._statuses(job)
            page, more = statuses[skip : skip + size], skip + size < len(statuses)
            skip += size
            entries = self._entries(page) if job.state != "completed" else (status_bytes(each, BASE) for each in page)
            yield ListingPage(value=b"[" + b",".join(entries) + b"]", next_link=None)

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> ListingPage:
        """Exactly one page, the first."""
        return next(self.list_statuses(job_id, options))

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The job's tasks by state."""
        self._travel(f"task counts of {job_id}", job_id, deadline)
        return decode_task_counts(json.dumps(task_counts_json(self._job(job_id))).encode())

    def list_node_counts(self, *, deadline: datetime | None = None) -> Iterator[Sequence[NodeCounts]]:
        """The nodes of every pool by state."""
        self._travel("node counts", None, deadline)
        pools = self.account.world.pools.all()
        yield decode_node_counts(json.dumps([counts_json(pool) for pool in pools]).encode())

    def get_pool(self, pool_id: str, *, select: str | None, deadline: datetime | None = None) -> Pool:
        """One pool."""
        self._travel(f"pool {pool_id}", None, deadline)
        return decode_pool(json.dumps(_selected(pool_json(self._pool(pool_id), BASE), select)).encode())

    def list_nodes(
        self, pool_id: str, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[ComputeNode]]:
        """The nodes of a pool."""
        try:
            self._travel(f"nodes of {pool_id}", None, deadline)
        except BatchError:
            self.account.broken_shown.pop(pool_id, None)
            raise
        pool = self._pool(pool_id)
        wanted = parse_filter(odata_filter, NODE_PROPERTIES) if odata_filter else (lambda _entity: True)
        bodies = [body for node in pool.nodes.values() if wanted(body := node_json(pool, node, BASE))]
        if any(body["state"] in _BROKEN for body in bodies):
            self.account.broken_shown.setdefault(pool_id, []).append(self.scheduler.now)
        yield decode_nodes(json.dumps([_selected(body, select) for body in bodies]).encode())

    def list_tasks(
        self,
        job_id: str,
        *,
        odata_filter: str | None,
        select: str | None,
        max_results: int | None = None,
        deadline: datetime | None = None,
    ) -> Iterator[Sequence[Task]]:
        """The tasks of a job."""
        self._travel(f"tasks of {job_id}", job_id, deadline)
        job = self._job(job_id)
        wanted = parse_filter(odata_filter, TASK_PROPERTIES) if odata_filter else (lambda _entity: True)
        bodies = [task_json(task, BASE, job.job_id) for task in job.shown_tasks()]
        yield decode_tasks(json.dumps([_selected(body, select) for body in bodies if wanted(body)]).encode())

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """The end of a file; nothing when the node is gone."""
        self._travel(f"file {path}", None, deadline)
        return (self.account.world.files(pool_id, node_id) or {}).get(path, b"")[-max_bytes:]

    def _statuses(self, job: Job) -> list[NodeStatus]:
        chance, now = self.account.chance, self.account.remember(job)
        # A completed job's listing is taken to be up to date: nothing in it changes any more.
        if job.state != "completed" and chance.happens(chance.rates.stale):
            self.tell("batch: the page is an old one")
            return chance.pick(self.account.versions[incarnation_of(job)])[1]
        return now

    def _entries(self, page: Sequence[NodeStatus]) -> Iterator[bytes]:
        chance = self.account.chance
        for status in page:
            if chance.happens(chance.rates.absent):
                self.tell(f"batch: {status.node} is left out")
                continue
            yield status_bytes(status, BASE)
            if chance.happens(chance.rates.twice):
                yield status_bytes(status, BASE)

    def _pool(self, pool_id: str) -> SimulatedPool:
        pool = self.account.world.pools.find(pool_id)
        if pool is None:
            raise PoolNotFoundError("PoolNotFound", "The specified pool does not exist.", status=404)
        return pool

    def _job(self, job_id: str) -> Job:
        job = self.account.world.job(job_id)
        if job is None:
            raise JobNotFoundError("JobNotFound", "The specified job does not exist.", status=404)
        return job

    def _travel(self, what: str, job_id: str | None, deadline: datetime | None) -> None:
        chance = self.account.chance
        rates = chance.rates
        slow = chance.happens(rates.slow_batch)
        self.scheduler.pause(chance.between(2, 25) if slow else chance.between(0.01, 0.3))
        self.account.advance(self.scheduler.now)
        if deadline is not None and self.scheduler.now >= deadline:
            raise BatchUnavailableError("DeadlineExceeded", "no time left")
        if rates.account is AccountState.DENIED:
            self.tell(f"batch: {what}: denied")
            raise AccountDeniedError("AuthenticationFailed", "Server failed to authenticate the request.", status=403)
        if rates.account is AccountState.THROTTLED:
            self.tell(f"batch: {what}: throttled")
            wait = chance.pick((None, timedelta(seconds=5), timedelta(seconds=200)))
            raise ThrottledError("TooManyRequests", "too many requests", status=429, retry_after=wait)
        sick = job_id is not None and job_id.lower() in self.account.sick_jobs
        if rates.account is AccountState.DOWN or sick or chance.happens(rates.batch):
            self.tell(f"batch: {what}: fails")
            code = chance.pick(("InternalError", "OperationTimedOut", "ConnectionFailed"))
            raise BatchUnavailableError(code, "The server encountered an internal error.", status=500)
        self.tell(f"batch: {what}")


def _selected(body: dict[str, object], select: str | None) -> dict[str, object]:
    return body if select is None else {name: body[name] for name in select.split(",") if name in body}
