"""Reads what Batch answers into the values of `model`, and writes what it is asked.

Owns the shapes on the wire, the bounds a well-meant answer keeps, and the spelling of paths and query names. Does not
own the exchange (`adapters.batch_client`), errors that Batch reports (`adapters.batch_errors`), nor what a status
means (`batch.outcomes`). Whatever breaks the contract becomes a HostileAnswerError that names the field and quotes
nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct, field, structs

from shared.batch.model import BatchJob, ExecutionInfo, NodeStatus, TaskCounts
from shared.batch.texts import clean_word
from shared.errors import HostileAnswerError, RejectedRequestError

# From this version on versions are plain dates, and the query name is written differently.
_TIME_OUT_SINCE: Final = "2025-06-01"
# Opaque, but they become keys: bounded, and without control characters.
_NODE_ID: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_ID_CHARACTERS: Final = 512
# Wider than documented (schedules put a colon in), but nothing that a table key or a path can't hold.
_JOB_ID: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\#?]{1,128}")
_NUMBERS: Final = range(-(2**31), 2**32)
_MISSING: Final = (b"", b"null")

_T = TypeVar("_T")


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


class _Counts(Struct, frozen=True):
    active: int | None = None
    running: int | None = None
    completed: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class _TaskCountsAnswer(_Counts, frozen=True):
    """Get Task Counts: nested since 2018, flat before."""

    nested: _Counts | None = field(default=None, name="taskCounts")


_PAGE: Final = msgspec.json.Decoder(Page)
_EMPTY_PAGE: Final = msgspec.json.Decoder(_EmptyPage)
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_IDENTITIES: Final = msgspec.json.Decoder(list[_Identity])
_STATUS: Final = msgspec.json.Decoder(NodeStatus)
_JOBS: Final = msgspec.json.Decoder(list[BatchJob])
_JOB: Final = msgspec.json.Decoder(BatchJob)
_COUNTS: Final = msgspec.json.Decoder(_TaskCountsAnswer)


def _decode(decode: Callable[[bytes | Raw], _T], data: bytes | Raw, what: str) -> _T:
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Their texts name positions, types and paths, never content.
        raise HostileAnswerError("InvalidAnswer", f"Batch's answer is not {what}: {error}") from None
    except RecursionError:
        raise HostileAnswerError("InvalidAnswer", f"Batch's answer is not {what}: nested too deeply") from None


# --- answers ----------------------------------------------------------------------------------------------------


def decode_page(body: bytes) -> Page:
    """One page of a listing, its entries not looked at; without `value` it may hold nothing but OData's own names.

    The bytes of `value` are a view into *body*.

    Raises:
        HostileAnswerError: Not JSON, cut short, or no page.
    """
    page = _decode(_PAGE.decode, body, "a page of a listing")
    head = bytes(memoryview(page.value)[:4])
    if head in _MISSING:
        _decode(_EMPTY_PAGE.decode, body, "a page of a listing")
        return Page(value=Raw(b"[]"), next_link=page.next_link)
    if not head.startswith(b"["):
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not a page of a listing: `value` is no array")
    return page


def split_statuses(value: bytes) -> list[Raw]:
    """The entries of a page's `value`, undecoded; each keeps *value* alive until it is dropped or copied.

    Raises:
        HostileAnswerError: Not a JSON array.
    """
    return _decode(_ITEMS.decode, value, "a list of statuses")


def decode_identities(entries: Sequence[Raw | bytes]) -> list[tuple[str, str]]:
    """Pool id and node id of each entry and nothing else, for whoever only sorts entries; no pool is `""`.

    Raises:
        HostileAnswerError: One of the entries has no id that can be one.
    """
    decoded = _decode(_IDENTITIES.decode, b"[%b]" % b",".join(entries), "a list of statuses")
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
    status = _decode(_STATUS.decode, raw, "a status")
    preparation = _in_utc(status.preparation, "jobPreparationTaskExecutionInfo")
    release = _in_utc(status.release, "jobReleaseTaskExecutionInfo")
    if preparation is status.preparation and release is status.release:
        return status
    return structs.replace(status, preparation=preparation, release=release)


def decode_jobs(value: Raw | bytes) -> Sequence[BatchJob]:
    """The jobs of a page's `value`.

    Raises:
        HostileAnswerError: A field has another type, or an id can't be one.
    """
    return tuple(_checked(job) for job in _decode(_JOBS.decode, value, "a list of jobs"))


def decode_job(body: bytes) -> BatchJob:
    """One job.

    Raises:
        HostileAnswerError: A field has another type, or the id is missing or can't be one.
    """
    return _checked(_decode(_JOB.decode, body, "a job"))


def decode_task_counts(body: bytes) -> TaskCounts:
    """The job's tasks by state, in the nested form or the flat one of older versions; a missing count is 0.

    Raises:
        HostileAnswerError: A field has another type, or neither form is there.
    """
    answer = _decode(_COUNTS.decode, body, "task counts")
    counts = answer.nested or answer
    if counts.active is None and counts.running is None:
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not task counts: neither `active` nor `running`")
    return TaskCounts(
        active=counts.active or 0,
        running=counts.running or 0,
        completed=counts.completed or 0,
        succeeded=counts.succeeded or 0,
        failed=counts.failed or 0,
    )


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


def _checked(job: BatchJob) -> BatchJob:
    if not _JOB_ID.fullmatch(job.id):
        raise HostileAnswerError("InvalidAnswer", "A job has no usable id - at `$.id`")
    execution = job.execution_info
    return structs.replace(
        job,
        state=clean_word(job.state),
        creation_time=_utc(job.creation_time, "creationTime"),
        state_transition_time=_utc(job.state_transition_time, "stateTransitionTime"),
        execution_info=execution
        and structs.replace(
            execution,
            pool_id=clean_word(execution.pool_id),
            end_time=_utc(execution.end_time, "executionInfo.endTime"),
            terminate_reason=clean_word(execution.terminate_reason),
        ),
    )


def _in_utc(info: ExecutionInfo | None, path: str) -> ExecutionInfo | None:
    if info is None:
        return None
    _check_number(info.exit_code, path, "exitCode")
    _check_number(info.retry_count, path, "retryCount")
    for time in (info.start_time, info.end_time, info.last_retry_time):
        if time is not None and time.tzinfo is not UTC:
            break
    else:
        return info
    return structs.replace(
        info,
        start_time=_utc(info.start_time, f"{path}.startTime"),
        end_time=_utc(info.end_time, f"{path}.endTime"),
        last_retry_time=_utc(info.last_retry_time, f"{path}.lastRetryTime"),
    )


def _check_number(number: int | None, path: str, name: str) -> None:
    if number is not None and number not in _NUMBERS:
        raise HostileAnswerError(
            "InvalidAnswer", f"Batch's answer is not a status: out of range - at `$.{path}.{name}`"
        )


def _utc(time: datetime | None, path: str) -> datetime | None:
    if time is None or time.tzinfo is UTC:
        return time
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise HostileAnswerError("InvalidAnswer", f"A time is out of range - at `$.{path}`") from None


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
