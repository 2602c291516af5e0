"""The row of a job that says what a chat or pager is to be told of it, and what it knows.

Owns the columns, which two writers share: commits merge `wanted` and `wantedAt` without looking, the holder of the
webhook's digest lease merges `told` and `said`. Does not own the row's key (`state.rows`) or what is news
(`digests.chat_rules`).
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from shared.ports import Column, Row
from shared.state.rows import SCHEMA_VERSION, check_version, decode
from shared.state.telling import Told


def wanted_columns(generation: int, now: datetime) -> dict[str, Column]:
    """The columns that say that there is something to tell: up to which generation of the job, and since when."""
    return {"v": SCHEMA_VERSION, "wanted": generation, "wantedAt": now}


def known_columns(told: Told | None, generation: int | None) -> dict[str, Column]:
    """The columns that say what the webhook knows, and up to which generation; what is None stays as it was."""
    columns: dict[str, Column] = {"v": SCHEMA_VERSION}
    if told is not None:
        columns["said"] = msgspec.msgpack.encode(told)
    if generation is not None:
        columns["told"] = generation
    return columns


def wanted_of(row: Row) -> tuple[int, datetime | None]:
    """Up to which generation there is something to tell, and since when; None when that was never written."""
    since = row.columns.get("wantedAt")
    return _generation(row, "wanted"), since if isinstance(since, datetime) else None


def has_news(row: Row) -> bool:
    """Whether there is something that the webhook has not been told."""
    return _generation(row, "wanted") != _generation(row, "told")


def told_of(row: Row, job_id: str) -> Told:
    """What the webhook knows of the job.

    Raises:
        UnreadableRowError: The row was written by a newer version, or is damaged.
    """
    check_version(row.key, row.columns)
    said = row.columns.get("said")
    if not isinstance(said, bytes):
        return Told(job_id=job_id)
    return decode(row, Told, said)


def columns_with(row: Row, told: Told) -> Mapping[str, Column]:
    """The whole row, in which only what the webhook knows is another."""
    return {**row.columns, **known_columns(told, None)}


def _generation(row: Row, column: str) -> int:
    value = row.columns.get(column)
    return value if isinstance(value, int) else 0
