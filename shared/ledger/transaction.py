"""One transaction: a row swapped, with all that goes with it, settled when its answer is lost.

Owns how doubt about a write is resolved. Does not own what is written (`ledger.ledger`).

Every transaction swaps its row by ETag and carries a fresh commit id in it:

    transact --ok-----------------------------------> written
        | conflict, or no answer
        v
    read the row ---- its commit id is ours --------> written; only the answer was lost
        | not ours
        |--- an event of ours was there before -----> written before: leave it and its deliveries out, once more
        v
    lost: another writer was first, or nothing is known; this cycle says no more about the job
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import LostRaceError, RowConflictError, StoreError, StoreUnavailableError, UnreadableRowError
from shared.ledger.recipients import OwedEvent
from shared.ports import Column, Operation, Row, Table, swap
from shared.reprs import repr_without
from shared.state.rows import delivery_key, event_key, from_row
from shared.state.telling import Delivery, DeliveryState


class Pending(Struct, frozen=True, kw_only=True):
    """A delivery that somebody should attempt: where it lies, its row's ETag, and the event's body if it is at hand."""

    partition: str
    delivery: Delivery
    etag: str
    body: bytes | None = None

    __repr__ = repr_without("body")

    @property
    def place(self) -> str:
        """What tells it from every other delivery."""
        return f"{self.partition}/{delivery_key(DeliveryState.DUE, self.delivery.webhook, self.delivery.event_id)}"


class Written(Struct, frozen=True, kw_only=True):
    """What a transaction left: the head's row as it now stands, and the deliveries that it made due.

    `recorded` are the ids of the events that it recorded; those that were there already are not among them.
    """

    row: Row
    recorded: frozenset[str] = frozenset()
    pending: tuple[Pending, ...] = ()


class Transaction(Struct, frozen=True, kw_only=True):
    """One row swapped, with all that goes with it: `row` as it was read (None: not there), `columns` with `commit`."""

    key: str
    row: Row | None
    columns: Mapping[str, Column]
    commit: str
    others: Sequence[Operation] = ()
    owed: tuple[OwedEvent, ...] = ()

    @property
    def recorded(self) -> frozenset[str]:
        """The ids of the events that it records."""
        return frozenset(each.event.id for each in self.owed)

    def operations(self) -> list[Operation]:
        """The swap, and all that goes with it."""
        owed = (operation for each in self.owed for operation in each.operations())
        return [swap(self.key, self.columns, self.row), *self.others, *owed]


def commit_transaction(table: Table, partition: str, work: Transaction) -> Written:
    """Write a transaction, and find out whether it is written when the answer does not say.

    Raises:
        LostRaceError: Nothing of it may be taken as written.
    """
    try:
        etags = table.transact(partition, work.operations())
    except (RowConflictError, StoreUnavailableError) as error:
        return _settle(table, partition, work, error)
    pending = tuple(
        Pending(partition=partition, delivery=delivery, etag=etags[each.key_of(delivery)], body=each.event.body)
        for each in work.owed
        for delivery in each.deliveries
    )
    row = Row(key=work.key, columns=work.columns, etag=etags[work.key])
    return Written(row=row, recorded=work.recorded, pending=pending)


def _settle(table: Table, partition: str, work: Transaction, error: StoreError) -> Written:
    try:
        found = table.get(partition, work.key)
    except StoreUnavailableError as unknown:
        raise LostRaceError(f"It is not known whether {work.key} was written.") from unknown
    if found is not None and _commit_of(found) == work.commit:
        # Written, and only the answer was lost: what it made due is found by whoever delivers next.
        return Written(row=found, recorded=work.recorded)
    untouched = (found.etag if found else None) == (work.row.etag if work.row else None)
    if isinstance(error, RowConflictError) and error.exists and untouched:
        new = tuple(each for each in work.owed if table.get(partition, event_key(each.event.id)) is None)
        if len(new) < len(work.owed):
            return commit_transaction(table, partition, replace(work, owed=new))
    raise LostRaceError(f"{work.key} was written by somebody else, or could not be written.") from error


def _commit_of(row: Row) -> str:
    """The commit id of a head, a cycle or a pool's record; rows of other versions are nobody's."""
    if isinstance(commit := row.columns.get("commit"), str):
        return commit
    try:
        return from_row(row, _Committed).commit
    except UnreadableRowError:
        return ""


class _Committed(Struct):
    """What heads and cycles have in common."""

    commit: str = ""
