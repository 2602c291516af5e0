"""Drops what nobody needs any more: old events, ended deliveries and mutes, and what is left of what is gone.

Owns what old and gone mean. Does not own heads and chunks, which a cycle forgets once a job has settled
(`polling.known_jobs`), or deliveries due to webhooks that are gone, which a run of deliveries ends
(`delivery.dispatch`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice

from msgspec import Struct

from shared.errors import RowConflictError, UnreadableRowError
from shared.journal import write_line
from shared.messages.ids import newest_first
from shared.ports import MAX_ROWS, Clock, Delete, Row, Table
from shared.state.accounts import Cycle
from shared.state.pools import REMEMBERED_FOR
from shared.state.rows import (
    CYCLE,
    EVERY_ROW,
    OWN,
    check_version,
    from_row,
    is_about_pool,
    pool_key,
    range_of,
    unpack_record,
    webhook_of_digest,
)
from shared.state.telling import Delivery, DeliveryState

MAX_MESSAGES = 1000
"""What is kept of one chat or pager webhook and account: a pager in a bad night is sent some hundred messages."""

_ENDED = (DeliveryState.DONE, DeliveryState.DEAD)


class LeftAccount(Struct, frozen=True, kw_only=True):
    """An account that is not configured any more; the webhooks in `over` have nothing open about it."""

    partition: str
    over: frozenset[str]


class _Mute(Struct, frozen=True, rename="camel"):
    """What counts here of a mute (`digests.mutes`)."""

    ends_at: datetime


class Purger(Struct, frozen=True, kw_only=True):
    """Purges every partition; an event goes only when no delivery of it can still be waiting.

    `webhooks` are the configured ones and `digest_webhooks` those of them that are told how jobs stand: what is
    remembered of others goes at once, so that a webhook which takes an old name later begins with nothing held against
    it.
    """

    table: Table
    clock: Clock
    accounts: Sequence[str]
    webhooks: Collection[str]
    digest_webhooks: Collection[str]
    retention: timedelta
    left: Callable[[], Sequence[LeftAccount]] = tuple

    def run(self) -> int:
        """Drop what is old; how many rows went.

        Raises:
            StoreUnavailableError: The table is away; the rest goes tomorrow.
        """
        oldest = self.clock() - self.retention
        dropped = 0
        left = self.left()
        for partition in (*self.accounts, *(account.partition for account in left), OWN):
            for state in _ENDED:
                rows = self.table.query(partition, *range_of(state.value))
                dropped += self._drop(partition, (row for row in rows if _ended_before(row, oldest)))
            rows = self.table.query(partition, *range_of("event"))
            dropped += self._drop(partition, (row for row in rows if _recorded_before(row, oldest)))
            rows = self.table.query(partition, *range_of("sent"))
            dropped += self._drop(partition, _sent_before(rows, oldest))
            rows = self.table.query(partition, *range_of("digest"))
            dropped += self._drop(partition, (row for row in rows if self._is_of_nobody(row)))
            dropped += self._drop(partition, self._pools_over(partition))
        dropped += sum(self._drop(account.partition, self._of_left(account, oldest)) for account in left)
        rows = self.table.query(OWN, *range_of("webhook"))
        dropped += self._drop(OWN, (row for row in rows if self._is_gone(row)))
        rows = self.table.query(OWN, *range_of("mute"))
        dropped += self._drop(OWN, (row for row in rows if _was_over_before(row, oldest)))
        write_line("purge", rows=dropped)
        return dropped

    def _of_left(self, account: LeftAccount, oldest: datetime) -> Iterator[Row]:
        """What nobody needs any more of an account: what webhooks knew that have nothing open there, or all of it."""
        every = self._was_left_before(account.partition, oldest)
        for row in self.table.query(account.partition, *EVERY_ROW):
            is_told = row.key.partition("|")[0] in {"digest", "incidents"}
            if (every or (is_told and webhook_of_digest(row.key) in account.over)) and _is_readable(row):
                yield row

    def _was_left_before(self, account: str, oldest: datetime) -> bool:
        row = self.table.get(account, CYCLE)
        try:
            return row is None or from_row(row, Cycle).finished_at < oldest
        except UnreadableRowError:
            return False

    def _pools_over(self, partition: str) -> Iterator[Row]:
        """Records of pools that nobody needs any more: not as long as somebody was told of one, and not of its end."""
        owed = {
            row.key.rpartition("|")[2]
            for row in self.table.query(partition, *range_of("digest"))
            if row.key.count("|") > 1 and is_about_pool(row.key)
        }
        oldest = self.clock() - REMEMBERED_FOR
        for row in self.table.query(partition, *range_of("pool")):
            if row.key.removeprefix(pool_key("")) not in owed and _is_over(row, oldest):
                yield row

    def _is_of_nobody(self, row: Row) -> bool:
        return webhook_of_digest(row.key) not in self.digest_webhooks and _is_readable(row)

    def _is_gone(self, row: Row) -> bool:
        return row.key.partition("|")[2] not in self.webhooks and _is_readable(row)

    def _drop(self, partition: str, rows: Iterable[Row]) -> int:
        dropped = 0
        for some in _batches(rows):
            try:
                self.table.transact(partition, [Delete(key=row.key, etag=row.etag) for row in some])
                dropped += len(some)
            except RowConflictError as error:
                # One was written meanwhile, by a redelivery for instance: these are looked at again tomorrow.
                write_line("purge-conflict", error=str(error))
        return dropped


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while some := list(islice(iterator, MAX_ROWS)):
        yield some


def _ended_before(row: Row, oldest: datetime) -> bool:
    try:
        delivery = from_row(row, Delivery)
    except UnreadableRowError:
        return False
    return (delivery.ended_at or delivery.created_at) < oldest


def _recorded_before(row: Row, oldest: datetime) -> bool:
    recorded = row.columns.get("recordedAt")
    return _is_readable(row) and isinstance(recorded, datetime) and recorded < oldest


def _sent_before(rows: Iterable[Row], oldest: datetime) -> Iterator[Row]:
    """The messages sent before, and of each webhook those beyond the newest MAX_MESSAGES; its newest come first."""
    last = newest_first(oldest)
    for _, of_one in groupby(rows, key=lambda row: row.key.rpartition("|")[0]):
        for number, row in enumerate(of_one):
            if _is_readable(row) and (number >= MAX_MESSAGES or row.key.rpartition("|")[2] > last):
                yield row


def _was_over_before(row: Row, oldest: datetime) -> bool:
    """Whether a mute had ended by then."""
    try:
        return from_row(row, _Mute).ends_at < oldest
    except UnreadableRowError:
        return False


def _is_over(row: Row, oldest: datetime) -> bool:
    """Whether every node of a pool's record could work again, or was gone, so long ago."""
    try:
        nodes = unpack_record(row).nodes.values()
    except UnreadableRowError:
        return False
    return all(node.ended_at is not None and node.ended_at < oldest for node in nodes)


def _is_readable(row: Row) -> bool:
    """Whether this version may judge the row; one of a newer version is left alone."""
    try:
        check_version(row.key, row.columns)
    except UnreadableRowError:
        return False
    return True
