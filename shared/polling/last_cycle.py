"""The cycle row of an account: as it is read, as it is believed, and how it is swapped for the next.

Owns what becomes of moments in it that are still to come: a clock that has jumped back since wrote them down, and
nothing may wait for them. Owns too who may write it. Does not own how it changes (`polling.cycle_rules`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import LostRaceError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending, Written
from shared.messages.events import Event
from shared.moments import CLOCKS_DIFFER, is_to_come, unless_to_come
from shared.nudges.turns import OvertakenError, Turn, Turns
from shared.polling.cycle_rules import LONGEST_PATIENCE
from shared.polling.job_listing import LISTING_OVERLAP
from shared.ports import Clock, Row, Table
from shared.state.accounts import Cycle, Recurrence
from shared.state.pools import PoolMemory
from shared.state.rows import CYCLE, from_row
from shared.state.swapping import until_written


def read_last_cycle(table: Table, account: str, now: datetime) -> tuple[Row | None, Cycle | None]:
    """The row, and the cycle as it is believed now; None and None before the first.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell how the last cycle went.
    """
    row = table.get(account, CYCLE)
    return row, believable_cycle(from_row(row, Cycle), now) if row else None


class CycleRow(Struct, frozen=True, kw_only=True):
    """The cycle row of one account."""

    table: Table
    ledger: Ledger
    turns: Turns
    clock: Clock

    def read(self) -> tuple[Row | None, Cycle | None]:
        """The row and the cycle, as `read_last_cycle` gives them."""
        return read_last_cycle(self.table, self.ledger.account, self.clock())

    def write(
        self,
        row: Row | None,
        before: Cycle | None,
        decide: Callable[[Cycle | None], tuple[Cycle, Sequence[Event]]],
        now: datetime,
        turn: Turn | None = None,
        *,
        offer: Callable[[Iterable[Pending]], None],
    ) -> Cycle | None:
        """The cycle as it is written down now, None when its turn is lost or others were always faster.

        `turn` is that of a cycle that has run, and ends with it. `offer` takes what is due then.
        """
        read = [(row, before)]

        def write() -> tuple[Cycle, Written]:
            # When the row was written meanwhile, it is the one to go on from, as long as the turn is ours.
            row, before = read.pop() if read else self._read_again(turn)
            cycle, events = decide(before)
            return cycle, self.ledger.commit_cycle(row, cycle, events, now, *([turn.end()] if turn else []))

        try:
            cycle, written = until_written(write, f"The cycle of {self.ledger.account}")
        except (LostRaceError, OvertakenError) as error:
            write_line("cycle-not-recorded", account=self.ledger.account, error=str(error))
            return None
        if turn is not None:
            turn.ended = True
        offer(written.pending)
        return cycle

    def _read_again(self, turn: Turn | None) -> tuple[Row | None, Cycle | None]:
        if turn is not None and not self.turns.is_held(turn):
            raise OvertakenError("Another cycle has taken over.")
        return self.read()


def believable_cycle(cycle: Cycle, now: datetime) -> Cycle:
    """The cycle with nothing that is still to come: what was read then was read by now.

    So jobs are listed from now on again, a poll that is asked for begins, and blindness counts from now.
    """
    return replace(
        cycle,
        # What is asked for now was asked for later than that.
        started_at=_past(cycle.started_at, now, now - CLOCKS_DIFFER),
        finished_at=_past(cycle.finished_at, now, now),
        read_up_to=_by_now(cycle.read_up_to, now),
        listed_from=_past(cycle.listed_from, now, now - LISTING_OVERLAP) if cycle.listed_from else None,
        not_before=_kept(cycle.not_before, now + LONGEST_PATIENCE),
        waiting={job: _past(since, now, now) for job, since in cycle.waiting.items()},
        waiting_unnamed_since=_by_now(cycle.waiting_unnamed_since, now),
        pools_error_since=_by_now(cycle.pools_error_since, now),
        unanswered_since=_by_now(cycle.unanswered_since, now),
        denied_since=_by_now(cycle.denied_since, now),
        recurrence=_believed(cycle.recurrence, now),
        pools={key: _believed_pool(memory, now) for key, memory in cycle.pools.items()},
        unseen_pools={key: one for key, one in cycle.unseen_pools.items() if not is_to_come(one.unseen_since, now)},
    )


def _believed(held: Recurrence, now: datetime) -> Recurrence:
    return replace(held, well_since=_by_now(held.well_since, now), ended_at=_by_now(held.ended_at, now))


def _believed_pool(memory: PoolMemory, now: datetime) -> PoolMemory:
    """What is remembered of a pool; what was listed in time to come is listed again."""
    return replace(
        memory,
        none_able_since=_by_now(memory.none_able_since, now),
        gone_since=_by_now(memory.gone_since, now),
        listed_at=unless_to_come(memory.listed_at, now),
        searched_at=unless_to_come(memory.searched_at, now),
    )


def _past(noted: datetime, now: datetime, instead: datetime) -> datetime:
    return instead if is_to_come(noted, now) else noted


def _by_now(noted: datetime | None, now: datetime) -> datetime | None:
    return None if noted is None else _past(noted, now, now)


def _kept(not_before: datetime | None, latest: datetime) -> datetime | None:
    """When Batch may be asked again; None for a moment that is later than anybody waits."""
    return unless_to_come(not_before, latest)
