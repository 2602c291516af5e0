"""How what Prepwatch remembers lies in the table: row keys and columns.

Owns the mapping between `state` and rows, and the schema version. Does not own when a row is written. Each account is a
partition; the partition OWN holds what belongs to no account. Values travel as msgpack in binary columns of at most
64 KiB (`data0`, `data1`, ...), so that a row's size follows its content and not the number of its fields.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

import msgspec
from msgspec import Struct

from shared.decoding import UNDECODABLE, msgpack_decoder
from shared.errors import UnreadableRowError
from shared.ports import Column, Row
from shared.state.compression import compress, decompress
from shared.state.jobs import UNREADABLE_ROW, JobHead, Tracking, Trouble
from shared.state.pools import PoolRecord
from shared.state.telling import DeliveryState, WebhookState

SCHEMA_VERSION = 1
OWN = "_"
CYCLE = "cycle"
LAST_NUDGE = "refresh"
NUDGES = "nudges"
RUNNING = "running"
ACCOUNTS = "accounts"
EVERY_ROW = ("!", "~")
"""Start and end of the keys of a partition: none begins with another character."""
END = "}"
"""Sorts directly after the separator: `job}` ends the range of the keys that begin with `job|`."""

_PIECE = 64 * 1024
_OF_POOL = "pool|"
_BY_REQUEST_BEFORE = "switched off by request"
"""What rows from before `by_request` say of a webhook that a person has switched off."""
_NONE = frozenset[str]()
_T = TypeVar("_T")
_encoder = msgspec.msgpack.Encoder()


def job_key(job_id: str) -> str:
    """The row key of a job's head; Batch's ids are case-insensitive."""
    return f"job|{job_id.lower()}"


def chunk_key(job_id: str, creation_time: datetime | None, prefix: str) -> str:
    """The row key of a chunk of an incarnation's nodes."""
    created = creation_time.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ") if creation_time else "unknown"
    return f"node|{job_id.lower()}|{created}|{prefix}"


def pool_key(pool_id: str) -> str:
    """The row key of a pool's nodes that can't work; Batch's ids are case-insensitive."""
    return f"pool|{pool_id.lower()}"


def event_key(event_id: str) -> str:
    """The row key of an event."""
    return f"event|{event_id}"


def delivery_key(state: DeliveryState, webhook: str, event_id: str) -> str:
    """The row key of a delivery in that state."""
    return f"{state.value}|{webhook}|{event_id}"


def deliveries_of(state: DeliveryState, webhook: str) -> tuple[str, str]:
    """Start and end of the keys of a webhook's deliveries in that state."""
    return range_of(f"{state.value}|{webhook}")


def digest_key(webhook: str, job_id: str) -> str:
    """The row key of what a chat or pager webhook is owed about one job."""
    return f"digest|{webhook}|{job_id.lower()}"


def pool_digest_key(webhook: str, pool_id: str) -> str:
    """The row key of what a chat or pager webhook was told about a pool; no job's id has a `|`."""
    return digest_key(webhook, f"{_OF_POOL}{pool_id}")


def pool_digests_of(webhook: str) -> tuple[str, str]:
    """Start and end of the keys of what a chat or pager webhook was told about pools."""
    return range_of(f"{pace_key(webhook)}|{_OF_POOL.removesuffix('|')}")


def is_about_pool(key: str) -> bool:
    """Whether a row among `digests_of` is one of `pool_digest_key`."""
    return key.split("|", 2)[2].startswith(_OF_POOL)


def pace_key(webhook: str) -> str:
    """The row key of how fast a chat or pager webhook may be told, and of the lease of whoever tells it."""
    return f"digest|{webhook}"


def incidents_key(webhook: str) -> str:
    """The row key of the incidents that a pager webhook has open; versions that knew none leave it alone."""
    return f"incidents|{webhook}"


def digests_of(webhook: str) -> tuple[str, str]:
    """Start and end of the keys of what a chat or pager webhook is owed about jobs and pools."""
    return range_of(pace_key(webhook))


def sent_key(webhook: str, message_id: str) -> str:
    """The row key of a message that a chat or pager webhook was sent; ids sort what was sent last first."""
    return f"sent|{webhook}|{message_id}"


def sent_of(webhook: str) -> tuple[str, str]:
    """Start and end of the keys of what a chat or pager webhook was sent."""
    return range_of(f"sent|{webhook}")


def webhook_of_digest(key: str) -> str:
    """The webhook that a row of `digest_key` or `pace_key` is about."""
    return key.split("|")[1]


def mute_key(name: str) -> str:
    """The row key, in partition OWN, of a mute."""
    return f"mute|{name}"


def webhook_key(name: str) -> str:
    """The row key, in partition OWN, of a webhook's state."""
    return f"webhook|{name}"


def ping_key(name: str) -> str:
    """The row key, in partition OWN, of when a webhook was last pinged."""
    return f"ping|{name}"


def range_of(kind: str) -> tuple[str, str]:
    """Start and end of the keys of one kind, such as `job` or `due`."""
    return f"{kind}|", f"{kind}{END}"


def just_after(key: str) -> str:
    """What sorts after a key or an id, and before whatever else follows: before every character that these may have."""
    return f"{key}!"


def count_up_to(most: int, rows: Iterable[Row]) -> int:
    """How many rows there are; of more than `most` no more are read."""
    return sum(1 for _ in islice(rows, most))


def to_columns(value: Struct) -> dict[str, Column]:
    """The columns of a value."""
    return pack(_encoder.encode(value))


def pack_record(record: PoolRecord) -> dict[str, Column]:
    """The columns of a pool's record, which may have thousands of nodes that fail alike."""
    return {**pack(compress(_encoder.encode(record))), "commit": record.commit}


def unpack_record(row: Row) -> PoolRecord:
    """The record that `pack_record` laid into columns.

    Raises:
        UnreadableRowError: The row was written by a newer version, or is damaged.
    """
    return decode(row, PoolRecord, unpack_body(row))


def from_row(row: Row, kind: type[_T]) -> _T:
    """The value of a row.

    Raises:
        UnreadableRowError: The row was written by a newer version, or is damaged.
    """
    return decode(row, kind, unpack(row))


def decode(row: Row, kind: type[_T], data: bytes) -> _T:
    """The value that bytes of a row hold.

    Raises:
        UnreadableRowError: They hold no such value.
    """
    try:
        return msgpack_decoder(kind).decode(data)
    except UNDECODABLE as error:
        raise UnreadableRowError(f"Row {row.key} can't be read: {error}") from error


def mend_of(error: UnreadableRowError, partition: str, then: str) -> str:
    """Why a row can't be read, and what people can do about it; `then` says what comes of the last thing to do."""
    why = str(error).rstrip(".")
    return f"{why}. If nothing else helps, delete that row from partition {partition}: {then}"


def read_head(row: Row, now: datetime) -> JobHead:
    """A job's head for showing it; one that can't be read becomes a job that can't be read, with the reason."""
    try:
        return from_row(row, JobHead)
    except UnreadableRowError as error:
        trouble = Trouble(code=UNREADABLE_ROW, message=str(error), since=now, times=0)  # no cycle has counted it
        job_id = row.key.removeprefix(job_key(""))
        return JobHead(job_id=job_id, tracking=Tracking.UNREACHABLE, trouble=trouble)


def read_webhook(row: Row | None, name: str) -> WebhookState:
    """How healthy a webhook is; without a row, like one that nothing is known of.

    Raises:
        UnreadableRowError: Nobody can tell.
    """
    if row is None:
        return WebhookState(name=name)
    state = from_row(row, WebhookState)
    if state.disabled_since is not None and state.reason == _BY_REQUEST_BEFORE:
        return msgspec.structs.replace(state, by_request=True)
    return state


def pack(data: bytes) -> dict[str, Column]:
    """Bytes of any length as columns, with the schema version beside them."""
    columns: dict[str, Column] = {"v": SCHEMA_VERSION}
    for number, start in enumerate(range(0, max(len(data), 1), _PIECE)):
        columns[f"data{number}"] = data[start : start + _PIECE]
    return columns


def unpack(row: Row) -> bytes:
    """The bytes that `pack` laid into columns.

    Raises:
        UnreadableRowError: The row was written by a newer version, or is damaged.
    """
    check_version(row.key, row.columns)
    pieces: list[bytes] = []
    while isinstance(piece := row.columns.get(f"data{len(pieces)}"), bytes):
        pieces.append(piece)
    if not pieces:
        raise UnreadableRowError(f"Row {row.key} holds no data.")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def pack_body(body: bytes) -> dict[str, Column]:
    """An event's body as columns; nodes that fail alike make it an eighth of its size."""
    return pack(compress(body))


def unpack_body(row: Row) -> bytes:
    """The body that `pack_body` laid into columns.

    Raises:
        UnreadableRowError: The row was written by a newer version, or is damaged.
    """
    try:
        return decompress(unpack(row))
    except UnreadableRowError as error:
        raise UnreadableRowError(f"Row {row.key} can't be read: {error}") from error


def pack_jobs(jobs: Iterable[str]) -> dict[str, Column]:
    """The column of the jobs that an event about a pool concerns; none when they are too many for one."""
    packed = compress(_encoder.encode(sorted(jobs)))
    return {"jobs": packed} if len(packed) <= _PIECE else {}


def unpack_jobs(row: Row) -> frozenset[str]:
    """The jobs that `pack_jobs` laid into a column, empty when there is none or nobody can tell."""
    packed = row.columns.get("jobs")
    if not isinstance(packed, bytes):
        return _NONE
    try:
        return frozenset(decode(row, list[str], decompress(packed)))
    except UnreadableRowError:
        return _NONE


def check_version(key: str, columns: Mapping[str, Column]) -> None:
    """Refuse a row that this version can't understand.

    Raises:
        UnreadableRowError: The schema version is newer than this program's, or missing.
    """
    version = columns.get("v")
    if not isinstance(version, int) or version < 1:
        raise UnreadableRowError(f"Row {key} has no schema version.")
    if version > SCHEMA_VERSION:
        raise UnreadableRowError(
            f"Row {key} has schema version {version}; this version of Prepwatch reads up to {SCHEMA_VERSION}. "
            "Deploy the newer version again."
        )
