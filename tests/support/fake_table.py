"""A table in memory with the semantics and limits of the real one (one contract suite proves both), and faults."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from threading import Lock

from shared.adapters.table_limits import check_row, check_transaction
from shared.errors import RowConflictError, StoreError, StoreUnavailableError
from shared.ports import Column, Delete, Insert, Merge, Operation, Replace, Row

_ENCODING = "utf-16-be"  # by whose bytes the service puts keys in order


class Fault(StrEnum):
    """What happens to a write before its writer gets StoreUnavailableError."""

    BEFORE = "before"  # nothing
    AFTER = "after"  # all of it is done


When = Callable[[str, Sequence[Operation]], bool]


class FakeTable:
    """A `shared.ports.Table`; threads may share it.

    `writes` holds every transaction tried; `reads` every `("get", partition, key)` and `("query", partition, start)`;
    `partitions` what is stored, by partition and key, for who looks on. `before_next_write` is what somebody else does
    before the next write, once.
    """

    def __init__(self) -> None:
        self.writes: list[tuple[str, tuple[Operation, ...]]] = []
        self.reads: list[tuple[str, str, str]] = []
        self.partitions: dict[str, dict[str, Row]] = {}
        self.before_next_write: Callable[[], object] | None = None
        self._keys: dict[str, list[tuple[bytes, str]]] = {}  # of each partition, in the service's order: by their bytes
        self._faults: list[tuple[Fault, When]] = []
        self._refused: tuple[When, StoreError] | None = None
        self._versions = count(1)
        self._lock = Lock()

    def fail_next(self, kind: Fault, when: When = lambda _partition, _operations: True) -> None:
        """Let the next write for which *when* holds fail with StoreUnavailableError, once."""
        self._faults.append((kind, when))

    def refuse(self, error: StoreError, when: When) -> None:
        """Refuse every write for which *when* holds, until told otherwise."""
        self._refused = when, error

    def get(self, partition: str, key: str) -> Row | None:
        """The row, or None when there is none."""
        with self._lock:
            self.reads.append(("get", partition, key))
            return self.partitions.get(partition, {}).get(key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows with start <= key < end, in key order, as they are when the first is taken."""
        with self._lock:
            self.reads.append(("query", partition, start))
            rows, keys = self.partitions.get(partition, {}), self._keys.get(partition, [])
            first, last = (bisect_left(keys, (_encoded(edge),)) for edge in (start, end))
            found = [rows[key] for _, key in keys[first:last]]
        yield from found

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all operations or none; the new ETag of each written row by key."""
        if (before := self.before_next_write) is not None:
            self.before_next_write = None
            before()
        check_transaction(partition, operations)
        with self._lock:
            self.writes.append((partition, tuple(operations)))
            if self._refused is not None and self._refused[0](partition, operations):
                raise self._refused[1]
            due = next((fault for fault in self._faults if fault[1](partition, operations)), None)
            if due:
                self._faults.remove(due)
                if due[0] is Fault.BEFORE:
                    raise StoreUnavailableError("fault before the write")
            rows = self.partitions.setdefault(partition, {})
            # Each key is named once, so that every operation meets the rows as they were before all of them.
            done = {each.key: self._done(partition, each, rows.get(each.key)) for each in operations}
            for key, row in done.items():
                self._set(partition, key, row)
        if due:
            raise StoreUnavailableError("fault after the write")
        return {key: row.etag for key, row in done.items() if row}

    def _set(self, partition: str, key: str, row: Row | None) -> None:
        rows, keys = self.partitions[partition], self._keys.setdefault(partition, [])
        if row is not None and key not in rows:
            insort(keys, (_encoded(key), key))
        elif row is None and key in rows:
            del keys[bisect_left(keys, (_encoded(key),))]
        rows.pop(key, None)
        if row is not None:
            rows[key] = row

    def _done(self, partition: str, operation: Operation, old: Row | None) -> Row | None:
        match operation:
            case Insert() if old:
                raise RowConflictError("the row exists", row_key=operation.key, exists=True)
            case Replace(etag=str(etag)) | Delete(etag=str(etag)) if old is None or old.etag != etag:
                raise RowConflictError("the row is not as expected", row_key=operation.key)
            case Delete():
                return None
        kept = old.columns if old and isinstance(operation, Merge) else {}
        columns = {**kept, **{name: _plain(value) for name, value in operation.columns.items()}}
        check_row(partition, operation.key, columns)
        return Row(key=operation.key, columns=columns, etag=f"etag {next(self._versions)}")


def _plain(value: Column) -> Column:
    """As it comes back from the real table: an enum's member as text, any time in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return str(value) if isinstance(value, str) else value


def _encoded(key: str) -> bytes:
    return key.encode(_ENCODING)
