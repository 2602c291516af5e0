"""How an event is published to an Event Grid custom topic: a CloudEvents batch of one.

Owns address, headers and body. Does not own where an Entra token comes from (`ports`). The topic's input schema has to
be CloudEventSchemaV1_0. Source: https://learn.microsoft.com/azure/event-grid/cloud-event-schema.
"""

from urllib.parse import parse_qs, urlsplit, urlunsplit

API_VERSION = "2018-01-01"


def eventgrid_url(url: str) -> str:
    """The topic's address with the version of the publishing API, unless it names one itself."""
    parts = urlsplit(url)
    if "api-version" in parse_qs(parts.query):
        return url
    query = f"{parts.query}&api-version={API_VERSION}" if parts.query else f"api-version={API_VERSION}"
    return urlunsplit(parts._replace(query=query))


def eventgrid_headers(key: str | None) -> dict[str, str]:
    """The headers that the topic's access key gives; none without one."""
    return {} if key is None else {"aeg-sas-key": key}


def eventgrid_body(event: bytes) -> bytes:
    """The event as a batch; Event Grid takes nothing else in this content type."""
    return b"[" + event + b"]"
