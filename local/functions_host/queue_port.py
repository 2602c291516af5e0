"""Owns what this host needs of a storage queue; does not own how the service is reached."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class QueueMissingError(Exception):
    """The queue does not exist; create it, or wait until somebody does."""


class MessageGoneError(Exception):
    """The message was deleted or received again by somebody else; leave it alone."""


class QueueUnavailableError(Exception):
    """The service failed; try again later."""


class QueueUnreachableError(QueueUnavailableError):
    """Nobody answers there; try again for a while."""


class QueueRefusedError(QueueUnavailableError):
    """The service will not have it, for want of a role for example; trying again does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One received message; *text* is as on the wire, so base64 unless the encoding is none."""

    id: str
    text: str
    pop_receipt: str
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime


class Queue(Protocol):
    """One queue. Every method may raise QueueUnavailableError, every one but create QueueMissingError."""

    @property
    def name(self) -> str:
        """The queue's name."""

    def create(self) -> None:
        """Create the queue unless it exists."""

    def put(self, text: str) -> None:
        """Append *text*, as on the wire."""

    def receive(self, *, count: int, visibility: timedelta) -> Sequence[Message]:
        """Up to *count* messages, invisible to others for *visibility*."""

    def update(self, message: Message, *, visibility: timedelta) -> Message:
        """*message* with a new pop receipt, invisible for *visibility* from now; may raise MessageGoneError."""

    def delete(self, message: Message) -> None:
        """Delete *message*; may raise MessageGoneError."""


class QueueService(Protocol):
    """The queues of one storage account."""

    def queue(self, name: str) -> Queue:
        """The queue called *name*, which need not exist."""


def encode(body: str, *, as_base64: bool) -> str:
    """*body* as it goes onto the wire."""
    return base64.b64encode(body.encode()).decode() if as_base64 else body


def decode(text: str, *, as_base64: bool) -> str | None:
    """The body on the wire; None when it should be base64 of UTF-8 and is not."""
    if not as_base64:
        return text
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def append(queue: Queue, text: str) -> None:
    """Put *text* on *queue*, which is created when missing."""
    try:
        queue.put(text)
    except QueueMissingError:
        queue.create()
        queue.put(text)
