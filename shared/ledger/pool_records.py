"""Reads, and writes down, which nodes of a pool can't work.

Owns how such records are found and swapped. Does not own what is decided (`pools.nodes`) or the transaction itself
(`ledger.transaction`).
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Written
from shared.messages.events import Event
from shared.ports import Row, Rows
from shared.state.pools import PoolRecord
from shared.state.rows import pack_record, pool_key, range_of, unpack_record


class StoredPool(Struct, frozen=True, kw_only=True):
    """A pool's record as it lies in the table.

    None for one that can't be read, as `unreadable` says: the row and its pool are left alone.
    """

    row: Row
    record: PoolRecord | None
    unreadable: UnreadableRowError | None = None


def read_records(table: Rows, partition: str) -> dict[str, StoredPool]:
    """The records of an account by lower-case id of their pool; of each that can't be read the log says so.

    Raises:
        StoreError: The table can't be read.
    """
    return {
        row.key.removeprefix(pool_key("")): _stored(row, partition) for row in table.query(partition, *range_of("pool"))
    }


def _stored(row: Row, partition: str) -> StoredPool:
    try:
        return StoredPool(row=row, record=unpack_record(row))
    except UnreadableRowError as error:
        write_line("pool-unreadable", account=partition, error=str(error))
        return StoredPool(row=row, record=None, unreadable=error)


def commit_record(
    ledger: Ledger, row: Row | None, record: PoolRecord, events: Sequence[Event], now: datetime
) -> Written:
    """Write which nodes of a pool can't work, with the events that tell of them; `row` as it was read or last written.

    Raises:
        LostRaceError: Somebody else wrote the record meanwhile; what was decided is to be dropped.
    """
    record = replace(record, commit=ledger.new_id())
    return ledger.commit_row(pool_key(record.pool_id), row, pack_record(record), record.commit, events, now)
