"""Has every account polled when the timer fires, and one when its nudge comes.

Owns which accounts are handed to other instances and which are polled here. Does not own a cycle (`polling.cycle`) or
how nudges travel (`nudges.nudger`). No account waits for a queue that is dead: the platform ends whoever listens to
one that refuses, and then nobody takes what was handed over.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.errors import UnreadableRowError
from shared.journal import write_defect, write_line
from shared.nudges.delayed import DelayedNudges
from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE, Nudge
from shared.nudges.nudger import Nudger
from shared.polling.cycle import CycleReport, Poller
from shared.polling.last_cycle import read_last_cycle
from shared.ports import Clock, Table

_NEVER = datetime.min.replace(tzinfo=UTC)


class AccountPolls(Struct, frozen=True, kw_only=True):
    """Polls the accounts by name; `interval` is the longest wait between two firings.

    `budget` is how long one account after another is begun.
    """

    pollers: Mapping[str, Poller]
    nudger: Nudger
    delayed: DelayedNudges
    table: Table
    clock: Clock
    interval: timedelta
    budget: timedelta

    def run(self) -> None:
        """Poll a single account here; hand each of several over, and poll here what can't wait for that.

        Raises:
            StoreError: The table is unavailable; the next cycle sees everything again.
        """
        # gather
        began = self.clock()
        if len(self.pollers) == 1:
            (account,) = self.pollers
            self._poll([account], None)
            # It hands nothing over, so it may be long until there is something to nudge for.
            self.nudger.try_again(DELIVERIES_QUEUE, account)
            return
        last = {account: self._last_cycle(account) for account in self.pollers}
        refused = self.nudger.send(POLLS_QUEUE, tuple(self.pollers))

        # decide, apply
        self._poll(polled_here(last, refused, began - 2 * self.interval), began)

    def take(self, nudge: Nudge) -> None:
        """Poll the account that a nudge names, unless a later cycle has begun, or nobody watches it any more.

        Raises:
            StoreError: The table is unavailable; the next cycle sees everything again.
        """
        if nudge.account not in self.pollers:
            write_line("nudge-dropped", account=nudge.account, reason="the account is not configured any more")
            return
        self._poll([nudge.account], nudge.created_at)

    def _poll(self, accounts: Sequence[str], asked_at: datetime | None) -> None:
        until = self.clock() + self.budget
        reports: list[CycleReport] = []
        failed: Exception | None = None
        for number, account in enumerate(accounts):
            if number > 0 and self.clock() >= until:
                write_line("accounts-left", accounts=len(accounts) - number)
                break
            try:
                reports.append(self.pollers[account].run(asked_at))
            except Exception as error:  # noqa: BLE001 - raised when the other accounts have been polled
                write_defect("cycle-failed", error, account=account)
                failed = failed or error
        self.nudger.send(DELIVERIES_QUEUE, [report.account for report in reports if report.nudge])
        for report in reports:
            if not report.nudge:  # else whoever answers it asks, when it has told what it can
                self.delayed.ask(report.account, report.wake_at)
        if failed is not None:
            raise failed

    def _last_cycle(self, account: str) -> datetime:
        try:
            _, last = read_last_cycle(self.table, account, self.clock())
        except UnreadableRowError:
            return _NEVER  # polling it says what is wrong with the row
        return last.started_at if last else _NEVER


def polled_here(last: Mapping[str, datetime], refused: Collection[str], oldest: datetime) -> list[str]:
    """The accounts that whoever hands them over polls itself, longest waiting first.

    Those are the ones that were refused, and those whose last cycle began before `oldest`: nobody seems to take them.
    """
    here = [account for account, began in last.items() if account in refused or began < oldest]
    return sorted(here, key=lambda account: (last[account], account))
