"""Timers: past due, no overlap, status; the rules of TimerListener and ScheduleMonitor."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from local.functions_host.schedules import Occurrences, fires_more_than_once_a_minute, read_schedule
from local.functions_host.settings import SettingError
from local.functions_host.timer_status import StatusFile
from local.functions_host.timers import ScheduleStatus, Timer, on_start
from tests.stack.functions_host.virtual import NOW, VirtualClock

MINUTELY = read_schedule("0 * * * * *")
MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Runs:
    """Runs a timer from *start* for *lasting* of virtual time and notes each invocation."""

    directory: Path
    schedule: Occurrences = MINUTELY
    monitored: bool = True
    run_on_startup: bool = False
    seen: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)

    def run(
        self,
        start: datetime,
        lasting: timedelta,
        takes: Callable[[int], timedelta] = lambda _: timedelta(0),
    ) -> list[tuple[datetime, bool]]:
        """When the function began and whether it was past due; call number n takes *takes(n)*."""
        clock = VirtualClock(time=start, stop_at=start + lasting)
        self.seen.clear()
        stopping = Event()

        def invoke(payload: str) -> None:
            self.seen.append((clock.now(), json.loads(payload)))
            clock.time += takes(len(self.seen))

        Timer(
            schedule=self.schedule,
            store=StatusFile(self.directory / "timer.json") if self.monitored else None,
            run_on_startup=self.run_on_startup,
            invoke=invoke,
            clock=clock,
            stopping=stopping,
        ).run()
        return [(moment, payload["IsPastDue"]) for moment, payload in self.seen]


def test_the_first_start_ever_runs_nothing_before_the_schedule(tmp_path: Path) -> None:
    """A timer without status waits for its next occurrence, then runs at each."""
    began = NOW + timedelta(seconds=10)
    assert Runs(tmp_path).run(began, timedelta(minutes=3)) == [
        (NOW + MINUTE, False),
        (NOW + 2 * MINUTE, False),
        (NOW + 3 * MINUTE, False),
    ]


def test_missed_occurrences_become_one_run_past_due(tmp_path: Path) -> None:
    """A host that was down for an hour runs once, past due, then on schedule again."""
    runs = Runs(tmp_path)
    runs.run(NOW, timedelta(seconds=90))
    later = NOW + timedelta(hours=1, seconds=5)
    assert runs.run(later, timedelta(seconds=90)) == [
        (later, True),
        (NOW + timedelta(minutes=61), False),
    ]


def test_a_restart_before_the_next_occurrence_runs_nothing_extra(tmp_path: Path) -> None:
    """A restart within the interval is not past due."""
    runs = Runs(tmp_path)
    runs.run(NOW, timedelta(seconds=70))
    assert runs.run(NOW + timedelta(seconds=80), timedelta(seconds=41)) == [(NOW + 2 * MINUTE, False)]


def test_a_changed_schedule_starts_afresh(tmp_path: Path) -> None:
    """After a deployment with another schedule the host takes the new one without a run past due."""
    Runs(tmp_path).run(NOW, timedelta(seconds=70))
    hourly = Runs(tmp_path, schedule=read_schedule("0 0 * * * *"))
    began = NOW + timedelta(hours=5, seconds=1)
    assert hourly.run(began, timedelta(hours=1)) == [(NOW + timedelta(hours=6), False)]


def test_a_timer_does_not_overlap_with_itself(tmp_path: Path) -> None:
    """A run that outlasts three occurrences is followed by one run at once, the others are lost."""
    runs = Runs(tmp_path).run(NOW, timedelta(seconds=425), lambda number: timedelta(seconds=200 if number == 1 else 1))
    assert [moment for moment, _ in runs] == [
        NOW + MINUTE,
        NOW + MINUTE + timedelta(seconds=200),
        NOW + 5 * MINUTE,
        NOW + 6 * MINUTE,
        NOW + 7 * MINUTE,
    ]


def test_a_schedule_without_status_is_never_past_due(tmp_path: Path) -> None:
    """With use_monitor off, or more than one run a minute, ScheduleStatus is null and nothing is made up for."""
    runs = Runs(tmp_path, monitored=False)
    runs.run(NOW, timedelta(seconds=70))
    assert runs.run(NOW + timedelta(hours=1, seconds=5), timedelta(seconds=60)) == [
        (NOW + timedelta(minutes=61), False)
    ]
    assert runs.seen[0][1]["ScheduleStatus"] is None
    assert not list(tmp_path.iterdir())


def test_run_on_startup_runs_at_each_start(tmp_path: Path) -> None:
    """run_on_startup runs the function at every start of the host, not past due."""
    assert Runs(tmp_path, run_on_startup=True).run(NOW, timedelta(seconds=30)) == [(NOW, False)]


def test_the_payload_tells_last_and_next(tmp_path: Path) -> None:
    """The worker gets {"Schedule","ScheduleStatus":{Last,Next,LastUpdated},"IsPastDue"}."""
    runs = Runs(tmp_path)
    runs.run(NOW, timedelta(seconds=125))
    assert [payload for _, payload in runs.seen] == [
        {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {"Last": last, "Next": following, "LastUpdated": updated},
            "IsPastDue": False,
        }
        for last, following, updated in [
            ("0001-01-01T00:00:00+00:00", "2026-03-01T12:01:00+00:00", "2026-03-01T12:00:00+00:00"),
            ("2026-03-01T12:01:00+00:00", "2026-03-01T12:02:00+00:00", "2026-03-01T12:01:00+00:00"),
        ]
    ]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"Last": 1, "Next": "x", "LastUpdated": null}'])
def test_a_broken_status_counts_as_none(tmp_path: Path, content: str) -> None:
    """The host ignores a status that it can't read, as if the timer were new."""
    path = tmp_path / "timer.json"
    path.write_text(content, encoding="utf-8")
    assert StatusFile(path).load() is None


def test_never_run_and_missed_is_past_due() -> None:
    """A timer that was seen but never ran is past due once its first occurrence is over."""
    seen = ScheduleStatus(last=None, next=NOW + MINUTE, last_updated=NOW)
    assert on_start(MINUTELY, seen, NOW + 2 * MINUTE).past_due


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0 * * * * *", 60),
        ("* * * * *", 60),
        ("*/30 * * * *", 1800),
        ("00:05:00", 300),
        ("1.00:00:00", 86_400),
        ("0 0 9 * * Monday", 21 * 3600),
    ],
)
def test_what_the_host_takes_as_a_schedule(text: str, seconds: int) -> None:
    """A timer fires by six fields, by five with second 0, or each TimeSpan; names of days may be whole."""
    assert read_schedule(text).next_after(NOW) - NOW == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "it has 0 fields"),
        ("soon", "it has 1 fields"),
        ("0 * * *", "it has 4 fields"),
        ("0 * * * * 7", r"it has a number out of 0..6 \(day of the week\)"),
        ("0\t* * * * *", "it has a tab in it"),
        ("0 * * * * *\n", "it has a line break in it"),
        ("00:00:00", "it has 1 fields"),
        ("0 0 0 30 2 *", "it names a date that hardly ever comes"),
    ],
)
def test_what_the_host_does_not_take_as_a_schedule(text: str, wrong: str) -> None:
    """Anything else is said to be no schedule, with what the app's own reader has against it."""
    with pytest.raises(SettingError, match=f"was not recognized as a valid cron expression .*: {wrong}"):
        read_schedule(text)


@pytest.mark.parametrize(
    ("text", "dense"),
    [
        ("0 * * * * *", False),
        ("*/30 * * * * *", True),
        ("0,1 0 3 * * *", True),
        ("0 0 3 * * *", False),
        ("00:00:30", True),
        ("00:01:00", False),
    ],
)
def test_schedules_more_frequent_than_a_minute_are_told_apart(text: str, dense: bool) -> None:  # noqa: FBT001 - a column
    """The host keeps no status for a timer that fires more than once a minute; once a minute is kept."""
    assert fires_more_than_once_a_minute(read_schedule(text), NOW) is dense
