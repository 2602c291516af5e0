"""Small stand-ins for what the use cases reach out to; each remembers what was asked of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.batch.model import BatchJob, NodeStatus, TaskCounts
from shared.errors import BatchError, JobNotFoundError
from shared.ports import ListingOptions, StatusPage
from shared.webhook import WebhookAnswer, WebhookRequest

ACCEPTED = WebhookAnswer(
    status=204, failure=None, reason="204", retry_after=None, body=b"", duration=timedelta(milliseconds=7)
)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def advance(self, **duration: float) -> None:
        """Let time pass: `advance(seconds=10)`."""
        self.now += timedelta(**duration)

    def pause(self, duration: timedelta) -> None:
        """A `shared.ports.Pause` that moves it."""
        self.now += duration


def nobody_waits(duration: timedelta) -> None:
    """A `shared.ports.Pause` where nothing is ever held back."""
    raise AssertionError(duration)


class FakeBatch:
    """A `shared.ports.BatchService` of jobs and statuses that a test may change at any time.

    `failures` holds by method name the error that it raises; `asked` every call by method name and job; `deadlines`
    until when the last call of a method had time, None for ever.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, BatchJob] = {}
        self.statuses: dict[str, Sequence[NodeStatus]] = {}
        self.counts: dict[str, TaskCounts] = {}
        self.page: StatusPage | None = None
        self.failures: dict[str, BatchError] = {}
        self.asked: list[tuple[str, str]] = []
        self.deadlines: dict[str, datetime | None] = {}
        self.options: list[tuple[ListingOptions, str | None]] = []

    def add(self, job: BatchJob, *statuses: NodeStatus) -> None:
        """Have a job with these nodes."""
        self.jobs[job.id] = job
        self.statuses[job.id] = statuses

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """All jobs as one page, whatever the filter."""
        self._ask("list_jobs", "", deadline)
        yield tuple(self.jobs.values())

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job, whatever the case of its id."""
        self._ask("get_job", job_id, deadline)
        for job in self.jobs.values():
            if job.id.lower() == job_id.lower():
                return job
        raise JobNotFoundError("JobNotFound", "The specified job does not exist.", status=404)

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[StatusPage]:
        """All statuses of a job as one page."""
        self._ask("list_statuses", job_id, deadline)
        yield StatusPage(value=msgspec.json.encode(self.statuses[self.get_job(job_id, select=None).id]))

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> StatusPage:
        """The page that the test has set."""
        self._ask("list_status_page", job_id)
        self.options.append((options, link))
        assert self.page is not None
        return self.page

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The counts that the test has set."""
        self._ask("count_tasks", job_id, deadline)
        return self.counts.get(job_id, TaskCounts())

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """Nothing."""
        self._ask("read_file_tail", node_id, deadline)
        return b""

    def _ask(self, method: str, job_id: str, deadline: datetime | None = None) -> None:
        self.asked.append((method, job_id))
        self.deadlines[method] = deadline
        if method in self.failures:
            raise self.failures[method]


class FakeSender:
    """A `shared.ports.Sender`: answers with `answer`, remembers the requests; `during` runs while one is under way."""

    def __init__(self) -> None:
        self.answer = ACCEPTED
        self.sent: list[WebhookRequest] = []
        self.during: Callable[[WebhookRequest], None] = lambda _request: None

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Take the request."""
        self.sent.append(request)
        self.during(request)
        return self.answer

    def get(self, url: str) -> WebhookAnswer:
        """Take the heartbeat."""
        return self.send(WebhookRequest(url=url, headers={}, body=b""))


class InlineLanes:
    """`shared.ports.Lanes` without threads: work is done when it is submitted."""

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Do it."""
        work()

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """All is done already."""
        return True


def refusal(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> WebhookAnswer:
    """An answer with that status."""
    return WebhookAnswer(
        status=status,
        failure=None,
        reason=str(status),
        retry_after=(headers or {}).get("retry-after"),
        body=body,
        duration=timedelta(milliseconds=5),
    )
