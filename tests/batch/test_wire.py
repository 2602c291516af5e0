"""Reading a page of a listing, and spelling what Batch is asked."""

import gc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.batch import wire
from shared.batch.model import (
    ExecutionInfo,
    NodeStatus,
)
from shared.errors import HostileAnswerError, RejectedRequestError

API_PAGE = (Path(__file__).parent / "api_page_example.json").read_bytes()


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
