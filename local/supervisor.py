"""Keeps the parts of the local stack running until it is told to stop; ends them in reverse order.

Which parts there are, and how they are called, is run.py's; how one process lives is children.py's.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Self

from local.children import GRACE, Child, describe_end

START_LIMIT = timedelta(seconds=60)
RESTART_PAUSE = timedelta(seconds=1)
MOST_GIVE_UPS = 3
"""A part that was killed is always started again; one that keeps ending by itself can't be helped so."""
_TICK = timedelta(seconds=0.2)


class PartError(Exception):
    """A part did not start, or ended and took with it what it remembered; the message names it."""


class StopAskedForError(Exception):
    """Somebody asked to stop while the parts were still starting; leave quietly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program of the stack.

    *is_ready* is asked until it answers True. *restarts* is for parts without a memory of their own: they
    are started again when they end; the end of another part ends the stack.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]
    restarts: bool


class Supervisor:
    """Starts parts and watches over them; to be used in a `with` block, which ends them all."""

    def __init__(self, tell: Callable[[str, str], None], *, grace: timedelta = GRACE) -> None:
        """Let *tell* get the name of a part and a line about it or from it; *grace* is what each has to end."""
        self._tell = tell
        self._grace = grace
        # A signal handler may write to a SimpleQueue while the thread it interrupts reads it.
        self._news: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
        self._children: dict[str, tuple[Part, Child]] = {}
        self._gave_up: dict[str, int] = {}
        self._last_words: dict[str, str] = {}
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Begin with no part."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all parts, the last one first."""
        self._ending.close()

    def stop(self) -> None:
        """Make watch() return, or start() leave; may be called from a signal handler or another thread."""
        self._news.put(None)

    def has_ended(self, name: str, exit_code: int) -> None:
        """Take the news that something named *name* has ended unasked."""
        self._news.put((name, exit_code))

    def start(self, part: Part) -> None:
        """Start a part and wait until it is ready.

        Raises:
            PartError: it ended first, or was not ready in time; what it printed says why.
            StopAskedForError: stop() was called meanwhile.
        """
        child = Child(
            name=part.name,
            command=part.command,
            environment=part.environment,
            on_line=lambda line: self._hear(part.name, line),
            on_end=lambda child, exit_code: self.has_ended(child.name, exit_code),
        )
        self._children[part.name] = part, child
        self._ending.callback(child.end, self._grace)
        child.start()
        deadline = time.monotonic() + START_LIMIT.total_seconds()
        while not part.is_ready():
            if time.monotonic() > deadline:
                raise PartError(f"{part.name} was not ready after {START_LIMIT.total_seconds():.0f} s")
            try:
                news = self._news.get(timeout=_TICK.total_seconds())
            except Empty:
                continue
            if news is None:
                raise StopAskedForError
            raise PartError(f"{news[0]} ended before all was ready: {self._why(*news)}")

    def watch(self, duration: timedelta | None = None) -> None:
        """Restart what ends, until stop() is called or *duration* is over; None means no limit.

        Raises:
            PartError: a part ended that must not be restarted.
        """
        deadline = None if duration is None else time.monotonic() + duration.total_seconds()
        while deadline is None or time.monotonic() < deadline:
            try:
                # A short wait: Windows notices Ctrl-C only between two of them.
                news = self._news.get(timeout=_TICK.total_seconds())
            except Empty:
                continue
            if news is None:
                return
            self._restart(*news)

    def _restart(self, name: str, exit_code: int) -> None:
        part, child = self._children.get(name, (None, None))
        if part is None or child is None or not part.restarts:
            raise PartError(f"{name} ended, and with it what it remembered: {self._why(name, exit_code)}")
        self._gave_up[name] = self._gave_up.get(name, 0) + 1 if exit_code >= 0 else 0
        why = self._why(name, exit_code)
        if self._gave_up[name] >= MOST_GIVE_UPS:
            raise PartError(f"{name} ended by itself {MOST_GIVE_UPS} times in a row: {why}")
        self._tell(name, f"ended, starting it again: {why}")
        time.sleep(RESTART_PAUSE.total_seconds())
        child.start()

    def _hear(self, name: str, line: str) -> None:
        if line.strip():
            self._last_words[name] = line.strip()
        self._tell(name, line)

    def _why(self, name: str, exit_code: int) -> str:
        """How a part ended, and the last that it said unless it was killed in the middle of something else."""
        how, words = describe_end(exit_code), self._last_words.pop(name, None)
        return how if exit_code < 0 or words is None else f"{how}, after {words!r}"


@contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the supervisor while the block runs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.platform != "win32":  # dev.py holds Ctrl-C back until here, where it ends the parts
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
