"""How an event is published to an Event Grid custom topic: a CloudEvents batch of one.

Owns address, headers and body, and when the topic takes a token instead of a key. Does not own where a token comes from
(`ports.Authorize`). The topic's input schema has to be CloudEventSchemaV1_0.
Source: https://learn.microsoft.com/azure/event-grid/cloud-event-schema.
"""

from datetime import datetime
from urllib.parse import parse_qs, urlsplit, urlunsplit

from shared.messages.format import Format, KeyProblem, Message, Tells, request_to
from shared.webhook import Webhook, WebhookRequest

API_VERSION = "2018-01-01"

_DOMAINS = ("eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn")
"""Of the public cloud, of the US Government's and of China's."""


def eventgrid_url(url: str) -> str:
    """The topic's address with the version of the publishing API, unless it names one itself."""
    parts = urlsplit(url)
    if "api-version" in parse_qs(parts.query):
        return url
    query = f"{parts.query}&api-version={API_VERSION}" if parts.query else f"api-version={API_VERSION}"
    return urlunsplit(parts._replace(query=query))


def token_scope(url: str) -> str | None:
    """The scope of tokens for a topic; None for an address that is none of Event Grid's and may be shown no token."""
    parts = urlsplit(url)
    host = parts.netloc.lower() if parts.scheme == "https" else ""
    return next((f"https://{domain}/.default" for domain in _DOMAINS if host.endswith(f".{domain}")), None)


def _write_event(webhook: Webhook, message: Message, _now: datetime) -> WebhookRequest:
    headers = {} if webhook.key is None else {"aeg-sas-key": webhook.key}
    # Event Grid takes nothing but batches in this content type.
    return request_to(webhook, b"[" + message.body + b"]", headers, url=eventgrid_url(webhook.url))


def _without_key(url: str | None) -> KeyProblem | None:
    if url is None or token_scope(url) is not None:
        return None
    # An Entra token shown to any other host could be used there against the real topics.
    return KeyProblem(
        wrong=f"is missing for a host outside {' '.join(f'*.{domain}' for domain in _DOMAINS)}",
        mend="name the key's setting",
    )


EVENTGRID = Format(
    name="eventgrid",
    tells=Tells.EVENTS,
    write_event=_write_event,
    content_type="application/cloudevents-batch+json; charset=utf-8",
    without_key=_without_key,
    needs_token=lambda webhook: webhook.key is None,
)
