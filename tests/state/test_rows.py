"""How what Prepwatch remembers lies in the table."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from shared.batch.model import Phase
from shared.errors import UnreadableRowError
from shared.ports import Column, Row
from shared.state.accounts import Cycle
from shared.state.compression import compress
from shared.state.jobs import Cause, JobEnd, JobHead, PhaseCounts, Tracking, Trouble
from shared.state.pools import Standstill
from shared.state.rows import (
    SCHEMA_VERSION,
    check_version,
    chunk_key,
    delivery_key,
    digest_key,
    event_key,
    from_row,
    job_key,
    pack,
    pack_body,
    range_of,
    to_columns,
    unpack,
    unpack_body,
    unpack_jobs,
    webhook_key,
)
from shared.state.telling import Attempt, Delivery, DeliveryState, WebhookState
from tests.support.builders import CREATED, NOW, head

TROUBLE = Trouble(code="A", message="b", since=NOW, request_id="r", values=(("k", "v"),), times=3, event_id="e")
VALUES: tuple[Struct, ...] = (
    head(),
    head(
        tracking=Tracking.UNREACHABLE,
        settled_at=NOW,
        preparation=PhaseCounts(failed=2, open=1),
        causes=(Cause(phase=Phase.RELEASE, code="c", message="é" * 200, nodes=1, pools=("p",), example=("p", "n")),),
        page_fingerprints=(b"0" * 16,) * 1000,
        chunks=("0", "10", "11"),
        closed=JobEnd.GONE,
        wait_for_success=False,
        stuck=Standstill(since=NOW, confirmed=True),
        trouble=TROUBLE,
        commit="c",
    ),
    Cycle(started_at=NOW, finished_at=NOW, waiting={f"job-{number}": NOW for number in range(5_000)}, trouble=TROUBLE),
    Delivery(
        webhook="ops",
        event_id="e",
        created_at=NOW,
        next_attempt_at=NOW,
        attempts=(Attempt(at=NOW, status=500, answer="x" * 1024),) * 10,
    ),
    WebhookState(name="ops", failures=3, failing_since=NOW, disabled_since=NOW, not_before=NOW, reason="r"),
)


def _row(columns: dict[str, Column]) -> Row:
    return Row(key="job|x", columns=columns, etag="1")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_round_trip(value: Struct) -> None:
    """Everything that is remembered comes back as it was, in columns that the table service takes."""
    columns = to_columns(value)

    assert from_row(_row(columns), type(value)) == value
    assert columns["v"] == SCHEMA_VERSION
    assert all(
        isinstance(column, int) or (isinstance(column, bytes) and len(column) <= 65_536) for column in columns.values()
    )


@given(st.integers(0, 200_000))
def test_bytes_of_any_length(length: int) -> None:
    """Bytes are cut into columns of at most 64 KiB and put together again."""
    data = bytes(range(256)) * (length // 256 + 1)
    data = data[:length]

    assert unpack(_row(pack(data))) == data


def test_a_body_is_stored_small_and_comes_back_byte_for_byte() -> None:
    """What receivers are sent is kept exactly; of nodes that fail alike hardly more than one is stored."""
    body = b'{"data":{"nodes":[' + b'{"nodeId":"tvm-1","code":"DiskFull"},' * 500 + b"]}}"
    columns = pack_body(body)

    assert unpack_body(_row(columns)) == body
    assert sum(len(column) for column in columns.values() if isinstance(column, bytes)) < len(body) / 20


@pytest.mark.parametrize("data", [b"", b"{}", pack_body(b"{}" * 99)["data0"]], ids=["empty", "as it is", "cut"])
def test_a_body_that_was_damaged_names_its_row(data: bytes) -> None:
    """A body that can't be read is refused with the row that it lies in."""
    with pytest.raises(UnreadableRowError, match="Row "):
        unpack_body(_row(pack(data[:-1])))


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, 0, -1, None, "1", b"1"])
def test_other_versions_are_left_alone(version: Column | None) -> None:
    """A row of a newer version, or of none, is refused with what to do, and never taken for empty."""
    columns = to_columns(head())
    del columns["v"]
    if version is not None:
        columns["v"] = version

    with pytest.raises(UnreadableRowError, match="newer version again" if version in {2, 99} else "no schema version"):
        from_row(_row(columns), JobHead)
    with pytest.raises(UnreadableRowError):
        check_version("x", columns)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"v": 1}, id="no data"),
        pytest.param({"v": 1, "data0": "text"}, id="data of another type"),
        pytest.param({"v": 1, "data0": b""}, id="empty"),
        pytest.param({"v": 1, "data0": b"\xc1"}, id="no msgpack"),
        pytest.param({"v": 1, "data0": b"\x80"}, id="no job id"),
        pytest.param({"v": 1, "data0": b"\x81\xa6job_id\xa1\xff"}, id="text that is no UTF-8"),
        pytest.param({"v": 1, "data0": b"\x81\xa6job_id\x07"}, id="another type"),
        pytest.param({"v": 1, "data0": b"\x82\xa6job_id\xa1j\xa1x" + b"\x91" * 9000}, id="nested without end"),
        pytest.param({"v": 1, "data0": to_columns(head())["data0"][:-1]}, id="cut"),  # type: ignore[index] # it is bytes
    ],
)
def test_damaged_rows(columns: dict[str, Column]) -> None:
    """A row that can't be read is named, never coerced into a default."""
    with pytest.raises(UnreadableRowError, match=r"job\|x"):
        from_row(_row(columns), JobHead)


@pytest.mark.parametrize("damaged", [b"\x91\xa1\xff", b"\x07", b"\x91" * 9000], ids=["no UTF-8", "no list", "nested"])
def test_jobs_that_can_not_be_read_are_none(damaged: bytes) -> None:
    """The jobs beside an event only help to find it: when they are damaged, the event is still shown."""
    assert unpack_jobs(_row({"jobs": compress(damaged)})) == frozenset()


def test_fields_of_a_later_minor_change_are_passed_over() -> None:
    """FORWARD COMPATIBILITY: a field that this version does not know does not make a row unreadable."""
    columns: dict[str, Column] = {"v": 1, "data0": b"\x82\xa6job_id\xa1j\xa3new\x07"}

    assert from_row(_row(columns), JobHead) == JobHead(job_id="j")


def test_keys() -> None:
    """Row keys ignore the case of ids, keep incarnations apart, and spell a moment the same in every zone."""
    east = CREATED.astimezone(timezone(timedelta(hours=5)))

    assert job_key("Job-1") == job_key("JOB-1") == "job|job-1"
    assert (
        chunk_key("Job-1", CREATED, "01") == chunk_key("job-1", east, "01") == "node|job-1|20261101T120000.000000Z|01"
    )
    assert chunk_key("j", None, "") == "node|j|unknown|"
    assert len({chunk_key("j", CREATED + timedelta(microseconds=step), "") for step in range(3)}) == 3
    assert digest_key("ops", "Job") == "digest|ops|job"
    assert (event_key("e"), webhook_key("ops")) == ("event|e", "webhook|ops")
    assert [delivery_key(state, "ops", "e") for state in DeliveryState] == ["due|ops|e", "dead|ops|e", "done|ops|e"]


def test_ranges() -> None:
    """A kind's range holds all of its keys and none of another kind."""
    keys = [
        job_key("a"),
        job_key("~"),
        event_key("e"),
        "cycle",
        "refresh",
        chunk_key("a", None, ""),
        digest_key("o", "j"),
    ]
    start, end = range_of("job")

    assert [key for key in keys if start <= key < end] == [job_key("a"), job_key("~")]
