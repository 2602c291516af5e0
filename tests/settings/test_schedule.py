"""How long a schedule leaves us waiting."""

import re
from datetime import timedelta

import pytest

from shared.settings.schedule import ScheduleError, poll_interval


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
    ],
)
def test_longest_wait(schedule: str, interval: timedelta) -> None:
    """The interval of a schedule is the longest time between two of its firings."""
    assert poll_interval(schedule) == interval


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
    ],
)
def test_what_is_no_schedule(schedule: str, wrong: str) -> None:
    """What the host could not run, or would run otherwise than it reads, is refused with the field's name."""
    with pytest.raises(ScheduleError, match=re.escape(wrong)):
        poll_interval(schedule)
