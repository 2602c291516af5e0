"""What a measured process needs: the app over the loopback account and Azurite, counted, and the clock for its CPU.

Owns counting and delaying the table's calls, and leaving the sending out. Does not own what is measured (`scenarios`).
"""

import gc
import http.client
import json
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from urllib.parse import urlsplit
from uuid import uuid4

from msgspec.structs import replace

from benchmarks.pages import World
from shared.composition import App, compose, connect
from shared.ports import Lanes, Operation, Row, Table
from shared.settings.settings import load_settings

ACCOUNT = "bench"
KEY = "bm90IGEgc2VjcmV0LCBvbmx5IGZvciBiZW5jaG1hcmtz"
SECRET = "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGZvciBiZW5jaG1hcmtz"  # noqa: S105 - protects nothing
_PAGE_ROWS = 1000  # the table service's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the servers are."""

    batch: str
    storage: str

    def set_world(self, world: World) -> None:
        """Make the loopback account another one."""
        self._ask("PUT", "/_world", world.to_json())

    def counts(self) -> dict[str, int]:
        """The requests to the loopback account since it was made what it is."""
        found: dict[str, int] = json.loads(self._ask("GET", "/_counts"))
        return found

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.batch).netloc)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()

    def app(
        self,
        *,
        table: str | None = None,
        lanes: Callable[[Lanes], Lanes] = lambda real: real,
        webhooks: int = 1,
        delay: timedelta = timedelta(0),
    ) -> "Measured":
        """An app over a table (None: one of its own, empty), its work run on what `lanes` makes of the real ones."""
        receivers = [
            {"name": f"receiver-{number}", "format": "cloudevents", "url": f"{self.batch}/hook", "secrets": [SECRET]}
            for number in range(webhooks)
        ]
        settings = load_settings(
            {
                "AzureWebJobsStorage": self.storage,
                "STATE_TABLE": table or f"b{uuid4().hex}",
                "BATCH_ACCOUNT_URLS": self.batch,
                "BATCH_ACCOUNT_NAME": ACCOUNT,
                "BATCH_ACCOUNT_KEY": KEY,
                "WEBHOOKS": json.dumps(receivers),
                "WEBHOOK_ALLOW_HTTP": "true",
                "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
                "POLL_SCHEDULE": "0 * * * * *",
            }
        )
        outside = connect(settings)
        counted = CountedTable(outside.table, delay)
        outside = replace(outside, table=counted, lanes=lanes(outside.lanes))
        return Measured(app=compose(settings, outside), table=counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An app and its counted table."""

    app: App
    table: "CountedTable"

    def cycle(self) -> None:
        """One cycle of the account.

        Raises:
            RuntimeError: It was not a good one, so that its numbers mean nothing.
        """
        report = next(iter(self.app.pollers.values())).run()
        if not report.good or report.errors or report.not_looked_at:
            raise RuntimeError(f"the measured cycle was not good: {report}")

    def settle(self) -> None:
        """Cycles until one has looked at every job: the first sight of many may take longer than one lasts."""
        while next(iter(self.app.pollers.values())).run().not_looked_at:
            pass


@dataclass(slots=True)
class CountedTable:
    """A table that counts: requests (a query is one for each thousand rows begun), transactions, and rows by kind.

    `first_written` is the process's CPU clock when the first transaction that holds nodes had been done, None before.
    """

    table: Table
    delay: timedelta = timedelta(0)
    counts: Counter[str] = field(default_factory=Counter)
    first_written: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def get(self, partition: str, key: str) -> Row | None:
        """The row, counted and delayed."""
        self._count(f"get {_kind(key)}")
        return self.table.get(partition, key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows, counted and delayed."""
        kind = _kind(start)
        self._count(f"query {kind}")
        for number, row in enumerate(self.table.query(partition, start, end)):
            if number and number % _PAGE_ROWS == 0:
                self._count(f"query {kind}")
            with self._lock:
                self.counts[f"rows {kind}"] += 1
            yield row

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """The transaction, counted and delayed."""
        self._count("transactions")
        with self._lock:
            self.counts["operations"] += len(operations)
            self.counts.update(f"write {_kind(operation.key)}" for operation in operations)
        etags = self.table.transact(partition, operations)
        if self.first_written is None and any(_kind(operation.key) == "node" for operation in operations):
            self.first_written = time.process_time()
        return etags

    def reset(self) -> None:
        """Count from zero."""
        self.counts.clear()

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1
        if self.delay:
            time.sleep(self.delay.total_seconds())


@dataclass(frozen=True, slots=True)
class NoSending:
    """Lanes on which deliveries wait for ever, as if the receivers had just stopped answering."""

    lanes: Lanes
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Run the work unless it is a delivery."""
        if lane.startswith("webhook:"):
            self.waiting.append(work)
        else:
            self.lanes.submit(lane, width, work)

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for the rest."""
        return self.lanes.join(lane, timeout)


def _kind(key: str) -> str:
    return key.partition("|")[0]


def cpu(work: Callable[[], object]) -> float:
    """The CPU seconds of this process, all its threads, user and system, that the work takes."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def side_by_side(repeats: int, **works: Callable[[], object]) -> dict[str, float]:
    """The median CPU seconds of each work; they take turns, so that a noisy moment hits all of them."""
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(cpu(work))
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def peak_megabytes() -> float:
    """The most memory that this process has ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
