"""What every table does, the one in memory and the real one alike."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.adapters.table_limits import MAX_COLUMN_BYTES, MAX_COLUMNS, MAX_KEY_CHARACTERS
from shared.batch.model import Phase
from shared.errors import RowConflictError, TransactionTooLargeError
from shared.ports import MAX_ROWS, Column, Delete, Insert, Merge, Operation, Put, Replace, Row, Table
from tests.adapters.table_store.contents import PARTITION, stored

BEYOND = "~"  # sorts after every key below


def content(table: Table, partition: str = PARTITION) -> dict[str, Mapping[str, Column]]:
    """Everything in the partition."""
    return {row.key: row.columns for row in table.query(partition, "", BEYOND)}


def test_a_table_that_was_never_written_is_empty(table: Table) -> None:
    """A missing row is None and a missing range is empty, also before the table exists."""
    assert table.get(PARTITION, "job|a") is None
    assert list(table.query(PARTITION, "", BEYOND)) == []


def test_what_is_written_is_read(table: Table) -> None:
    """A row comes back with exactly its columns and the ETag that writing it returned."""
    etags = table.transact(PARTITION, [Insert(key="job|a", columns={"state": "active", "nodes": 3})])
    row = stored(table, "job|a")
    assert row == Row(key="job|a", columns={"state": "active", "nodes": 3}, etag=etags["job|a"])
    assert list(table.query(PARTITION, "job|", "job|~")) == [row]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty text"),
        pytest.param("Läuft: 日本語 😀 \"'\\\n\t\x00</x>", id="any text"),
        pytest.param(0, id="zero"),
        pytest.param(-(2**31), id="smallest of 32 bits"),
        pytest.param(2**31, id="just beyond 32 bits"),
        pytest.param(2**63 - 1, id="largest of 64 bits"),
        pytest.param(-(2**63), id="smallest of 64 bits"),
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(b"", id="no bytes"),
        pytest.param(bytes(range(256)), id="every byte"),
        pytest.param(datetime(2026, 3, 1, 12, 30, 59, 123456, tzinfo=UTC), id="microseconds"),
        pytest.param(datetime(2026, 3, 1, tzinfo=UTC), id="midnight"),
        pytest.param(datetime(1601, 1, 1, tzinfo=UTC), id="earliest time"),
    ],
)
def test_a_column_keeps_value_and_type(table: Table, value: Column) -> None:
    """Each kind of value comes back equal and of the same Python type."""
    table.transact(PARTITION, [Insert(key="r", columns={"value": value})])
    for row in (stored(table, "r"), *table.query(PARTITION, "r", "s")):
        assert row.columns == {"value": value}
        assert type(row.columns["value"]) is type(value)


def test_times_come_back_in_utc(table: Table) -> None:
    """A time of any zone is stored as the same moment in UTC."""
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    table.transact(PARTITION, [Insert(key="r", columns={"at": noon})])
    at = stored(table, "r").columns["at"]
    assert isinstance(at, datetime)
    assert (at, at.utcoffset()) == (noon, timedelta(0))


def test_a_member_of_a_string_enumeration_is_stored_as_its_text(table: Table) -> None:
    """A StrEnum's member comes back as plain text."""
    table.transact(PARTITION, [Insert(key="r", columns={"phase": Phase.RELEASE})])
    assert type(stored(table, "r").columns["phase"]) is str
    assert stored(table, "r").columns == {"phase": "release"}


@pytest.mark.parametrize(
    "key",
    [
        "job|a:b",
        "node|job:1|20260301T120000Z|0f",
        "it's|''",
        "100%|%2F",
        "a+b &c=d;e,f@g$h",
        "(x)",
        "日本|ü😀",
        ".",
        "",
    ],
)
def test_any_legal_key_works_everywhere(table: Table, key: str) -> None:
    """Separators, quotes, percent signs and non-ASCII are safe in partition and row keys, for every operation."""
    table.transact(key, [Insert(key=key, columns={"n": 1})])
    table.transact(key, [Merge(key=key, columns={"m": 2})])
    row = table.get(key, key)
    assert row is not None
    assert [row] == list(table.query(key, key, key + BEYOND))
    assert (row.key, row.columns) == (key, {"n": 1, "m": 2})
    etags = table.transact(key, [Replace(key=key, columns={"n": 3}, etag=row.etag)])
    table.transact(key, [Delete(key=key, etag=etags[key])])
    assert table.get(key, key) is None


def test_a_range_is_ordered_and_half_open(table: Table) -> None:
    """A query gives start <= key < end in the order of the keys, whatever the order of writing."""
    keys = ["b", "a", "c|2", "c|10", "c", "B", "d", "ä", "c|日"]
    table.transact(PARTITION, [Insert(key=key, columns={}) for key in keys])
    assert [row.key for row in table.query(PARTITION, "b", "d")] == ["b", "c", "c|10", "c|2", "c|日"]
    assert [row.key for row in table.query(PARTITION, "", "\uffff")] == sorted(keys)
    assert list(table.query(PARTITION, "d", "b")) == []


def test_partitions_are_apart(table: Table) -> None:
    """A range never leaves its partition."""
    table.transact("one", [Insert(key="r", columns={"n": 1})])
    table.transact("two", [Insert(key="r", columns={"n": 2})])
    assert content(table, "one") == {"r": {"n": 1}}


def test_a_range_of_many_pages_is_complete(table: Table) -> None:
    """More rows than the service puts on a page (1,000) are all there, each once, in order."""
    keys = [f"node|{number:04}" for number in range(1_100)]
    for first in range(0, len(keys), MAX_ROWS):
        table.transact(PARTITION, [Put(key=key, columns={}) for key in keys[first : first + MAX_ROWS]])
    assert [row.key for row in table.query(PARTITION, "node|", "node|~")] == keys


def test_an_insert_meets_an_existing_row(table: Table) -> None:
    """An insert of a row that is there says so, names it, and leaves it."""
    table.transact(PARTITION, [Insert(key="event|1", columns={"n": 1})])
    with pytest.raises(RowConflictError) as caught:
        table.transact(PARTITION, [Put(key="a", columns={}), Insert(key="event|1", columns={"n": 2})])
    assert (caught.value.exists, caught.value.row_key) == (True, "event|1")
    assert content(table) == {"event|1": {"n": 1}}


STALE = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(Replace(key="head", columns={"n": 9}, etag=STALE), id="replace a changed row"),
        pytest.param(Replace(key="gone", columns={"n": 9}, etag=STALE), id="replace a missing row"),
        pytest.param(Delete(key="head", etag=STALE), id="delete a changed row"),
        pytest.param(Delete(key="gone", etag=STALE), id="delete a missing row"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_conflict_names_its_row_and_nothing_is_written(table: Table, operation: Operation, place: int) -> None:
    """Whatever its place in the transaction, one unexpected row stops all of it and is named."""
    table.transact(PARTITION, [Insert(key="head", columns={"n": 1})])
    operations: list[Operation] = [Put(key="x", columns={}), Delete(key="never")]
    operations.insert(place, operation)
    with pytest.raises(RowConflictError) as caught:
        table.transact(PARTITION, operations)
    assert (caught.value.exists, caught.value.row_key) == (False, operation.key)
    assert content(table) == {"head": {"n": 1}}


def test_replace_and_put_swap_the_whole_row(table: Table) -> None:
    """Columns that a Replace or a Put does not name are gone afterwards."""
    etags = table.transact(PARTITION, [Insert(key=key, columns={"old": 1}) for key in ("a", "b")])
    table.transact(
        PARTITION,
        [
            Replace(key="a", columns={"new": 2}, etag=etags["a"]),
            Put(key="b", columns={"new": 2}),
            Put(key="c", columns={}),
        ],
    )
    assert content(table) == {"a": {"new": 2}, "b": {"new": 2}, "c": {}}


def test_merge_leaves_other_columns_and_creates(table: Table) -> None:
    """A Merge sets only its columns, creates a missing row, asks for no ETag, and gives the row a new one."""
    old = table.transact(PARTITION, [Insert(key="digest|chat|a", columns={"told": 1, "wanted": 1})])
    new = table.transact(
        PARTITION,
        [Merge(key="digest|chat|a", columns={"wanted": 2}), Merge(key="digest|chat|b", columns={"wanted": 1})],
    )
    assert content(table) == {"digest|chat|a": {"told": 1, "wanted": 2}, "digest|chat|b": {"wanted": 1}}
    assert stored(table, "digest|chat|a").etag == new["digest|chat|a"] != old["digest|chat|a"]


def test_deleting_a_missing_row_is_no_error(table: Table) -> None:
    """Deletes without ETag of rows that are and are not there go through together with the rest."""
    table.transact(PARTITION, [Insert(key="there", columns={})])
    written = table.transact(
        PARTITION, [Delete(key="gone"), Put(key="new", columns={}), Delete(key="there"), Delete(key="gone too")]
    )
    assert written.keys() == {"new"}
    assert content(table) == {"new": {}}
    assert table.transact(PARTITION, [Delete(key="gone")]) == {}


def test_an_empty_transaction_does_nothing(table: Table) -> None:
    """No operations, no rows, no error."""
    assert table.transact(PARTITION, []) == {}


def test_a_transaction_as_large_as_allowed_is_taken(table: Table) -> None:
    """100 rows, and columns and keys of exactly the largest size, are stored."""
    largest: dict[str, Column] = {
        "bytes": b"\xff" * MAX_COLUMN_BYTES,
        "text": "x" * (MAX_COLUMN_BYTES // 2),
        "wide": "😀" * (MAX_COLUMN_BYTES // 4),
    }
    many: dict[str, Column] = {f"c{number}": number for number in range(MAX_COLUMNS)}
    operations: list[Operation] = [Insert(key="k" * MAX_KEY_CHARACTERS, columns=largest), Insert(key="m", columns=many)]
    operations += [Insert(key=f"r{number:02}", columns={}) for number in range(MAX_ROWS - 2)]
    table.transact(PARTITION, operations)
    rows = content(table)
    assert len(rows) == MAX_ROWS
    assert (rows["k" * MAX_KEY_CHARACTERS], rows["m"]) == (largest, many)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([Put(key=f"{number}", columns={}) for number in range(101)], id="101 operations"),
        pytest.param([Put(key="r", columns={}), Delete(key="r")], id="a row named twice"),
        pytest.param([Put(key="r", columns={"c": "x" * 32_769})], id="text of 32,769 characters"),
        pytest.param([Put(key="r", columns={"c": "😀" * 16_385})], id="text of 16,385 surrogate pairs"),
        pytest.param([Put(key="r", columns={"c": b"x" * 65_537})], id="65,537 bytes"),
        pytest.param([Put(key="r", columns={f"c{number}": 1 for number in range(253)})], id="253 columns"),
        pytest.param([Put(key="r", columns={"c" * 256: 1})], id="a name of 256 characters"),
        pytest.param([Put(key="r", columns={"c": 2**63})], id="a number of 65 bits"),
        pytest.param(
            [Put(key="r", columns={f"c{number}": b"x" * 65_536 for number in range(16)})], id="a row of 1 MiB and more"
        ),
        pytest.param(
            [Put(key=f"{row}", columns={f"c{number}": "\x00" * 16_384 for number in range(10)}) for row in range(4)],
            id="3 MiB of escapes",
        ),
        pytest.param(
            [Put(key=f"{row}", columns={f"c{number}": b"x" * 60_000 for number in range(10)}) for row in range(4)],
            id="3 MiB of base64",
        ),
        pytest.param([Put(key="k" * 513, columns={})], id="a key of 513 characters"),
        *(
            pytest.param([Put(key=f"a{character}b", columns={})], id=f"a key with {character!r}")
            for character in "/\\#?\t\x00\x7f\x9f"
        ),
    ],
)
def test_nothing_beyond_a_limit_is_sent(table: Table, operations: list[Operation]) -> None:
    """What would break a limit of the service is refused beforehand and nothing of it is written."""
    with pytest.raises(TransactionTooLargeError):
        table.transact(PARTITION, operations)
    assert content(table) == {}


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"at": datetime(2026, 1, 1)}, id="a naive time"),  # noqa: DTZ001 - the case
        pytest.param({"at": datetime(1600, 1, 1, tzinfo=UTC)}, id="a time before 1601"),
        pytest.param({"text": "\ud800"}, id="half a surrogate pair"),
        pytest.param({"RowKey": "x"}, id="a reserved name"),
        pytest.param({"a-b": "x"}, id="a name with a hyphen"),
    ],
)
def test_what_no_table_can_hold_is_a_defect(table: Table, columns: dict[str, Column]) -> None:
    """A column that would be refused, or come back as something else, is a ValueError and is not written."""
    with pytest.raises(ValueError, match=r"row 'r', column|surrogates not allowed"):
        table.transact(PARTITION, [Put(key="r", columns=columns)])
    assert content(table) == {}
