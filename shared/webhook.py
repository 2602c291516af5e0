"""What a configured webhook is, which events it wants, and what enters and leaves the sending of one message.

Owns these values. Does not read settings, judge an answer, or know a webhook's state (failing, disabled).
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from shared.patterns import matches_any
from shared.reprs import repr_without

EVENT_TYPE_PREFIX = "prepwatch."
EVERYTHING = ("*",)


class Webhook(Struct, frozen=True, kw_only=True):
    """One receiver; all globs are matched whatever the case."""

    name: str
    format: str
    """What it is sent, and how: the name of one of `messages.format_table`."""
    url: str
    """Chat services put the credential into it."""
    secrets: tuple[bytes, ...] = ()
    """Every one signs, so that receivers can change from one to the next; empty unless the format is signed."""
    key: str | None = None
    """What the receiver knows us by, if its format has a key; None where it has none, or a token serves."""
    events: tuple[str, ...] = EVERYTHING
    """Event types without `prepwatch.`."""
    jobs: tuple[str, ...] = EVERYTHING
    accounts: tuple[str, ...] = EVERYTHING
    """Hosts of account URLs, with the port if it is not the default."""
    pools: tuple[str, ...] = EVERYTHING
    """Ids of pools; of a job that has run in several one is enough."""
    content_type: str
    enabled: bool = True
    """False keeps the webhook and what it is owed, but nothing is sent."""
    waits_for: str | None = None
    """The app setting without which nothing can be sent, a reference that can't be read yet; None sends."""

    __repr__ = repr_without("url", "secrets", "key")

    def wants(
        self,
        event_type: str,
        *,
        job_id: str | None = None,
        account: str | None = None,
        pools: Collection[str] = (),
        jobs: Collection[str] = (),
    ) -> bool:
        """Whether the filters let an event pass.

        A filter lets pass what it can't judge: an event without a job (None), an account (None), pools or jobs
        (empty) is about something larger, which must not be missed. Of several pools or jobs one is enough.
        """
        is_of_type = matches_any(self.events, event_type.removeprefix(EVENT_TYPE_PREFIX))
        return is_of_type and self.is_about(job_id=job_id, account=account, pools=pools, jobs=jobs)

    def is_about(
        self,
        *,
        job_id: str | None = None,
        account: str | None = None,
        pools: Collection[str] = (),
        jobs: Collection[str] = (),
    ) -> bool:
        """Whether the filters let something pass, whatever type of event tells of it; as in `wants`."""
        return (
            (job_id is None or matches_any(self.jobs, job_id))
            and (account is None or matches_any(self.accounts, account))
            and (not jobs or any(matches_any(self.jobs, job) for job in jobs))
            and (not pools or any(matches_any(self.pools, pool) for pool in pools))
        )


def waiting_words(setting: str) -> str:
    """What is told of something that waits for a setting."""
    return f"{setting} is a Key Vault reference that can't be read yet"


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
    """What opens the receiver could not be had, a token or a secret; nothing was sent."""
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
