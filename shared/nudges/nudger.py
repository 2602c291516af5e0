"""Puts nudges on the app's own queues, and remembers how that goes.

Owns how long that may take, that nothing fails with it, and what is known of refusals. Does not own a nudge's form
(`nudges.nudge`) or how it travels (`ports.QueueService`). Nudges are not output bindings: the platform throws a
finished answer away when it can't write one.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import StoreError
from shared.journal import write_defect, write_line
from shared.nudges.nudge import write_nudge
from shared.ports import Clock, Lanes, QueueService, Row, Table, swap
from shared.state.rows import NUDGES, OWN, from_row, to_columns
from shared.state.swapping import until_written

NUDGED_WITHIN = timedelta(seconds=2)
"""How long somebody who nudges waits for all of it."""
NO_QUEUE = "AzureWebJobsStorage names no queue service"
QUEUE_TOO_SLOW = f"the queue service took longer than {NUDGED_WITHIN.total_seconds():.0f} s"
_AT_ONCE = 8


class NudgeHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How nudging goes: `refused` counts for ever; `failing_since` and `reason` stand until a nudge is taken again."""

    refused: int = 0
    failing_since: datetime | None = None
    reason: str = ""


class Nudger(Struct, frozen=True, kw_only=True):
    """Sends nudges; `queues` is None when no queue service is configured, which refuses every one."""

    queues: QueueService | None
    lanes: Lanes
    clock: Clock
    table: Table

    def send(self, queue: str, accounts: Sequence[str], delay: timedelta = timedelta(0)) -> Mapping[str, str]:
        """Nudge for these accounts, visible after `delay`; those that were refused, with the reason.

        It never raises, and takes two seconds at most, for however many: what a nudge is about is in the table.
        """
        if not accounts:
            return {}
        refused = dict.fromkeys(accounts, QUEUE_TOO_SLOW if self.queues else NO_QUEUE)
        if self.queues is not None:
            until = self.clock() + NUDGED_WITHIN
            for account in accounts:
                self.lanes.submit("nudges", _AT_ONCE, partial(self._put, queue, account, delay, until, refused))
            self.lanes.join("nudges", NUDGED_WITHIN)
        known = dict(refused)
        if known:
            first = next(iter(known.values()))
            write_line("nudges-refused", logging.WARNING, queue=queue, nudges=len(known), reason=first)
        self._remember(known)
        return known

    def try_again(self, queue: str, account: str) -> None:
        """Nudge for an account if the last nudge was refused: else nobody learns that the queue takes them again.

        It never raises.
        """
        try:
            refuses = self.health().failing_since is not None
        except StoreError:
            return  # nothing is known to be wrong
        if refuses:
            self.send(queue, [account])

    def health(self) -> NudgeHealth:
        """How nudging goes, as far as anybody has remembered it.

        Raises:
            StoreError: The table can't be read.
        """
        return self._read()[1]

    def _put(self, queue: str, account: str, delay: timedelta, until: datetime, refused: dict[str, str]) -> None:
        now = self.clock()
        if self.queues is None or now >= until:
            return
        try:
            self.queues.put(queue, write_nudge(account, now), delay=delay)
        except StoreError as error:
            refused[account] = str(error)
        except Exception as defect:  # noqa: BLE001 - whoever nudges has done its work, and is not to fail with this
            write_defect("nudge-defect", defect, account=account)
            refused[account] = type(defect).__name__
        else:
            del refused[account]

    def _remember(self, refused: Mapping[str, str]) -> None:
        try:
            until_written(partial(self._record, tuple(refused.values())), "How nudging goes")
        except StoreError as error:
            write_line("nudge-health-lost", error=str(error))

    def _record(self, reasons: Sequence[str]) -> None:
        row, before = self._read()
        after = _after(before, reasons, self.clock())
        if after == before:
            return
        self.table.transact(OWN, [swap(NUDGES, to_columns(after), row)])

    def _read(self) -> tuple[Row | None, NudgeHealth]:
        row = self.table.get(OWN, NUDGES)
        return row, from_row(row, NudgeHealth) if row else NudgeHealth()


def _after(before: NudgeHealth, reasons: Sequence[str], now: datetime) -> NudgeHealth:
    if not reasons:
        return replace(before, failing_since=None, reason="")
    return NudgeHealth(
        refused=before.refused + len(reasons), failing_since=before.failing_since or now, reason=reasons[0]
    )
