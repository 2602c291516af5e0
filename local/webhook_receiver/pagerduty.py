"""PagerDuty's Events API v2: alert events, and the incidents that they open and close.

Every alert opens an incident of its own, as a service without grouping does. Sources:
https://developer.pagerduty.com/docs/events-api-v2-overview (answers, 512 KB),
https://developer.pagerduty.com/docs/send-alert-event (members, their limits, what becomes of an incident). Which
status a too large event gets is not documented; the throttle is said to be dynamic, so there is none here.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from local.webhook_receiver.service import RefusedError, Request, Verdict, json_object

MOST_BYTES = 512 * 1024
MOST_IN_SUMMARY = 1024
MOST_IN_DEDUP_KEY = 255
ROUTING_KEY_CHARACTERS = 32
ROUTING_KEY = "0local0routing0key0of0pagerduty0"
"""Of the integration on this machine; it opens nothing else."""

_MEMBERS = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
_PAYLOAD_TEXTS = ("summary", "source", "severity", "timestamp", "component", "group", "class")


class Action(StrEnum):
    """What an event asks for."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class State(StrEnum):
    """How an incident stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(slots=True, kw_only=True)
class Incident:
    """What somebody is called for; *triggers* counts the events that opened it or came upon it."""

    number: int
    dedup_key: str
    summary: str
    severity: str
    state: State = State.TRIGGERED
    triggers: int = 1


class PagerDutyService:
    """A service with one integration, whose key is *routing_key*."""

    def __init__(self, routing_key: str) -> None:
        self._routing_key = routing_key
        self.incidents: list[Incident] = []

    def receive(self, request: Request) -> Verdict:
        """Take an event, and open, change or close its incident."""
        try:
            event = read_event(request)
            if event["routing_key"] != self._routing_key:
                raise _invalid("no integration has this routing_key")
        except RefusedError as refused:
            return refused.verdict
        key = str(event.get("dedup_key") or f"made for event {len(self.incidents) + 1}")
        incident, happened = self._apply(Action(str(event["event_action"])), key, event)
        return Verdict(
            status=HTTPStatus.ACCEPTED,
            answer=json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}),
            reason="within PagerDuty's limits",
            shows=(happened, *_details(event)),
            facts={"incident": incident.number if incident else None, "dedupKey": key},
        )

    def _apply(self, action: Action, key: str, event: dict[str, object]) -> tuple[Incident | None, str]:
        incident = next(
            (each for each in self.incidents if each.dedup_key == key and each.state is not State.RESOLVED), None
        )
        if action is Action.TRIGGER:
            payload = event["payload"]
            assert isinstance(payload, dict)  # noqa: S101 - read_event has seen to it
            if incident is None:
                incident = Incident(
                    number=len(self.incidents) + 1,
                    dedup_key=key,
                    summary=payload["summary"],
                    severity=payload["severity"],
                )
                self.incidents.append(incident)
                happened = "opened"
            else:
                incident.triggers += 1
                happened = "triggered again"
            return incident, f"incident {incident.number} {happened}, {payload['severity']}: {payload['summary']}"
        if incident is None:
            return None, f"{action} dropped: no incident is open for {key}"
        incident.state = State.ACKNOWLEDGED if action is Action.ACKNOWLEDGE else State.RESOLVED
        return incident, f"incident {incident.number} {incident.state}: {incident.summary}"


def read_event(request: Request) -> dict[str, object]:
    """The event that a request holds.

    Raises:
        RefusedError: PagerDuty would not take it.
    """
    if len(request.body) > MOST_BYTES:
        why = f"the event has {len(request.body)} bytes, not up to {MOST_BYTES}"
        raise RefusedError(why, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if request.media_type != "application/json":
        raise _invalid("the content type is not application/json")
    event = json_object(request.body, answer=_answer("JSON Parse Error"))
    if unknown := event.keys() - _MEMBERS:
        raise _invalid(f"{', '.join(sorted(unknown))} is no member of an event")
    if len(_text("routing_key", event)) != ROUTING_KEY_CHARACTERS:
        raise _invalid(f"routing_key has not {ROUTING_KEY_CHARACTERS} characters")
    action = _text("event_action", event)
    if action not in set(Action):
        raise _invalid(f"event_action is {action!r}, not {', '.join(Action)}")
    if "dedup_key" in event and len(_text("dedup_key", event)) > MOST_IN_DEDUP_KEY:
        raise _invalid(f"dedup_key has more than {MOST_IN_DEDUP_KEY} characters")
    if action == Action.TRIGGER:
        _check_payload(event.get("payload"))
        _check_links(event.get("links", []))
    elif "dedup_key" not in event:
        raise _invalid(f"dedup_key is missing, which {action} needs")
    return event


def _check_payload(payload: object) -> None:
    if not isinstance(payload, dict):
        raise _invalid("payload is missing, which trigger needs")
    for name in ("summary", "source", "severity"):
        _text(f"payload.{name}", payload)
    for name in _PAYLOAD_TEXTS:
        if not isinstance(payload.get(name, ""), str):
            raise _invalid(f"payload.{name} is no text")
    if unknown := payload.keys() - {*_PAYLOAD_TEXTS, "custom_details"}:
        raise _invalid(f"payload has {', '.join(sorted(unknown))}, which is no member of it")
    if len(payload["summary"]) > MOST_IN_SUMMARY:
        raise _invalid(f"payload.summary has more than {MOST_IN_SUMMARY} characters")
    if payload["severity"] not in {"critical", "error", "warning", "info"}:
        raise _invalid(f"payload.severity is {payload['severity']!r}")
    try:
        datetime.fromisoformat(payload.get("timestamp", "2026-01-01"))
    except ValueError:
        raise _invalid("payload.timestamp is no ISO 8601 time") from None


def _check_links(links: object) -> None:
    if not isinstance(links, list) or not all(isinstance(link, dict) and link.get("href") for link in links):
        raise _invalid("links is not a list of objects with href")


def _text(where: str, members: dict[str, object]) -> str:
    value = members.get(where.rpartition(".")[2])
    if not isinstance(value, str) or not value:
        raise _invalid(f"{where} is missing, or no text")
    return value


def _details(event: dict[str, object]) -> list[str]:
    payload = event.get("payload")
    details = payload.get("custom_details") if isinstance(payload, dict) else None
    if not isinstance(details, dict):
        return []
    return [line for name, value in details.items() for line in _said(str(name), value)]


def _said(name: str, value: object) -> list[str]:
    return [name, *map(str, value)] if isinstance(value, list) else [f"{name}: {value}"]


def _invalid(why: str) -> RefusedError:
    return RefusedError(why, answer=_answer(why))


def _answer(why: str) -> str:
    return json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": [why]})
