"""Owns the symmetric signature of Standard Webhooks 1.0.0 and the form of its secrets.

It does not own where secrets come from, nor the making of new ones.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the public prefix of a secret, not a secret
SHORTEST_SECRET_BYTES: Final = 24
LONGEST_SECRET_BYTES: Final = 64


def signing_headers(*, message_id: str, now: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the three webhook-* headers for one attempt to send exactly the bytes of *body*.

    *message_id* is the same at every attempt, *now* (aware) is the time of this one. There is one signature
    per secret, so that receivers may change keys at their leisure while both are configured; of several, the
    first once more at the end, because libraries (NuGet StandardWebhooks 1.1.2 is one) overlook the last.

    Raises:
        ValueError: for an id that can't be signed unambiguously, a naive time or no secret; a programming error.
    """
    if not message_id or "." in message_id:
        raise ValueError("a message id must not be empty nor contain '.', which separates what is signed")
    if now.tzinfo is None:
        raise ValueError("the time of signing must be aware, or it would be taken for local time")
    if not secrets:
        raise ValueError("nothing to sign with: leave unsigned webhooks out before signing")
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = ["v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join([*signatures, *(signatures[:1] if len(signatures) > 1 else [])]),
    }


def decode_secret(text: str) -> bytes:
    """Return the key that *text* stands for: base64 of 24 to 64 bytes, with or without `whsec_`.

    Raises:
        ValueError: saying what is wrong with the secret, never its value; show the message to the operator.
    """
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        problem = f"the secret is not base64; write {SECRET_PREFIX} and the base64 of its random bytes"
    else:
        if SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES:
            return key
        problem = (
            f"the secret stands for {len(key)} bytes;"
            f" use {SHORTEST_SECRET_BYTES} to {LONGEST_SECRET_BYTES} random bytes"
        )
    # Raised out here, because the decoding error would bring the secret along as its context.
    raise ValueError(problem)
