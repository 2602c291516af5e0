"""What is wrong with the installation as a whole: it is blind, or nobody hears it.

Owns what makes the heartbeat fail and the health route answer 503. Does not own when a webhook is not heard
(`delivery.failing_rules`), nor what is only worth a look (`api.summary_rules`).
"""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from shared.delivery.failing_rules import unheard
from shared.digests.silence import states_as_heard
from shared.polling.cycle_rules import is_stale
from shared.ports import Clock, Table
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, from_row
from shared.webhook import Webhook


class Faults(Struct, frozen=True, kw_only=True):
    """Finds what is wrong with these accounts and webhooks."""

    table: Table
    clock: Clock
    accounts: Sequence[str]
    webhooks: Sequence[Webhook]
    stale_after: timedelta

    def find(self) -> list[str]:
        """A sentence for each fault, none when all is well.

        Raises:
            StoreError: The table can't be read.
            UnreadableRowError: Nobody can tell how an account is.
        """
        return [*(f"{account} has not been read for too long" for account in self.blind()), *self.unheard()]

    def blind(self) -> list[str]:
        """The accounts that have not been read for too long; raises as `find` does."""
        return [account for account in self.accounts if self._is_blind(account)]

    def unheard(self) -> list[str]:
        """A sentence for each way in which nobody hears Prepwatch; raises as `find` does."""
        return unheard(self.webhooks, states_as_heard(self.table, self.accounts, self.webhooks), self.clock())

    def _is_blind(self, account: str) -> bool:
        row = self.table.get(account, CYCLE)
        return is_stale(from_row(row, Cycle) if row else None, self.stale_after, self.clock())
