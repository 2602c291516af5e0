"""A receiver of signed events: Standard Webhooks 1.0.0, verified in a few lines of our own.

It knows nothing of what an event means, save what it shows. Source:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from local.webhook_receiver.service import Request, Verdict

TOLERANCE = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that all secrets have


class Reason(StrEnum):
    """Why a request counts as verified, or not."""

    SIGNATURE_MATCHES = "signature matches"
    HEADER_MISSING = "webhook-id, webhook-timestamp or webhook-signature is missing"
    TIMESTAMP_UNREADABLE = "webhook-timestamp is not a whole number of seconds"
    TOO_OLD = "webhook-timestamp is more than 5 minutes ago"
    TOO_NEW = "webhook-timestamp is more than 5 minutes ahead"
    NO_SIGNATURE_MATCHES = "no signature matches the body, or the secret differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWebhook:
    """Takes what is signed with *key*."""

    key: bytes = field(repr=False)

    def receive(self, request: Request) -> Verdict:
        """Verify the signature; the body may be anything."""
        reason = verify(request.headers, request.body, key=self.key, now=request.at)
        accepted = reason is Reason.SIGNATURE_MATCHES
        status = HTTPStatus.NO_CONTENT if accepted else HTTPStatus.UNAUTHORIZED
        return Verdict(status=status, reason=reason, accepted=accepted, shows=(describe(request.body),))


def key_of(secret: str) -> bytes:
    """Return the key that `whsec_` and base64 stand for.

    Raises:
        ValueError: it is not base64 of 24 to 64 bytes; make one of that length.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("the secret is not whsec_ followed by base64") from exc
    if not 24 <= len(key) <= 64:
        raise ValueError(f"the secret has {len(key)} bytes, not 24 to 64")
    return key


def verify(headers: Mapping[str, str], body: bytes, *, key: bytes, now: datetime) -> Reason:
    """Judge a request as Standard Webhooks 1.0.0 says; header names are in lower case."""
    message_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not (message_id and timestamp and signatures):
        return Reason.HEADER_MISSING
    if not (timestamp.isascii() and timestamp.isdigit()):
        return Reason.TIMESTAMP_UNREADABLE
    age_seconds = now.timestamp() - int(timestamp)
    if age_seconds > TOLERANCE.total_seconds():
        return Reason.TOO_OLD
    if age_seconds < -TOLERANCE.total_seconds():
        return Reason.TOO_NEW
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # No early way out: how long it takes must not tell which signature was nearly right.
    matches = [hmac.compare_digest(expected, offered.encode()) for offered in signatures.split(" ")]
    return Reason.SIGNATURE_MATCHES if any(matches) else Reason.NO_SIGNATURE_MATCHES


def describe(body: bytes) -> str:
    """Say in a few words what event a body holds: type, subject, how many nodes."""
    try:
        event = json.loads(body)
    except ValueError:
        return f"{len(body)} bytes that are not JSON"
    if not isinstance(event, dict):
        return "JSON that is not an event"
    data = event.get("data")
    nodes = data.get("nodes") if isinstance(data, dict) else None
    count = f", {len(nodes)} node(s)" if isinstance(nodes, list) else ""
    return f"{event.get('type', 'no type')} {event.get('subject', '')}".rstrip() + count
