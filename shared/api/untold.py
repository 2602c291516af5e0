"""What webhooks should have been told by now, for whoever shows how things stand.

Owns the reading of it over all accounts. Does not own what counts as untold (`digests.untold`,
`delivery.answer_rules`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from msgspec import Struct

from shared.api.webhook_views import UntoldView
from shared.delivery.failing_rules import in_words
from shared.digests.mutes import Mute, read_mutes
from shared.digests.untold import LATE, Untold, read_untold
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.formats import format_of
from shared.ports import Clock, Row, Table
from shared.state.rows import OWN, deliveries_of, from_row, range_of
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

MAX_COUNTED = 1000


class UntoldReader(Struct, frozen=True, kw_only=True):
    """Reads what waits for webhooks in all accounts."""

    table: Table
    clock: Clock
    accounts: Sequence[str]

    def of(self, webhook: Webhook) -> UntoldView:
        """What one webhook should have been told by now; raises as `read` does."""
        return self.read([webhook])[webhook.name]

    def read(self, webhooks: Iterable[Webhook]) -> dict[str, UntoldView]:
        """What these webhooks should have been told by now, by their names.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        hooks = tuple(webhooks)
        mutes = tuple(read_mutes(self.table).values()) if any(map(_hears_state, hooks)) else ()
        heads = {account: _Heads(self.table, account) for account in self.accounts}
        return {webhook.name: self._view(webhook, heads, mutes) for webhook in hooks}

    def _view(self, webhook: Webhook, heads: Mapping[str, "_Heads"], mutes: Sequence[Mute]) -> UntoldView:
        now = self.clock()
        waiting = list(islice(self._due(webhook), MAX_COUNTED))
        told = self._untold(webhook, heads, mutes, now) if _hears_state(webhook) else []
        refused = [refused for one in told for refused in one.refused if not refused.dismissed]
        newest = max(refused, key=lambda one: one.attempt.at, default=None)
        since = [one.since for one in told if one.since is not None] + [delivery.created_at for delivery in waiting]
        late = sum(delivery.created_at <= now - LATE for delivery in waiting)
        return UntoldView(
            deliveries=len(waiting),
            jobs=sum(one.jobs for one in told),
            late=late + sum(one.late for one in told),
            refused=len(refused),
            since=min(since, default=None),
            refusal=in_words(newest.attempt) if newest else None,
        )

    def _due(self, webhook: Webhook) -> Iterator[Delivery]:
        start, end = deliveries_of(DeliveryState.DUE, webhook.name)
        for partition in (*self.accounts, OWN):
            for row in self.table.query(partition, start, end):
                try:
                    yield from_row(row, Delivery)
                except UnreadableRowError as error:
                    write_line("delivery-unreadable", error=str(error))

    def _untold(
        self, webhook: Webhook, heads: Mapping[str, "_Heads"], mutes: Sequence[Mute], now: datetime
    ) -> list[Untold]:
        found: list[Untold] = []
        for account in self.accounts:
            try:
                found.append(read_untold(self.table, account, webhook, mutes, now, heads[account].find))
            except UnreadableRowError as error:
                write_line("digest-unreadable", account=account, error=str(error))
        return found


class _Heads:
    """The heads of an account, read together once somebody asks for one."""

    def __init__(self, table: Table, account: str) -> None:
        self._table = table
        self._account = account
        self._rows: dict[str, Row] | None = None

    def find(self, key: str) -> Row | None:
        """The row of a head."""
        if self._rows is None:
            self._rows = {row.key: row for row in self._table.query(self._account, *range_of("job"))}
        return self._rows.get(key)


def _hears_state(webhook: Webhook) -> bool:
    return format_of(webhook).tells_state and webhook.enabled


def since_of(views: Iterable[UntoldView]) -> datetime | None:
    """Since when the oldest of all waits, None when nothing does."""
    return min((view.since for view in views if view.since is not None), default=None)
