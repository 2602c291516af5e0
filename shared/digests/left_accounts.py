"""Closes what pagers have open about accounts that the settings do not name any more.

Owns which accounts these are, and that each incident of them is ended once. Does not own the incidents
(`digests.incidents.rules`, `digests.pools.messages`) or when the rest of such an account goes (`ledger.purging`).
Nobody polls it any more, so nothing else would ever end them.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from shared.delivery.answer_rules import Verdict, judge
from shared.delivery.dispatch import Deliverer
from shared.delivery.failing_rules import listens
from shared.delivery.sending import send_notice
from shared.delivery.webhook_states import read_states
from shared.errors import RowConflictError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.purging import LeftAccount
from shared.messages.format_table import format_of
from shared.messages.ids import incident_key
from shared.messages.notices import Notice, PageDetails, Severity
from shared.ports import Table, swap
from shared.state.accounts import Cycle
from shared.state.rows import (
    ACCOUNTS,
    CYCLE,
    EVERY_ROW,
    OWN,
    from_row,
    incidents_key,
    pace_key,
    pool_digests_of,
    to_columns,
)
from shared.state.telling import Incidents, PoolTold
from shared.webhook import Webhook

LEFT_AFTER_CYCLE = timedelta(hours=1)
"""How long after its last cycle an account counts as left: another version may be running beside this one."""


class WatchedAccounts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The accounts that are watched, or were and have left rows."""

    accounts: tuple[str, ...] = ()


class LeftAccounts(Struct, frozen=True, kw_only=True):
    """Ends what is open about accounts that are none of these `accounts`."""

    deliverer: Deliverer
    accounts: Collection[str]

    def close(self) -> tuple[LeftAccount, ...]:
        """Close what pagers have open about accounts that were left; these, as long as they have rows.

        A pager that does not take an end is tried again the next time.

        Raises:
            StoreUnavailableError: The table gave no answer; the rest is closed the next time.
        """
        table = self.deliverer.table
        row = table.get(OWN, ACCOUNTS)
        try:
            before = from_row(row, WatchedAccounts).accounts if row else ()
        except UnreadableRowError as error:
            write_line("row-unreadable", error=str(error))
            return ()
        left = tuple(name for name in before if name not in self.accounts and _has_rows(table, name))
        closed = tuple(LeftAccount(partition=account, over=self._over(account)) for account in left)
        after = tuple(sorted({*self.accounts, *left}))
        if after != before:
            with suppress(RowConflictError):  # another purge was first
                table.transact(OWN, [swap(ACCOUNTS, to_columns(WatchedAccounts(accounts=after)), row)])
        return closed

    def _over(self, account: str) -> frozenset[str]:
        try:
            return frozenset(self._end_all(account))
        except UnreadableRowError as error:
            write_line("digest-unreadable", account=account, error=str(error))
            return frozenset()

    def _end_all(self, account: str) -> Iterator[str]:
        """The webhooks that have nothing open there any more; none while the account may still be watched elsewhere."""
        table, now = self.deliverer.table, self.deliverer.clock()
        row = table.get(account, CYCLE)
        cycle = from_row(row, Cycle) if row else None
        if cycle is not None and now - cycle.finished_at < LEFT_AFTER_CYCLE:
            return
        # The account's own incident is one of events as they come: it is open while its end is not told.
        is_told = cycle is not None and bool((cycle.trouble and cycle.trouble.event_id) or cycle.recurrence.event_id)
        own = [incident_key(f"account:{account}")] if is_told else []
        hooks = [hook for hook in self.deliverer.webhooks.values() if format_of(hook).tells_state]
        states = read_states(table, [hook.name for hook in hooks])
        for hook in hooks:
            # It was never told anything of the account, or has been told that all is over.
            if table.get(account, pace_key(hook.name)) is None:
                continue
            keys = [*own, *_open_of(table, account, hook)] if format_of(hook).opens_incidents else []
            if listens(hook, states[hook.name]) and all(self._ends(hook, account, key) for key in keys):
                yield hook.name

    def _ends(self, webhook: Webhook, account: str, key: str) -> bool:
        """Whether a pager has taken the end of an incident."""
        heading = "Over: the account is not watched any more"
        notice = Notice(
            heading=heading,
            severity=Severity.INFO,
            page=PageDetails(key=key, over=True, account=account, about=account, kind="over"),
        )
        answers = send_notice(self.deliverer.sender, webhook, lambda: notice, account=account)
        judgement = judge(format_of(webhook), answers[-1], 1, self.deliverer.clock())
        write_line(
            "digest",
            webhook=webhook.name,
            account=account,
            jobs=0,
            verdict=judgement.verdict.value,
            reason=judgement.reason,
        )
        # What it calls wrong it will never take.
        return judgement.verdict in {Verdict.DELIVERED, Verdict.DEAD}


def _has_rows(table: Table, account: str) -> bool:
    return next(iter(table.query(account, *EVERY_ROW)), None) is not None


def _open_of(table: Table, account: str, webhook: Webhook) -> Iterator[str]:
    """The keys of the incidents that a pager has open about jobs and pools of an account, each once."""
    row = table.get(account, incidents_key(webhook.name))
    yield from (incident.key for incident in (from_row(row, Incidents).by_name.values() if row else ()))
    told = (from_row(row, PoolTold).incident for row in table.query(account, *pool_digests_of(webhook.name)))
    yield from sorted({key for key in told if key})
