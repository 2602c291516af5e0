"""Owns reaching a storage account's queues (Azurite or Azure) with its SDK; does not own what messages mean."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.queue import QueueClient, QueueServiceClient
from azure.storage.queue import QueueMessage as SdkMessage

from local.functions_host.queue_port import (
    Message,
    MessageGoneError,
    Queue,
    QueueMissingError,
    QueueRefusedError,
    QueueUnavailableError,
    QueueUnreachableError,
)

_API_VERSION = "2025-07-05"  # Azurite refuses newer ones unless started with --skipApiVersionCheck
_MISSING = {"QueueNotFound", "QueueBeingDeleted", "QueueDisabled"}
_GONE = {"MessageNotFound", "PopReceiptMismatch"}


@dataclass(frozen=True, slots=True)
class AzureQueues:
    """The queues of the account that a connection string names, `UseDevelopmentStorage=true` included."""

    client: QueueServiceClient

    @classmethod
    def connect(cls, connection_string: str) -> "AzureQueues":
        """The account's queues; nothing is sent yet. Raises ValueError when the string is none."""
        return cls(
            QueueServiceClient.from_connection_string(
                connection_string,
                api_version=_API_VERSION,
                retry_total=0,  # the SDK would wait 15 s; listeners poll again anyway
                connection_timeout=5,
                read_timeout=30,
            )
        )

    def queue(self, name: str) -> Queue:
        """The queue called *name*, which need not exist."""
        return _AzureQueue(self.client.get_queue_client(name))


@dataclass(frozen=True, slots=True)
class _AzureQueue:
    client: QueueClient

    @property
    def name(self) -> str:
        return self.client.queue_name

    def create(self) -> None:
        with _translated():
            try:
                self.client.create_queue()
            except ResourceExistsError:
                return

    def put(self, text: str) -> None:
        with _translated():
            self.client.send_message(text)

    def receive(self, *, count: int, visibility: timedelta) -> Sequence[Message]:
        with _translated():
            pages = self.client.receive_messages(
                max_messages=count, messages_per_page=count, visibility_timeout=_seconds(visibility)
            )
            return tuple(_message(message) for message in pages)

    def update(self, message: Message, *, visibility: timedelta) -> Message:
        with _translated():
            updated = self.client.update_message(
                message.id, message.pop_receipt, visibility_timeout=_seconds(visibility)
            )
        if updated.pop_receipt is None or updated.next_visible_on is None:
            raise QueueUnavailableError("the queue service answered an update without a pop receipt")
        return replace(message, pop_receipt=updated.pop_receipt, next_visible=updated.next_visible_on)

    def delete(self, message: Message) -> None:
        with _translated():
            self.client.delete_message(message.id, message.pop_receipt)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except HttpResponseError as exc:
        code: object = getattr(exc, "error_code", "")  # the SDK adds it, as an enumeration where it knows the code
        code = getattr(code, "value", code)
        if code in _MISSING:
            raise QueueMissingError(code) from exc
        if code in _GONE:
            raise MessageGoneError(code) from exc
        failed = exc.status_code is not None and exc.status_code >= 500
        raise (QueueUnavailableError if failed else QueueRefusedError)(f"{exc.status_code} {code}".strip()) from exc
    except AzureError as exc:
        raise QueueUnreachableError("no answer") from exc


def _message(received: SdkMessage) -> Message:
    inserted, expires, visible = received.inserted_on, received.expires_on, received.next_visible_on
    if inserted is None or expires is None or visible is None or received.pop_receipt is None:
        raise QueueUnavailableError("the queue service left out properties of a received message")
    return Message(
        id=received.id,
        text=received.content,
        pop_receipt=received.pop_receipt,
        dequeue_count=received.dequeue_count or 0,
        inserted=inserted,
        expires=expires,
        next_visible=visible,
    )


def _seconds(duration: timedelta) -> int:
    return round(duration.total_seconds())
