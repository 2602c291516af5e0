"""Decoding what Batch answers, and spelling what it is asked."""

import gc
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
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
from shared.errors import HostileAnswerError, RejectedRequestError

API_PAGE = (Path(__file__).parent / "api_page_example.json").read_bytes()


def status_of(**preparation: Any) -> NodeStatus:
    """A decoded entry whose preparation has these wire fields."""
    entry = {"poolId": "p", "nodeId": "n", "jobPreparationTaskExecutionInfo": preparation}
    return wire.decode_status(json.dumps(entry).encode())


def preparation_of(**fields: Any) -> ExecutionInfo:
    """The preparation of `status_of`."""
    info = status_of(**fields).preparation
    assert info is not None
    return info


def test_the_example_of_the_api_page_is_read_whole() -> None:
    """The documented sample answer gives one entry with both phases, no result, and a link to another path."""
    page = wire.decode_page(API_PAGE)
    (raw,) = wire.split_entries(bytes(page.value))
    node = "tvm-2167304207_1-20140905t174658z"
    node_url = f"https://account.region.batch.azure.com/pools/poolId/nodes/{node}"
    started, ended = datetime(2015, 5, 1, 10, 20, 31, tzinfo=UTC), datetime(2015, 5, 2, 20, 12, 42, tzinfo=UTC)

    assert wire.decode_identities([raw]) == [("poolId", node)]
    assert wire.decode_status(raw) == NodeStatus(
        pool_id="poolId",
        node_id=node,
        node_url=node_url,
        preparation=ExecutionInfo(
            state="completed",
            start_time=started,
            end_time=ended,
            exit_code=0,
            retry_count=0,
            task_root_directory="tasks/myjob/job-1/myjobpreptask",
            task_root_directory_url=f"{node_url}/files/tasks/myjob/job-1/myjobpreptask",
        ),
        release=ExecutionInfo(
            state="completed",
            start_time=started,
            end_time=ended,
            exit_code=0,
            task_root_directory="tasks/myjob/job-1/myjobreleasetask",
            task_root_directory_url=f"{node_url}/files/tasks/myjob/job-1/myjobreleasetask",
        ),
    )
    assert page.next_link == (
        "https://account.region.batch.azure.com/jobs/myjob/jobpreparationandreleasestatus"
        f"?$skipToken={node}&api-version=2024-07-01.20.0"
    )


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


EMPTY = {
    "empty object": b"{}",
    "null value": b'{"value":null}',
    "metadata only": b'{"odata.metadata":"https://x/$metadata#y","odata.nextLink":null}',
    "empty array": b'{"value":[]}',
    "spaced": b'\n{ "value" : [ ] , "odata.nextLink" : null }\n',
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY.keys())
def test_a_page_may_be_empty(body: bytes) -> None:
    """An absent or null value is an empty last page."""
    page = wire.decode_page(body)

    assert wire.split_entries(bytes(page.value)) == []
    assert page.next_link is None


NO_PAGES = {
    "empty body": b"",
    "html": b"<html></html>",
    "array": b"[]",
    "text": b'"x"',
    "an error": b'{"code":"JobNotFound","message":{"value":"x"}}',
    "another object": b'{"status":"ok"}',
    "value is an object": b'{"value":{}}',
    "value is a text": b'{"value":"[]"}',
    "value is a number": b'{"value":0}',
    "link is a number": b'{"value":[],"odata.nextLink":5}',
    "cut short": b'{"value":[{"nodeId":"n"}',
    "something behind it": b'{"value":[]} {}',
    "too deep": b'{"value":' + b"[" * 100_000,
    "too deep elsewhere": b'{"x":' + b"[" * 100_000,
    "not UTF-8": b'{"odata.nextLink":"\xff"}',
}


@pytest.mark.parametrize("body", NO_PAGES.values(), ids=NO_PAGES.keys())
def test_what_is_no_page_is_hostile(body: bytes) -> None:
    """An answer of another shape is refused and never taken for an empty listing."""
    with pytest.raises(HostileAnswerError) as caught:
        wire.decode_page(body)

    assert caught.value.code == "InvalidAnswer"


ODD_TEXTS = {
    "half a pair": (rb'"\ud83d"', "\ufffd"),
    "the other half": (rb'"a\udca9b"', "a\ufffdb"),
    "halves in the wrong order": (rb'"\udca9\ud83d"', "\ufffd\ufffd"),
    "a whole pair and a half": (rb'"\ud83d\udca9\ud83d"', "\U0001f4a9\ufffd"),
    "an escaped backslash": (rb'"\\ud83d"', r"\ud83d"),
    "no UTF-8": (b'"a\xff"', "a\ufffd"),
    "a surrogate as bytes": (b'"\xed\xa0\x80"', "\ufffd" * 3),
    "bare control characters": (b'"a\tb\nc"', "a\tb\nc"),
}


@pytest.mark.parametrize(("text", "expected"), ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
@pytest.mark.parametrize("place", [b'"nodeUrl":%b', b'"jobReleaseTaskExecutionInfo":{"failureInfo":{"message":%b}}'])
def test_a_text_that_does_not_decode_is_mended(place: bytes, text: bytes, expected: str) -> None:
    """Of an odd text what can be kept is kept, and its entry, its page and the page's link are read all the same."""
    body = b'\xef\xbb\xbf{"value":[{"nodeId":"a"},{"nodeId":"n","poolId":"p",%b}],"odata.nextLink":"x"}'
    page = wire.decode_page(body % (place % text))
    _, odd = wire.split_entries(bytes(page.value))
    status = wire.decode_status(odd)
    failure = status.release.failure_info if status.release else None

    assert (page.next_link, wire.decode_identities([odd])) == ("x", [("p", "n")])
    assert (failure.message if failure else status.node_url) == expected


@pytest.mark.parametrize("odd", [b"nul", b"1e999", b'{"a":nan}', b"[" * 5000 + b"]" * 5000, b"{,}", b"[1,]", b"'x'"])
def test_what_is_no_json_is_an_entry_of_its_own(odd: bytes) -> None:
    """As long as brackets and quotes tell where an entry ends, the others are read."""
    page = wire.decode_page(b'{"value":[{"nodeId":"a"},%b,{"nodeId":"b"}]}' % odd)
    first, _, last = wire.split_entries(bytes(page.value))

    assert wire.decode_identities([first, last]) == [("", "a"), ("", "b")]


def test_entries_survive_the_page() -> None:
    """A raw entry can be read after everything else of its page is dropped, and copied to let the page go."""
    page = wire.decode_page(b'{"value":[{"nodeId":"a"},{"nodeId":"b"}]}')
    value = bytes(page.value)
    first, second = wire.split_entries(value)
    copy = second.copy()
    del page, value, second
    gc.collect()

    assert wire.decode_identities([first]) == [("", "a")]
    assert wire.decode_identities([copy]) == [("", "b")]


def test_paths_are_escaped_as_the_sdk_does() -> None:
    """A colon, a slash or a blank within a segment goes out escaped."""
    assert wire.path_of("jobs", "sched:job-1") == "/jobs/sched%3Ajob-1"
    assert wire.path_of("files", "a b/c?#ä") == "/files/a%20b%2Fc%3F%23%C3%A4"


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_names_something_else_is_rejected(segment: str) -> None:
    """An id of dots would be folded into another path on its way."""
    with pytest.raises(RejectedRequestError):
        wire.path_of("jobs", segment, "jobpreparationandreleasetaskstatus")


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2024-02-01.19.0", "timeout"),
        ("2024-07-01.20.0", "timeout"),
        ("2025-06-01", "timeOut"),
        ("2025-06-01.21.0", "timeOut"),
        ("2026-10-01", "timeOut"),
    ],
)
def test_the_query_speaks_its_version(version: str, name: str) -> None:
    """Every option goes out under the name that the version has for it."""
    query = wire.query_of(
        version, odata_filter="nodeId eq 'a+b'", select="poolId,nodeId", max_results=5, timeout_seconds=9
    )

    assert query == (
        f"%24filter=nodeId%20eq%20%27a%2Bb%27&%24select=poolId%2CnodeId&api-version={version}&maxresults=5&{name}=9"
    )
    assert wire.query_of(version) == f"api-version={version}"
