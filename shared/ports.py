"""What the use cases need from the outside, and nothing about how it is had.

Owns the Protocols and the values that cross them. Does not own any implementation: the modules of
`adapters` and the tests' fakes bring them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from shared.batch.model import BatchJob, TaskCounts
from shared.batch.pool_model import ComputeNode, NodeCounts, Pool, Task
from shared.reprs import repr_without
from shared.webhook import Webhook, WebhookAnswer, WebhookRequest


class Clock(Protocol):
    """Tells the time; use cases hold one, pure code is handed `now`."""

    def __call__(self) -> datetime:
        """The present moment, aware, in UTC."""


class Pause(Protocol):
    """Lets time pass; whoever waits holds one beside its clock."""

    def __call__(self, duration: timedelta) -> None:
        """Return when that much time has passed by the clock, at once if it is none or negative."""


# --- the table ------------------------------------------------------------------------------------------------

MAX_ROWS = 100
"""How many rows a transaction may name; the limit of Table storage's entity-group transactions."""

Column = str | int | bool | bytes | datetime


class Row(Struct, frozen=True, kw_only=True):
    """One row as read: its key within the partition, its columns, and the ETag it had then."""

    key: str
    columns: Mapping[str, Column]
    etag: str


class Insert(Struct, frozen=True, kw_only=True):
    """Create a row that must not exist."""

    key: str
    columns: Mapping[str, Column]


class Replace(Struct, frozen=True, kw_only=True):
    """Swap a row's whole content if it still has `etag`."""

    key: str
    columns: Mapping[str, Column]
    etag: str


class Put(Struct, frozen=True, kw_only=True):
    """Write a row's whole content whatever was there: only beside a Replace that serialises its writers."""

    key: str
    columns: Mapping[str, Column]


class Merge(Struct, frozen=True, kw_only=True):
    """Set these columns and leave the others, creating the row if it is missing, whatever its ETag."""

    key: str
    columns: Mapping[str, Column]


class Delete(Struct, frozen=True, kw_only=True):
    """Remove a row; with `etag` None whatever it holds, a missing row then being no error."""

    key: str
    etag: str | None = None


Operation = Insert | Replace | Put | Merge | Delete


def swap(key: str, columns: Mapping[str, Column], before: Row | None) -> Insert | Replace:
    """Write a row in place of the one that was read, None when there was none; refused if another writer was first."""
    return Insert(key=key, columns=columns) if before is None else Replace(key=key, columns=columns, etag=before.etag)


class Rows(Protocol):
    """The rows of one table as they are read: partitions of rows ordered by key.

    Every method raises StoreUnavailableError when the table gives no usable answer.
    """

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None when there is none."""

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows with start <= key < end, in key order."""


class Table(Rows, Protocol):
    """One table; a transaction stays within a partition.

    Columns hold up to 64 KiB each (strings counted in UTF-16), a row up to 1 MiB, a transaction up to MAX_ROWS rows,
    each named once, and less than 3 MiB as encoded: `transact` raises TransactionTooLargeError before sending more.
    """

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all operations or none; the new ETag of each written row by key.

        Raises:
            RowConflictError: Some row was not as expected and nothing was written. After a lost answer inside the
                client the conflict may be with this very write: settle it by reading.
            StoreUnavailableError: Nothing is known; settle it by reading.
        """


# --- Batch ----------------------------------------------------------------------------------------------------


class ListingOptions(Struct, frozen=True, kw_only=True):
    """The request options of the operation, under its own names; None leaves one out.

    `timeout_seconds` is the time the server may take (1 to 30), `max_results` the page size (1 to 1000).
    """

    filter: str | None = None
    select: str | None = None
    max_results: int | None = None
    timeout_seconds: int | None = None


class ListingPage(Struct, frozen=True, kw_only=True):
    """One page of a listing as it came.

    `value` is the JSON array's own bytes, not yet decoded; `next_link` is the absolute URL of the page after it, or
    None on the last; the rest are the answer's headers, None when absent.
    """

    value: bytes
    next_link: str | None = None
    request_id: str | None = None
    client_request_id: str | None = None
    etag: str | None = None
    last_modified: str | None = None

    __repr__ = repr_without("value")


class BatchService(Protocol):
    """Reads one Batch account; every method raises a BatchError that says what to do (see `errors`).

    `deadline` is the moment (of the use cases' clock) after which the call gives up with BatchUnavailableError code
    `DeadlineExceeded`, whatever the server does; None leaves only the per-request limit.
    """

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """The account's jobs, page by page."""

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job."""

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[ListingPage]:
        """The preparation and release statuses of one job, page by page."""

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> ListingPage:
        """Exactly one page: the first, or the one that `link` (a `next_link` of this account) names."""

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The job's tasks by state."""

    def list_node_counts(self, *, deadline: datetime | None = None) -> Iterator[Sequence[NodeCounts]]:
        """The nodes of every pool by state, page by page; a pool that is left out may still exist."""

    def get_pool(self, pool_id: str, *, select: str | None, deadline: datetime | None = None) -> Pool:
        """One pool; PoolNotFoundError says that it is gone."""

    def list_nodes(
        self, pool_id: str, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[ComputeNode]]:
        """The nodes of a pool, page by page; PoolNotFoundError says that it is gone."""

    def list_tasks(
        self,
        job_id: str,
        *,
        odata_filter: str | None,
        select: str | None,
        max_results: int | None = None,
        deadline: datetime | None = None,
    ) -> Iterator[Sequence[Task]]:
        """The tasks of a job, page by page; an empty page may have one behind it."""

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """The last `max_bytes` of a file on a node, or all of it when it is shorter."""


# --- sending and working --------------------------------------------------------------------------------------


class Sender(Protocol):
    """Makes one HTTP exchange with a receiver that nobody trusts; never raises for what the receiver does."""

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """POST the request once and report faithfully what came of it."""

    def get(self, url: str) -> WebhookAnswer:
        """GET an address (the heartbeat) under the same guard."""


class QueueService(Protocol):
    """The app's own queues."""

    def put(self, queue: str, text: str, *, delay: timedelta) -> None:
        """Put a nudge on a queue, which is made if it is missing; nobody sees it before `delay` is over.

        Raises:
            StoreUnavailableError: The service refused it, or gave no answer; it may lie there all the same.
        """


class Authorize(Protocol):
    """Authorises requests to receivers that want a token of ours."""

    def __call__(self, webhook: Webhook) -> Mapping[str, str]:
        """The headers that authorise a request to this webhook.

        Raises:
            CredentialError: No token can be had now, or none may be shown to this host.
        """


class Lanes(Protocol):
    """Runs pieces of work at the same time, at most `width` of a lane's at once, in the order of their arrival.

    Work never raises out of a lane: a piece that fails is a defect, kept and raised again by `join`.
    """

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Queue `work` on `lane`; it may start at once."""

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for a lane (None: every lane) to be empty; False when `timeout` came first."""
