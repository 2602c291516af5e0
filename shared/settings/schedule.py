"""Owns what an NCRONTAB schedule means: that it is one, when it fires, and how long it leaves us waiting.

It does not fire anything: the Functions host does, which reads the setting by itself. So what the host can't read is
refused here by name, and so is what it would take otherwise than somebody meant it.
Source of the syntax: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from msgspec import Struct

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PART = re.compile(r"(?P<first>\*|[0-9]+|[a-z]{3,9})(?:-(?P<last>[0-9]+|[a-z]{3,9}))?(?:/(?P<step>[0-9]+))?")
_TOO_MANY_DIGITS = re.compile("[0-9]{10}")  # the host counts in 32 bits; what it just takes is of no use either
_CONTROLS = {"\t": "tab", "\n": "line break", "\r": "line break"}
# Eight years hold every combination of weekday and date that matters, a leap day among them.
_FIRST_DAY = date(2024, 1, 1).toordinal()
_LOOK_AHEAD_DAYS = 8 * 366
_ENOUGH_DATES = 2


class ScheduleError(ValueError):
    """The text is no usable schedule; the message says why, without repeating it."""


class _Field(Struct, frozen=True, kw_only=True):
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field(name="second", low=0, high=59),
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day", low=1, high=31),
    _Field(name="month", low=1, high=12, words=_MONTHS),
    _Field(name="day of the week", low=0, high=6, words=_DAYS),
)


class Schedule(Struct, frozen=True, kw_only=True):
    """The firings of an NCRONTAB expression of six fields, each field a sorted tuple of what it allows."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """0 is Sunday."""

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """The schedule that a text spells, read as the host reads it: fields are parted by spaces and nothing else.

        Raises:
            ScheduleError: not six fields, a character or a field that can't be read, or a date that hardly ever comes.
        """
        _refuse_white_space(text)
        fields = [field for field in text.lower().split(" ") if field]
        if len(fields) != len(_FIELDS):
            raise ScheduleError(f"has {len(fields)} fields instead of six (second minute hour day month weekday)")
        seconds, minutes, hours, days, months, weekdays = map(_expand, _FIELDS, fields)
        schedule = cls(
            text=text, seconds=seconds, minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays
        )
        if len(list(itertools.islice(schedule._dates(), _ENOUGH_DATES))) < _ENOUGH_DATES:
            raise ScheduleError("names a date that hardly ever comes")
        return schedule

    def longest_wait(self) -> timedelta:
        """How long it waits at most between two firings."""
        first = last = longest = timedelta(0)  # of the firings within one unit
        units = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
        for unit, values in zip(units, (self.seconds, self.minutes, self.hours, tuple(self._dates())), strict=True):
            if len(values) > 1:
                step = max(later - sooner for sooner, later in itertools.pairwise(values))
                longest = max(longest, step * unit - last + first)
            first, last = first + values[0] * unit, last + values[-1] * unit
        return longest

    def next_after(self, moment: datetime) -> datetime:
        """The first firing later than `moment`, in its time zone; the host's is UTC unless somebody sets another."""
        earliest = moment.replace(microsecond=0) + timedelta(seconds=1)
        while True:
            time = self._first_time(earliest) if self._falls_on(earliest.date()) else None
            if time is not None:
                return earliest.replace(hour=time[0], minute=time[1], second=time[2])
            earliest = (earliest + timedelta(days=1)).replace(hour=0, minute=0, second=0)

    def _falls_on(self, day: date) -> bool:
        # Unlike cron, NCRONTAB wants both the date and the weekday to match.
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _dates(self) -> Iterator[int]:
        """The ordinals of the dates that it falls on, over all combinations that matter."""
        ahead = range(_FIRST_DAY, _FIRST_DAY + _LOOK_AHEAD_DAYS)
        return (ordinal for ordinal in ahead if self._falls_on(date.fromordinal(ordinal)))

    def _first_time(self, earliest: datetime) -> tuple[int, int, int] | None:
        """Hour, minute and second of the first firing of a day from `earliest` on; None when it is over."""
        begin = (earliest.hour, earliest.minute, earliest.second)
        hours = (hour for hour in self.hours if hour >= earliest.hour)
        return next((time for time in itertools.product(hours, self.minutes, self.seconds) if time >= begin), None)


def _refuse_white_space(text: str) -> None:
    """Raise for the first character that separates, or shows nothing, and is no space."""
    for character in text:
        if character != " " and not character.isprintable():
            name = _CONTROLS.get(character) or unicodedata.name(character, "control character").lower()
            raise ScheduleError(f"has a {name} in it, and the Functions host parts fields at spaces only")


def _expand(field: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({value for part in text.split(",") for value in _expand_part(field, part)}))


def _expand_part(field: _Field, part: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"] is not None):
        raise ScheduleError(f"has a field that can't be read ({field.name})")
    if _TOO_MANY_DIGITS.search(part):
        raise ScheduleError(f"has a number of more than nine digits ({field.name})")
    step = int(match["step"] or 1)
    if match["first"] == "*":
        first, last = field.low, field.high
    else:
        first = _number(field, match["first"])
        # A step without an end runs to the end of the field: 10/20 is 10,30,50.
        alone = field.high if match["step"] else first
        last = _number(field, match["last"]) if match["last"] else alone
    if step == 0:
        raise ScheduleError(f"has a step of zero ({field.name})")
    if first > last:
        raise ScheduleError(f"has a range that runs backwards, which NCRONTAB would turn round ({field.name})")
    return range(first, last + 1, step)


def _number(field: _Field, text: str) -> int:
    if text.isdigit():
        value = int(text)
    else:
        found = [index for index, word in enumerate(field.words, start=field.low) if word.startswith(text)]
        if len(found) != 1:
            raise ScheduleError(f"has a name that is not one of its field ({field.name})")
        value = found[0]
    if not field.low <= value <= field.high:
        raise ScheduleError(f"has a number out of {field.low}..{field.high} ({field.name})")
    return value
