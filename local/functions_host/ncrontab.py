"""Owns when an NCRONTAB expression fires; does not own time, missed occurrences or running anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Self

_RANGES = {
    "second": range(60),
    "minute": range(60),
    "hour": range(24),
    "day": range(1, 32),
    "month": range(1, 13),
    "day of week": range(8),
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of week": {name: number for number, name in enumerate(_DAYS)},
}
_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")
_SIX_FIELDS = 6
_SEARCHED = timedelta(days=8 * 366)  # longer than the longest gap, 29 February over a century's end
_LOOKED_AT = 10


class ScheduleError(ValueError):
    """The expression is not NCRONTAB; correct the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The occurrences of an NCRONTAB expression `{second} {minute} {hour} {day} {month} {day-of-week}`.

    Five fields mean second 0. The time zone is that of the datetimes passed in.
    """

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Self:
        """The schedule that *expression* spells.

        Raises:
            ScheduleError: naming the field at fault; correct the schedule.
        """
        fields = expression.split()
        if len(fields) == _SIX_FIELDS - 1:
            fields.insert(0, "0")
        if len(fields) != _SIX_FIELDS:
            raise ScheduleError(f"the schedule {expression!r} has {len(fields)} fields, NCRONTAB has 6 (or 5)")
        values = [_field(kind, text, expression) for kind, text in zip(_RANGES, fields, strict=True)]
        seconds, minutes, hours, days, months, weekdays = values
        return cls(
            expression=expression,
            seconds=tuple(sorted(seconds)),
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=days,
            months=months,
            weekdays=frozenset(day % 7 for day in weekdays),
        )

    def next(self, after: datetime) -> datetime:
        """The first occurrence later than *after*.

        Raises:
            ScheduleError: it never fires, as on 30 February; correct the schedule.
        """
        earliest = after.replace(microsecond=0) + timedelta(seconds=1)
        midnight = earliest.replace(hour=0, minute=0, second=0)
        while midnight - after < _SEARCHED:
            moment = next(self._moments(midnight, earliest), None) if self._is_day(midnight) else None
            if moment is not None:
                return moment
            midnight += timedelta(days=1)
        raise ScheduleError(f"the schedule {self.expression!r} never fires")

    def occurrences(self, after: datetime) -> Iterator[datetime]:
        """Every occurrence later than *after*, without end."""
        while True:
            after = self.next(after)
            yield after

    def fires_more_than_once_a_minute(self, after: datetime) -> bool:
        """Whether two of the next occurrences lie less than a minute apart: the host then keeps no status."""
        times = list(islice(self.occurrences(after), _LOOKED_AT))
        return any(later - sooner < timedelta(minutes=1) for sooner, later in pairwise(times))

    def _is_day(self, day: datetime) -> bool:
        weekday = (day.weekday() + 1) % 7
        return day.month in self.months and day.day in self.days and weekday in self.weekdays

    def _moments(self, midnight: datetime, earliest: datetime) -> Iterator[datetime]:
        for hour in self.hours:
            if midnight.replace(hour=hour, minute=59, second=59) < earliest:
                continue
            for minute in self.minutes:
                for second in self.seconds:
                    moment = midnight.replace(hour=hour, minute=minute, second=second)
                    if moment >= earliest:
                        yield moment


def _field(kind: str, text: str, expression: str) -> frozenset[int]:
    chosen: set[int] = set()
    for item in text.lower().split(","):
        match = _ITEM.fullmatch(item)
        allowed = _RANGES[kind]
        if match is None:
            raise ScheduleError(f"{item!r} is no {kind} in the schedule {expression!r}")
        first, last, step = match["first"], match["last"], int(match["step"] or 1)
        if first == "*":
            low, high = allowed[0], allowed[-1]
        else:
            low = _number(kind, first)
            high = _number(kind, last) if last else allowed[-1] if match["step"] else low
        if low not in allowed or high not in allowed or high < low or step < 1:
            raise ScheduleError(f"{item!r} is no {kind} in the schedule {expression!r}")
        chosen.update(range(low, high + 1, step))
    return frozenset(chosen)


def _number(kind: str, text: str) -> int:
    names = _NAMES.get(kind, {})
    return names.get(text, int(text) if text.isdecimal() else -1)
