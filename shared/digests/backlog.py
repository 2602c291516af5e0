"""Counts what waits for a webhook, of whatever format, when others are told how it fares.

Owns the count over all accounts. Does not own what counts as news (`digests.untold`) or deliveries
(`delivery.backlog`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.delivery.backlog import MAX_COUNTED, Backlog, count_deliveries
from shared.digests.mutes import read_mutes
from shared.errors import StoreError
from shared.journal import write_line
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.ports import Table
from shared.state.rows import OWN
from shared.webhook import Webhook


class BacklogReader(Struct, frozen=True, kw_only=True):
    """Counts in the accounts of these origins."""

    table: Table
    clock: Callable[[], datetime]
    origins: Sequence[Origin]

    def read(self, webhook: Webhook, since: datetime) -> Backlog | None:
        """What waits for a webhook and was given up of it since then; None when nobody can tell."""
        try:
            partitions = (*(origin.partition for origin in self.origins), OWN)
            backlog = count_deliveries(self.table, partitions, webhook.name, since)
            return replace(backlog, jobs=self._jobs(webhook)) if format_of(webhook).tells_state else backlog
        except StoreError as error:
            write_line("backlog-uncounted", webhook=webhook.name, error=str(error))
            return None

    def _jobs(self, webhook: Webhook) -> int:
        # Read when a chat or a pager fares otherwise: a tenth of the app.
        from shared.digests.untold import read_untold

        mutes, now = tuple(read_mutes(self.table).values()), self.clock()
        untold = [read_untold(self.table, origin, webhook, mutes, now) for origin in self.origins]
        return min(MAX_COUNTED, sum(one.jobs + one.pools for one in untold))
