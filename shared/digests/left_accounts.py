"""Closes what pagers have open about accounts that the settings do not name any more.

Owns which accounts these are, and that each incident of them is ended once. Does not own the incidents
(`digests.incidents`, `digests.pools`) or when the rest of such an account goes (`ledger.purging`). Nobody polls it any
more, so nothing else would ever end them. What chat and pager knew of it is forgotten with that: an account that is
named again is told to them as what stands.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from shared.delivery.answer_rules import Verdict, judge
from shared.delivery.dispatch import Deliverer
from shared.delivery.sending import send_notice
from shared.delivery.webhook_states import read_states
from shared.errors import RowConflictError, UnreadableRowError
from shared.journal import write_line
from shared.messages.format_table import format_of
from shared.messages.ids import incident_key
from shared.messages.notices import Notice, Severity
from shared.ports import MAX_ROWS, Delete, Row, Table, swap
from shared.state.accounts import Cycle
from shared.state.rows import (
    ACCOUNTS,
    CYCLE,
    EVERY_ROW,
    OWN,
    digests_of,
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

    def close(self) -> tuple[str, ...]:
        """Close what pagers have open about accounts that were left; their partitions, as long as these have rows.

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
        for account in left:
            try:
                self._leave(account)
            except UnreadableRowError as error:
                write_line("digest-unreadable", account=account, error=str(error))
        after = tuple(sorted({*self.accounts, *left}))
        if after != before:
            with suppress(RowConflictError):  # another purge was first
                table.transact(OWN, [swap(ACCOUNTS, to_columns(WatchedAccounts(accounts=after)), row)])
        return left

    def _leave(self, account: str) -> None:
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
            state = states[hook.name]
            listens = hook.enabled and state is not None and state.disabled_since is None
            keys = [*own, *_open_of(table, account, hook)] if format_of(hook).opens_incidents else []
            if listens and all(self._ends(hook, account, key) for key in keys):
                self._forget(account, hook)

    def _ends(self, webhook: Webhook, account: str, key: str) -> bool:
        """Whether a pager has taken the end of an incident."""
        heading = "Over: the account is not watched any more"
        notice = Notice(
            heading=heading,
            severity=Severity.INFO,
            over=True,
            subject=key,
            incident=key,
            account=account,
            about=account,
            kind="over",
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

    def _forget(self, account: str, webhook: Webhook) -> None:
        """Drop what a webhook knew of the account, the incidents last: while they lie there they are ended again."""
        table = self.deliverer.table
        single = (table.get(account, key) for key in (pace_key(webhook.name), incidents_key(webhook.name)))
        for some in _batches([*table.query(account, *digests_of(webhook.name)), *(row for row in single if row)]):
            try:
                table.transact(account, [Delete(key=row.key, etag=row.etag) for row in some])
            except RowConflictError as error:
                write_line("purge-conflict", error=str(error))


def _has_rows(table: Table, account: str) -> bool:
    return next(iter(table.query(account, *EVERY_ROW)), None) is not None


def _open_of(table: Table, account: str, webhook: Webhook) -> Iterator[str]:
    """The keys of the incidents that a pager has open about jobs and pools of an account, each once."""
    row = table.get(account, incidents_key(webhook.name))
    yield from (incident.key for incident in (from_row(row, Incidents).by_name.values() if row else ()))
    told = (from_row(row, PoolTold).incident for row in table.query(account, *pool_digests_of(webhook.name)))
    yield from sorted({key for key in told if key})


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + MAX_ROWS] for start in range(0, len(rows), MAX_ROWS))
