"""Writes down which nodes of a pool can't work.

Owns how such a record is swapped. Does not own what is decided (`pools.nodes`) or the transaction itself
(`ledger.ledger`).
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.ledger.ledger import Ledger, Written
from shared.messages.events import Event
from shared.ports import Row
from shared.state.pools import PoolRecord
from shared.state.rows import pack_record, pool_key


def commit_record(
    ledger: Ledger, row: Row | None, record: PoolRecord, events: Sequence[Event], now: datetime
) -> Written:
    """Write which nodes of a pool can't work, with the events that tell of them; `row` as it was read or last written.

    Raises:
        LostRaceError: Somebody else wrote the record meanwhile; what was decided is to be dropped.
    """
    record = replace(record, commit=ledger.new_id())
    return ledger.commit_row(pool_key(record.pool_id), row, pack_record(record), record.commit, events, now)
