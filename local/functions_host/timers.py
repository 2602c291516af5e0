"""Owns when a timer function runs and what it is told; does not own storing the status or running the function.

The rules are those of TimerListener and ScheduleMonitor in azure-webjobs-sdk-extensions.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from local.functions_host.clock import Clock
from local.functions_host.schedules import Occurrences

_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """What the host remembers of a timer between starts; *last* is None until it ran under this schedule."""

    last: datetime | None
    next: datetime
    last_updated: datetime

    @classmethod
    def after_run(cls, schedule: Occurrences, invoked: datetime) -> "ScheduleStatus":
        """The status once the run that began at *invoked* has ended."""
        return cls(last=invoked, next=schedule.next_after(invoked), last_updated=invoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to do with a timer when the host starts: the status to keep, and whether to run it now, past due."""

    status: ScheduleStatus
    past_due: bool


class StatusStore(Protocol):
    """Keeps one timer's status between starts of the host."""

    def load(self) -> ScheduleStatus | None:
        """The status; None when there is none that can be read."""

    def save(self, status: ScheduleStatus) -> None:
        """Keep *status*."""


def on_start(schedule: Occurrences, stored: ScheduleStatus | None, now: datetime) -> Start:
    """What the host does with a timer whose status it found as *stored*.

    Missed occurrences collapse into one run. The first start ever runs nothing, nor does a changed schedule.
    """
    if stored is None:
        return Start(status=ScheduleStatus(last=None, next=schedule.next_after(now), last_updated=now), past_due=False)
    since = stored.last or stored.last_updated
    expected = schedule.next_after(since)
    if stored.next == expected:
        return Start(status=stored, past_due=now > stored.next)
    if now > expected:
        since, expected = now, schedule.next_after(now)
    return Start(status=ScheduleStatus(last=None, next=expected, last_updated=since), past_due=False)


def timer_info(status: ScheduleStatus | None, *, past_due: bool) -> str:
    """The JSON that the worker gets; *status* is None when the host keeps none."""
    return json.dumps(
        {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": None if status is None else _status_document(status),
            "IsPastDue": past_due,
        }
    )


@dataclass(slots=True, kw_only=True)
class Timer:
    """Runs one timer function on its schedule, one run at a time, until *stopping* is set.

    *store* is None when the host keeps no status: use_monitor is off or the schedule fires more than once a minute.
    *invoke* gets the payload and returns when the run has ended, well or not.
    """

    schedule: Occurrences
    store: StatusStore | None
    run_on_startup: bool
    invoke: Callable[[str], None]
    clock: Clock
    stopping: Event

    def run(self) -> None:
        """Wait for occurrences and run them. A run that outlasts the next occurrence is followed by one at once."""
        now = self.clock.now()
        start = on_start(self.schedule, None if self.store is None else self.store.load(), now)
        status = start.status
        self._save(status)
        if start.past_due or self.run_on_startup:
            status = self._invoke(status, past_due=start.past_due, invoked=now)
        while not self._stopped_before(status.next):
            invoked = max(self.clock.now(), status.next)
            status = self._invoke(status, past_due=False, invoked=invoked)

    def payload(self) -> str:
        """The payload of a run that somebody asks for through the admin endpoint."""
        return timer_info(None if self.store is None else self.store.load(), past_due=False)

    def _invoke(self, status: ScheduleStatus, *, past_due: bool, invoked: datetime) -> ScheduleStatus:
        self.invoke(timer_info(None if self.store is None else status, past_due=past_due))
        status = ScheduleStatus.after_run(self.schedule, invoked)
        self._save(status)
        return status

    def _stopped_before(self, moment: datetime) -> bool:
        while (remaining := moment - self.clock.now()) > timedelta(0):
            if self.clock.wait(self.stopping, min(remaining, _LONGEST_WAIT)):
                return True
        return self.stopping.is_set()

    def _save(self, status: ScheduleStatus) -> None:
        if self.store is not None:
            self.store.save(status)


def _status_document(status: ScheduleStatus) -> dict[str, str]:
    last = "0001-01-01T00:00:00+00:00" if status.last is None else status.last.isoformat()
    return {"Last": last, "Next": status.next.isoformat(), "LastUpdated": status.last_updated.isoformat()}
