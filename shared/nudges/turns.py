"""Lets one cycle of an account run at a time, on whatever instance: who comes second joins the one that runs.

Owns the lease and waiting for it. Does not own a cycle (`polling.cycle`). The lease is a row of its own, which the
transaction that records the cycle deletes:

    insert --> kept each 10 s --> deleted with the cycle's row, or not ours any more: overtaken, nothing is recorded
       | conflict
       v
    wait --> gone: the cycle that ran is done
       |---> not kept for 30 s: its holder died, taken over
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from shared.errors import PrepwatchError, RowConflictError, StoreError, StoreUnavailableError, UnreadableRowError
from shared.moments import is_to_come
from shared.ports import Clock, Column, Delete, Insert, Lanes, Pause, Replace, Row, Table
from shared.state.rows import RUNNING, from_row, to_columns

CYCLE_LEASE = timedelta(seconds=30)
"""How long a cycle holds its account without a sign of life: the longest that a crash makes others wait."""
KEEP_EVERY = timedelta(seconds=10)
WAIT = timedelta(seconds=90)
"""The longest that anybody waits for somebody else's cycle; a summary is to be answered within 100 s."""
_LOOK_EVERY = timedelta(seconds=0.5)
_T = TypeVar("_T")


class Wait(StrEnum):
    """How long somebody waits for the cycle that runs."""

    UNTIL_IT_ENDS = "untilItEnds"
    """Somebody wants to know how things stand after it."""
    UNTIL_IT_LIVES = "untilItLives"
    """It is enough that somebody polls: a holder that keeps its lease is alive."""


class Running(Struct, frozen=True, kw_only=True):
    """Who runs the cycle of an account, and until when nobody else may."""

    lease: str
    leased_until: datetime


class OvertakenError(PrepwatchError):
    """Another cycle has taken the turn over; record nothing."""


class Turn(Struct, kw_only=True):
    """The right to run a cycle: `etag` is of its row as last written.

    `waited` says that somebody else held it meanwhile, `lost` that somebody else has taken over, `ended` that it was
    given back.
    """

    lease: str
    etag: str
    waited: bool = False
    lost: bool = False
    ended: bool = False

    def end(self) -> Delete:
        """What gives the turn back, as part of the transaction that records its cycle."""
        return Delete(key=RUNNING, etag=self.etag)


class Turns(Struct, frozen=True, kw_only=True):
    """The turns of one account; `new_id` makes lease ids."""

    table: Table
    account: str
    lanes: Lanes
    clock: Clock
    pause: Pause
    new_id: Callable[[], str]

    def run(self, work: Callable[[Turn], _T], wait: Wait) -> _T | None:
        """What comes of work that has the turn, which is kept meanwhile and then given back.

        None when a cycle that ran is done now, or is alive and would have to be waited for any longer.

        Raises:
            StoreError: The table is unavailable.
            Exception: What the work raises.
        """
        turn = self.take(wait)
        if turn is None:
            return None
        results: list[_T] = []
        lane = f"turn:{turn.lease}"
        try:
            self.lanes.submit(lane, 1, lambda: results.append(work(turn)))
            while not self.lanes.join(lane, KEEP_EVERY):
                self.keep(turn)
        finally:
            self.give_back(turn)
        return results[0]

    def take(self, wait: Wait) -> Turn | None:
        """The turn, or None as `run` says.

        Raises:
            StoreError: The table is unavailable.
        """
        until = self.clock() + WAIT
        lease = self.new_id()
        etag = self._write(Insert(key=RUNNING, columns=self._columns(lease)))
        if etag is not None:
            return Turn(lease=lease, etag=etag)
        met: Running | None = None
        while (row := self.table.get(self.account, RUNNING)) is not None:
            running = _read(row)
            if running is not None and running.lease == lease:
                return Turn(lease=lease, etag=row.etag)  # ours, and only the answer was lost
            if running is None or self._is_over(running):
                etag = self._write(Replace(key=RUNNING, columns=self._columns(lease), etag=row.etag))
                if etag is not None:
                    return Turn(lease=lease, etag=etag, waited=True)
                continue
            if self.clock() >= until or (met is not None and _is_done(wait, met, running)):
                return None
            met = met or running
            self.pause(_LOOK_EVERY)
        return None

    def keep(self, turn: Turn) -> None:
        """Show that the cycle lives; its turn is lost when somebody else has taken over."""
        if turn.ended or turn.lost:
            return
        # A table that is away is asked again in a moment: the lease outlasts two of them.
        with suppress(StoreUnavailableError):
            etag = self._write(Replace(key=RUNNING, columns=self._columns(turn.lease), etag=turn.etag))
            turn.etag = etag or turn.etag
            turn.lost = etag is None and not self.is_held(turn)

    def is_held(self, turn: Turn) -> bool:
        """Whether the turn is still its holder's, who may not have heard how the row was last written.

        Raises:
            StoreError: The table is unavailable.
        """
        row = self.table.get(self.account, RUNNING)
        running = _read(row) if row else None
        if row is None or running is None or running.lease != turn.lease:
            return False
        turn.etag = row.etag
        return True

    def give_back(self, turn: Turn) -> None:
        """Let others begin, after a cycle that came to no end; a turn that can't be given back ends by itself."""
        if not turn.ended:
            turn.ended = True
            with suppress(StoreError):
                self._write(turn.end())

    def _is_over(self, running: Running) -> bool:
        """Whether a turn has ended by itself, or was taken before a clock jumped back."""
        now = self.clock()
        return running.leased_until <= now or is_to_come(running.leased_until - CYCLE_LEASE, now)

    def _write(self, operation: Insert | Replace | Delete) -> str | None:
        """The row's new ETag, or None when it is not as the operation expects, or is deleted."""
        try:
            return self.table.transact(self.account, [operation]).get(RUNNING)
        except RowConflictError:
            return None

    def _columns(self, lease: str) -> dict[str, Column]:
        return to_columns(Running(lease=lease, leased_until=self.clock() + CYCLE_LEASE))


def _read(row: Row) -> Running | None:
    """Who holds the lease; None when it can't be read: a lease holds nothing that another version would miss."""
    try:
        return from_row(row, Running)
    except UnreadableRowError:
        return None


def _is_done(wait: Wait, met: Running, running: Running) -> bool:
    if running.lease != met.lease:
        return True  # the one that ran has ended, and another has begun
    return wait is Wait.UNTIL_IT_LIVES and running.leased_until > met.leased_until
