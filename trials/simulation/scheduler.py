"""Virtual time and tasks that take turns: each has a stack of its own, and only one at a time runs.

Owns who runs next, and what time it is. Does not own what tasks do. A task lets others run only in `pause` and
`wait_for`; the next holder is the task that wakes first, so that how long each pause is decides every interleaving.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from greenlet import getcurrent, greenlet

_FAR = timedelta(days=3650)


class Stopped(BaseException):
    """The process that the task runs in has died."""


class Owner(Protocol):
    """The process that a task runs in."""

    alive: bool


@dataclass(slots=True, eq=False)
class Task:
    """A piece of work with its own stack; `owner` None is nobody's process and never dies."""

    work: Callable[[], None]
    owner: Owner | None
    stack: greenlet | None = None
    done: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether the process that it runs in has died."""
        return self.owner is not None and not self.owner.alive


@dataclass(slots=True)
class _Blocked:
    task: Task
    ready: Callable[[], bool]
    until: datetime


class Scheduler:
    """The scheduler: `run` lets tasks have their turns until a time; whoever calls it is no task itself."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.failures: list[BaseException] = []
        self._queue: list[tuple[datetime, int, Task]] = []
        self._blocked: list[_Blocked] = []
        self._order = count()
        self._holder: Task | None = None
        self._limit = now
        self._stop: Callable[[], bool] = bool
        self._driver = getcurrent()

    def spawn(self, work: Callable[[], None], *, owner: Owner | None = None, after: timedelta = timedelta(0)) -> Task:
        """Let *work* begin after a while."""
        task = Task(work, owner)
        self._push(self.now + after, task)
        return task

    def pause(self, duration: timedelta) -> None:
        """Let others run for *duration*; to be called by tasks.

        Raises:
            Stopped: The task's process died meanwhile.
        """
        task = self._current()
        self._check(task)
        self._push(self.now + duration, task)
        self._driver.switch()
        self._check(task)

    def wait_for(self, ready: Callable[[], bool], timeout: timedelta | None = None) -> bool:
        """Let others run until *ready* or for *timeout*; whether it became ready.

        Raises:
            Stopped: The task's process died meanwhile.
        """
        task = self._current()
        self._check(task)
        if not ready():
            until = self.now + (_FAR if timeout is None else timeout)
            self._blocked.append(_Blocked(task, ready, until))
            self._driver.switch()
            self._check(task)
        return ready()

    def run(self, until: datetime, stop: Callable[[], bool] = bool) -> None:
        """Let tasks run up to a moment, or until *stop* holds."""
        self._limit, self._stop = until, stop
        self._driver = getcurrent()
        while (task := self._next()) is not None:
            self._resume(task)
        if not stop():
            self.now = max(self.now, until)

    def call(self, work: Callable[[], None], owner: Owner | None = None) -> None:
        """Run *work* as a task to its end, whatever time that takes, beside all others."""
        task = self.spawn(work, owner=owner)
        self.run(self.now + _FAR, lambda: task.done)

    def close(self) -> None:
        """End all tasks; every process must be dead."""
        self.run(self.now + _FAR, lambda: not self._queue and not self._blocked)

    # --- turns ---

    def _current(self) -> Task:
        if self._holder is None:
            raise RuntimeError("only tasks may wait: use Baton.call")
        return self._holder

    def _check(self, task: Task) -> None:
        if task.is_dead:
            raise Stopped

    def _push(self, at: datetime, task: Task) -> None:
        heapq.heappush(self._queue, (at, next(self._order), task))

    def _next(self) -> Task | None:
        """The task whose turn it is, or None for the driver."""
        self._holder = None
        if self._stop():
            return None
        for blocked in list(self._blocked):
            if blocked.task.is_dead or blocked.until <= self.now or blocked.ready():
                self._blocked.remove(blocked)
                self._push(self.now, blocked.task)
        wakes = [blocked.until for blocked in self._blocked]
        if wakes and (not self._queue or min(wakes) < self._queue[0][0]):
            first = min(self._blocked, key=lambda blocked: blocked.until)
            if first.until > self._limit or first.until - self.now >= _FAR:
                return None
            self._blocked.remove(first)
            self._push(first.until, first.task)
        if not self._queue or self._queue[0][0] > self._limit:
            return None
        at, _, task = heapq.heappop(self._queue)
        self.now = max(self.now, at)
        self._holder = task
        return task

    def _resume(self, task: Task) -> None:
        """Let a task go on, or begin, until it waits or ends."""
        if task.stack is None:
            task.stack = greenlet(self._do)
        task.stack.parent = self._driver
        task.stack.switch(task)

    def _do(self, task: Task) -> None:
        try:
            if not task.is_dead:
                task.work()
        except Stopped:
            pass
        except BaseException as failure:  # noqa: BLE001 - a defect, shown by the driver
            self.failures.append(failure)
        task.done = True


class SimulatedLock:
    """Stands in for `threading.Lock` where the app holds one across a port: waiting for it lets others run."""

    scheduler: Scheduler | None = None

    def __init__(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        while self._held and self.scheduler is not None:
            self.scheduler.wait_for(lambda: not self._held)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False


@dataclass(slots=True)
class _Lane:
    waiting: deque[Callable[[], None]] = field(default_factory=deque)
    running: int = 0
    failures: list[BaseException] = field(default_factory=list)


class SimulatedLanes:
    """`shared.ports.Lanes` of one process."""

    def __init__(self, scheduler: Scheduler, owner: Owner) -> None:
        self._scheduler = scheduler
        self._owner = owner
        self._lanes: dict[str, _Lane] = {}

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Queue work on a lane."""
        its = self._lanes.setdefault(lane, _Lane())
        its.waiting.append(work)
        if its.running < width:
            its.running += 1
            self._scheduler.spawn(lambda: self._drain(lane, its), owner=self._owner)

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for a lane, or for every lane, to be empty."""
        chosen = [its for name, its in self._lanes.items() if lane in {None, name}]
        empty = self._scheduler.wait_for(lambda: not any(its.running for its in chosen), timeout)
        for its in chosen:
            if its.failures:
                raise its.failures.pop()
        return empty

    def _drain(self, lane: str, its: _Lane) -> None:
        try:
            while its.waiting:
                work = its.waiting.popleft()
                try:
                    work()
                except Exception as failure:  # noqa: BLE001 - kept for `join`, as the real lanes do
                    its.failures.append(failure)
        finally:
            its.running -= 1
            if not its.running and not its.failures:
                self._lanes.pop(lane, None)  # each webhook's cycle has a lane of its own: a week of them adds up
