"""What is still to happen, in its order.

Owns that order, whoever added what. Time is passed in.
"""

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Happening: TypeAlias = Callable[[datetime], None]


class Agenda:
    """Happenings by their time; what is added for the same moment happens in the order of its adding."""

    def __init__(self) -> None:
        self._due: list[tuple[datetime, int, Happening]] = []
        self._order = itertools.count()

    def at(self, when: datetime, happen: Happening) -> None:
        """Let something happen then; it is told its time."""
        heapq.heappush(self._due, (when, next(self._order), happen))

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`, what that brings about too."""
        while self._due and self._due[0][0] <= now:
            at, _, happen = heapq.heappop(self._due)
            happen(at)
