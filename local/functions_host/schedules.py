"""Owns which schedules the host takes for a timer; does not own what NCRONTAB means (shared/settings/schedule.py)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Protocol

from local.functions_host.settings import SettingError, time_span
from shared.settings.schedule import Schedule, ScheduleError

_WITHOUT_SECONDS = 5
_LOOKED_AT = 10


class Occurrences(Protocol):
    """When a timer fires."""

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than *moment*."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The occurrences of a TimeSpan: each so long after the last."""

    interval: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """One interval later."""
        return moment + self.interval


def read_schedule(text: str) -> Occurrences:
    """What a timer's schedule means: NCRONTAB of six fields, of five for second 0, or a TimeSpan.

    Raises:
        SettingError: it is none of these, or one that the app itself refuses; correct it as the message says.
    """
    fields = [field for field in text.split(" ") if field]
    try:
        return Schedule.parse(f"0 {text}" if len(fields) == _WITHOUT_SECONDS else text)
    except ScheduleError as exc:
        wrong = str(exc)
    try:
        interval = time_span(text)
    except SettingError:
        interval = timedelta(0)
    if not interval:
        raise SettingError(
            f"The schedule expression {text!r} was not recognized as a valid cron expression or timespan string: "
            f"it {wrong}."
        )
    return Constant(interval)


def fires_more_than_once_a_minute(schedule: Occurrences, now: datetime) -> bool:
    """Whether two of the next occurrences lie less than a minute apart: the host then keeps no status."""

    def following() -> Iterator[datetime]:
        moment = now
        while True:
            moment = schedule.next_after(moment)
            yield moment

    return any(later - sooner < timedelta(minutes=1) for sooner, later in pairwise(islice(following(), _LOOKED_AT)))
