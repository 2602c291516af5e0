"""What a schedule means: when it fires, how long it leaves us waiting, and what is none."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.settings.schedule import Schedule, ScheduleError

ORACLE = json.loads(Path(__file__).with_name("ncrontab_oracle.json").read_text(encoding="utf-8"))["schedules"]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday
# What the host takes and we refuse: it would do otherwise than meant, or nobody writes it on purpose.
REFUSED_ON_PURPOSE = re.compile(
    "runs backwards|step of zero|hardly ever|a (tab|line break) in it|more than nine digits"
)
ODD = re.compile(r"/[+-]|\b[a-z]{1,2}\b", re.IGNORECASE)  # a sign in a step, a name of one or two letters


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ("0 * * * * *", timedelta(minutes=1)),
        ("* * * * * *", timedelta(seconds=1)),
        ("*/5 * * * * *", timedelta(seconds=5)),
        ("*/50 * * * * *", timedelta(seconds=50)),
        ("0 */5 * * * *", timedelta(minutes=5)),
        ("* */5 * * * *", timedelta(minutes=4, seconds=1)),
        ("0 10/20 * * * *", timedelta(minutes=20)),
        ("0 0,10,30 * * * *", timedelta(minutes=30)),
        ("0 0 8-18 * * *", timedelta(hours=14)),
        ("0 0 8-18/5 * * *", timedelta(hours=14)),
        ("0 0 3 * * *", timedelta(days=1)),
        ("0 0 12 * * MON-FRI", timedelta(days=3)),
        ("0 0 12 * * Monday", timedelta(days=7)),
        ("0 0 0 1 * *", timedelta(days=31)),
        ("0 0 0 * jan *", timedelta(days=336)),
        ("0  0 0 1 1 *", timedelta(days=366)),
        ("  0 * * * * *  ", timedelta(minutes=1)),
        ("10,50 0 0 * * *", timedelta(days=1) - timedelta(seconds=40)),
    ],
)
def test_longest_wait(schedule: str, interval: timedelta) -> None:
    """The interval of a schedule is the longest time between two of its firings."""
    assert Schedule.parse(schedule).longest_wait() == interval


@pytest.mark.parametrize(
    ("schedule", "wrong"),
    [
        ("* * * * *", "5 fields"),
        ("00:05:00", "1 fields"),
        ("0 60 * * * *", "out of 0..59 (minute)"),
        ("0 * * 0 * *", "out of 1..31 (day)"),
        ("0 * * * * 7", "out of 0..6 (day of the week)"),
        ("0 */0 * * * *", "step of zero (minute)"),
        ("0 0 22-6 * * *", "backwards"),
        ("0 0 0 ? * *", "can't be read (day)"),
        ("0 0 *-3 * * *", "can't be read (hour)"),
        ("0 , * * * *", "can't be read (minute)"),
        ("0 -1 * * * *", "can't be read (minute)"),
        ("0 0 0 * * ju", "can't be read (day of the week)"),
        ("0 0 0 * mon *", "not one of its field (month)"),
        ("0 0 0 30 2 *", "hardly ever"),
        ("%POLL% * * * * *", "can't be read (second)"),
        ("", "0 fields"),
        ("0\t*\t*\t*\t*\t*", "has a tab in it"),
        ("0 * * * * *\n", "has a line break in it"),
        ("0 * * * * *\r\n", "has a line break in it"),
        ("\n0 * * * * *", "has a line break in it"),
        ("0 * * * * *\x0b", "has a control character in it"),
        ("0\u00a0* * * * *", "has a no-break space in it"),
        ("0\u202f* * * * *", "has a narrow no-break space in it"),
        ("0\u2009* * * * *", "has a thin space in it"),
        ("0 * * * * *\u200b", "has a zero width space in it"),
        ("\ufeff0 * * * * *", "has a zero width no-break space in it"),
        ("0\u3000* * * * *", "has a ideographic space in it"),
        ("0 */2147483648 * * * *", "more than nine digits (minute)"),
        ("0 0 0 1000000000 * *", "more than nine digits (day)"),
        (f"{'9' * 4301} * * * * *", "more than nine digits (second)"),
        ("0 0 0 29 2 0", "hardly ever"),
        ("\u0660 * * * * *", "can't be read (second)"),
    ],
)
def test_what_is_no_schedule(schedule: str, wrong: str) -> None:
    """What the host could not run, or would run otherwise than it reads, is refused with the field's name."""
    with pytest.raises(ScheduleError, match=re.escape(wrong)):
        Schedule.parse(schedule)


def longest_wait_or_error(schedule: str) -> int | str:
    """The longest wait in seconds, or what is wrong."""
    try:
        return round(Schedule.parse(schedule).longest_wait().total_seconds())
    except ScheduleError as error:
        return str(error)


@pytest.mark.parametrize("row", ORACLE, ids=[f"{number}" for number in range(len(ORACLE))])
def test_schedules_mean_what_they_mean_to_the_host(row: dict[str, Any]) -> None:
    """What the host refuses is refused; what it takes has its longest wait, unless it is refused on purpose."""
    read = longest_wait_or_error(row["schedule"])
    if isinstance(read, int):
        assert (row["accepted"], row["longest_wait_seconds"]) == (True, read)
    else:
        assert not row["accepted"] or REFUSED_ON_PURPOSE.search(read) or ODD.search(row["schedule"]), read


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        pytest.param("0 * * * * *", "2026-03-01T12:01:00", id="each-minute"),
        pytest.param("*/20 * * * * *", "2026-03-01T12:00:20", id="step"),
        pytest.param("* */5 * * * *", "2026-03-01T12:00:01", id="each-second-of-each-fifth-minute"),
        pytest.param("0 5/20 * * * *", "2026-03-01T12:05:00", id="step-from"),
        pytest.param("15,45 30 3 * * *", "2026-03-02T03:30:15", id="list-next-day"),
        pytest.param("0 0 12 * * *", "2026-03-02T12:00:00", id="later-than-now"),
        pytest.param("0 0 9-17 * * MON-FRI", "2026-03-02T09:00:00", id="names"),
        pytest.param("0 0 0 * * 0", "2026-03-08T00:00:00", id="sunday-is-0"),
        pytest.param("0 0 0 31 * *", "2026-03-31T00:00:00", id="day-of-month"),
        pytest.param("0 0 0 29 feb *", "2028-02-29T00:00:00", id="leap-day"),
        pytest.param("0 0 0 29 2 TUE,THU", "2028-02-29T00:00:00", id="leap-day-and-weekday"),
        pytest.param("0 0 0 13 * FRI", "2026-03-13T00:00:00", id="day-and-weekday-both-hold"),
        pytest.param("59 59 23 31 12 *", "2026-12-31T23:59:59", id="the-last-of-a-year"),
    ],
)
def test_next_firing(schedule: str, following: str) -> None:
    """The next firing is the first moment after now that every field allows."""
    assert Schedule.parse(schedule).next_after(NOON) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_fractions_of_a_second_do_not_delay() -> None:
    """A moment within a second is followed by the next full second."""
    every_second = Schedule.parse("* * * * * *")
    assert every_second.next_after(NOON + timedelta(microseconds=999_999)) == NOON + timedelta(seconds=1)


def _is_taken(schedule: str) -> bool:
    try:
        Schedule.parse(schedule)
    except ScheduleError:
        return False
    return True


TAKEN = [row["schedule"] for row in ORACLE if _is_taken(row["schedule"])]


@pytest.mark.parametrize("text", TAKEN[::5])
def test_no_wait_is_longer_than_the_longest(text: str) -> None:
    """Firings follow each other within the longest wait, at seconds that the schedule allows, wherever one begins."""
    schedule = Schedule.parse(text)
    for began in (date(2024, 2, 28), date(2025, 6, 30), date(2027, 11, 15)):
        moment = datetime(began.year, began.month, began.day, 23, 58, 1, tzinfo=UTC)
        firings = [moment := schedule.next_after(moment) for _ in range(5)]
        for firing, following in pairwise(firing for firing in firings if firing.year <= 2031):
            assert timedelta(0) < following - firing <= schedule.longest_wait()
            assert following.second in schedule.seconds
