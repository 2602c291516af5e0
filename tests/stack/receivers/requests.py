"""Requests as the services document them, to be spoilt one part at a time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from local.webhook_receiver.pagerduty import ROUTING_KEY
from local.webhook_receiver.service import Request

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
JSON = {"content-type": "application/json; charset=utf-8"}


def post(body: object, *, headers: Mapping[str, str] | None = None, path: str = "/", at: datetime = NOW) -> Request:
    """A request with this JSON, or with these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(path=path, headers=JSON if headers is None else headers, body=content, at=at)


def plain(text: object) -> dict[str, object]:
    """A plain text of Slack's."""
    return {"type": "plain_text", "text": text, "emoji": False}


def slack(*blocks: object) -> dict[str, object]:
    """A message to Slack."""
    return {"text": "nightly failed", "blocks": list(blocks)}


def card(*parts: object, **members: object) -> dict[str, object]:
    """A message to Teams with these parts in its card."""
    content = {"type": "AdaptiveCard", "version": "1.2", "body": list(parts), **members}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def trigger(**members: object) -> dict[str, object]:
    """An event that opens an incident; members of None are left out."""
    payload = {"summary": "nightly failed", "source": "account", "severity": "error"}
    event = {"routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "job", "payload": payload, **members}
    return {name: value for name, value in event.items() if value is not None}


def payload(**members: object) -> dict[str, object]:
    """What an event says, members of None left out."""
    said = {"summary": "nightly failed", "source": "account", "severity": "error", **members}
    return {name: value for name, value in said.items() if value is not None}


def cloud_event(**members: object) -> dict[str, object]:
    """A CloudEvent, members of None left out."""
    event = {"id": "1", "source": "account", "specversion": "1.0", "type": "prepwatch.ping", **members}
    return {name: value for name, value in event.items() if value is not None}
