"""Owns waiting, so that tests can pass virtual time; does not own what is waited for."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Protocol


class Clock(Protocol):
    """The time and a way to let it pass."""

    def now(self) -> datetime:
        """The time, aware, UTC."""

    def wait(self, event: Event, duration: timedelta) -> bool:
        """Let *duration* pass unless *event* is set before; whether it is set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return datetime.now(UTC)

    def wait(self, event: Event, duration: timedelta) -> bool:
        """Let *duration* pass unless *event* is set before; whether it is set."""
        return event.wait(duration.total_seconds())
