"""Times to the last digit as Batch wrote them: seven of a second's fraction as a rule, where a `datetime` holds six.

Owns the digits beside the moments of a run, and how both become one text again. Does not own how times are read
(`batch.wire`) or compared: that is done to the microsecond.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import asdict, replace

from shared.batch.model import ExecutionInfo, NodeStatus
from shared.decoding import UNDECODABLE
from shared.moments import time_text

_DIGITS: Final = re.compile(r"T\d\d:\d\d:\d\d\.(\d{1,12})(?!\d)")
_AS_SHOWN_ANYWAY: Final = 6


class _Times(Struct, frozen=True, rename="camel"):
    start_time: str | None = None
    end_time: str | None = None
    last_retry_time: str | None = None


class _Texts(Struct, frozen=True):
    preparation: _Times | None = field(default=None, name="jobPreparationTaskExecutionInfo")
    release: _Times | None = field(default=None, name="jobReleaseTaskExecutionInfo")


class WrittenExecution(ExecutionInfo, frozen=True, kw_only=True):
    """A run as it is shown: its times are the texts that Batch wrote, in UTC."""

    start_time: datetime | str | None = None  # type: ignore[assignment]  # it is only encoded, never asked
    end_time: datetime | str | None = None  # type: ignore[assignment]  # same
    last_retry_time: datetime | str | None = None  # type: ignore[assignment]  # same


_TEXTS: Final = msgspec.json.Decoder(_Texts)


def with_digits(status: NodeStatus, raw: Raw | bytes) -> NodeStatus:
    """The status with the digits of its times, of which *raw* has the texts; without them where it had to be mended."""
    try:
        texts = _TEXTS.decode(raw)
    except UNDECODABLE:
        texts = _Texts()
    preparation = _with_digits(status.preparation, texts.preparation)
    release = _with_digits(status.release, texts.release)
    if preparation is status.preparation and release is status.release:
        return status
    return replace(status, preparation=preparation, release=release)


def _with_digits(info: ExecutionInfo | None, texts: _Times | None) -> ExecutionInfo | None:
    if info is None:
        return None
    times = texts or _Times()
    digits = (digits_of(times.start_time), digits_of(times.end_time), digits_of(times.last_retry_time))
    kept = digits if any(digits) else None
    return info if info.digits == kept else replace(info, digits=kept)


def digits_of(text: str | None) -> str:
    """The digits of a time's fraction, `""` where a `datetime` says all of them."""
    if text is None:
        return ""
    if text[19:20] == "." and text[20:27].isdecimal() and text[27:] == "Z" and text.isascii():  # as Batch does
        return text[20:27]
    found = _DIGITS.search(text)
    return found[1] if found is not None and len(found[1]) != _AS_SHOWN_ANYWAY else ""


def as_written(info: ExecutionInfo) -> ExecutionInfo:
    """The run as it is to be shown to people and programs."""
    if info.digits is None:
        return info
    start, end, retry = info.digits
    given = asdict(info)
    del given["digits"]
    given["start_time"] = _written(info.start_time, start)
    given["end_time"] = _written(info.end_time, end)
    given["last_retry_time"] = _written(info.last_retry_time, retry)
    return WrittenExecution(**given)


def written_status(status: NodeStatus) -> NodeStatus:
    """Both phases of a node as they are to be shown."""
    preparation = status.preparation and as_written(status.preparation)
    release = status.release and as_written(status.release)
    return replace(status, preparation=preparation, release=release)


def _written(moment: datetime | None, digits: str) -> datetime | str | None:
    if moment is None or not digits:
        return moment
    second = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    if moment.microsecond == 0 and digits[0] == "9":  # what was read was rounded up to the next second
        second -= timedelta(seconds=1)
    return f"{second.isoformat()}.{digits}Z"


def written_time(moment: datetime | None, digits: str) -> str | None:
    """A time as the text that is shown; None for none."""
    written = _written(moment, digits)
    return written if isinstance(written, str) else time_text(written) or None
