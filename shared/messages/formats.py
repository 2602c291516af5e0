"""How a message becomes a request to one webhook: the choice between the formats.

Owns the choice, the content type and the place of the signature. Does not own an event's bytes, which are made once
(`messages.events`), how a service wants its text (`format_*`), or what an answer means (`delivery.attempts`).
"""

from datetime import datetime

from msgspec import Struct

from shared.messages.event_notices import event_notice
from shared.messages.eventgrid import eventgrid_body, eventgrid_headers, eventgrid_url
from shared.messages.notices import Notice
from shared.messages.pagerduty import render_pagerduty
from shared.messages.signing import signing_headers
from shared.messages.slack import render_slack
from shared.messages.teams import render_teams
from shared.reprs import repr_without
from shared.webhook import Webhook, WebhookFormat, WebhookRequest

USER_AGENT = "Prepwatch/1"


class Message(Struct, frozen=True, kw_only=True):
    """An event as stored: its id and its bytes."""

    id: str
    body: bytes

    __repr__ = repr_without("body")


def render(webhook: Webhook, message: Message, now: datetime) -> WebhookRequest:
    """The request that tells a webhook of an event; only the time and its signature differ from attempt to attempt."""
    if webhook.format is WebhookFormat.CLOUDEVENTS:
        signed = signing_headers(message_id=message.id, now=now, body=message.body, secrets=webhook.secrets)
        return _request(webhook, message.body, signed)
    if webhook.format is WebhookFormat.EVENTGRID:
        headers = eventgrid_headers(webhook.key)
        return _request(webhook, eventgrid_body(message.body), headers, url=eventgrid_url(webhook.url))
    return render_notice(webhook, event_notice(message.body))


def render_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    """The request that tells chat or pager something in words."""
    if webhook.format is WebhookFormat.TEAMS:
        return _request(webhook, render_teams(notice))
    if webhook.format is WebhookFormat.SLACK:
        return _request(webhook, render_slack(notice))
    return _request(webhook, render_pagerduty(notice, webhook.key or ""))


def needs_token(webhook: Webhook) -> bool:
    """Whether a request to the webhook is authorised by Entra ID."""
    return webhook.format is WebhookFormat.EVENTGRID and webhook.key is None


def _request(
    webhook: Webhook, body: bytes, headers: dict[str, str] | None = None, url: str | None = None
) -> WebhookRequest:
    general = {"content-type": webhook.content_type, "user-agent": USER_AGENT}
    return WebhookRequest(url=url or webhook.url, headers=general | (headers or {}), body=body)
