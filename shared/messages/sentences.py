"""How times, durations, numbers and accounts are said to people: the same way in messages and on every page.

Owns the words. Does not own what is said of a job (`digests.jobs.notices`), of an event (`messages.event_notices`) or
in the summary (`api.summary_rules`). Pure.
"""

import re
from datetime import UTC, datetime, timedelta

from shared.moments import time_text

STANDS_STILL = ("{jobs} stands still", "{jobs} stand still")
CANT_BE_READ = ("{jobs} can't be read", "{jobs} can't be read")
"""What is said of one job, and of several."""
_IPV4 = r"\d+(\.\d+){3}(:\d+)?"
_MINUTE = timedelta(minutes=1)
_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", _MINUTE))


def clock_time(at: datetime, now: datetime) -> str:
    """A time as people read it: `02:14 UTC`, with the day when it is not today's, and the year when it is not ours."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    clock = f"{at:%H:%M} UTC"
    if at.date() == now.date():
        return clock
    day = f"{at.day} {at:%B}"
    return f"{day}, {clock}" if at.year == now.year else f"{day} {at.year}, {clock}"


def account_name(account: str) -> str:
    """An account by its name alone: the first label of its host, or an address of IPv4 as it stands."""
    return account if re.fullmatch(_IPV4, account) else account.partition(".")[0]


def to_the_second(at: datetime | None) -> str | None:
    """A time that people and a pager's rules read: `2026-11-27T02:14:05Z`; None stays None."""
    return time_text(at.replace(microsecond=0)) if at is not None else None


def minute(at: datetime) -> str:
    """A time on its day, for what is read long after: `2026-11-27 02:14 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def lasted(duration: timedelta) -> str:
    """A duration in its two largest units: `2 hours 10 minutes`; what is no minute yet, or negative, is said so."""
    if duration < _MINUTE:
        return "less than a minute"
    for number, (unit, length) in enumerate(_UNITS):
        if duration >= length:
            said = counted(duration // length, unit)
            smaller = _UNITS[number + 1 : number + 2]
            rest = [counted(duration % length // small, name) for name, small in smaller if duration % length >= small]
            return " ".join([said, *rest])
    raise AssertionError("a minute is the smallest unit")


def since_when(at: datetime, now: datetime) -> str:
    """Since when something goes on, and how long that is."""
    return f"{clock_time(at, now)} ({lasted(now - at)})"


def lasted_from(since: datetime, until: datetime, now: datetime) -> str:
    """How long something that is over went on, and from when."""
    return f"{lasted(until - since)}, from {clock_time(since, now)}"


def plural(word: str, number: int) -> str:
    """A noun after a number."""
    return word if number == 1 else f"{word}s"


def counted(number: int, word: str) -> str:
    """A number and its noun."""
    return f"{number} {plural(word, number)}"


def waiting(number: int, word: str) -> str:
    """So many of something that wait: `1 task waits`, `2 tasks wait`."""
    return f"{counted(number, word)} {'waits' if number == 1 else 'wait'}"


def of_jobs(words: tuple[str, str], number: int) -> str:
    """A sentence about so many jobs: `1 job stands still`, `2 jobs stand still`."""
    return words[number > 1].format(jobs=counted(number, "job"))
