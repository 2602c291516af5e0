"""Webhooks as people write them, and how they are read."""

import base64
import json

from shared.settings.reader import SettingReader
from shared.settings.webhooks import load_webhooks
from shared.webhook import Webhook

CANARY = "canary0000secret"
SECRET = "whsec_" + base64.b64encode(b"n" * 24).decode()
OTHER_SECRET = base64.b64encode(b"o" * 64).decode()
SIGNED: dict[str, object] = {
    "name": "ops",
    "format": "cloudevents",
    "url": "https://a.example/hook",
    "secrets": [SECRET],
}
SLACK: dict[str, object] = {"name": "chat", "format": "slack", "url": "https://hooks.slack.com/services/T/B/x"}
PAGER: dict[str, object] = {"name": "pager", "format": "pagerduty", "keySetting": "PAGER_KEY"}
GRID: dict[str, object] = {
    "name": "grid",
    "format": "eventgrid",
    "url": "https://t.westeurope-1.eventgrid.azure.net/api/events",
}
ENVIRONMENT = {"PAGER_KEY": "0123456789abcdef0123456789abcdef", "HOOK_URL": "https://b.example/?sig=x%2F+"}


def without(members: dict[str, object], *names: str) -> dict[str, object]:
    """A webhook without some of its members."""
    return {name: value for name, value in members.items() if name not in names}


def read(
    *objects: object, allow_http: bool = False, **environment: str
) -> tuple[tuple[Webhook, ...], list[tuple[str, str]]]:
    """The webhooks of some objects, and setting and whole text of the problems found."""
    listed = {"WEBHOOKS": json.dumps(objects)} if objects else {}
    reader = SettingReader(environment=ENVIRONMENT | listed | environment)
    webhooks = load_webhooks(reader, allow_http=allow_http)
    return webhooks, [(problem.setting, str(problem)) for problem in reader.problems]


def accepted(*objects: object, allow_http: bool = False, **environment: str) -> tuple[Webhook, ...]:
    """The webhooks of some objects that are all right."""
    webhooks, problems = read(*objects, allow_http=allow_http, **environment)
    assert problems == []
    return webhooks
