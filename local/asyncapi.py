"""docs/asyncapi.json, the events as an AsyncAPI document: `python -m local.asyncapi` writes it anew.

Owns the document around the schemas, for tools that make receivers or pages of it. Does not own the schemas
(docs/schemas), what they mean (docs/events.md), or which types there are.
"""

import json
import sys
from pathlib import Path

from shared.messages.events import EventType
from shared.webhook import EVENT_TYPE_PREFIX

FILE = Path(__file__).parents[1] / "docs" / "asyncapi.json"
_SCHEMAS = FILE.parent / "schemas"
_HEADERS = {
    "webhook-id": "The event's id, the same at every attempt: drop a message whose id you have handled.",
    "webhook-timestamp": "Seconds since 1970 of this attempt.",
    "webhook-signature": "As Standard Webhooks has it: v1, and base64 of HMAC-SHA256 over id.timestamp.body.",
}


def document() -> dict[str, object]:
    """The document: one channel, what the app sends over it, and one message for each type of event."""
    names = [kind.removeprefix(EVENT_TYPE_PREFIX) for kind in EventType]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Prepwatch events",
            "version": "1",
            "description": "What webhooks of the format cloudevents are sent. docs/events.md says how to verify it.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "webhook": {
                "address": None,
                "description": "The receiver's own address, one HTTP POST for every event.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            }
        },
        "operations": {
            "sendEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {"messages": {name: _message(name) for name in names}},
    }


def _message(name: str) -> dict[str, object]:
    schema = json.loads((_SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return {
        "name": EVENT_TYPE_PREFIX + name,
        "title": EVENT_TYPE_PREFIX + name,
        "summary": schema["description"].partition(" A CloudEvents 1.0 event")[0],
        "headers": {
            "type": "object",
            "properties": {header: {"type": "string", "description": said} for header, said in _HEADERS.items()},
            "required": list(_HEADERS),
        },
        "payload": {"$ref": f"schemas/{name}.json"},
    }


def main() -> int:
    """Write the document."""
    FILE.write_text(json.dumps(document(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
