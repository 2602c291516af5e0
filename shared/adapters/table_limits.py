"""The limits of Azure Table storage, and how large a write is by the table's own rules.

Owns the numbers and the arithmetic. Does not own how a large change is sliced, nor any I/O.
Source: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model and
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from shared.errors import TransactionTooLargeError
from shared.ports import MAX_ROWS, Column, Delete, Insert, Operation, Replace

MAX_TRANSACTION_BYTES = 3 * 1024 * 1024  # the service takes 4 MiB; the rest is for what `size_of` can't know
MAX_ROW_BYTES = 1024 * 1024
MAX_COLUMN_BYTES = 64 * 1024
MAX_COLUMNS = 252
MAX_KEY_CHARACTERS = 512  # 1 KiB of UTF-16
MAX_NAME_CHARACTERS = 255

INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_EARLIEST = datetime(1601, 1, 1, tzinfo=UTC)
_FORBIDDEN_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_NAME = re.compile(r"[^\W\d]\w*")
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_Wrong = tuple[type[Exception], str]

# Boundaries, the part's and the request's headers, URL without row key, partition key in URL and body: 600 bytes
# were seen with a partition key of 60 characters.
_ENVELOPE_BYTES = 1024
# A column's quotes, colon, comma, `@odata.type` and the longest type name, beside twice its own name.
_COLUMN_ENVELOPE_BYTES = 48


def size_of(operation: Operation) -> int:
    """An upper bound of the bytes that *operation* adds to a transaction as it travels.

    A transaction fits when the sum over its operations is below MAX_TRANSACTION_BYTES.
    """
    in_url = 0 if isinstance(operation, Insert) else len(quote(operation.key.replace("'", "''"), safe=""))
    in_body = 0 if isinstance(operation, Delete) else _json_bytes(operation.key)
    etag = len(operation.etag or "") if isinstance(operation, Replace | Delete) else 0
    columns = {} if isinstance(operation, Delete) else operation.columns
    return (
        _ENVELOPE_BYTES + in_url + in_body + etag + sum(_encoded_bytes(name, value) for name, value in columns.items())
    )


def stored_bytes(partition: str, key: str, columns: Mapping[str, Column]) -> int:
    """The size of a row as the service counts it: names and texts in UTF-16."""
    return (
        4
        + _utf16_bytes(partition + key)
        + sum(8 + _utf16_bytes(name) + _stored_value_bytes(value) for name, value in columns.items())
    )


def check_transaction(partition: str, operations: Sequence[Operation]) -> None:
    """Make sure that the table can take this transaction, as far as that can be told without the table.

    Raises:
        TransactionTooLargeError: It would break a limit; the message names the limit and the row. Slice it.
        ValueError: A column no table can hold (a naive time, half a surrogate pair, a reserved name), which is a
            defect of whoever made it.
    """
    if len(operations) > MAX_ROWS:
        raise TransactionTooLargeError(f"{len(operations)} operations, at most {MAX_ROWS} fit a transaction")
    if len({operation.key for operation in operations}) < len(operations):
        raise TransactionTooLargeError("a transaction may name each row once; put the second change into the next one")
    _check_key("partition key", partition)
    for operation in operations:
        _check_key("row key", operation.key)
        if not isinstance(operation, Delete):
            check_row(partition, operation.key, operation.columns)
    size = sum(map(size_of, operations))
    if size >= MAX_TRANSACTION_BYTES:
        raise TransactionTooLargeError(
            f"{size} bytes as encoded, a transaction must stay below {MAX_TRANSACTION_BYTES}"
        )


def check_row(partition: str, key: str, columns: Mapping[str, Column]) -> None:
    """Make sure that the table can hold this row; raises as `check_transaction` does."""
    if len(columns) > MAX_COLUMNS:
        raise TransactionTooLargeError(f"row {key!r}: {len(columns)} columns, at most {MAX_COLUMNS} fit a row")
    for name, value in columns.items():
        if (wrong := _wrong_name(name) or _wrong_value(value)) is not None:
            kind, words = wrong
            raise kind(f"row {key!r}, column {name[:MAX_NAME_CHARACTERS]!r}: {words}")
    if (size := stored_bytes(partition, key, columns)) > MAX_ROW_BYTES:
        raise TransactionTooLargeError(f"row {key!r}: {size} bytes as stored, at most {MAX_ROW_BYTES} fit a row")


def _check_key(which: str, key: str) -> None:
    if _utf16_bytes(key) > 2 * MAX_KEY_CHARACTERS:
        raise TransactionTooLargeError(f"{which} {key[:64]!r}...: at most {MAX_KEY_CHARACTERS} UTF-16 characters")
    if _FORBIDDEN_IN_KEYS.search(key):
        raise TransactionTooLargeError(f"{which} {key!r}: / \\ # ? and control characters are not allowed; encode them")


@lru_cache(maxsize=256)  # the names are few, and the same in every row
def _wrong_name(name: str) -> _Wrong | None:
    if name in _RESERVED or not _NAME.fullmatch(name):
        return ValueError, "not a name that a column may have"
    if len(name) > MAX_NAME_CHARACTERS:
        return TransactionTooLargeError, f"a name has at most {MAX_NAME_CHARACTERS} characters"
    return None


def _wrong_value(value: Column) -> _Wrong | None:
    match value:
        case str() | bytes():
            if (size := _utf16_bytes(value) if isinstance(value, str) else len(value)) > MAX_COLUMN_BYTES:
                return TransactionTooLargeError, f"{size} bytes as stored, at most {MAX_COLUMN_BYTES} fit"
        case datetime():
            if value.utcoffset() is None or value < _EARLIEST:
                return ValueError, f"{value} needs a time zone and a year from 1601 on"
        case int() if value not in _INT64:
            return TransactionTooLargeError, "the number does not fit 64 bits"
    return None


def _encoded_bytes(name: str, value: Column) -> int:
    return _named_bytes(name) + _encoded_value_bytes(value)


@lru_cache(maxsize=256)
def _named_bytes(name: str) -> int:
    return 2 * _json_bytes(name) + _COLUMN_ENVELOPE_BYTES


def _encoded_value_bytes(value: Column) -> int:
    match value:
        case str():
            return _json_bytes(value)
        case bytes():
            return 4 * len(value) // 3 + 6  # base64, padded, in quotes
        case _:
            return 32  # the longest is a time


def _stored_value_bytes(value: Column) -> int:
    match value:
        case str():
            return 4 + _utf16_bytes(value)
        case bytes():
            return 4 + len(value)
        case bool():
            return 1
        case int() if value in INT32:
            return 4
        case _:
            return 8


def _json_bytes(text: str) -> int:
    """What the SDK sends is ASCII: another character takes 6 bytes, or 12 outside the basic plane."""
    return len(json.dumps(text))


def _utf16_bytes(text: str) -> int:
    return 2 * len(text) if text.isascii() else len(text.encode("utf-16-le"))
