"""Owns fetching, trying, retrying and giving up messages; does not own the service or running the function.

The rules are those of QueueListener and QueueProcessor in azure-sdk-for-net.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Event, Lock

from local.functions_host.clock import Clock
from local.functions_host.queue_port import (
    Message,
    MessageGoneError,
    Queue,
    QueueMissingError,
    QueueRefusedError,
    QueueUnavailableError,
    QueueUnreachableError,
    append,
    decode,
)
from local.functions_host.settings import QueueOptions

_LOG = logging.getLogger(__name__)
_VISIBILITY = timedelta(minutes=10)  # on receive, whatever host.json says
_RENEW_AFTER = timedelta(minutes=5)
_RENEWAL_CHECK = timedelta(seconds=30)
_MINIMUM_INTERVAL = timedelta(milliseconds=100)
_POISON_SUFFIX = "-poison"
_OUT_OF_REACH = timedelta(seconds=26)  # so long do the SDK's own retries take in the real host
_RECONNECT = timedelta(seconds=1)


class ListenerError(Exception):
    """The listener can't go on, and no real host survives that; the message names the queue and what it answered."""


class Completion(StrEnum):
    """What becomes of a message that was tried."""

    DELETE = "it was processed"
    RETRY = "it failed and is tried again after the retry delay"
    POISON = "it failed too often and is moved to the poison queue"
    LEAVE = "it failed in a poison queue and stays invisible until its ten minutes are over"


def completion(*, succeeded: bool, dequeue_count: int, max_dequeue_count: int, has_poison: bool) -> Completion:
    """What the host does with a message after a try."""
    if succeeded:
        return Completion.DELETE
    if not has_poison:
        return Completion.LEAVE
    return Completion.POISON if dequeue_count >= max_dequeue_count else Completion.RETRY


def poison_queue_name(queue_name: str) -> str | None:
    """Where messages of *queue_name* are given up; None for a poison queue, which has none of its own."""
    return None if queue_name.endswith(_POISON_SUFFIX) else queue_name + _POISON_SUFFIX


@dataclass(slots=True, kw_only=True)
class Backoff:
    """The pause after a fetch that found nothing: randomised, doubling from 100 ms up to *maximum*.

    *chance* returns a number from 0 to 1.
    """

    maximum: timedelta
    chance: Callable[[], float]
    _exponent: int = 1
    _interval: timedelta = timedelta(0)

    def next(self, *, found: bool) -> timedelta:
        """How long to wait; *found* says whether messages came since the last pause."""
        if found:
            self._exponent, self._interval = 1, _MINIMUM_INTERVAL
        elif self._interval < self.maximum:
            jitter = 0.8 + 0.4 * self.chance()
            grown = _MINIMUM_INTERVAL + _MINIMUM_INTERVAL * (2**self._exponent - 1) * jitter
            self._interval = min(grown, self.maximum)
            self._exponent += 1
        return min(self._interval, self.maximum)


@dataclass(slots=True, kw_only=True)
class QueueListener:
    """Feeds one queue function from its queue.

    *submit* runs a callable in the worker's threads; *process* gets message and body and raises when the try failed.
    *poison* is None for a poison queue. Setting *wake* ends a pause early.
    """

    queue: Queue
    poison: Queue | None
    options: QueueOptions
    backoff: Backoff
    clock: Clock
    submit: Callable[[Callable[[], None]], None]
    process: Callable[[Message, str], None]
    wake: Event = field(default_factory=Event)
    stopping: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _in_flight: dict[str, Message] = field(default_factory=dict)
    _leased: dict[str, datetime] = field(default_factory=dict)
    _found: bool = False
    _available: bool = True
    _unreachable_since: datetime | None = None

    def run(self) -> None:
        """Fetch and dispatch until *stopping* is set (set *wake* too).

        Raises:
            ListenerError: the queue refuses, or was out of reach for too long; end the host.
        """
        while not self.stopping.is_set():
            pause = self.poll()
            if pause and self.clock.wait(self.wake, min(pause, _RENEWAL_CHECK)):
                self.wake.clear()

    def poll(self) -> timedelta:
        """Fetch one batch if there is room for it; how long to pause before the next call. Raises like run()."""
        self._renew()
        if len(self._in_flight) > self.options.threshold:
            return _RENEWAL_CHECK
        try:
            messages = self.queue.receive(count=self.options.batch_size, visibility=_VISIBILITY)
        except QueueMissingError:
            return self.backoff.next(found=False)
        except QueueRefusedError as exc:
            raise ListenerError(f"the queue {self.queue.name!r} refuses ({exc})") from exc
        except QueueUnreachableError as exc:
            self._tell_once(exc)
            self._unreachable_since = self._unreachable_since or self.clock.now()
            if self.clock.now() - self._unreachable_since >= _OUT_OF_REACH:
                raise ListenerError(f"the queue {self.queue.name!r} is out of reach ({exc})") from exc
            return _RECONNECT
        except QueueUnavailableError as exc:
            self._tell_once(exc)
            self._unreachable_since = None
            return self.backoff.next(found=False)
        self._available, self._unreachable_since = True, None
        for message in messages:
            self._start(message)
        if messages:
            self._found = True
            return timedelta(0)
        found, self._found = self._found, False
        return self.backoff.next(found=found)

    def _start(self, message: Message) -> None:
        with self._lock:
            self._in_flight[message.id] = message
            self._leased[message.id] = self.clock.now()
        self.submit(lambda: self._try(message))

    def _try(self, message: Message) -> None:
        try:
            body = decode(message.text, as_base64=self.options.base64)
            if message.dequeue_count > self.options.max_dequeue_count or body is None:
                outcome = Completion.LEAVE if self.poison is None else Completion.POISON
            else:
                outcome = self._attempt(message, body)
            self._complete(message, outcome)
        except QueueUnavailableError as exc:
            _LOG.warning("The message %s of %r comes back by itself (%s)", message.id, self.queue.name, exc)
        finally:
            with self._lock:
                del self._in_flight[message.id]
            self.wake.set()

    def _attempt(self, message: Message, body: str) -> Completion:
        succeeded = True
        try:
            self.process(message, body)
        except Exception:  # noqa: BLE001 - whatever a function raises is a failed try; the caller has logged it
            succeeded = False
        return completion(
            succeeded=succeeded,
            dequeue_count=message.dequeue_count,
            max_dequeue_count=self.options.max_dequeue_count,
            has_poison=self.poison is not None,
        )

    def _complete(self, message: Message, outcome: Completion) -> None:
        with self._lock:
            current = self._in_flight[message.id]
            del self._leased[message.id]  # from here on nothing renews the pop receipt
        try:
            if outcome is Completion.POISON and self.poison is not None:
                _LOG.warning(
                    "Message has reached MaxDequeueCount of %s. Moving message to queue '%s'.",
                    self.options.max_dequeue_count,
                    self.poison.name,
                )
                append(self.poison, message.text)
                self.queue.delete(current)
            elif outcome is Completion.DELETE:
                self.queue.delete(current)
            elif outcome is Completion.RETRY:
                self.queue.update(current, visibility=self.options.retry_delay)
        except (MessageGoneError, QueueMissingError):
            _LOG.info("The message %s of %r was taken over or deleted meanwhile", message.id, self.queue.name)

    def _renew(self) -> None:
        now = self.clock.now()
        with self._lock:
            due = [identity for identity, leased in self._leased.items() if now - leased >= _RENEW_AFTER]
            for identity in due:
                try:
                    renewed = self.queue.update(self._in_flight[identity], visibility=_VISIBILITY)
                except (MessageGoneError, QueueMissingError, QueueUnavailableError) as exc:
                    _LOG.warning("The message %s could not be kept invisible (%s)", identity, type(exc).__name__)
                    continue
                self._in_flight[identity], self._leased[identity] = renewed, now

    def _tell_once(self, error: QueueUnavailableError) -> None:
        if self._available:
            _LOG.warning("The queue %r can't be read (%s), trying again", self.queue.name, error)
        self._available = False
