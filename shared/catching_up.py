"""Looks after what one account still has to tell, between two cycles.

Owns what a nudge leads to: due deliveries, those of no account too, and what chat and pager have to be told. Does not
own the walk of a delivery (`delivery`) or of a digest (`digests`).
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from shared.delivery import Deliverer
from shared.digests import DigestRun
from shared.events import Origin
from shared.table_rows import OWN


class CatchUp(Struct, frozen=True, kw_only=True):
    """Catches up for any of the accounts, by name."""

    deliverer: Deliverer
    origins: Mapping[str, Origin]

    def run(self, account: str, budget: timedelta) -> int:
        """Tell what is due; how many attempts no time was left for.

        A nudge for an account that is not configured any more looks after the rest.

        Raises:
            StoreError: The table can't be read; what is due stays due.
        """
        run = self.deliverer.start(self.deliverer.clock() + budget)
        run.sweep(OWN)
        if account in self.origins:
            run.sweep(account)
            DigestRun(self.origins[account], run).start()
        return run.finish()
