"""A clock, a sender and lanes in the test's hand; each remembers what was asked of it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from shared.webhook import WebhookAnswer, WebhookRequest

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is moved; threads may share it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self._lock = Lock()

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def advance(self, by: timedelta = timedelta(0), **more: float) -> None:
        """Let time pass: `advance(seconds=10)`."""
        with self._lock:
            self.now += by + timedelta(**more)

    def pause(self, duration: timedelta) -> None:
        """A `shared.ports.Pause` that moves it."""
        self.advance(duration)


def nobody_waits(duration: timedelta) -> None:
    """A `shared.ports.Pause` where nothing is ever held back."""
    raise AssertionError(duration)


def refusal(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> WebhookAnswer:
    """An answer with that status."""
    return WebhookAnswer(
        status=status,
        failure=None,
        reason=str(status),
        retry_after=(headers or {}).get("retry-after"),
        body=body,
        duration=timedelta(milliseconds=7),
    )


ACCEPTED = refusal(204)


class FakeSender:
    """A `shared.ports.Sender`: answers with `answer`, unless `by_url` says otherwise, and remembers messages and calls.

    `during` runs while a message is under way.
    """

    def __init__(self, answer: WebhookAnswer = ACCEPTED, by_url: Mapping[str, WebhookAnswer] | None = None) -> None:
        self.answer = answer
        self.by_url = dict(by_url or {})
        self.sent: list[WebhookRequest] = []
        self.called: list[str] = []
        self.during: Callable[[WebhookRequest], None] = lambda _request: None

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Take a message."""
        self.sent.append(request)
        self.during(request)
        return self.by_url.get(request.url.rstrip("/"), self.answer)

    def get(self, url: str) -> WebhookAnswer:
        """Take a heartbeat."""
        self.called.append(url)
        return ACCEPTED

    @property
    def ids(self) -> list[str]:
        """The id of each message that is signed."""
        return [request.headers["webhook-id"] for request in self.sent if "webhook-id" in request.headers]

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The events sent under this type (without prefix), each once, in the order of their first attempts."""
        bodies = dict.fromkeys(request.body for request in self.sent)
        events = [event for event in map(json.loads, bodies) if "specversion" in event]
        return [event for event in events if not kind or event["type"] == f"prepwatch.{kind}"]

    def types(self) -> list[str]:
        """The types of all events sent, without prefix."""
        return [event["type"].removeprefix("prepwatch.") for event in self.events()]


class FakeQueues:
    """A `shared.ports.QueueService` that keeps what is put on its queues, unless it refuses."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.put_texts: list[tuple[str, str, timedelta]] = []

    def put(self, queue: str, text: str, *, delay: timedelta) -> None:
        """Take a message."""
        if self.refusal is not None:
            raise self.refusal
        self.put_texts.append((queue, text, delay))

    def take(self, queue: str) -> list[str]:
        """The messages of a queue that are to be seen at once, which are gone with that."""
        taken = [text for name, text, delay in self.put_texts if (name, delay) == (queue, timedelta(0))]
        self.put_texts = [kept for kept in self.put_texts if (kept[0], kept[2]) != (queue, timedelta(0))]
        return taken


class InlineLanes:
    """`shared.ports.Lanes` without threads: work is done when it is submitted."""

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Do it."""
        work()

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """All is done already."""
        return True
