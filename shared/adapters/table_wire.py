"""Spells what Table storage is asked, and reads what it answers: rows, ranges of them, and entity-group transactions.

Owns the JSON of a row, the multipart body and the reading of the answer's parts. Does not own the exchange
(`adapters.table_store`), what a refusal means there, nor the table's limits (`adapters.table_limits`). Parts are
spelled as azure-data-tables 12.7 spells them, without the dates that the request itself bears. Sources:
https://learn.microsoft.com/rest/api/storageservices/query-entities and
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from shared.adapters.table_limits import INT32
from shared.ports import Column, Delete, Insert, Merge, Operation, Put, Replace, Row

_ENTITY: Final = msgspec.json.Encoder()
_NO_CONTENT: Final = "Accept: application/json;odata=minimalmetadata\r\n"
_PART: Final = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
_NO_COLUMNS: Final = frozenset({"PartitionKey", "RowKey", "Timestamp"})  # nor is what OData adds, with a full stop
_BOUNDARY: Final = re.compile(rb'boundary="?([^";\r\n]+)', re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)\b")
_ETAG: Final = re.compile(rb"\r\nETag:[ \t]*([^\r\n]+)", re.IGNORECASE)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why the service did not do it: the HTTP status, and its own code and words, empty when it gave none."""

    status: int
    code: str = ""
    message: str = ""


class _Page(Struct, frozen=True):
    value: list[dict[str, Any]]


class _Message(Struct, frozen=True):
    value: str = ""


class _Error(Struct, frozen=True):
    code: str = ""
    message: _Message = _Message()


class _ErrorBody(Struct, frozen=True):
    error: _Error = field(default=_Error(), name="odata.error")


_ERROR: Final = msgspec.json.Decoder(_ErrorBody)
_ROW: Final = msgspec.json.Decoder(dict[str, Any])
_PAGE: Final = msgspec.json.Decoder(_Page)


def row_path(table: str, partition: str, key: str) -> str:
    """The path of one row below the endpoint."""
    return f"{table}(PartitionKey='{_in_url(partition)}',RowKey='{_in_url(key)}')"


def range_path(table: str, partition: str, start: str, end: str) -> str:
    """The path and query of the rows with start <= key < end."""
    condition = f"PartitionKey eq {_quoted(partition)} and RowKey ge {_quoted(start)} and RowKey lt {_quoted(end)}"
    return f"{table}()?$filter={quote(condition, safe='')}"


def decode_row(body: bytes) -> Row:
    """The row that the service answers.

    Raises:
        ValueError, TypeError: No row, or one with a column whose value is not of the type that the service says.
    """
    return _row(_ROW.decode(body))


def decode_rows(body: bytes) -> list[Row]:
    """The rows of one page of a range; raises as `decode_row` does."""
    return [_row(entity) for entity in _PAGE.decode(body).value]


def encode_transaction(
    endpoint: str, table: str, version: str, partition: str, operations: Sequence[Operation], boundary: str
) -> bytes:
    """The body of `POST {endpoint}/$batch` with the content type `content_type(boundary)`.

    Args:
        endpoint: The account's table endpoint without a slash at its end.
        table: The table's name.
        version: The version of the REST API that the request names.
        partition: The partition of all rows.
        operations: What to do; they fit (`row_limits.check_transaction`).
        boundary: What appears nowhere else, such as a fresh UUID.
    """
    changes = f"changeset_{boundary}"
    url, common = f"{endpoint}/{table}", f"x-ms-version: {version}\r\nDataServiceVersion: 3.0\r\n"
    rows = f"{url}(PartitionKey='{_in_url(partition)}',RowKey='"
    pieces = [f"--batch_{boundary}\r\nContent-Type: multipart/mixed; boundary={changes}\r\n\r\n".encode()]
    for number, operation in enumerate(operations):
        row = url if isinstance(operation, Insert) else f"{rows}{_in_url(operation.key)}')"
        body = b"" if isinstance(operation, Delete) else _ENTITY.encode(_entity(partition, operation))
        about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        method, headers = _method(operation)
        head = f"--{changes}\r\n{_PART}{number}\r\n\r\n{method} {row} HTTP/1.1\r\n{about}{common}{headers}\r\n"
        pieces += (head.encode(), body, b"\r\n")
    pieces.append(f"--{changes}--\r\n\r\n--batch_{boundary}--\r\n".encode())
    return b"".join(pieces)


def content_type(boundary: str) -> str:
    """The content type of the body made with this boundary."""
    return f"multipart/mixed; boundary=batch_{boundary}"


def decode_answer(media_type: str, body: bytes, operations: Sequence[Operation]) -> dict[str, str] | Refusal:
    """The new ETag of each written row by key, or the refusal that undid all of it.

    Raises:
        ValueError: The body is cut short, no such answer, or answers something else than these operations.
    """
    parts = [_read_part(part) for part in _parts(media_type.encode("latin-1"), body)]
    for part in parts:
        if isinstance(part, Refusal):
            return part
    etags = {
        operation.key: etag
        for operation, etag in zip(operations, parts, strict=True)
        if isinstance(etag, str) and not isinstance(operation, Delete)
    }
    if not all(etags.values()):
        raise ValueError("a row was written without an ETag")
    return etags


def decode_refusal(status: int, code: str | None, body: bytes) -> Refusal:
    """What an answer other than success says; `code` is its header x-ms-error-code, for a body without one."""
    try:
        error = _ERROR.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    return Refusal(status=status, code=error.code or code or "", message=error.message.value)


def _method(operation: Operation) -> tuple[str, str]:
    match operation:
        case Insert():
            return "POST", f"Prefer: return-no-content\r\n{_NO_CONTENT}"
        case Put():
            return "PUT", "Accept: application/json\r\n"
        case Merge():
            return "PATCH", "Accept: application/json\r\n"
        case Replace(etag=etag):
            return "PUT", f"Accept: application/json\r\nIf-Match: {etag}\r\n"
        case Delete(etag=etag):
            return "DELETE", f"{_NO_CONTENT}If-Match: {'*' if etag is None else etag}\r\n"


def _entity(partition: str, operation: Insert | Put | Merge | Replace) -> Mapping[str, Column]:
    entity: dict[str, Column] = {}
    for name, value in {"PartitionKey": partition, "RowKey": operation.key, **operation.columns}.items():
        entity[name], kind = _typed(value)
        if kind is not None:
            entity[f"{name}@odata.type"] = kind
    return entity


def _typed(value: Column) -> tuple[Column, str | None]:
    """What stands for a value in JSON, and the name of its type when JSON does not show it."""
    match value:
        case str():
            return value, "Edm.String"
        case bytes():
            return value, "Edm.Binary"  # the encoder writes base64
        case int() if not isinstance(value, bool) and value not in INT32:
            return str(value), "Edm.Int64"
        case datetime():
            return _moment(value), "Edm.DateTime"
        case _:
            return value, None


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _row(entity: dict[str, Any]) -> Row:
    try:
        key, etag = str(entity["RowKey"]), str(entity["odata.etag"])
    except KeyError as missing:
        raise ValueError(f"a row without {missing}") from None
    columns = {}
    for name, value in entity.items():
        if name not in _NO_COLUMNS and "." not in name:
            kind = entity.get(f"{name}@odata.type")
            columns[name] = value if kind is None else _value(kind, value)
    return Row(key=key, columns=columns, etag=etag)


def _value(kind: str, value: Any) -> Any:
    """A value by the type that the service names; what we never write stays text, for whoever decodes the row."""
    match kind:
        case "Edm.Binary":
            return a2b_base64(value, strict_mode=True)
        case "Edm.Int64":
            return int(value)
        case "Edm.DateTime":
            return msgspec.convert(value, datetime)
        case _:
            return value


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_url(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def _parts(media_type: bytes, body: bytes) -> Iterator[bytes]:
    """The HTTP answers within a multipart body, those within a part that is multipart itself included."""
    boundary = _BOUNDARY.search(media_type)
    if boundary is None:
        raise ValueError("the answer is not in parts")
    delimiter = b"\r\n--" + boundary[1].strip()
    *sections, end = (b"\r\n" + body).split(delimiter)
    if not end.startswith(b"--"):
        raise ValueError("the answer is cut short")
    for section in sections[1:]:
        head, _, content = section.partition(b"\r\n\r\n")
        if b"multipart/mixed" in head.lower():
            yield from _parts(head, content)
        else:
            yield content


def _read_part(part: bytes) -> str | Refusal:
    """The ETag of one HTTP answer, empty when it has none, or its refusal."""
    head, _, body = part.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise ValueError("a part of the answer is no HTTP")
    if not status[1].startswith(b"2"):
        return decode_refusal(int(status[1]), None, body)
    etag = _ETAG.search(head)
    return etag[1].decode("latin-1").strip() if etag else ""
