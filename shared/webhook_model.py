"""Owns the values that enter and leave the sending of one webhook message.

It does not own what an answer means (delivered, retry, dead), nor how bytes reach the network.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from shared.reprs import repr_without


class SendFailure(StrEnum):
    """Why an HTTP exchange ended without a complete answer."""

    TIMEOUT = "timeout"
    """The deadline passed, wherever: name resolution, connecting, TLS, sending, headers or body."""
    CONNECTION = "connection"
    """Refused, unreachable, reset, or closed before the answer was complete."""
    DNS = "dns"
    """The host name could not be resolved."""
    TLS = "tls"
    """No TLS session, or a certificate that is not trusted for this host."""
    BLOCKED_ADDRESS = "blockedAddress"
    """The host resolves to an address that may not be called; nothing was sent."""
    BAD_URL = "badUrl"
    """Not an absolute URL of an allowed scheme; nothing was sent."""
    BAD_HEADER = "badHeader"
    """A request header that HTTP does not allow, such as one with a line break; nothing was sent."""
    CREDENTIAL = "credential"
    """No token could be had for the receiver; nothing was sent."""
    PROTOCOL = "protocol"
    """What came back is not HTTP/1, or more of it than a well-meant answer has."""
    DEFECT = "defect"
    """Prepwatch itself failed where nobody foresaw it; its log has the traceback."""


class WebhookRequest(Struct, frozen=True, kw_only=True):
    """One rendered and signed message; the URL and the headers may hold credentials and are never shown."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    __repr__ = repr_without("url", "headers", "body")


class WebhookAnswer(Struct, frozen=True, kw_only=True):
    """What came of one attempt, reported without judging it.

    *status* is None when no status line came. *failure* is None when the answer is complete (its body may
    be cut); both are set when a status line came but the rest did not, and then the failure decides.
    *reason* is for people and holds neither a secret nor a part of the URL behind the host.
    *retry_after* is the raw header, None if absent. *body* holds at most 8 KiB and is empty for redirects.
    """

    status: int | None
    failure: SendFailure | None
    reason: str
    retry_after: str | None
    body: bytes
    duration: timedelta

    __repr__ = repr_without("body")
