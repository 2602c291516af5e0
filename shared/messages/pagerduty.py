"""How a notice is written for PagerDuty: one event of the Events API v2.

Owns the event, its limits, the incident's key, the service's address and which answer takes it. Does not own the words
(`messages.notices`) or when an incident opens and ends (`digests.incidents.rules`). Source:
https://developer.pagerduty.com/docs/events-api-v2-overview.
"""

import msgspec

from shared.messages.format import Format, KeyProblem, Tells, request_to
from shared.messages.notices import Notice
from shared.webhook import Webhook, WebhookRequest

URL = "https://events.pagerduty.com/v2/enqueue"
MAX_SUMMARY = 1024


def render_pagerduty(notice: Notice, routing_key: str) -> bytes:
    """The body of the request: `resolve` for what is over, else `trigger`."""
    page = notice.page
    if page is None:
        raise AssertionError("what only chat is told opens no incident")
    incident = {"routing_key": routing_key, "dedup_key": page.key}
    if page.over:
        return msgspec.json.encode({**incident, "event_action": "resolve"})
    payload: dict[str, object] = {
        "summary": notice.heading[:MAX_SUMMARY],
        "source": page.account,
        "severity": notice.severity.value,
        "component": page.about,
        "group": page.account,
        "class": page.kind,
        "custom_details": dict(page.details),
    }
    if page.since is not None:
        payload["timestamp"] = page.since
    links = [] if notice.dashboard is None else [{"href": notice.dashboard, "text": "Dashboard"}]
    client = {"client": "Prepwatch"} | ({} if notice.dashboard is None else {"client_url": notice.dashboard})
    return msgspec.json.encode({**incident, "event_action": "trigger", "payload": payload, "links": links, **client})


def _write_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    return request_to(webhook, render_pagerduty(notice, webhook.key or ""))


def _without_key(_url: str | None) -> KeyProblem:
    return KeyProblem(wrong="is missing", mend="name the app setting that holds the routing key")


PAGERDUTY = Format(
    name="pagerduty",
    tells=Tells.INCIDENTS,
    write_notice=_write_notice,
    is_taken=lambda status, _body: status == 202,
    address=URL,
    without_key=_without_key,
    hosts=("events.pagerduty.com", "events.eu.pagerduty.com"),
)
