"""What webhooks should have been told by now, for whoever shows how things stand.

Owns the reading of it over all accounts. Does not own what counts as untold (`digests.untold`,
`delivery.answer_rules`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec import Struct

from shared.api.webhook_views import UntoldView
from shared.delivery.backlog import MAX_COUNTED
from shared.delivery.failing_rules import in_words, is_off
from shared.delivery.webhook_states import read_states
from shared.digests.mutes import Mute, read_mutes
from shared.digests.silence import why_silent
from shared.digests.untold import LATE, Untold, read_untold
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.messages.sentences import counted
from shared.ports import Clock, Row, Rows, Table
from shared.state.rows import OWN, deliveries_of, from_row, job_key, mend_of, range_of
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

_NOTHING = UntoldView(
    deliveries=0, jobs=0, pools=0, late=0, refused=0, since=None, refusal=None, silent=None, unreadable=None
)


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
        states = read_states(self.table, [webhook.name for webhook in hooks])
        mutes = tuple(read_mutes(self.table).values()) if any(map(_hears_state, hooks)) else ()
        rows = _ReadOnce(self.table)
        # Of what a person has switched off nobody expects anything.
        return {
            hook.name: _NOTHING if is_off(hook, states[hook.name]) else self._view(hook, rows, mutes) for hook in hooks
        }

    def _view(self, webhook: Webhook, rows: Rows, mutes: Sequence[Mute]) -> UntoldView:
        now = self.clock()
        waiting, unreadable = self._due(webhook)
        silent, untold = None, list[Untold]()
        for origin in self.origins if _hears_state(webhook) else ():
            silent = why_silent(rows, origin.partition, webhook) or silent
            try:
                untold.append(read_untold(rows, origin, webhook, mutes, now))
            except UnreadableRowError as error:
                write_line("digest-unreadable", account=origin.partition, error=str(error))
        unreadable += [why for one in untold for why in one.unreadable]
        refused = [refused for one in untold for refused in one.refused if not refused.dismissed]
        newest = max(refused, key=lambda one: one.attempt.at, default=None)
        since = [one.since for one in untold if one.since is not None] + [delivery.created_at for delivery in waiting]
        late = sum(delivery.created_at <= now - LATE and not _is_unreadable(delivery) for delivery in waiting)
        return UntoldView(
            deliveries=len(waiting),
            jobs=sum(one.jobs for one in untold),
            pools=sum(one.pools for one in untold),
            late=late + sum(one.late for one in untold),
            refused=len(refused),
            since=min(since, default=None),
            refusal=in_words(newest.attempt) if newest else None,
            silent=silent,
            unreadable=_first_of(unreadable),
        )

    def _due(self, webhook: Webhook) -> tuple[list[Delivery], list[str]]:
        """The deliveries that wait, up to MAX_COUNTED of them, and why others can't be sent."""
        start, end = deliveries_of(DeliveryState.DUE, webhook.name)
        waiting: list[Delivery] = []
        unreadable: list[str] = []
        partitions = (*(origin.partition for origin in self.origins), OWN)
        rows = ((partition, row) for partition in partitions for row in self.table.query(partition, start, end))
        for partition, row in islice(rows, MAX_COUNTED):
            try:
                waiting.append(delivery := from_row(row, Delivery))
            except UnreadableRowError as error:
                unreadable.append(mend_of(error, partition, "then send the event again."))
                continue
            if _is_unreadable(delivery):
                gone = UnreadableRowError(delivery.reason)
                unreadable.append(mend_of(gone, partition, "then nobody is told what it says."))
        return waiting, unreadable


def _is_unreadable(delivery: Delivery) -> bool:
    """Whether it waits because its event could not be read, which is not its webhook's fault."""
    return bool(delivery.attempts) and not delivery.attempts[-1].was_sent


def _first_of(unreadable: Sequence[str]) -> str | None:
    """What can't be read, for people who mend one after the other; None for nothing."""
    if not unreadable:
        return None
    others = len(unreadable) - 1
    return f"{unreadable[0]} {counted(others, 'row')} more can't be read." if others else unreadable[0]


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
    return format_of(webhook).tells_state


def since_of(views: Iterable[UntoldView]) -> datetime | None:
    """Since when the oldest of all waits, None when nothing does."""
    return min((view.since for view in views if view.since is not None), default=None)
