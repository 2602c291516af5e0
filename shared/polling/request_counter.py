"""Counts what was asked of a Batch account, until a cycle carries it to the table.

Owns the counting. Does not own where the totals are kept (`state.Cycle`). Threads may share a counter.
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

NO_ANSWER = "none"
"""The code of a request that was not answered."""


class RequestCounter:
    """Requests by the code of their answers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()

    def add(self, status: int | None) -> None:
        """Count a request; `status` is None when no answer came."""
        with self._lock:
            self._counts[NO_ANSWER if status is None else str(status)] += 1

    def take(self) -> Mapping[str, int]:
        """What was counted since this was called last; whoever takes it must keep it."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, taken: Mapping[str, int]) -> None:
        """Count once more what could not be kept."""
        with self._lock:
            self._counts.update(taken)
