"""What a format is: all that the app has to know of one kind of receiver.

Owns the record that each format fills in, in a file of its own, and what most of them have in common. Does not own any
format (`messages.cloudevents` and its siblings), the table of them (`messages.format_table`), or when a message is sent
again (`delivery.answer_rules`).
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from shared.messages.notices import Notice
from shared.reprs import repr_without
from shared.webhook import Webhook, WebhookRequest

USER_AGENT = "Prepwatch/1"
JSON_TYPE = "application/json"


class Message(Struct, frozen=True, kw_only=True):
    """An event as stored: its id and its bytes."""

    id: str
    body: bytes

    __repr__ = repr_without("body")


class Tells(StrEnum):
    """What a receiver is told: every event, or how jobs stand, in one message for all or in incidents."""

    EVENTS = "events"
    CHAT = "chat"
    INCIDENTS = "incidents"


class KeyProblem(Struct, frozen=True, kw_only=True):
    """What is wrong with a webhook that names no key, and how to mend it."""

    wrong: str
    mend: str


WriteEvent = Callable[[Webhook, Message, datetime], WebhookRequest]
WriteNotice = Callable[[Webhook, Notice], WebhookRequest]
Judges = Callable[[int, bytes], bool]
"""Judges an answer by its status and body."""


def is_success(status: int, _body: bytes) -> bool:
    """Whether an answer says what HTTP calls success."""
    return 200 <= status < 300


def is_gone(status: int, _body: bytes) -> bool:
    """Whether an answer says that its receiver is gone for good: 410, as Standard Webhooks has it."""
    return status == 410


class Format(Struct, frozen=True, kw_only=True):
    """One kind of receiver; those that are told how jobs stand write notices, the others events.

    `is_taken` and `is_gone` judge an answer. `content_type` may be chosen in the settings if `chooses_content_type`.
    `address` is where the receiver is when the settings do not say, None when they must. `without_key` says what is
    wrong with having no key at an address (None: an unusable one), None when the format has no use for a key.
    `needs_token` says whether Entra ID authorises requests to a webhook. At `hosts` nothing but this format is taken;
    what ends with one of `shared_hosts` may take it, and accepts whatever it is sent before it reads it.
    """

    name: str
    tells: Tells
    write_event: WriteEvent | None = None
    write_notice: WriteNotice | None = None
    is_taken: Judges = is_success
    is_gone: Judges = is_gone
    content_type: str = JSON_TYPE
    chooses_content_type: bool = False
    address: str | None = None
    is_signed: bool = False
    without_key: Callable[[str | None], KeyProblem | None] | None = None
    needs_token: Callable[[Webhook], bool] = lambda _webhook: False
    hosts: tuple[str, ...] = ()
    shared_hosts: tuple[str, ...] = ()

    @property
    def tells_state(self) -> bool:
        """Whether the receiver is told how things stand (chat and pager) instead of every event by itself."""
        return self.tells is not Tells.EVENTS

    @property
    def is_chat(self) -> bool:
        """Whether people read along: of several that are broken one is said by the others."""
        return self.tells is Tells.CHAT

    @property
    def opens_incidents(self) -> bool:
        """Whether it is told in incidents, which open, are brought up to date and end."""
        return self.tells is Tells.INCIDENTS


def request_to(
    webhook: Webhook, body: bytes, headers: dict[str, str] | None = None, url: str | None = None
) -> WebhookRequest:
    """The request that brings a body to a webhook, at its own address unless `url` is another spelling of it."""
    general = {"content-type": webhook.content_type, "user-agent": USER_AGENT}
    return WebhookRequest(url=url or webhook.url, headers=general | (headers or {}), body=body)
