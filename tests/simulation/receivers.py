"""Receivers of webhooks and the way to them: `shared.ports.Sender` in process, with a log of what arrived when.

Owns receivers' moods and their log. Does not judge the log (`witness`).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.webhook_model import SendFailure, WebhookAnswer, WebhookRequest
from tests.simulation.baton import Baton, Owner
from tests.simulation.weather import Chance, ReceiverMood

DEADLINE = timedelta(seconds=20)
_FLAKY = (
    ReceiverMood.WELL,
    ReceiverMood.SLOW,
    ReceiverMood.REFUSING,
    ReceiverMood.BROKEN,
    ReceiverMood.BUSY,
    ReceiverMood.FORGETFUL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A request that reached a receiver; `accepted` when it was answered with success, `verified` by its signature."""

    at: datetime
    webhook: str
    id: str
    body: bytes
    status: int | None
    accepted: bool
    verified: bool


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One receiver; `secret` is the only key that it knows."""

    name: str
    secret: bytes
    mood: ReceiverMood = ReceiverMood.WELL

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{self.name}.example/hook"


class Watcher(Protocol):
    """Whoever watches attempts: the witness."""

    def sending(self, webhook: str, event_id: str, owner: Owner) -> None:
        """An attempt begins."""

    def received(self, receipt: Receipt, owner: Owner) -> None:
        """It reached the receiver."""

    def sent(self, webhook: str, event_id: str) -> None:
        """It has ended, whatever came of it."""


@dataclass(slots=True, kw_only=True)
class SimulatedSender:
    """One process's way to the receivers; `crash` ends the process."""

    receivers: dict[str, Receiver]
    chance: Chance
    baton: Baton
    owner: Owner
    watcher: Watcher
    crash: Callable[[str], None]
    tell: Callable[[str], None]
    latency: tuple[float, float] = field(default=(0.05, 1.5))

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """POST once."""
        receiver = next(each for each in self.receivers.values() if each.url == request.url)
        event_id = request.headers.get("webhook-id", "")
        began = self.baton.now
        self.watcher.sending(receiver.name, event_id, self.owner)
        try:
            answer = self._exchange(receiver, request, event_id)
        finally:
            self.watcher.sent(receiver.name, event_id)
        self.tell(f"{receiver.name} <- {event_id}: {answer.reason}")
        return WebhookAnswer(
            status=answer.status,
            failure=answer.failure,
            reason=answer.reason,
            retry_after=answer.retry_after,
            body=b"",
            duration=self.baton.now - began,
        )

    def get(self, url: str) -> WebhookAnswer:
        """The heartbeat."""
        self.baton.pause(self.chance.between(*self.latency))
        return _answer(200)

    def _exchange(self, receiver: Receiver, request: WebhookRequest, event_id: str) -> WebhookAnswer:
        chance = self.chance
        mood = chance.pick(_FLAKY) if receiver.mood is ReceiverMood.FLAKY else receiver.mood
        self.baton.pause(chance.between(*self.latency))
        if mood is ReceiverMood.REFUSING:
            return _failure(SendFailure.CONNECTION, "the connection was refused")
        verified = verify(request, receiver.secret)
        status = _STATUS.get(mood, 200) if verified else 401
        answered = mood is not ReceiverMood.FORGETFUL
        self.watcher.received(
            Receipt(
                at=self.baton.now,
                webhook=receiver.name,
                id=event_id,
                body=request.body,
                status=status if answered else None,
                accepted=answered and status < 300,
                verified=verified,
            ),
            self.owner,
        )
        if chance.happens(chance.weather.crash_while_sending):
            self.crash("while an attempt was on its way")
        if mood is ReceiverMood.FORGETFUL:
            self.baton.pause(DEADLINE)
            return _failure(SendFailure.TIMEOUT, "no answer in time")
        self.baton.pause(chance.between(3, 18) if mood is ReceiverMood.SLOW else chance.between(*self.latency))
        wait = chance.pick((None, "30", "900", "garbage")) if mood is ReceiverMood.BUSY else None
        return _answer(status, wait)


def verify(request: WebhookRequest, secret: bytes) -> bool:
    """Whether any of the request's signatures is made with *secret*."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    right = "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return right in headers["webhook-signature"].split()


_STATUS = {ReceiverMood.BROKEN: 500, ReceiverMood.BUSY: 503, ReceiverMood.GONE: 410}


def _answer(status: int, retry_after: str | None = None) -> WebhookAnswer:
    return WebhookAnswer(
        status=status,
        failure=None,
        reason=f"answered {status}",
        retry_after=retry_after,
        body=b"",
        duration=timedelta(0),
    )


def _failure(failure: SendFailure, reason: str) -> WebhookAnswer:
    return WebhookAnswer(status=None, failure=failure, reason=reason, retry_after=None, body=b"", duration=timedelta(0))
