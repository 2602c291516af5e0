"""What webhooks should have been told by now, for whoever shows how things stand.

Owns the reading of it over all accounts. Does not own what counts as untold (`digests.untold`,
`delivery.answer_rules`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec import Struct

from shared.api.webhook_views import UntoldView
from shared.delivery.failing_rules import in_words
from shared.digests.mutes import Mute, read_mutes
from shared.digests.untold import LATE, Untold, read_untold
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.ports import Clock, Row, Rows, Table
from shared.state.rows import OWN, deliveries_of, from_row, job_key, range_of
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

MAX_COUNTED = 1000
"""Deliveries of one state are counted up to this, so that an answer's cost is bounded."""


class UntoldReader(Struct, frozen=True, kw_only=True):
    """Reads what waits for webhooks in all accounts."""

    table: Table
    clock: Clock
    origins: Sequence[Origin]

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
        rows = _ReadOnce(self.table)
        return {webhook.name: self._view(webhook, rows, mutes) for webhook in hooks}

    def _view(self, webhook: Webhook, rows: Rows, mutes: Sequence[Mute]) -> UntoldView:
        now = self.clock()
        waiting = list(islice(self._due(webhook), MAX_COUNTED))
        untold = self._untold(webhook, rows, mutes, now) if _hears_state(webhook) else []
        refused = [refused for one in untold for refused in one.refused if not refused.dismissed]
        newest = max(refused, key=lambda one: one.attempt.at, default=None)
        since = [one.since for one in untold if one.since is not None] + [delivery.created_at for delivery in waiting]
        late = sum(delivery.created_at <= now - LATE for delivery in waiting)
        return UntoldView(
            deliveries=len(waiting),
            jobs=sum(one.jobs for one in untold),
            pools=sum(one.pools for one in untold),
            late=late + sum(one.late for one in untold),
            refused=len(refused),
            since=min(since, default=None),
            refusal=in_words(newest.attempt) if newest else None,
        )

    def _due(self, webhook: Webhook) -> Iterator[Delivery]:
        start, end = deliveries_of(DeliveryState.DUE, webhook.name)
        for partition in (*(origin.partition for origin in self.origins), OWN):
            for row in self.table.query(partition, start, end):
                try:
                    yield from_row(row, Delivery)
                except UnreadableRowError as error:
                    write_line("delivery-unreadable", error=str(error))

    def _untold(self, webhook: Webhook, rows: Rows, mutes: Sequence[Mute], now: datetime) -> list[Untold]:
        found: list[Untold] = []
        for origin in self.origins:
            try:
                found.append(read_untold(rows, origin, webhook, mutes, now))
            except UnreadableRowError as error:
                write_line("digest-unreadable", account=origin.partition, error=str(error))
        return found


class _ReadOnce:
    """Rows of which no range is read twice, and heads all together once somebody asks for one."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._ranges: dict[tuple[str, str, str], list[Row]] = {}
        self._heads: dict[str, dict[str, Row]] = {}

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None when there is none."""
        if not key.startswith(job_key("")):
            return self._rows.get(partition, key)
        if partition not in self._heads:
            self._heads[partition] = {row.key: row for row in self.query(partition, *range_of("job"))}
        return self._heads[partition].get(key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows with start <= key < end, in key order."""
        asked = (partition, start, end)
        if asked not in self._ranges:
            self._ranges[asked] = list(self._rows.query(*asked))
        return iter(self._ranges[asked])


def _hears_state(webhook: Webhook) -> bool:
    return format_of(webhook).tells_state and webhook.enabled


def since_of(views: Iterable[UntoldView]) -> datetime | None:
    """Since when the oldest of all waits, None when nothing does."""
    return min((view.since for view in views if view.since is not None), default=None)
