"""How many requests a service takes in how much time."""

from collections import deque
from datetime import datetime, timedelta


class Quota:
    """Counts what is taken against *limits*, each a number of requests within any span of that length."""

    def __init__(self, *limits: tuple[int, timedelta]) -> None:
        self._limits = limits
        self._longest = max(span for _, span in limits)
        self._taken: deque[datetime] = deque()

    def wait(self, at: datetime) -> timedelta:
        """How long a request of *at* has to wait; zero takes it, and counts it."""
        while self._taken and at - self._taken[0] >= self._longest:
            self._taken.popleft()
        waits = [self._taken[-most] + span - at for most, span in self._limits if len(self._taken) >= most]
        longest = max(waits, default=timedelta(0))
        if longest > timedelta(0):
            return longest
        self._taken.append(at)
        return timedelta(0)
