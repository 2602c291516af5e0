"""Threads for work that waits for others: lanes of bounded width, as `shared.ports.Lanes` describes them.

Owns the threads, and that nothing is logged on them: the Functions host would drop it. Does not own what runs on them,
nor how wide a lane is.
"""

from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import timedelta
from threading import Condition, Thread
from time import monotonic

from msgspec import Struct, field

from shared.journal import Line, has_kept, keeping, lines_of_invocation, write_kept


class _Piece(Struct, frozen=True):
    """Work, the context variables it sees, and where its lines are kept."""

    work: Callable[[], None]
    context: Context
    lines: deque[Line]


class _Lane(Struct):
    waiting: deque[_Piece] = field(default_factory=deque)
    threads: int = 0
    failures: list[BaseException] = field(default_factory=list)


class ThreadLanes:
    """Lanes of daemon threads: started when work comes, used for as long as their lane has work, then ended.

    So nothing needs to be closed, and a process that exits does not wait. Work sees the context variables of whoever
    submitted it. Several threads may submit and join. What work logs is logged by the thread of the invocation that it
    was submitted for, while that joins, or when it next logs something itself.
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
            its.waiting.append(_Piece(work, copy_context(), lines_of_invocation()))
            if its.threads < width:
                Thread(target=self._run, args=(lane, its), name=f"lane {lane}", daemon=True).start()
                its.threads += 1

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:
        """Wait for a lane (None: every lane) to be empty; False when *timeout* came first.

        Must not be called by work of the lane that it waits for.

        Raises:
            Exception: What a piece of work raised since the last join, also when the time ran out; an ExceptionGroup
                when several did.
        """
        empty = self._wait(lane, None if timeout is None else monotonic() + timeout.total_seconds())
        with self._changed:
            failures = [failure for its in self._chosen(lane) for failure in its.failures]
            for name, its in list(self._lanes.items()):
                if lane in {None, name}:
                    its.failures.clear()
                    self._forget(name, its)
        if len(failures) > 1:
            raise BaseExceptionGroup(f"{len(failures)} pieces of work failed", failures)
        if failures:
            raise failures[0]
        return empty

    def _wait(self, lane: str | None, until: float | None) -> bool:
        """Whether a lane is empty, or has become so by then; what its work said meanwhile is logged as it comes."""

        def is_empty() -> bool:
            return all(its.threads == 0 for its in self._chosen(lane))

        while True:
            with self._changed:
                left = None if until is None else until - monotonic()
                self._changed.wait_for(lambda: is_empty() or has_kept(), left)
                empty = is_empty()
            write_kept()
            if empty or (until is not None and monotonic() >= until):
                return empty

    def _chosen(self, lane: str | None) -> list[_Lane]:
        return [its for name, its in self._lanes.items() if lane in {None, name}]

    def _forget(self, lane: str, its: _Lane) -> None:
        """Keep no lane that is empty and has nothing to say: some are used once."""
        if not its.threads and not its.failures and self._lanes.get(lane) is its:
            del self._lanes[lane]

    def _run(self, lane: str, its: _Lane) -> None:
        while True:
            with self._changed:
                if not its.waiting:
                    its.threads -= 1
                    self._forget(lane, its)
                    self._changed.notify_all()
                    return
                piece = its.waiting.popleft()
            failures: list[BaseException] = []
            try:
                with keeping(piece.lines):
                    piece.context.run(piece.work)
            except BaseException as failure:  # noqa: BLE001 - kept for `join`; a thread has nobody else to tell
                failures.append(failure)
            with self._changed:
                its.failures.extend(failures)
                if piece.lines:
                    self._changed.notify_all()
