"""What receivers are told: structured CloudEvents 1.0, made once and then only copied.

Owns the events' types, what every event has, and the events about accounts and webhooks. Does not own those about jobs
and pools (`messages.job_events`, `messages.pool_events`), their ids (`messages.ids`), who receives them
(`ledger.recipients`) or how they are signed (`messages.signing`). Sources: CloudEvents 1.0.2, Standard Webhooks 1.0.0.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

import msgspec
from msgspec import Struct

from shared.messages.ids import event_id
from shared.moments import time_text
from shared.reprs import repr_without
from shared.state.jobs import Trouble
from shared.state.rows import OWN
from shared.webhook import EVENT_TYPE_PREFIX


class EventType(StrEnum):
    """The types of events, as CloudEvents' `type`."""

    PREPARATION_FAILED = EVENT_TYPE_PREFIX + "preparation.failed"
    PREPARATION_SLOW = EVENT_TYPE_PREFIX + "preparation.slow"
    PREPARATION_RESOLVED = EVENT_TYPE_PREFIX + "preparation.resolved"
    RELEASE_FAILED = EVENT_TYPE_PREFIX + "release.failed"
    NODE_FAILED = EVENT_TYPE_PREFIX + "node.failed"
    NODE_RECOVERED = EVENT_TYPE_PREFIX + "node.recovered"
    JOB_STUCK = EVENT_TYPE_PREFIX + "job.stuck"
    JOB_RESUMED = EVENT_TYPE_PREFIX + "job.resumed"
    JOB_UNREACHABLE = EVENT_TYPE_PREFIX + "job.unreachable"
    JOB_REACHABLE = EVENT_TYPE_PREFIX + "job.reachable"
    JOB_GONE = EVENT_TYPE_PREFIX + "job.gone"
    ACCOUNT_UNREACHABLE = EVENT_TYPE_PREFIX + "account.unreachable"
    ACCOUNT_REACHABLE = EVENT_TYPE_PREFIX + "account.reachable"
    WEBHOOK_FAILING = EVENT_TYPE_PREFIX + "webhook.failing"
    WEBHOOK_RECOVERED = EVENT_TYPE_PREFIX + "webhook.recovered"
    WEBHOOK_DISABLED = EVENT_TYPE_PREFIX + "webhook.disabled"
    WEBHOOK_ENABLED = EVENT_TYPE_PREFIX + "webhook.enabled"
    PING = EVENT_TYPE_PREFIX + "ping"


class Origin(Struct, frozen=True, kw_only=True):
    """Where events come from: the account's host and URL (both None for what concerns no account), and our own address.

    `site` names this installation; `public_url` is where people reach it, None when nobody has said.
    """

    account: str | None
    url: str | None
    site: str
    public_url: str | None = None

    @property
    def partition(self) -> str:
        """The account's name in all that the app says, and the partition of its rows; OWN for what concerns none."""
        return self.account or OWN

    @property
    def source(self) -> str:
        """CloudEvents' `source`."""
        return self.url or f"urn:prepwatch:{self.site}"


class Event(Struct, frozen=True, kw_only=True):
    """An event ready to be stored and sent: `body` is what every receiver gets, byte for byte."""

    id: str
    type: EventType
    recorded_at: datetime
    job_id: str | None = None
    account: str | None = None
    pools: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    """The watched jobs that it concerns when it is about no single one; empty when nobody can tell."""
    body: bytes

    __repr__ = repr_without("body")


def structured_event(
    origin: Origin,
    kind: EventType,
    identity: str,
    *,
    at: datetime,
    now: datetime,
    data: dict[str, object],
    job_id: str | None = None,
    pools: Iterable[str] = (),
    jobs: frozenset[str] = frozenset(),
    subject: str | None = None,
    version: int = 1,
) -> Event:
    """An event in CloudEvents' structured form, of the moment `at`; its subject is the job, else `subject`, if any."""
    body = {
        "specversion": "1.0",
        "id": identity,
        "source": origin.source,
        "type": kind.value,
        "subject": f"jobs/{job_id}" if job_id else subject,
        "time": time_text(at),
        "datacontenttype": "application/json",
        "dataschema": f"urn:prepwatch:schema:{kind.value.removeprefix(EVENT_TYPE_PREFIX)}:{version}",
        "recordedtime": time_text(now),
        "data": data,
    }
    return Event(
        id=identity,
        type=kind,
        recorded_at=now,
        job_id=job_id,
        account=origin.account,
        pools=frozenset(pools),
        jobs=jobs,
        body=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
    )


def account_event(origin: Origin, kind: EventType, since: datetime, now: datetime, **data: object) -> Event:
    """An event about an account as a whole."""
    about = {"account": origin.account, "since": time_text(since), **data, "links": links_of(origin, None)}
    identity = event_id(since, kind.value, origin.partition, time_text(since))
    return structured_event(origin, kind, identity, at=since, now=now, data=about)


def webhook_event(
    origin: Origin, kind: EventType, webhook: str, since: datetime, now: datetime, **data: object
) -> Event:
    """An event about a webhook, or a ping to it."""
    about = {"webhook": webhook, "since": time_text(since), **data, "links": links_of(origin, None)}
    identity = event_id(since, kind.value, webhook, time_text(since))
    return structured_event(origin, kind, identity, at=since, now=now, data=about, subject=f"webhooks/{webhook}")


def trouble_data(trouble: Trouble) -> dict[str, object]:
    """An error as events show it."""
    return {
        "code": trouble.code,
        "message": trouble.message,
        "requestId": trouble.request_id,
        "values": [{"key": key, "value": value} for key, value in trouble.values],
    }


def links_of(origin: Origin, job_id: str | None) -> dict[str, str]:
    """Addresses of ours that say more about a job (None: the account); none when nobody has said our own."""
    if origin.public_url is None:
        return {}
    query = "&".join(
        f"{name}={quote(value, safe='')}" for name, value in (("account", origin.account), ("job", job_id)) if value
    )
    suffix = f"?{query}" if query else ""
    return {name: f"{origin.public_url}/api/{name}{suffix}" for name in ("dashboard", "summary")}
