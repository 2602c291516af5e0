"""Owns what a configured webhook is, and which events it wants.

It neither reads settings nor sends anything, and knows nothing of a webhook's state (failing, disabled).
"""

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from shared.patterns import matches_any
from shared.reprs import repr_without

EVENT_TYPE_PREFIX = "prepwatch."
EVERYTHING = ("*",)


class WebhookFormat(StrEnum):
    """What a webhook is sent, and how."""

    CLOUDEVENTS = "cloudevents"
    TEAMS = "teams"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EVENTGRID = "eventgrid"

    @property
    def tells_state(self) -> bool:
        """Whether the receiver is told how things stand (chat and pager) instead of every event by itself."""
        return self in {WebhookFormat.TEAMS, WebhookFormat.SLACK, WebhookFormat.PAGERDUTY}


class Webhook(Struct, frozen=True, kw_only=True):
    """One receiver; all globs are matched whatever the case."""

    name: str
    format: WebhookFormat
    url: str
    """Chat services put the credential into it."""
    secrets: tuple[bytes, ...] = ()
    """Every one signs, so that receivers can change from one to the next; empty unless `cloudevents`."""
    key: str | None = None
    """PagerDuty's routing key or Event Grid's access key; None with Event Grid means Entra ID."""
    events: tuple[str, ...] = EVERYTHING
    """Event types without `prepwatch.`."""
    jobs: tuple[str, ...] = EVERYTHING
    accounts: tuple[str, ...] = EVERYTHING
    """Hosts of account URLs, with the port if it is not the default."""
    pools: tuple[str, ...] = EVERYTHING
    """Always everything for the formats that tell state."""
    content_type: str
    enabled: bool = True
    """False keeps the webhook and what it is owed, but nothing is sent."""

    __repr__ = repr_without("url", "secrets", "key")

    def wants(
        self,
        event_type: str,
        *,
        job_id: str | None = None,
        account: str | None = None,
        pools: Collection[str] = (),
    ) -> bool:
        """Whether the filters let an event pass.

        A filter lets pass what it can't judge: an event without a job (None), an account (None) or pools
        (empty) is about something larger, which must not be missed. Of several pools one is enough.
        """
        return (
            matches_any(self.events, event_type.removeprefix(EVENT_TYPE_PREFIX))
            and (job_id is None or matches_any(self.jobs, job_id))
            and (account is None or matches_any(self.accounts, account))
            and (not pools or any(matches_any(self.pools, pool) for pool in pools))
        )
