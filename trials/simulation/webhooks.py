"""Who is told in a system: webhooks of every format with what their receivers check, and the settings that name them.

Owns the webhooks' settings. Does not own how receivers behave (`receivers`).
"""

import base64
import json
from collections.abc import Mapping

from trials.simulation.batch import BASE
from trials.simulation.fault_rates import Chance

Webhooks = Mapping[str, Mapping[str, object]]
"""Webhooks by name, each as far as it differs from a plain one of its format."""

_NEW, _OLD = (base64.b64encode(message * 32).decode() for message in (b"n", b"o"))
_SIGNED = {"format": "cloudevents", "secrets": [f"whsec_{_NEW}"]}
_PLAIN: Mapping[str, Mapping[str, object]] = {
    "cloudevents": _SIGNED,
    "slack": {},
    "teams": {},
    "pagerduty": {"keySetting": "PAGER_KEY"},
    "eventgrid": {"keySetting": "TOPIC_KEY"},
}
KEYS = {"PAGER_KEY": "p" * 32, "TOPIC_KEY": "t" * 44}

WEBHOOKS: Webhooks = {
    "all": {},
    "failures": {"events": ["*.failed", "*.resolved"]},
    "rotating": {"secrets": [f"whsec_{_NEW}", f"whsec_{_OLD}"]},
}
"""Signed webhooks only; `rotating` knows its old key."""

_CHAT_FILTERS: tuple[Mapping[str, object], ...] = (
    {},
    {},
    {"events": ["preparation.*", "job.*", "account.*"]},
    {"events": ["*.failed"]},
    {"jobs": ["*e*-00?"]},
)


def draw_webhooks(chance: Chance) -> Webhooks:
    """A webhook of every format, some of them with filters."""
    return {
        "all": {},
        "topic": {"format": "eventgrid"},
        "slack": {"format": "slack", **chance.pick(_CHAT_FILTERS)},
        "teams": {"format": "teams", **chance.pick(_CHAT_FILTERS)},
        "pager": {"format": "pagerduty", **chance.pick(_CHAT_FILTERS)},
    }


def environment(webhooks: Webhooks, settings: Mapping[str, str]) -> dict[str, str]:
    """The app settings of an installation that tells these webhooks."""
    listed = [
        {"name": name, "url": f"https://{name}.example/hook", **_PLAIN[str(its.get("format", "cloudevents"))], **its}
        for name, its in webhooks.items()
    ]
    return {
        "BATCH_ACCOUNT_URLS": BASE,
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "POLL_SCHEDULE": "0 * * * * *",
        "WEBHOOKS": json.dumps(listed),
        **KEYS,
        **settings,
    }
