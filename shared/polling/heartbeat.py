"""Tells a dead man's switch that Prepwatch is well, or that it is not.

Owns what well means. Does not own when it is asked (after every cycle). Convention: Healthchecks' ping URLs, with /fail
appended when something is wrong; a timer that has stopped sends nothing, and the switch notices that by itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.polling.cycle_rules import is_stale
from shared.ports import Clock, Sender, Table
from shared.reprs import repr_without
from shared.state.jobs import Cycle
from shared.state.rows import CYCLE, OWN, from_row, range_of
from shared.state.telling import Delivery, DeliveryState

DEATHS_COUNT_FOR = timedelta(days=1)


class Heartbeat(Struct, frozen=True, kw_only=True):
    """Beats at `url`; None beats nowhere."""

    table: Table
    sender: Sender
    clock: Clock
    accounts: Sequence[str]
    stale_after: timedelta
    url: str | None

    __repr__ = repr_without("url")

    def beat(self) -> None:
        """Say how things are; a switch that can't be reached is only a line in the log."""
        if self.url is None:
            return
        now = self.clock()
        try:
            wrong = self._what_is_wrong(now)
        except (StoreError, UnreadableRowError) as error:
            wrong = str(error)
        answer = self.sender.get(self.url if wrong is None else f"{self.url}/fail")
        write_line("heartbeat", wrong=wrong, status=answer.status, failure=answer.failure)

    def _what_is_wrong(self, now: datetime) -> str | None:
        for account in self.accounts:
            row = self.table.get(account, CYCLE)
            if is_stale(from_row(row, Cycle) if row else None, self.stale_after, now):
                return f"{account} has not been read for too long"
        for partition in (*self.accounts, OWN):
            for row in self.table.query(partition, *range_of(DeliveryState.DEAD.value)):
                died_at = from_row(row, Delivery).ended_at
                if died_at is not None and now - died_at < DEATHS_COUNT_FOR:
                    return "a delivery was given up within a day"
        return None
