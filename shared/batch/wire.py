"""Reads what Batch answers into the values of `batch.model`, and writes what it is asked.

Owns the shapes on the wire, the bounds a well-meant answer keeps, and the spelling of paths and query names. Does not
own the exchange (`adapters.batch_client`), errors that Batch reports (`adapters.batch_errors`), nor what a status
means (`batch.outcomes`). Whatever breaks the contract becomes a HostileAnswerError that names the field and quotes
nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct, field, structs

from shared.batch.exact_times import with_digits
from shared.batch.lenient_json import elements, in_utc, is_no_time, members, read, read_entry, refusal
from shared.batch.model import ExecutionInfo, NodeStatus
from shared.decoding import UNDECODABLE
from shared.errors import HostileAnswerError, RejectedRequestError

DEFAULT_API_VERSION: Final = "2024-07-01.20.0"
"""The version of the Batch REST API that is asked for unless the settings say another."""
# From this version on versions are plain dates, and the query name is written differently.
_TIME_OUT_SINCE: Final = "2025-06-01"
# Opaque, but they become keys: bounded, and without control characters.
_NODE_ID: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_ID_CHARACTERS: Final = 512
NUMBERS: Final = range(-(2**31), 2**32)
"""What a number of Batch may be: what is far beyond its 32 bits can't even be stored."""
_MISSING: Final = (b"", b"null")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Page(Struct, frozen=True):
    """One page of any listing: `value` is the array's own bytes, `next_link` None on the last page."""

    value: Raw = Raw(b"")
    next_link: str | None = field(default=None, name="odata.nextLink")


class _EmptyPage(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page without entries may hold; anything else without `value` is no page."""

    value: None = None
    next_link: str | None = field(default=None, name="odata.nextLink")
    metadata: str | None = field(default=None, name="odata.metadata")


class _Identity(Struct, frozen=True, rename="camel"):
    pool_id: str | None = None
    node_id: str | None = None


_PAGE: Final = msgspec.json.Decoder(Page)
_EMPTY_PAGE: Final = msgspec.json.Decoder(_EmptyPage)
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_IDENTITIES: Final = msgspec.json.Decoder(list[_Identity])
_STATUS: Final = msgspec.json.Decoder(NodeStatus)


# --- answers ----------------------------------------------------------------------------------------------------


def decode_page(body: bytes) -> Page:
    """One page of a listing, its entries not looked at; without `value` it may hold nothing but OData's own names.

    The bytes of `value` are a view into *body*.

    Raises:
        HostileAnswerError: Not JSON, cut short, or no page.
    """
    page = read(_read_page, body.removeprefix(_BYTE_ORDER_MARK), "a page of a listing")
    head = bytes(memoryview(page.value)[:4])
    if head in _MISSING:
        read(_EMPTY_PAGE.decode, body, "a page of a listing")
        return Page(value=Raw(b"[]"), next_link=page.next_link)
    if not head.startswith(b"["):
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not a page of a listing: `value` is no array")
    return page


def _read_page(body: bytes | Raw) -> Page:
    try:
        return _PAGE.decode(body)
    except UNDECODABLE:
        # One odd entry makes the whole page one that a strict reader refuses.
        try:
            found = members(bytes(body))
            elements(found.get(b'"value"', b"[]"))
        except ValueError:
            raise msgspec.DecodeError("it is cut short, or no JSON") from None
        link = found.get(b'"odata.nextLink"', b"null")
        return Page(value=Raw(found.get(b'"value"', b"")), next_link=msgspec.json.decode(link, type=str | None))


def split_entries(value: bytes, what: str = "a list of statuses") -> list[Raw]:
    """The entries of a page's `value`, undecoded; each keeps *value* alive until it is dropped or copied.

    Raises:
        HostileAnswerError: Not a JSON array.
    """
    try:
        return _ITEMS.decode(value)
    except UNDECODABLE as error:
        try:
            return list(map(Raw, elements(value)))
        except ValueError:
            raise refusal(what, error) from None


def decode_identities(entries: Sequence[Raw | bytes]) -> list[tuple[str, str]]:
    """Pool id and node id of each entry and nothing else, for whoever only sorts entries; no pool is `""`.

    Raises:
        HostileAnswerError: One of the entries has no id that can be one.
    """
    decoded = read_entry(_IDENTITIES, b"[%b]" % b",".join(entries), "a list of statuses")
    for pool_id in {entry.pool_id for entry in decoded}:
        _check_pool(pool_id)
    return [(entry.pool_id or "", _checked_node(entry.node_id)) for entry in decoded]


def decode_status(raw: Raw | bytes) -> NodeStatus:
    """One entry with every field of the operation; times without zone are UTC, all others are turned to it.

    Enumerations keep Batch's spelling, unknown fields are passed over, and any field may be missing: whether the ids
    are there and can be ids is asked by `decode_identities`.

    Raises:
        HostileAnswerError: A field has another type, or a number or time is out of any range.
    """
    status = read_entry(_STATUS, raw, "a status")
    preparation = _with_utc(status.preparation, "jobPreparationTaskExecutionInfo")
    release = _with_utc(status.release, "jobReleaseTaskExecutionInfo")
    if preparation is not status.preparation or release is not status.release:
        status = structs.replace(status, preparation=preparation, release=release)
    return with_digits(status, raw)


def _checked_node(node_id: str | None) -> str:
    if node_id is None or not _is_id(node_id):
        raise HostileAnswerError("InvalidAnswer", "A status has no usable id - at `$.nodeId`")
    return node_id


def _check_pool(pool_id: str | None) -> None:
    if pool_id and not _is_id(pool_id):
        raise HostileAnswerError("InvalidAnswer", "A status has no usable id - at `$.poolId`")


def _is_id(text: str) -> bool:
    # What is printable has no control characters; asking so costs a fifth of the pattern.
    return 0 < len(text) <= _ID_CHARACTERS and (text.isprintable() or _NODE_ID.fullmatch(text) is not None)


def _with_utc(info: ExecutionInfo | None, path: str) -> ExecutionInfo | None:
    if info is None:
        return None
    _check_number(info.exit_code, path, "exitCode")
    _check_number(info.retry_count, path, "retryCount")
    for time in (info.start_time, info.end_time, info.last_retry_time):
        if time is not None and (time.tzinfo is not UTC or is_no_time(time)):
            break
    else:
        return info
    return structs.replace(
        info,
        start_time=in_utc(info.start_time),
        end_time=in_utc(info.end_time),
        last_retry_time=in_utc(info.last_retry_time),
    )


def _check_number(number: int | None, path: str, name: str) -> None:
    if number is not None and number not in NUMBERS:
        raise HostileAnswerError(
            "InvalidAnswer", f"Batch's answer is not a status: out of range - at `$.{path}.{name}`"
        )


# --- questions --------------------------------------------------------------------------------------------------


def path_of(*segments: str) -> str:
    """The escaped path of these segments; a slash or colon within one goes out as %2F or %3A, as the SDKs do.

    Raises:
        RejectedRequestError: A segment is empty or made of dots, which would name something else.
    """
    if not all(segment.strip(".") for segment in segments):
        raise RejectedRequestError(
            "InvalidUri", "An id or path is empty or made of dots; no such thing exists in Batch."
        )
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def query_of(
    api_version: str,
    *,
    odata_filter: str | None = None,
    select: str | None = None,
    max_results: int | None = None,
    timeout_seconds: int | None = None,
) -> str:
    """The query with the names of *api_version*; what is None is left out."""
    timeout_name = "timeOut" if api_version[: len(_TIME_OUT_SINCE)] >= _TIME_OUT_SINCE else "timeout"
    given: Mapping[str, str | int | None] = {
        "$filter": odata_filter,
        "$select": select,
        "api-version": api_version,
        "maxresults": max_results,
        timeout_name: timeout_seconds,
    }
    return "&".join(
        f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in given.items() if value is not None
    )


def state_filter(states: Iterable[str]) -> str:
    """The `$filter` of what is in one of these states, in their order."""
    return " or ".join(f"state eq '{state}'" for state in states)
