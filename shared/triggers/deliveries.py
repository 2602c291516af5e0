"""Looks after what one account still has to tell, between two cycles.

Owns what a nudge leads to: due deliveries, those of no account too, and what chat and pager have to be told, after the
hold of a first message too. Does not own the walk of a delivery (`delivery.dispatch`) or of a digest
(`digests.dispatch`), or when somebody is to look again (`nudges.delayed`).
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from shared.delivery.dispatch import Deliverer, DeliveryRun
from shared.digests.dispatch import DigestRun
from shared.messages.events import Origin
from shared.nudges.delayed import DelayedNudges
from shared.nudges.nudge import DELIVERIES_QUEUE
from shared.nudges.nudger import Nudger
from shared.ports import Pause
from shared.state.rows import OWN


class AccountDeliveries(Struct, frozen=True, kw_only=True):
    """Catches up for any of the accounts, by name."""

    deliverer: Deliverer
    origins: Mapping[str, Origin]
    pause: Pause
    nudger: Nudger
    delayed: DelayedNudges

    def run(self, account: str, budget: timedelta) -> int:
        """Tell what is due; how many attempts no time was left for, which asks for another go.

        A nudge for an account that is not configured any more looks after the rest.

        Raises:
            StoreError: The table can't be read; what is due stays due.
        """
        with self.deliverer.start(self.deliverer.clock() + budget) as run:
            run.sweep(OWN)
            if account in self.origins:
                run.sweep(account)
                self._tell(self.origins[account], run)
            left = run.finish()
        if left > 0:
            self.nudger.send(DELIVERIES_QUEUE, [account])
        else:
            self.delayed.ask(account, run.wake_at)
        return left

    def _tell(self, origin: Origin, run: DeliveryRun) -> None:
        """Tell chat and pager, and again as long as something is only held back for its like and due within the run."""
        while True:
            digests = DigestRun(origin, run)
            digests.start()
            run.finish()
            at = digests.due_soon()
            if at is None or at >= run.deadline:
                return
            self.pause(at - self.deliverer.clock())
