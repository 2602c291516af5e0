"""The whole app in this process: real use cases, real Batch client, a table in memory, and a clock to be set.

Owns the parts around `composition.compose`. Does not own Batch (`hostile_batch`, or the simulator).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from threading import Lock
from typing import Any

import zstandard

from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.http_transport import HttpTransport
from shared.adapters.lanes import ThreadLanes
from shared.composition import App, compose, utc_now
from shared.parts import Outside
from shared.polling.cycle import CycleReport
from shared.ports import BatchService, Row, Sender
from shared.settings.settings import load_settings
from shared.web.http import Answer, Request, error_answer
from shared.web.routes import Routes
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.fake_table import FakeTable
from tests.support.fakes import nobody_waits
from tests.support.stack import app_environment

HOOK = "https://receiver.example/hook"
STORAGE = "UseDevelopmentStorage=true"
START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class VirtualClock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time pass."""
        self.now += time


@dataclass(slots=True)
class Postbox:
    """A `shared.ports.Sender` that keeps what is sent; receivers answer `status`, unless `by_url` says otherwise."""

    status: int = 204
    by_url: dict[str, int] = field(default_factory=dict)
    sent: list[WebhookRequest] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Take a message."""
        with self._lock:
            self.sent.append(request)
        return _answer(self.by_url.get(request.url.rstrip("/"), self.status))

    def get(self, url: str) -> WebhookAnswer:
        """Take a heartbeat."""
        self.fetched.append(url)
        return _answer(200)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The events sent under this type (without prefix), each once, in the order of their first attempts."""
        bodies = dict.fromkeys(request.body for request in self.sent)
        events = [event for event in map(json.loads, bodies) if "specversion" in event]
        return [event for event in events if not kind or event["type"] == f"prepwatch.{kind}"]

    def types(self) -> list[str]:
        """The types of all events sent, without prefix."""
        return [event["type"].removeprefix("prepwatch.") for event in self.events()]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeApp:
    """An app with what surrounds it."""

    app: App
    table: FakeTable
    post: Postbox
    clock: Callable[[], datetime]

    def poll(self, account: str | None = None) -> CycleReport:
        """Run the cycle of an account, the first if none is named."""
        return self.app.pollers[account or next(iter(self.app.pollers))].run()

    def answer(self, handler: Callable[[Routes, Request], Answer], **request: Any) -> Answer:
        """What the API answers to a request, errors too."""
        try:
            return handler(self.app.routes, Request(url="http://localhost/api", **request))
        except Exception as error:  # noqa: BLE001 - as function_app does
            return error_answer(error)

    def ask(self, handler: Callable[[Routes, Request], Answer], **request: Any) -> Any:
        """The decoded JSON of an answer."""
        return json.loads(self.answer(handler, **request).body)

    def summary(self, **query: str) -> Any:
        """The summary, from what is stored unless `maxAge` says otherwise."""
        return self.ask(Routes.summary, query=query)

    def job(self, job_id: str) -> Any:
        """A job as the summary shows it."""
        return next(job for job in self.summary()["value"] if job["jobId"] == job_id)

    def nodes(self, job_id: str) -> Any:
        """The stored nodes of a job."""
        return self.ask(Routes.list_nodes, route={"jobId": job_id})["value"]

    def nodes_of(self, job_id: str) -> set[str]:
        """The ids of the stored nodes of a job."""
        listed = self.ask(Routes.list_nodes, route={"jobId": job_id}, query={"top": "1000"})["value"]
        return {node["nodeId"] for node in listed}

    def rows(self) -> Iterator[Row]:
        """Every row of every partition."""
        return rows_of(self.table)


def whole_app(
    batch_url: str,
    *,
    clock: Callable[[], datetime] | None = None,
    table: FakeTable | None = None,
    post: Postbox | None = None,
    sender: Sender | None = None,
    batch: Mapping[str, BatchService] | None = None,
    **settings: str,
) -> WholeApp:
    """An app that watches the account at *batch_url*.

    `sender` takes the place of the postbox, `batch` (by host) of the real clients. Empty settings are left out.
    """
    environment = app_environment(batch_url, HOOK, STORAGE, **settings)
    loaded = load_settings({name: value for name, value in environment.items() if value})
    now = clock or utc_now
    table, post, numbers = table or FakeTable(), post or Postbox(), count(1)
    if batch is None:
        key = loaded.shared_key
        assert key is not None
        auth = SharedKeyAuth(key.account_name, key.key)
        batch = {
            account.label: BatchClient(account.url, auth=auth, transport=_transport(), clock=now)
            for account in loaded.accounts
        }
    outside = Outside(
        table=table,
        batch=batch,
        sender=sender or post,
        lanes=ThreadLanes(),
        clock=now,
        pause=nobody_waits,
        new_id=lambda: f"id-{next(numbers)}",
    )
    return WholeApp(app=compose(loaded, outside), table=table, post=post, clock=now)


@cache
def _transport() -> HttpTransport:
    return HttpTransport(allow_http=True)


def rows_of(table: FakeTable) -> Iterator[Row]:
    """Every row of every partition of a table in memory."""
    for rows in table._partitions.values():
        yield from rows.values()


def stored_text(rows: Iterator[Row] | Sequence[Row]) -> bytes:
    """All that rows hold, keys too, compressed content unpacked."""
    found: list[bytes] = []
    for row in rows:
        found.append(row.key.encode())
        found.extend(str(value).encode() for value in row.columns.values() if not isinstance(value, bytes))
        packed = b"".join(_pieces(row.columns))
        found.append(packed)
        with suppress(zstandard.ZstdError):
            found.append(zstandard.decompress(packed))
    return b"\n".join(found)


def _pieces(columns: Mapping[str, object]) -> Iterator[bytes]:
    for number in count():
        piece = columns.get(f"data{number}")
        if not isinstance(piece, bytes):
            return
        yield piece


def _answer(status: int) -> WebhookAnswer:
    return WebhookAnswer(
        status=status,
        failure=None,
        reason=f"answered {status}",
        retry_after=None,
        body=b"ok",
        duration=timedelta(milliseconds=5),
    )
