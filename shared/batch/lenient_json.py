"""Reads JSON also where a strict reader refuses it, so that one odd entry of a listing costs only itself.

Owns how entries are told apart without reading them, and what is mended: halves of surrogate pairs, bytes that are no
UTF-8, bare control characters, times in other spellings. Does not own the shapes on the wire (`batch.wire`). Mending
is slower than msgspec by far: it is for what msgspec has refused.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Raw

from shared.decoding import UNDECODABLE
from shared.errors import HostileAnswerError

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
_MEMBER: Final = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:', re.DOTALL)
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TIMES: Final = frozenset(
    {
        "allocationTime",
        "creationTime",
        "endTime",
        "lastBootTime",
        "lastRetryTime",
        "lastUpdateTime",
        "startTime",
        "stateTransitionTime",
        "timestamp",
    }
)
_LEAP_SECOND: Final = re.compile(r"(\d\d:\d\d):60(?:\.\d*)?")
_NO_TIME: Final = re.compile(r"(?:0001-01-01|9999-12-31)T|\s*\Z")

_T = TypeVar("_T")


def members(body: bytes) -> dict[bytes, bytes]:
    """The members of an object: their names as they are spelled, quotes included, and the bytes of their values.

    Raises:
        ValueError: The brackets are not those of one object.
    """
    found: dict[bytes, bytes] = {}
    for member in _parts(body, b"{"):
        if (name := _MEMBER.match(member)) is not None:
            found[name[1]] = member[name.end() :].strip()
    return found


def elements(body: bytes) -> list[bytes]:
    """The bytes of an array's elements; whether they are JSON is not looked at.

    Raises:
        ValueError: The brackets are not those of one array.
    """
    return list(_parts(body, b"["))


def _parts(body: bytes, opening: bytes) -> Iterator[bytes]:
    """What stands between the commas of the outermost brackets."""
    body = body.strip()
    if not body.startswith(opening):
        raise ValueError(f"no {opening.decode()}")
    depth, start, end = 0, 1, -1
    for token in _TOKEN.finditer(body):
        if token[0] in _OPENING:
            depth += 1
        elif token[0] in _CLOSING:
            depth -= 1
            if depth == 0:
                end = token.start()
                break
        elif depth == 1 and token[0] == b",":
            yield body[start : token.start()].strip()
            start = token.end()
    if end != len(body) - 1:
        raise ValueError("its brackets do not match")
    if last := body[start:end].strip():
        yield last


def mended(raw: bytes) -> object:
    """The value of JSON, every text without halves of surrogate pairs, and times in the one spelling that is read.

    A leap second becomes the last moment before it, a time of RFC 1123 one of RFC 3339; an empty one is none, and so
    are the first and the last day of all, which .NET writes for none.

    Raises:
        ValueError: Not JSON.
        RecursionError: Nested too deeply.
    """
    return _fit(json.loads(bytes(raw).decode("utf-8", "replace"), strict=False))


def is_no_time(moment: datetime) -> bool:
    """Whether a time is what .NET writes for none."""
    return (moment.year, moment.month, moment.day) in {(1, 1, 1), (9999, 12, 31)}


def _fit(value: object, name: str = "") -> object:
    match value:
        case str():
            text = _SURROGATE.sub("\ufffd", value)
            return _time(text) if name in _TIMES else text
        case list():
            return [_fit(each) for each in cast("list[object]", value)]
        case dict():
            fields = cast("dict[str, object]", value)
            return {_SURROGATE.sub("\ufffd", key): _fit(each, key) for key, each in fields.items()}
        case _:
            return value


def _time(text: str) -> str | None:
    if _NO_TIME.match(text):
        return None
    if "," in text:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return text
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    return _LEAP_SECOND.sub(r"\1:59.999999", text)


def in_utc(moment: datetime | None) -> datetime | None:
    """A time in UTC itself, one without zone taken for it; None for what .NET writes for none."""
    if moment is None or is_no_time(moment):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read(decode: Callable[[bytes | Raw], _T], data: bytes | Raw, what: str) -> _T:
    """What `decode` makes of an answer.

    Raises:
        HostileAnswerError: It is not *what* it should be.
    """
    try:
        return decode(data)
    except UNDECODABLE as error:
        raise refusal(what, error) from None


def read_entry(decoder: msgspec.json.Decoder[_T], data: bytes | Raw, what: str) -> _T:
    """As `read`, and what is refused is read once more, mended."""
    try:
        return decoder.decode(data)
    except UNDECODABLE:
        try:
            return msgspec.convert(mended(bytes(data)), decoder.type)
        except (*UNDECODABLE, ValueError) as error:
            raise refusal(what, error) from None


def refusal(what: str, error: Exception) -> HostileAnswerError:
    """That an answer is not *what* it should be."""
    # Texts of msgspec name positions, types and paths, never content.
    words = str(error) if isinstance(error, msgspec.DecodeError) else "it is no JSON"
    if isinstance(error, RecursionError):
        words = "it is nested too deeply"
    return HostileAnswerError("InvalidAnswer", f"Batch's answer is not {what}: {words}")
