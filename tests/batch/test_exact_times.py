"""Times to the last digit as Batch wrote them."""

import json
from typing import Any

import msgspec
import pytest

from shared.batch.exact_times import as_written, written_status
from shared.batch.model import NodeStatus
from shared.batch.wire import decode_status
from shared.state.chunks import Entry, decode_record, encode_record
from shared.state.nodes import NodeRecord, PhaseRecord

SECOND = "2026-12-31T23:59:59"
TEXTS = {
    "seven digits": (f"{SECOND}.1234567Z", f"{SECOND}.1234567Z"),
    "rounded up to the next year": (f"{SECOND}.9999999Z", f"{SECOND}.9999999Z"),
    "just not rounded up": (f"{SECOND}.9999994Z", f"{SECOND}.9999994Z"),
    "hardly any": (f"{SECOND}.0000001Z", f"{SECOND}.0000001Z"),
    "fewer digits": (f"{SECOND}.12Z", f"{SECOND}.12Z"),
    "zeros at the end": (f"{SECOND}.1200000Z", f"{SECOND}.1200000Z"),
    "more digits": (f"{SECOND}.123456789012Z", f"{SECOND}.123456789012Z"),
    "six digits": (f"{SECOND}.123456Z", f"{SECOND}.123456Z"),
    "no fraction": (f"{SECOND}Z", f"{SECOND}Z"),
    "another zone": ("2027-01-01T01:59:59.1234567+02:00", f"{SECOND}.1234567Z"),
    "no zone": (f"{SECOND}.1234567", f"{SECOND}.1234567Z"),
}


def _shown(status: NodeStatus) -> Any:
    return json.loads(msgspec.json.encode(written_status(status)))


@pytest.mark.parametrize("phase", ["jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"])
@pytest.mark.parametrize("name", ["startTime", "endTime", "lastRetryTime"])
@pytest.mark.parametrize(("text", "shown"), TEXTS.values(), ids=TEXTS.keys())
def test_a_time_is_shown_as_it_was_written(phase: str, name: str, text: str, shown: str) -> None:
    """Every digit of a fraction comes back, in UTC, from the listing and from what is stored of it."""
    status = decode_status(json.dumps({"nodeId": "n", phase: {name: text, "state": "running"}}).encode())
    assert _shown(status)[phase] == {name: shown, "state": "running"}

    for info in filter(None, (status.preparation, status.release)):
        record = NodeRecord(preparation=PhaseRecord(info=info))
        stored = decode_record(Entry(b"", encode_record(record))).preparation
        assert stored is not None
        assert json.loads(msgspec.json.encode(as_written(stored.info)))[name] == shown


def test_what_batch_may_call_digits_is_none() -> None:
    """A field of the listing can't stand in for what was read of the times."""
    status = decode_status(b'{"nodeId":"n","jobReleaseTaskExecutionInfo":{"-digits":["x","y","z"],"state":"running"}}')
    assert _shown(status)["jobReleaseTaskExecutionInfo"] == {"state": "running"}
