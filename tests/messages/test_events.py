"""What receivers are told: CloudEvents of bounded size, in Batch's own names."""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.messages.events import Event, EventType
from shared.messages.job_events import change_type, job_event
from shared.messages.node_entries import MAX_EVENT_BYTES
from tests.messages.every_event import HOSTILE, changes_of, event_named, event_of, full
from tests.polling.pipeline import body_of
from tests.support.builders import ACCOUNT, NOW, ORIGIN, failed, head, status, succeeded


def test_every_event_is_a_cloud_event(event: Event) -> None:
    """The CloudEvents SDK reads every event, and what filters and rows go by is what the body says."""
    message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=event.body)
    parsed = from_structured_event(message)

    assert parsed.get_id() == event.id
    assert parsed.get_type() == event.type.value
    assert parsed.get_source() == (f"https://{ACCOUNT}" if event.account else "urn:prepwatch:prepwatch-site")
    assert parsed.get_subject() == (f"jobs/{event.job_id}" if event.job_id else body_of(event).get("subject"))
    assert parsed.get_dataschema() == body_of(event)["dataschema"]
    assert parsed.get_extension("recordedtime") == "2026-11-03T12:00:00Z"
    moment = parsed.get_time()
    assert moment is not None
    assert moment.tzinfo is not None
    pools = {node["poolId"] for node in body_of(event)["data"].get("nodes", [])}
    assert event.pools == pools


def test_size(event: Event) -> None:
    """No event exceeds 48 KiB, whatever a node has to say."""
    assert len(event.body) <= MAX_EVENT_BYTES


@pytest.mark.slow
def test_a_node_of_any_length_fits() -> None:
    """A node whose ids are as long as can be and whose texts are as hostile as can be still makes an event."""
    for text in HOSTILE.values():
        shown = status(full(text), node_id='"' * 512, pool_id="\U0001f600" * 512)
        job = head(job_id="j" * 128)

        event = event_of(Phase.PREPARATION, shown, job=job)
        assert len(event.body) <= MAX_EVENT_BYTES
        assert json.loads(event.body)["data"]["nodes"][0]["nodeId"] == '"' * 512


def test_batchs_own_names() -> None:
    """A node's entry has the fields of Batch's execution information under Batch's names and in its forms."""
    entry = body_of(event_named("failed, everything said"))["data"]["nodes"][0]

    assert entry["startTime"] == "2026-11-01T12:00:00Z"
    assert (entry["exitCode"], entry["retryCount"], entry["failureInfo"]["code"]) == (-9, 2, "x")
    assert set(entry) == {
        *("occurrenceId", "poolId", "nodeId", "nodeUrl", "startTime", "endTime", "state", "result", "exitCode"),
        *("retryCount", "lastRetryTime", "failureInfo", "containerInfo", "taskRootDirectory", "taskRootDirectoryUrl"),
    }


def test_links() -> None:
    """Events link to the dashboard and the summary of the job, with ids escaped, when our own address is known."""
    links = body_of(job_event(ORIGIN, head(job_id="a&b:c"), EventType.JOB_STUCK, NOW, NOW))["data"]["links"]

    assert links == {
        name: f"https://prepwatch.example.net/api/{name}?account={ACCOUNT}&job=a%26b%3Ac"
        for name in ("dashboard", "summary")
    }
    assert body_of(event_named("ping"))["data"]["links"] == {}


def test_an_event_is_never_older_than_its_job() -> None:
    """A run without times, or with absurd ones, is told under the job's creation time."""
    absurd = replace(failed(0), start_time=datetime(1999, 1, 1, tzinfo=UTC), end_time=None)

    assert body_of(event_of(Phase.PREPARATION, status(absurd)))["time"] == "2026-11-01T12:00:00Z"


def test_types_of_changes() -> None:
    """A change is told by the type of its phase and reason."""
    first = changes_of(status(failed(0), failed(9)))
    second = changes_of(status(failed(0)), status(succeeded(9)))

    assert [change_type(change) for change in (*first, *second)] == [
        EventType.PREPARATION_FAILED,
        EventType.RELEASE_FAILED,
        EventType.PREPARATION_RESOLVED,
    ]
