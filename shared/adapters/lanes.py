"""Threads for work that waits for others: lanes of bounded width, as `shared.ports.Lanes` describes them.

Owns the threads. Does not own what runs on them, nor how wide a lane is.
"""

from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import timedelta
from threading import Condition, Thread

from msgspec import Struct, field


class _Lane(Struct):
    waiting: deque[tuple[Context, Callable[[], None]]] = field(default_factory=deque)
    threads: int = 0
    failures: list[BaseException] = field(default_factory=list)


class ThreadLanes:
    """Lanes of daemon threads: started when work comes, used for as long as their lane has work, then ended.

    So nothing needs to be closed, and a process that exits does not wait. Work sees the context variables of whoever
    submitted it. Several threads may submit and join.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._changed = Condition()

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:
        """Queue *work* on *lane*; it starts at once when fewer than *width* pieces of the lane are running.

        *work* should stop on its own: nothing here can interrupt it.
        """
        with self._changed:
            its = self._lanes.setdefault(lane, _Lane())
            its.waiting.append((copy_context(), work))
            if its.threads < width:
                Thread(target=self._run, args=(its,), name=f"lane {lane}", daemon=True).start()
                its.threads += 1

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for a lane (None: every lane) to be empty; False when *timeout* came first.

        Must not be called by work of the lane that it waits for.

        Raises:
            Exception: What a piece of work raised since the last join, also when the time ran out; an ExceptionGroup
                when several did.
        """
        with self._changed:
            empty = self._changed.wait_for(
                lambda: all(its.threads == 0 for its in self._chosen(lane)),
                None if timeout is None else timeout.total_seconds(),
            )
            failures = [failure for its in self._chosen(lane) for failure in its.failures]
            for its in self._chosen(lane):
                its.failures.clear()
        if len(failures) > 1:
            raise BaseExceptionGroup(f"{len(failures)} pieces of work failed", failures)
        if failures:
            raise failures[0]
        return empty

    def _chosen(self, lane: str | None) -> list[_Lane]:
        return [its for name, its in self._lanes.items() if lane in {None, name}]

    def _run(self, its: _Lane) -> None:
        while True:
            with self._changed:
                if not its.waiting:
                    its.threads -= 1
                    self._changed.notify_all()
                    return
                context, work = its.waiting.popleft()
            try:
                context.run(work)
            except BaseException as failure:  # noqa: BLE001 - kept for `join`; a thread has nobody else to tell
                with self._changed:
                    its.failures.append(failure)
