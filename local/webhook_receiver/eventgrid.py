"""An Event Grid custom topic whose input schema is CloudEventSchemaV1_0: batches of CloudEvents.

Sources: https://learn.microsoft.com/azure/event-grid/post-to-custom-topic (address, key, answers, 1 MB),
https://learn.microsoft.com/azure/event-grid/cloud-event-schema (content type),
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md (attributes).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from local.webhook_receiver.service import RefusedError, Request, Verdict

MOST_BYTES = 1024 * 1024
API_VERSION = "2018-01-01"
TOPIC_KEY = "the-local-topics-key"
"""Of the topic on this machine; it opens nothing else."""
BATCH = "application/cloudevents-batch+json"

_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_DATA = {"data", "data_base64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventGridTopic:
    """A topic; *key* opens it, and so does any bearer token: nobody here could verify one."""

    key: str = field(repr=False)

    def receive(self, request: Request) -> Verdict:
        """Take a batch, all of it or nothing."""
        if request.headers.get("aeg-sas-key") != self.key and not _has_token(request):
            reason = "there is neither the topic's aeg-sas-key nor a bearer token"
            return Verdict(status=HTTPStatus.UNAUTHORIZED, reason=reason, accepted=False)
        try:
            events = list(read_batch(request))
        except RefusedError as refused:
            return refused.verdict
        shows = tuple(f"{event['type']} {event.get('subject', '')}".rstrip() for event in events)
        return Verdict(status=HTTPStatus.OK, reason="a batch of CloudEvents", shows=shows)


def read_batch(request: Request) -> Iterator[dict[str, object]]:
    """The events of a batch.

    Raises:
        RefusedError: Event Grid would not take it.
    """
    if API_VERSION not in parse_qs(urlsplit(request.path).query).get("api-version", []):
        raise RefusedError(f"api-version is not {API_VERSION}")
    if request.media_type != BATCH:
        raise RefusedError(f"the content type is not {BATCH}", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if len(request.body) > MOST_BYTES:
        why = f"the batch has {len(request.body)} bytes, not up to {MOST_BYTES}"
        raise RefusedError(why, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        batch = json.loads(request.body)
    except ValueError:
        batch = None
    if not isinstance(batch, list) or not batch:
        raise RefusedError("the body is not a JSON array with something in it")
    for number, event in enumerate(batch):
        yield _read_event(f"[{number}]", event)


def _read_event(where: str, event: object) -> dict[str, object]:
    if not isinstance(event, dict):
        raise RefusedError(f"{where} is not an object")
    for name in ("id", "source", "type", "specversion"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise RefusedError(f"{where}.{name} is missing, or no text")
    if event["specversion"] != "1.0":
        raise RefusedError(f"{where}.specversion is not 1.0")
    for name in event.keys() - _DATA:
        if not _ATTRIBUTE.fullmatch(name):
            raise RefusedError(f"{where}.{name} is no name of an attribute: only a to z and 0 to 9 are")
    try:
        moment = datetime.fromisoformat(str(event.get("time", "2026-01-01T00:00:00Z")))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RefusedError(f"{where}.time is no RFC 3339 time")
    return event


def _has_token(request: Request) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme == "Bearer" and bool(token)
