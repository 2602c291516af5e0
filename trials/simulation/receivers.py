"""Receivers of webhooks and the way to them: `shared.ports.Sender` in process, with a log of what arrived when.

Owns receivers' moods and their log. Does not judge the log (`witness`).
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

from shared.messages.formats import format_of
from shared.webhook import SendFailure, Webhook, WebhookAnswer, WebhookRequest
from trials.promises.hearing import Hearing, hear
from trials.simulation.baton import Baton, Owner
from trials.simulation.people import KEYS
from trials.simulation.weather import Chance, ReceiverMood

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
class Letter:
    """A request on its way: an event with its id and bytes, or words (`hearing`) for chat and pager."""

    webhook: str
    id: str
    body: bytes
    hearing: Hearing | None = None

    @property
    def is_ping(self) -> bool:
        """Whether it only asks whether anybody is there."""
        if self.hearing is None:
            return bool(json.loads(self.body)["type"] == "prepwatch.ping")
        return self.hearing.event_type == "ping" or self.hearing.incident.startswith("prepwatch:ping:")

    @property
    def is_vague(self) -> bool:
        """Whether nobody can say of which event it is: the end of an incident has no words."""
        return self.hearing is not None and self.hearing.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A letter that reached a receiver; `accepted` when it was answered with success, `verified` by what it knows."""

    at: datetime
    letter: Letter
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
    mood: ReceiverMood = ReceiverMood.WELL
    takes_nothing_since: datetime | None = None

    @property
    def name(self) -> str:
        """The webhook's name."""
        return self.webhook.name

    def open(self, request: WebhookRequest) -> Letter:
        """What a request brings."""
        body = request.body
        if format_of(self.webhook).tells_state:
            return Letter(webhook=self.name, id="", body=body, hearing=hear(self.webhook.format, body))
        if self.webhook.format == "eventgrid":
            return Letter(webhook=self.name, id=json.loads(body)[0]["id"], body=body[1:-1])
        return Letter(webhook=self.name, id=request.headers["webhook-id"], body=body)

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
    """Whoever watches attempts: the witness."""

    def sending(self, letter: Letter, owner: Owner) -> None:
        """An attempt begins."""

    def received(self, receipt: Receipt, owner: Owner) -> None:
        """It reached the receiver."""

    def sent(self, letter: Letter) -> None:
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
        receiver = next(each for each in self.receivers.values() if request.url.startswith(each.webhook.url))
        letter = receiver.open(request)
        began = self.baton.now
        self.watcher.sending(letter, self.owner)
        try:
            answer = self._exchange(receiver, request, letter)
        finally:
            self.watcher.sent(letter)
        taken = answer.status is not None and answer.status < 300
        receiver.takes_nothing_since = None if taken else receiver.takes_nothing_since or self.baton.now
        self.tell(f"{receiver.name} <- {letter.hearing.headline if letter.hearing else letter.id}: {answer.reason}")
        return replace(answer, duration=self.baton.now - began)

    def get(self, url: str) -> WebhookAnswer:
        """The heartbeat."""
        self.baton.pause(self.chance.between(*self.latency))
        return _answer(200)

    def _exchange(self, receiver: Receiver, request: WebhookRequest, letter: Letter) -> WebhookAnswer:
        chance = self.chance
        mood = chance.pick(_FLAKY) if receiver.mood is ReceiverMood.FLAKY else receiver.mood
        self.baton.pause(chance.between(*self.latency))
        if mood is ReceiverMood.REFUSING:
            return _failure(SendFailure.CONNECTION, "the connection was refused")
        verified = receiver.verifies(request)
        success, thanks = _THANKS.get(receiver.webhook.format, (200, b""))
        status = _STATUS.get(mood, success) if verified else 401
        answered = mood is not ReceiverMood.FORGETFUL
        self.watcher.received(
            Receipt(
                at=self.baton.now,
                letter=letter,
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
_STATUS = {ReceiverMood.BROKEN: 500, ReceiverMood.BUSY: 503, ReceiverMood.GONE: 410}


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
