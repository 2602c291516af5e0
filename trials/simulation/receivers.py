"""Receivers of webhooks and the way to them: `shared.ports.Sender` in process, with a log of what arrived when.

Owns receivers' states and their log. Does not judge the log (`monitor`).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from shared.messages.format_table import format_of
from shared.webhook import SendFailure, Webhook, WebhookAnswer, WebhookRequest
from trials.promises.bodies import read_message
from trials.promises.reading import Reading
from trials.simulation.fault_rates import Chance, ReceiverState
from trials.simulation.scheduler import Owner, Scheduler
from trials.simulation.webhooks import KEYS

DEADLINE = timedelta(seconds=20)
_FLAKY = (
    ReceiverState.WELL,
    ReceiverState.SLOW,
    ReceiverState.REFUSING,
    ReceiverState.BROKEN,
    ReceiverState.BUSY,
    ReceiverState.FORGETFUL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """A request on its way: an event with its id and bytes, or words (`reading`) for chat and pager."""

    webhook: str
    id: str
    body: bytes
    reading: Reading | None = None

    @property
    def is_ping(self) -> bool:
        """Whether it only asks whether anybody is there."""
        if self.reading is None:
            return bool(json.loads(self.body)["type"] == "prepwatch.ping")
        return self.reading.event_type == "ping" or self.reading.incident.startswith("prepwatch:ping:")

    @property
    def is_vague(self) -> bool:
        """Whether nobody can say of which event it is: the end of an incident has no words."""
        return self.reading is not None and self.reading.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A message that reached a receiver; `accepted` when it was answered with success, `verified` by what it knows."""

    at: datetime
    message: SentMessage
    status: int | None
    accepted: bool
    verified: bool

    @property
    def was_read(self) -> bool:
        """Whether its receiver took it, answer or not."""
        return self.status is None or self.accepted


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One receiver; `secret` is the only key that it knows, of a format that is not signed an empty one.

    `takes_nothing_since` is when whoever sends to it first learnt that it did not take something, None when it took
    the last.
    """

    webhook: Webhook
    secret: bytes
    state: ReceiverState = ReceiverState.WELL
    takes_nothing_since: datetime | None = None

    @property
    def name(self) -> str:
        """The webhook's name."""
        return self.webhook.name

    def open(self, request: WebhookRequest) -> SentMessage:
        """What a request brings."""
        body = request.body
        if format_of(self.webhook).tells_state:
            return SentMessage(webhook=self.name, id="", body=body, reading=read_message(self.webhook.format, body))
        if self.webhook.format == "eventgrid":
            return SentMessage(webhook=self.name, id=json.loads(body)[0]["id"], body=body[1:-1])
        return SentMessage(webhook=self.name, id=request.headers["webhook-id"], body=body)

    def verifies(self, request: WebhookRequest) -> bool:
        """Whether the request shows what makes this receiver trust it."""
        match self.webhook.format:
            case "cloudevents":
                return verify(request, self.secret)
            case "eventgrid":
                return request.headers.get("aeg-sas-key") == KEYS["TOPIC_KEY"]
            case "pagerduty":
                return bool(json.loads(request.body)["routing_key"] == KEYS["PAGER_KEY"])
            case _:
                return True


class Watcher(Protocol):
    """Whoever watches attempts: the monitor."""

    def sending(self, message: SentMessage, owner: Owner) -> None:
        """An attempt begins."""

    def received(self, receipt: Receipt, owner: Owner) -> None:
        """It reached the receiver."""

    def sent(self, message: SentMessage) -> None:
        """It has ended, whatever came of it."""


@dataclass(slots=True, kw_only=True)
class SimulatedSender:
    """One process's way to the receivers; `crash` ends the process."""

    receivers: dict[str, Receiver]
    chance: Chance
    scheduler: Scheduler
    owner: Owner
    watcher: Watcher
    crash: Callable[[str], None]
    tell: Callable[[str], None]
    latency: tuple[float, float] = field(default=(0.05, 1.5))

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """POST once."""
        receiver = next(each for each in self.receivers.values() if request.url.startswith(each.webhook.url))
        message = receiver.open(request)
        began = self.scheduler.now
        self.watcher.sending(message, self.owner)
        try:
            answer = self._exchange(receiver, request, message)
        finally:
            self.watcher.sent(message)
        taken = answer.status is not None and answer.status < 300
        receiver.takes_nothing_since = None if taken else receiver.takes_nothing_since or self.scheduler.now
        self.tell(f"{receiver.name} <- {message.reading.headline if message.reading else message.id}: {answer.reason}")
        return replace(answer, duration=self.scheduler.now - began)

    def get(self, url: str) -> WebhookAnswer:
        """The heartbeat."""
        self.scheduler.pause(self.chance.between(*self.latency))
        return _answer(200)

    def _exchange(self, receiver: Receiver, request: WebhookRequest, message: SentMessage) -> WebhookAnswer:
        chance = self.chance
        state = chance.pick(_FLAKY) if receiver.state is ReceiverState.FLAKY else receiver.state
        self.scheduler.pause(chance.between(*self.latency))
        if state is ReceiverState.REFUSING:
            return _failure(SendFailure.CONNECTION, "the connection was refused")
        verified = receiver.verifies(request)
        success, thanks = _THANKS.get(receiver.webhook.format, (200, b""))
        status = _STATUS.get(state, success) if verified else 401
        answered = state is not ReceiverState.FORGETFUL
        self.watcher.received(
            Receipt(
                at=self.scheduler.now,
                message=message,
                status=status if answered else None,
                accepted=answered and status < 300,
                verified=verified,
            ),
            self.owner,
        )
        if chance.happens(chance.rates.crash_while_sending):
            self.crash("while an attempt was on its way")
        if state is ReceiverState.FORGETFUL:
            self.scheduler.pause(DEADLINE)
            return _failure(SendFailure.TIMEOUT, "no answer in time")
        self.scheduler.pause(chance.between(3, 18) if state is ReceiverState.SLOW else chance.between(*self.latency))
        wait = chance.pick((None, "30", "900", "garbage")) if state is ReceiverState.BUSY else None
        return _answer(status, wait, thanks)


def verify(request: WebhookRequest, secret: bytes) -> bool:
    """Whether any of the request's signatures is made with *secret*."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    right = "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return right in headers["webhook-signature"].split()


_THANKS = {
    "slack": (200, b"ok"),
    "teams": (202, b""),
    "pagerduty": (202, b'{"status":"success"}'),
}
_STATUS = {ReceiverState.BROKEN: 500, ReceiverState.BUSY: 503, ReceiverState.GONE: 410}


def _answer(status: int, retry_after: str | None = None, body: bytes = b"") -> WebhookAnswer:
    return WebhookAnswer(
        status=status,
        failure=None,
        reason=f"answered {status}",
        retry_after=retry_after,
        body=body,
        duration=timedelta(0),
    )


def _failure(failure: SendFailure, reason: str) -> WebhookAnswer:
    return WebhookAnswer(status=None, failure=failure, reason=reason, retry_after=None, body=b"", duration=timedelta(0))
