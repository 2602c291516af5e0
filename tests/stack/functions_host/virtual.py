"""Virtual time and storage queues in memory, with the semantics of the service."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event

from local.functions_host.queue_port import Message, MessageGoneError, QueueMissingError, QueueUnavailableError

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)  # a Sunday


@dataclass(slots=True)
class VirtualClock:
    """A clock that stands still unless somebody waits; *stop_at* sets the event that is waited for."""

    time: datetime = NOW
    stop_at: datetime | None = None

    def now(self) -> datetime:
        """The virtual time."""
        return self.time

    def wait(self, event: Event, duration: timedelta) -> bool:
        """Let *duration* pass at once."""
        self.time += duration
        if self.stop_at is not None and self.time >= self.stop_at:
            event.set()
        return event.is_set()


@dataclass(slots=True)
class FakeQueue:
    """A storage queue with visibility, dequeue counts and pop receipts; missing until created.

    While *error* is set, every use fails with it.
    """

    name: str
    clock: VirtualClock
    created: bool = False
    error: QueueUnavailableError | None = None
    messages: list[Message] = field(default_factory=list)
    asked: list[tuple[int, timedelta]] = field(default_factory=list)

    def create(self) -> None:
        """Create it."""
        self.created = True

    def put(self, text: str) -> None:
        """Append a message, visible at once, gone in seven days."""
        self._check()
        now = self.clock.now()
        self.messages.append(
            Message(
                id=str(uuid.uuid4()),
                text=text,
                pop_receipt=str(uuid.uuid4()),
                dequeue_count=0,
                inserted=now,
                expires=now + timedelta(days=7),
                next_visible=now,
            )
        )

    def receive(self, *, count: int, visibility: timedelta) -> Sequence[Message]:
        """Up to *count* visible messages, which get a new pop receipt."""
        self._check()
        self.asked.append((count, visibility))
        visible = [each for each in self.messages if each.next_visible <= self.clock.now()][:count]
        return [self._renew(replace(each, dequeue_count=each.dequeue_count + 1), visibility) for each in visible]

    def update(self, message: Message, *, visibility: timedelta) -> Message:
        """*message* with a new pop receipt and visibility."""
        return self._renew(self._find(message), visibility)

    def delete(self, message: Message) -> None:
        """Delete *message*."""
        self.messages.remove(self._find(message))

    def _renew(self, message: Message, visibility: timedelta) -> Message:
        fresh = replace(message, pop_receipt=str(uuid.uuid4()), next_visible=self.clock.now() + visibility)
        self.messages = [fresh if each.id == message.id else each for each in self.messages]
        return fresh

    def _find(self, message: Message) -> Message:
        self._check()
        for each in self.messages:
            if (each.id, each.pop_receipt) == (message.id, message.pop_receipt):
                return each
        raise MessageGoneError(message.id)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
        if not self.created:
            raise QueueMissingError(self.name)


@dataclass(slots=True)
class FakeQueues:
    """A storage account in memory."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    queues: dict[str, FakeQueue] = field(default_factory=dict)

    def queue(self, name: str) -> FakeQueue:
        """The queue called *name*."""
        return self.queues.setdefault(name, FakeQueue(name, self.clock))
