"""How often a chat is told: message after message while something goes on, and each morning what still stands.

Owns how people would count that. Does not own what a message says (`reading`) or how often it may be (`listeners`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

_QUIET = timedelta(hours=1)
_CLOCKS = timedelta(seconds=10)
_BEGINS = timedelta(hours=8) - _CLOCKS


@dataclass(slots=True)
class Mornings:
    """The days, from eight to eight UTC, on which it was told so, and when the app says that it last looked into it."""

    _days: set[date] = field(default_factory=set)
    _looked_into_at: datetime | None = None

    def looked_into(self, at: datetime | None) -> bool:
        """Whether what the app records of that is new."""
        before, self._looked_into_at = self._looked_into_at, at
        return before != at

    def told(self, at: datetime) -> None:
        """It was told, and that is recorded."""
        self._days.add((at - _BEGINS).date())

    def was_told(self, at: datetime) -> bool:
        """Whether it has been told on that day before."""
        return (at - _BEGINS).date() in self._days


def length_of_series(told: Sequence[datetime]) -> int:
    """How many messages, by their times, the running series surely has: those without a quiet hour between them."""
    number = 1
    for before, after in zip(reversed(told[:-1]), reversed(told), strict=False):
        if after - before >= _QUIET - _CLOCKS:
            break
        number += 1
    return number
