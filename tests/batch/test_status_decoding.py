"""Reading one node of a listing: every field, every spelling of a time, and what breaks the contract."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.batch import wire
from shared.batch.model import (
    ContainerInfo,
    ExecutionInfo,
    FailureInfo,
    NameValuePair,
    NodeStatus,
)
from shared.errors import HostileAnswerError


def status_of(**preparation: Any) -> NodeStatus:
    """A decoded entry whose preparation has these wire fields."""
    entry = {"poolId": "p", "nodeId": "n", "jobPreparationTaskExecutionInfo": preparation}
    return wire.decode_status(json.dumps(entry).encode())


def preparation_of(**fields: Any) -> ExecutionInfo:
    """The preparation of `status_of`."""
    info = status_of(**fields).preparation
    assert info is not None
    return info


def test_every_field_of_the_operation_is_read() -> None:
    """Container, failure with details, retries and result all arrive, with unknown words and fields beside them."""
    info = preparation_of(
        state="Completed",
        result="Failure",
        exitCode=-1073741510,
        retryCount=3,
        lastRetryTime="2026-01-02T03:04:05.1234567Z",
        failureInfo={
            "category": "UserError",
            "code": "SomethingNew",
            "message": "m",
            "details": [{"name": "FilePath", "value": "f"}, {"name": None}],
            "future": {"a": [1]},
        },
        containerInfo={"containerId": "c", "state": "exited", "error": "e"},
        future=[{}],
    )

    assert info == ExecutionInfo(
        state="Completed",
        result="Failure",
        exit_code=-1073741510,
        retry_count=3,
        last_retry_time=datetime(2026, 1, 2, 3, 4, 5, 123457, tzinfo=UTC),
        failure_info=FailureInfo(
            category="UserError",
            code="SomethingNew",
            message="m",
            details=(NameValuePair(name="FilePath", value="f"), NameValuePair()),
        ),
        container_info=ContainerInfo(container_id="c", state="exited", error="e"),
        digits=("", "", "1234567"),
    )


TIMES = {
    "Z": ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "seven digits": ("2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123457, tzinfo=UTC)),
    "no zone": ("2026-01-02T03:04:05.5", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
    "offset": ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    "null": (None, None),
    "empty": ("", None),
    "none of .NET": ("0001-01-01T00:00:00", None),
    "none of .NET, elsewhere": ("0001-01-01T00:00:00+05:00", None),
    "the last of .NET": ("9999-12-31T23:59:59.9999999Z", None),
    "the last of .NET, elsewhere": ("9999-12-31T23:59:59-14:00", None),
    "leap second": ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    "leap second, elsewhere": (
        "2027-01-01T01:59:60.25+02:00",
        datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ),
    "RFC 1123": ("Fri, 02 Jan 2026 03:04:05 GMT", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "RFC 1123, elsewhere": ("Fri, 02 Jan 2026 05:04:05 +0200", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
}


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("name", ["startTime", "endTime", "lastRetryTime"])
@pytest.mark.parametrize(("text", "expected"), TIMES.values(), ids=TIMES.keys())
def test_times_are_read_as_utc(name: str, text: str | None, expected: datetime | None) -> None:
    """Every spelling of a time becomes an aware time in UTC itself, one without zone is UTC."""
    info = preparation_of(**{name: text})
    read = {"startTime": info.start_time, "endTime": info.end_time, "lastRetryTime": info.last_retry_time}[name]

    assert read == expected
    assert read is None or read.tzinfo is UTC


def test_only_the_node_id_is_required() -> None:
    """Nulls and missing fields are all None."""
    nulls = dict.fromkeys(["poolId", "nodeUrl", "jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"], None)

    assert wire.decode_status(json.dumps({"nodeId": "n", **nulls}).encode()) == NodeStatus(node_id="n")
    assert wire.decode_identities([b'{"nodeId":"n"}']) == [("", "n")]


def entry(**fields: Any) -> bytes:
    """An entry of a listing with these fields beside its id."""
    return json.dumps({"poolId": "p", "nodeId": "n", **fields}).encode()


BAD_IDS = {
    "no node id": (b'{"poolId":"p"}', "$.nodeId"),
    "null node id": (b'{"nodeId":null}', "$.nodeId"),
    "empty node id": (b'{"nodeId":""}', "$.nodeId"),
    "endless node id": (json.dumps({"nodeId": "x" * 513}).encode(), "$.nodeId"),
    "control character in node id": (b'{"nodeId":"a\\u0000b"}', "$.nodeId"),
    "control character in pool id": (b'{"nodeId":"n","poolId":"a\\nb"}', "$.poolId"),
}


BAD_ENTRIES = {
    "wrong type of node id": (b'{"nodeId":7}', "$.nodeId"),
    "no object": (b"[]", "array"),
    "too deep": (b'{"nodeId":"n","x":' + b"[" * 100_000, "nested too deeply"),
}


BAD_FIELDS = {
    "text as exit code": (entry(jobPreparationTaskExecutionInfo={"exitCode": "1"}), "TaskExecutionInfo.exitCode"),
    "fraction as exit code": (entry(jobReleaseTaskExecutionInfo={"exitCode": 1.5}), "TaskExecutionInfo.exitCode"),
    "huge exit code": (entry(jobReleaseTaskExecutionInfo={"exitCode": 2**40}), "TaskExecutionInfo.exitCode"),
    "huge retry count": (
        entry(jobPreparationTaskExecutionInfo={"retryCount": -(2**80)}),
        "TaskExecutionInfo.retryCount",
    ),
    "no time": (entry(jobPreparationTaskExecutionInfo={"startTime": "yesterday"}), "TaskExecutionInfo.startTime"),
    "number as time": (entry(jobPreparationTaskExecutionInfo={"endTime": 5}), "TaskExecutionInfo.endTime"),
    "no time of RFC 1123": (
        entry(jobPreparationTaskExecutionInfo={"endTime": "Tue, 29 Xyz 2025 21:49:13 GMT"}),
        "TaskExecutionInfo.endTime",
    ),
    "an hour too many": (
        entry(jobPreparationTaskExecutionInfo={"endTime": "2026-01-02T25:00:00Z"}),
        "TaskExecutionInfo.endTime",
    ),
    "object as message": (
        entry(jobPreparationTaskExecutionInfo={"failureInfo": {"message": {}}}),
        "$.jobPreparationTaskExecutionInfo.failureInfo.message",
    ),
    "object as details": (
        entry(jobPreparationTaskExecutionInfo={"failureInfo": {"details": {}}}),
        "failureInfo.details",
    ),
    "text as info": (entry(jobReleaseTaskExecutionInfo="x"), "$.jobReleaseTaskExecutionInfo"),
}


@pytest.mark.parametrize(
    ("raw", "words"), [*BAD_ENTRIES.values(), *BAD_FIELDS.values()], ids=[*BAD_ENTRIES, *BAD_FIELDS]
)
def test_an_entry_that_breaks_the_contract_names_the_field(raw: bytes, words: str) -> None:
    """A wrong type is the server's fault, and the error says which field it is."""
    with pytest.raises(HostileAnswerError) as caught:
        wire.decode_status(raw)

    assert words in caught.value.message
    assert caught.value.code == "InvalidAnswer"


@pytest.mark.parametrize(("raw", "words"), [*BAD_IDS.values(), *BAD_ENTRIES.values()], ids=[*BAD_IDS, *BAD_ENTRIES])
def test_an_entry_without_usable_ids_is_refused(raw: bytes, words: str) -> None:
    """Reading the identity is strict about the ids, which become keys, and as strict as reading everything else."""
    with pytest.raises(HostileAnswerError, match=re.escape(words.replace("$.", "."))):
        wire.decode_identities([raw])
