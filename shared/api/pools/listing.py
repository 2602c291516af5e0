"""Answers how the watched pools stand, and which of their nodes can't work right now.

Owns finding a pool and asking Batch for its nodes. Does not own the answer's content (`api.pools.views`).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from shared.api.pools.views import PoolNodeView, PoolView, node_views, views_of, worst_pool_first
from shared.api.refusals import named, not_found, only_account
from shared.batch.pool_model import NODE_SELECT
from shared.ledger.pool_records import read_records
from shared.messages.events import Origin
from shared.patterns import IdPatterns, valid_pool_id
from shared.pools.watcher import NOT_ABLE
from shared.ports import BatchService, Clock, Table
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, from_row, range_of, read_head

_ANSWER_WITHIN = timedelta(seconds=60)


class PoolLister(Struct, frozen=True, kw_only=True):
    """Lists the watched pools of all accounts; `tracked` None for those that watched active jobs use."""

    table: Table
    clock: Clock
    origins: Sequence[Origin]
    batch: Mapping[str, BatchService]
    tracked: IdPatterns | None

    def list_pools(self, account: str | None) -> list[PoolView]:
        """The pools as of the last cycle, worst first.

        Raises:
            NotFoundError: No such account is known.
            StoreError: The table can't be read.
        """
        now = self.clock()
        views: list[PoolView] = []
        for origin in named(self.origins, account):
            heads = [read_head(row, now) for row in self.table.query(origin.partition, *range_of("job"))]
            records = read_records(self.table, origin.partition)
            views += views_of(origin.partition, self._cycle(origin), heads, records, tracked=self.tracked, now=now)
        return sorted(views, key=worst_pool_first)

    def list_nodes(self, pool_id: str, account: str | None) -> tuple[Origin, list[PoolNodeView]]:
        """The nodes that can't work, as Batch answers now; nothing is stored.

        Raises:
            NotFoundError: The id is impossible, or no account that was named has such a pool.
            AmbiguousError: Several accounts have one of that id and none was named.
            BatchError: What Batch says, to be passed on.
        """
        if not valid_pool_id(pool_id):
            raise not_found("pool", pool_id)
        origin = self._find(pool_id, account)
        now = self.clock()
        pages = self.batch[origin.partition].list_nodes(
            pool_id, odata_filter=NOT_ABLE, select=NODE_SELECT, deadline=now + _ANSWER_WITHIN
        )
        return origin, node_views([node for page in pages for node in page], now)

    def _find(self, pool_id: str, account: str | None) -> Origin:
        """The account whose pool is meant; a single one is asked for whatever pool it may have."""
        meant = named(self.origins, account)
        if len(meant) == 1:
            return meant[0]
        found = [origin for origin in meant if (cycle := self._cycle(origin)) and pool_id.lower() in cycle.pools]
        return only_account(found, "pool", pool_id)

    def _cycle(self, origin: Origin) -> Cycle | None:
        row = self.table.get(origin.partition, CYCLE)
        return from_row(row, Cycle) if row is not None else None
