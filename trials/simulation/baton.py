"""Virtual time and tasks that take turns: threads of which only the holder of the baton runs.

Owns who runs next, and what time it is. Does not own what tasks do. A task gives the baton away only in `pause` and
`wait_for`; the next holder is the task that wakes first, so that how long each pause is decides every interleaving.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from threading import Lock, Thread
from typing import Protocol

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
    worker: "_Worker | None" = None
    done: bool = False


@dataclass(slots=True)
class _Blocked:
    task: Task
    ready: Callable[[], bool]
    until: datetime


class Baton:
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
        self._driver = Lock()
        self._driver.acquire()
        self._idle: list[_Worker] = []

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
        self._pass_on(task)
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
            self._pass_on(task)
            self._check(task)
        return ready()

    def run(self, until: datetime, stop: Callable[[], bool] = bool) -> None:
        """Let tasks run up to a moment, or until *stop* holds."""
        self._limit, self._stop = until, stop
        following = self._next()
        if following is not None:
            self._hand_to(following)
            self._driver.acquire()
        if not stop():
            self.now = max(self.now, until)

    def call(self, work: Callable[[], None], owner: Owner | None = None) -> None:
        """Run *work* as a task to its end, whatever time that takes, beside all others."""
        task = self.spawn(work, owner=owner)
        self.run(self.now + _FAR, lambda: task.done)

    def close(self) -> None:
        """End the threads; every process must be dead."""
        self.run(self.now + _FAR, lambda: not self._queue and not self._blocked)
        for worker in self._idle:
            worker.task = None
            worker.gate.release()

    # --- turns ---

    def finished(self, worker: "_Worker") -> None:
        """A worker's task has come to its end."""
        self._idle.append(worker)
        following = self._next()
        if following is None:
            self._driver.release()
        else:
            self._hand_to(following)

    def _current(self) -> Task:
        if self._holder is None:
            raise RuntimeError("only tasks may wait: use Baton.call")
        return self._holder

    def _check(self, task: Task) -> None:
        if task.owner is not None and not task.owner.alive:
            raise Stopped

    def _push(self, at: datetime, task: Task) -> None:
        heapq.heappush(self._queue, (at, next(self._order), task))

    def _pass_on(self, task: Task) -> None:
        following = self._next()
        if following is task:
            return
        worker = task.worker
        if worker is None:
            raise RuntimeError("a task without a thread can't wait")
        if following is None:
            self._driver.release()
        else:
            self._hand_to(following)
        worker.gate.acquire()

    def _next(self) -> Task | None:
        """The task whose turn it is, or None for the driver."""
        self._holder = None
        if self._stop():
            return None
        for blocked in list(self._blocked):
            dead = blocked.task.owner is not None and not blocked.task.owner.alive
            if dead or blocked.until <= self.now or blocked.ready():
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

    def _hand_to(self, task: Task) -> None:
        if task.worker is None:
            if task.owner is not None and not task.owner.alive:
                task.work = _nothing
            task.worker = self._idle.pop() if self._idle else _Worker(self)
            task.worker.task = task
        task.worker.gate.release()


class _Worker(Thread):
    """A thread that lends its stack to one task after another."""

    def __init__(self, baton: Baton) -> None:
        super().__init__(name="simulated", daemon=True)
        self._baton = baton
        self.gate = Lock()
        self.gate.acquire()
        self.task: Task | None = None
        self.start()

    def run(self) -> None:
        """Run tasks until there is none."""
        while True:
            self.gate.acquire()
            task = self.task
            if task is None:
                return
            try:
                task.work()
            except Stopped:
                pass
            except BaseException as failure:  # noqa: BLE001 - a defect, shown by the driver
                self._baton.failures.append(failure)
            task.done, self.task = True, None
            self._baton.finished(self)


def _nothing() -> None:
    """What is left of work whose process died before it began."""


class BatonLock:
    """Stands in for `threading.Lock` where the app holds one across a port: waiting for it gives the baton away."""

    baton: Baton | None = None

    def __init__(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        while self._held and self.baton is not None:
            self.baton.wait_for(lambda: not self._held)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False


@dataclass(slots=True)
class _Lane:
    waiting: deque[Callable[[], None]] = field(default_factory=deque)
    running: int = 0
    failures: list[BaseException] = field(default_factory=list)


class BatonLanes:
    """`shared.ports.Lanes` of one process."""

    def __init__(self, baton: Baton, owner: Owner) -> None:
        self._baton = baton
        self._owner = owner
        self._lanes: dict[str, _Lane] = {}

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Queue work on a lane."""
        its = self._lanes.setdefault(lane, _Lane())
        its.waiting.append(work)
        if its.running < width:
            its.running += 1
            self._baton.spawn(lambda: self._drain(its), owner=self._owner)

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for a lane, or for every lane, to be empty."""
        chosen = [its for name, its in self._lanes.items() if lane in {None, name}]
        empty = self._baton.wait_for(lambda: not any(its.running for its in chosen), timeout)
        for its in chosen:
            if its.failures:
                raise its.failures.pop()
        return empty

    def _drain(self, its: _Lane) -> None:
        try:
            while its.waiting:
                work = its.waiting.popleft()
                try:
                    work()
                except Exception as failure:  # noqa: BLE001 - kept for `join`, as the real lanes do
                    its.failures.append(failure)
        finally:
            its.running -= 1
