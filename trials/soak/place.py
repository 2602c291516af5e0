"""Where the parts of a story are, and the app among them: what a process needs to join in.

Owns the app's settings in these tests, and clocks that are not the system's.
"""

import base64
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from uuid import uuid4

from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.http_transport import HttpTransport
from shared.adapters.table_store import open_table
from shared.adapters.webhook_sender import WebhookSender
from shared.errors import StoreUnavailableError
from shared.parts import Outside
from shared.ports import Clock, Lanes, Pause, Table
from shared.settings.settings import Settings, load_settings
from tests.support.fakes import FakeQueues, nobody_waits
from trials.soak.recorder import CHAT

ACCOUNT = "faulty"
KEY = "ZmF1bHRzLWFyZS1maW5k"
SECRET = "whsec_ZmF1bHRzLWFyZS13aGF0LXdlLWFyZS1oZXJlLWZvcg=="
STEADY, SHAKY = "steady", "shaky"
WEBHOOKS = (STEADY, SHAKY)
PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Addresses of Batch, of the storage (behind a proxy or not) and of the receiver; may be sent to a process.

    `chats` says whether a chat service is told too.
    """

    batch: str
    storage: str
    table: str
    receiver: str
    chats: bool = False

    @property
    def partition(self) -> str:
        """The account's partition in the table."""
        return self.batch.removeprefix("http://")

    def settings(self) -> Settings:
        """The app's settings but for the table, which the outside knows."""
        return _settings(self.batch, self.storage, self.receiver, chats=self.chats)

    def outside(
        self,
        clock: Clock,
        lanes: Lanes,
        *,
        storage_patience: timedelta,
        table: Table | None = None,
        send_deadline: timedelta = timedelta(seconds=5),
        pause: Pause = nobody_waits,
    ) -> Outside:
        """The real outside, but for clock, lanes and perhaps the table, and less patient than in production."""
        auth = SharedKeyAuth(ACCOUNT, base64.b64decode(KEY))
        api_version = self.settings().batch_api_version
        client = BatchClient(self.batch, auth=auth, transport=_transport(), clock=clock, api_version=api_version)
        return Outside(
            table=table or open_table(self.storage, self.table, answer_timeout=storage_patience),
            batch={self.partition: client},
            sender=_sender(send_deadline),
            lanes=lanes,
            clock=clock,
            queues=_refusing_queues(),
            pause=pause,
            new_id=lambda: uuid4().hex,
        )


def _refusing_queues() -> FakeQueues:
    """Queues that take nothing, so that the app remembers that, too."""
    queues = FakeQueues()
    queues.refusal = StoreUnavailableError("the queue service answered 403 AuthorizationFailure")
    return queues


@dataclass(slots=True)
class SetClock:
    """A clock that stands still until it is set."""

    now: datetime

    def __call__(self) -> datetime:
        """The moment that it was set to."""
        return self.now


@dataclass(slots=True)
class FastClock:
    """A clock that runs *speed* times as fast as the system's, from *start* on, and may be set ahead.

    Copies in other processes show the same time; what is set ahead in one is not in the others.
    """

    start: datetime
    speed: float
    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Now, in the time of the story."""
        return self.start + (datetime.now(UTC) - self.start) * self.speed + self.ahead

    def pause(self, duration: timedelta) -> None:
        """Wait for so long in the time of the story."""
        time.sleep(duration.total_seconds() / self.speed)


class SerialLanes:
    """Lanes without threads: whoever joins does the work, in the order of its arrival, so that a story repeats."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Queue the work; it starts when somebody joins."""
        self._waiting.setdefault(lane, deque()).append(work)

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Do what waits."""
        for name in [lane] if lane is not None else list(self._waiting):
            waiting = self._waiting.get(name, deque())
            while waiting:
                waiting.popleft()()
        return True


@cache
def _transport() -> HttpTransport:
    """One for all apps of a process: it takes a tenth of a second to load the certificate authorities."""
    return HttpTransport(allow_http=True)


def close_connections() -> None:
    """Close those that wait for the next request, as must be before a process is forked."""
    _transport().close()


@cache
def _sender(deadline: timedelta) -> WebhookSender:
    return WebhookSender(allowed_cidrs=[ip_network("127.0.0.0/8")], allow_http=True, deadline=deadline)


@cache
def _settings(batch: str, storage: str, receiver: str, *, chats: bool) -> Settings:
    """One webhook wants everything, the other failures and what becomes of webhooks."""
    wanted = {STEADY: ["*"], SHAKY: ["*.failed", "webhook.*"]}
    hooks: list[dict[str, object]] = [
        {
            "name": name,
            "format": "cloudevents",
            "url": f"{receiver}/{name}",
            "secrets": [SECRET],
            "events": events,
        }
        for name, events in wanted.items()
    ]
    if chats:
        hooks.append({"name": CHAT, "format": "slack", "url": f"{receiver}/{CHAT}"})
    return load_settings(
        {
            "BATCH_ACCOUNT_URLS": batch,
            "BATCH_ACCOUNT_NAME": ACCOUNT,
            "BATCH_ACCOUNT_KEY": KEY,
            "AzureWebJobsStorage": storage,
            "POLL_SCHEDULE": "0 * * * * *",
            "WEBHOOKS": json.dumps(hooks),
            "WEBHOOK_ALLOW_HTTP": "true",
            "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
            "EVENT_MAX_NODES": "2",
        }
    )
