"""The stand-in for PagerDuty opens and closes incidents as the Events API v2 says."""

import json

import pytest

from local.webhook_receiver.pagerduty import ROUTING_KEY, PagerDutyService, State
from tests.stack.receivers.requests import payload, post, trigger

RESOLVE = trigger(event_action="resolve", payload=None)
ACKNOWLEDGE = trigger(event_action="acknowledge", payload=None)


def test_an_event_is_taken() -> None:
    """An event is answered with 202 and its key, and opens an incident."""
    service = PagerDutyService(ROUTING_KEY)
    verdict = service.receive(post(trigger(payload=payload(custom_details={"job": ["a: b"]}))))
    assert (verdict.status, json.loads(verdict.answer)["dedup_key"], verdict.accepted) == (202, "job", True)
    assert verdict.shows == ("incident 1 opened, error: nightly failed", "job", "a: b")
    assert verdict.facts == {"incident": 1, "dedupKey": "job"}


@pytest.mark.parametrize(
    ("events", "states"),
    [
        pytest.param([trigger(), trigger()], [(State.TRIGGERED, 2)], id="the same again"),
        pytest.param([trigger(), trigger(dedup_key="other")], [(State.TRIGGERED, 1)] * 2, id="another"),
        pytest.param([trigger(), ACKNOWLEDGE], [(State.ACKNOWLEDGED, 1)], id="acknowledged"),
        pytest.param([trigger(), ACKNOWLEDGE, trigger()], [(State.ACKNOWLEDGED, 2)], id="stays acknowledged"),
        pytest.param([trigger(), RESOLVE], [(State.RESOLVED, 1)], id="resolved"),
        pytest.param([trigger(), RESOLVE, RESOLVE], [(State.RESOLVED, 1)], id="resolved again"),
        pytest.param([trigger(), RESOLVE, trigger()], [(State.RESOLVED, 1), (State.TRIGGERED, 1)], id="a new one"),
        pytest.param([RESOLVE, ACKNOWLEDGE], [], id="dropped"),
        pytest.param([trigger(dedup_key=None), trigger(dedup_key=None)], [(State.TRIGGERED, 1)] * 2, id="without key"),
    ],
)
def test_incidents(events: list[object], states: list[tuple[State, int]]) -> None:
    """Events with the key of an open incident belong to it; one that is resolved is never opened again."""
    service = PagerDutyService(ROUTING_KEY)
    assert all(service.receive(post(event)).accepted for event in events)
    assert [(incident.state, incident.triggers) for incident in service.incidents] == states


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "not a JSON object", id="no JSON"),
        pytest.param(trigger(routing_key="short"), "routing_key has not 32 characters", id="short key"),
        pytest.param(trigger(routing_key="x" * 32), "no integration has this routing_key", id="other key"),
        pytest.param(trigger(event_action="open"), "event_action is 'open'", id="action"),
        pytest.param(trigger(dedup_key="x" * 256), "dedup_key has more than 255", id="long key"),
        pytest.param(trigger(event_action="resolve", dedup_key=None), "dedup_key is missing", id="no key"),
        pytest.param(trigger(payload=None), "payload is missing", id="no payload"),
        pytest.param(trigger(payload=payload(summary=None)), "payload.summary is missing", id="no summary"),
        pytest.param(trigger(payload=payload(summary="x" * 1025)), "more than 1024", id="long summary"),
        pytest.param(trigger(payload=payload(source=None)), "payload.source is missing", id="no source"),
        pytest.param(trigger(payload=payload(severity="high")), "severity is 'high'", id="severity"),
        pytest.param(trigger(payload=payload(timestamp="soon")), "no ISO 8601 time", id="time"),
        pytest.param(trigger(payload=payload(component=1)), "payload.component is no text", id="no text"),
        pytest.param(trigger(payload=payload(nodes=1)), "payload has nodes", id="unknown detail"),
        pytest.param(trigger(nodes=1), "nodes is no member", id="unknown member"),
        pytest.param(trigger(links=[{"text": "x"}]), "links is not", id="link"),
    ],
)
def test_events_are_refused(body: object, why: str) -> None:
    """What PagerDuty calls invalid is answered with 400, and opens nothing."""
    service = PagerDutyService(ROUTING_KEY)
    verdict = service.receive(post(body))
    assert (verdict.status, verdict.accepted) == (400, False)
    assert json.loads(verdict.answer)["status"] == "invalid event"
    assert why in verdict.reason
    assert service.incidents == []


def test_a_large_event_is_refused() -> None:
    """An event above 512 KB is refused."""
    event = trigger(payload=payload(custom_details={"text": "x" * 512 * 1024}))
    assert PagerDutyService(ROUTING_KEY).receive(post(event)).status == 413
