"""The whole app in this process: real use cases, real Batch client, a table in memory, and a clock to be set.

Owns the parts around `composition.compose`. Does not own Batch (`hostile_batch`, or the simulator).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any

import zstandard

from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.http_transport import HttpTransport
from shared.adapters.lanes import ThreadLanes
from shared.composition import App, utc_now
from shared.polling.cycle import CycleReport
from shared.ports import BatchService, Row, Sender
from shared.settings.settings import load_settings
from shared.web.errors import error_answer
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import build
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock, FakeSender
from tests.support.stack import app_environment

HOOK = "https://receiver.example/hook"
STORAGE = "UseDevelopmentStorage=true"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeApp:
    """An app with what surrounds it."""

    app: App
    table: FakeTable
    post: FakeSender
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
    post: FakeSender | None = None,
    sender: Sender | None = None,
    batch: Mapping[str, BatchService] | None = None,
    **settings: str,
) -> WholeApp:
    """An app that watches the account at *batch_url*.

    `sender` takes the place of `post`, `batch` (by host) of the real clients. Empty settings are left out.
    """
    environment = app_environment(batch_url, HOOK, STORAGE, **settings)
    loaded = load_settings({name: value for name, value in environment.items() if value})
    now = clock or utc_now
    table, post = table or FakeTable(), post or FakeSender()
    if batch is None:
        key = loaded.shared_key
        assert key is not None
        auth = SharedKeyAuth(key.account_name, key.key)
        pause = clock.pause if isinstance(clock, FakeClock) else None
        batch = {
            account.label: BatchClient(account.url, auth=auth, transport=_transport(), clock=now, pause=pause)
            for account in loaded.accounts
        }
    app, _ = build(loaded, table=table, batch=batch, sender=sender or post, lanes=ThreadLanes(), clock=now)
    return WholeApp(app=app, table=table, post=post, clock=now)


@cache
def _transport() -> HttpTransport:
    return HttpTransport(allow_http=True)


def codes(app: WholeApp) -> list[tuple[str, str]]:
    """Type and error code of every event about the account."""
    return [
        (event["type"].removeprefix("prepwatch."), event["data"].get("error", {}).get("code", ""))
        for event in app.post.events()
        if ".account." in event["type"]
    ]


def rows_of(table: FakeTable) -> Iterator[Row]:
    """Every row of every partition of a table in memory."""
    for rows in table.partitions.values():
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
