"""The use cases over a table in memory, Batch accounts in memory and a receiver that takes everything.

Owns the composition with fakes. Does not own the fakes of Batch (`fake_batch`) and the table (`fake_table`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from uuid import uuid4

from shared.composition import App, compose
from shared.parts import Outside
from shared.ports import Clock, Lanes, Table
from shared.settings.settings import load_settings
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import nobody_waits


@dataclass(slots=True)
class SerialLanes:
    """Lanes on which work is done as soon as it is submitted, by whoever submits it."""

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Do it."""
        work()

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """There is nothing to wait for."""
        return True


@dataclass(slots=True)
class FakeSender:
    """Answers 204 and keeps the ids of what it was sent."""

    ids: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Take it."""
        with self._lock:
            self.ids.append(request.headers["webhook-id"])
        return self.get(request.url)

    def get(self, url: str) -> WebhookAnswer:
        """Take it."""
        return WebhookAnswer(
            status=204, failure=None, reason="204", retry_after=None, body=b"", duration=timedelta(milliseconds=1)
        )


def fake_app(
    batches: Mapping[str, FakeBatch],
    *,
    table: Table,
    clock: Clock,
    lanes: Lanes,
    sender: FakeSender | None = None,
    **settings: str,
) -> App:
    """The app of the accounts named `{name}.example`, with one webhook."""
    environment = {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "BATCH_ACCOUNT_URLS": ",".join(f"https://{name}.example" for name in batches),
        "WEBHOOK_URL": "https://receiver.example/hook",
        "WEBHOOK_SECRET": "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIGl0IGlzIGEgdGVzdA==",
        "POLL_SCHEDULE": "0 * * * * *",
        **settings,
    }
    outside = Outside(
        table=table,
        batch={f"{name}.example": batch for name, batch in batches.items()},
        sender=sender or FakeSender(),
        lanes=lanes,
        clock=clock,
        pause=nobody_waits,
        new_id=lambda: uuid4().hex,
    )
    return compose(load_settings(environment), outside)
