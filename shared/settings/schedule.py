"""Owns what an NCRONTAB schedule means for us: that it is one, and how long it may leave us waiting.

It does not fire anything: the Functions host does.
Source of the syntax: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

import itertools
import re
from datetime import date, timedelta

from msgspec import Struct

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PART = re.compile(r"(?P<first>\*|[0-9]+|[a-z]{3,9})(?:-(?P<last>[0-9]+|[a-z]{3,9}))?(?:/(?P<step>[0-9]+))?")
# Eight years hold every combination of weekday and date that matters, a leap day among them.
_FIRST_DAY = date(2024, 1, 1)
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


def poll_interval(schedule: str) -> timedelta:
    """How long an NCRONTAB schedule of six fields waits at most between two firings.

    Raises:
        ScheduleError: not six fields, a field that can't be read, or a date that hardly ever comes.
    """
    texts = schedule.lower().split()
    if len(texts) != len(_FIELDS):
        raise ScheduleError(f"has {len(texts)} fields instead of six (second minute hour day month weekday)")
    seconds, minutes, hours, days, months, weekdays = map(_expand, _FIELDS, texts)
    times = [
        timedelta(hours=hour, minutes=minute, seconds=second)
        for hour, minute, second in itertools.product(hours, minutes, seconds)
    ]
    ahead = (_FIRST_DAY + timedelta(days=offset) for offset in range(_LOOK_AHEAD_DAYS))
    # Unlike cron, NCRONTAB wants both the date and the weekday to match.
    dates = [day for day in ahead if day.month in months and day.day in days and day.isoweekday() % 7 in weekdays]
    if len(dates) < _ENOUGH_DATES:
        raise ScheduleError("names a date that hardly ever comes")
    within_a_day = [later - earlier for earlier, later in itertools.pairwise(times)]
    over_night = max(later - earlier for earlier, later in itertools.pairwise(dates)) - times[-1] + times[0]
    return max([over_night, *within_a_day])


def _expand(field: _Field, text: str) -> list[int]:
    return sorted({value for part in text.split(",") for value in _expand_part(field, part)})


def _expand_part(field: _Field, part: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"] is not None):
        raise ScheduleError(f"has a field that can't be read ({field.name})")
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
