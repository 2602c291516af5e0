"""Counts the nodes of an account's pools by state, and asks for those that the counts leave out.

Owns how often that is done, and within which share of a cycle's time. Does not own what the counts mean
(`pools.count_rules`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.errors import AccountDeniedError, BatchError, PoolNotFoundError
from shared.patterns import IdPatterns
from shared.pools.count_rules import remember_counts, remember_gone, unseen_after
from shared.ports import BatchService, Clock
from shared.state.accounts import Cycle
from shared.state.pools import Counted, PoolMemory

TOO_SLOW = "DeadlineExceeded"
SLOW_COUNT_EVERY = 5
"""Every so many cycles the nodes are counted where that takes more than a tenth of the budget."""


class PoolCounter(Struct, frozen=True, kw_only=True):
    """Counts the pools of one account; `tracked` are counted beside those that are asked for, None for no more."""

    batch: BatchService
    clock: Clock
    tracked: IdPatterns | None = None

    def count(self, cycle: Cycle | None, watched: Iterable[str], budget: timedelta) -> Counted:
        """The nodes of the watched pools by state, within a tenth of the budget, else every fifth cycle."""
        before, unseen = (cycle.pools, cycle.unseen_pools) if cycle is not None else ({}, {})
        is_slow = cycle is not None and cycle.pools_error == TOO_SLOW
        if is_slow and cycle is not None and cycle.cycles % SLOW_COUNT_EVERY:
            return Counted(pools=before, unseen=unseen, error=TOO_SLOW, is_known=False)
        now = self.clock()
        deadline = now + (budget / 2 if is_slow else budget / 10)
        wanted = sorted(set(watched), key=str.lower)
        try:
            counted = [one for page in self.batch.list_node_counts(deadline=deadline) for one in page]
        except AccountDeniedError as error:
            # The right to read pools is missing: what the listings say decides alone.
            return Counted(pools={}, error=error.code, is_denied=True)
        except BatchError as error:
            return Counted(pools=before, unseen=unseen, error=error.code, is_known=False)
        if self.tracked is not None:
            wanted += [one.pool_id for one in counted if self.tracked.matches(one.pool_id)]
        pools = remember_counts(before, counted, wanted, now, unseen)
        pools |= self._ask_for(wanted, pools, before, now, deadline)
        return Counted(pools=pools, unseen=unseen_after(before, unseen, pools, now))

    def _ask_for(
        self,
        wanted: Sequence[str],
        shown: Mapping[str, PoolMemory],
        before: Mapping[str, PoolMemory],
        now: datetime,
        deadline: datetime,
    ) -> dict[str, PoolMemory]:
        """The pools that the counts left out and of which Batch itself says that they do not exist."""
        gone: dict[str, PoolMemory] = {}
        for pool_id in wanted:
            key = pool_id.lower()
            if key in shown and shown[key].gone_since is None:
                continue
            try:
                self.batch.get_pool(pool_id, select="id", deadline=deadline)
            except PoolNotFoundError:
                gone[key] = remember_gone(before.get(key), pool_id, now)
            except BatchError:
                # Neither there nor gone: what was known of it goes on.
                continue
        return gone
