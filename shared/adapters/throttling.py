"""Holds back what is asked of an account while Batch asks for patience.

Owns for how long, and that everybody who asks the account waits together. Does not own what is asked
(`adapters.batch_client`), or how long no cycle begins (`polling.cycle_rules`).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, TypeVar

from shared.errors import ThrottledError
from shared.ports import Clock, Pause

STEPS: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 32))
"""How long to wait when Batch does not say: longer each time that it refuses what was asked after the last wait."""

_T = TypeVar("_T")


class Throttle:
    """When an account may be asked again; may be used from several threads at once. Without *pause* nobody waits."""

    def __init__(self, clock: Clock, pause: Pause | None) -> None:
        self._clock = clock
        self._pause = pause
        self._lock = Lock()
        self._refused: tuple[ThrottledError, datetime] | None = None
        self._refusals = 0

    def ask(self, ask: Callable[[], _T], deadline: datetime | None) -> _T:
        """What *ask* returns; if Batch refuses it for now, after the wait, as long as that ends before the deadline.

        Raises:
            ThrottledError: It does not, or there is no deadline; `retry_after` is what is left of what Batch asked.
        """
        if self._pause is None:
            return ask()
        while True:
            if deadline is not None:
                self._wait(self._pause, deadline)
            asked_at = self._clock()
            try:
                answer = ask()
            except ThrottledError as error:
                self._refuse(error, asked_at)
                if deadline is None:
                    raise
            else:
                self._take(asked_at)
                return answer

    def _wait(self, pause: Pause, deadline: datetime) -> None:
        while (refused := self._refused) is not None:
            error, until = refused
            left = until - self._clock()
            if left <= timedelta(0):
                return
            if until >= deadline:
                raise ThrottledError(
                    error.code,
                    error.message,
                    status=error.status,
                    request_id=error.request_id,
                    values=error.values,
                    retry_after=left if error.retry_after else None,
                )
            pause(left)

    def _refuse(self, error: ThrottledError, asked_at: datetime) -> None:
        with self._lock:
            # What was on its way while another was refused says nothing new, but what it asks for is kept to.
            is_new = self._refused is None or asked_at >= self._refused[1]
            self._refusals += is_new
            step = STEPS[min(self._refusals, len(STEPS)) - 1]
            until = self._clock() + (error.retry_after or step)
            if is_new or (error.retry_after and self._refused is not None and until > self._refused[1]):
                self._refused = error, until

    def _take(self, asked_at: datetime) -> None:
        with self._lock:
            if self._refused is None or asked_at >= self._refused[1]:
                self._refused, self._refusals = None, 0
