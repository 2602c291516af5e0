"""What receivers are told: structured CloudEvents 1.0, made once and then only copied.

Owns the events' types and bodies. Does not own their ids (`messages.ids`), who receives them (`delivery.answer_rules`)
or how they are signed (`messages.signing`). Sources: CloudEvents 1.0.2, Standard Webhooks 1.0.0.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

import msgspec
from msgspec import Struct

from shared.batch.causes import cause_of
from shared.batch.exact_times import as_written, written_time
from shared.batch.model import Phase
from shared.batch.outcomes import ended_at
from shared.messages.ids import event_id, occurrence_id
from shared.moments import as_utc, time_text
from shared.redaction import clean
from shared.reprs import repr_without
from shared.state.jobs import Cause, Change, JobEnd, JobHead, Reason, Trouble
from shared.state.pools import Standstill
from shared.state.rows import OWN
from shared.webhook import EVENT_TYPE_PREFIX

BODY_BYTES = 20_000
"""What an event of several nodes keeps below; Standard Webhooks asks for it."""
HARD_BYTES = 48 * 1024
"""What no event exceeds, however much one node has to say."""

_TEXT_BYTES_IN_LARGE_NODE = 1024
_DETAILS_IN_LARGE_NODE = 4


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


_RESOLVED = EventType.PREPARATION_RESOLVED


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


def change_type(change: Change) -> EventType:
    """The type of event that tells a change."""
    if change.reason in {Reason.RESOLVED, Reason.NODE_LEFT}:
        return EventType.PREPARATION_RESOLVED
    if change.reason is Reason.SLOW:
        return EventType.PREPARATION_SLOW
    return EventType.PREPARATION_FAILED if change.phase is Phase.PREPARATION else EventType.RELEASE_FAILED


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node of an event's data: what identifies its run, the code and message of its cause, and its JSON.

    `cause` is None for a preparation that is slow, or was and has succeeded.
    """

    occurrence_id: str
    cause: tuple[str, str] | None
    body: msgspec.Raw


class _NodeIdentity(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    occurrence_id: str
    pool_id: str
    node_id: str
    node_url: str | None


def node_entry(origin: Origin, head: JobHead, change: Change) -> NodeEntry:
    """One node of an event's data, small enough that an event of it alone stays below HARD_BYTES."""
    node, info = change.node, change.occurrence
    occurrence = occurrence_id(origin.partition, head, node.pool_id, node.node_id, change.phase, info)
    identity = _NodeIdentity(
        occurrence_id=occurrence, pool_id=node.pool_id, node_id=node.node_id, node_url=node.node_url
    )
    members = [msgspec.json.encode(identity)[1:-1], msgspec.json.encode(as_written(info))[1:-1]]
    if change.opened is not None:
        members.append(b'"failedAt":%b' % msgspec.json.encode(time_text(change.opened.since) or None))
    if change.chain is not None:
        members.append(b'"runningSince":%b' % msgspec.json.encode(time_text(change.chain.since) or None))
    members += tail_members(change.stderr_tail, change.stdout_tail)
    return NodeEntry(occurrence_id=occurrence, cause=_cause_of(change), body=joined(members))


def tail_members(stderr: str | None, stdout: str | None) -> list[bytes]:
    """The members of a node's JSON that hold what a task wrote last, as far as somebody has looked."""
    tails = {b"stderrTail": stderr, b"stdoutTail": stdout}
    return [b'"%b":%b' % (name, msgspec.json.encode(tail)) for name, tail in tails.items() if tail is not None]


def joined(members: Iterable[bytes]) -> msgspec.Raw:
    """The JSON object of these members, shortened if it alone would be too much for an event."""
    body = b"{%b}" % b",".join(filter(None, members))
    if len(body) > BODY_BYTES:
        body = msgspec.json.encode(_shortened(msgspec.json.decode(body)))
    return msgspec.Raw(body)


def nodes_event(
    origin: Origin, head: JobHead, changes: Sequence[Change], entries: Sequence[NodeEntry], now: datetime
) -> Event:
    """The event that tells changes of one type; `entries` are their `node_entry`s."""
    kind = change_type(changes[0])
    ends = [at for change in changes if (at := change.at or ended_at(change.occurrence)) is not None]
    at = max(as_utc(max(ends, default=None)), as_utc(head.creation_time))
    causes = Counter(entry.cause for entry in entries if entry.cause is not None)
    has_left = changes[0].reason is Reason.NODE_LEFT
    data = {
        **_job_data(origin, head),
        "phase": changes[0].phase.value,
        "nodes": [entry.body for entry in entries],
        **({"reason": Reason.NODE_LEFT.value} if has_left else {}),
        "counts": counts(head),
        "causes": [
            {"phase": changes[0].phase.value, "code": code, "message": message, "nodes": number}
            for (code, message), number in causes.most_common()
        ],
    }
    return _event(
        origin,
        kind,
        event_id(at, kind.value, *sorted(entry.occurrence_id for entry in entries)),
        at=at,
        now=now,
        data=data,
        job=head,
        pools=frozenset([change.node.pool_id for change in changes]),
        version=2 if has_left or (kind is _RESOLVED and not all(entry.cause for entry in entries)) else 1,
    )


def _cause_of(change: Change) -> tuple[str, str] | None:
    """The code and normalised message of the failure that a change reports or ends; None when it is of none."""
    if change.opened is not None:
        return change.opened.code, change.opened.message
    if change.chain is not None:
        return None
    return cause_of(change.occurrence)


def closed_event(origin: Origin, head: JobHead, end: JobEnd, since: datetime, now: datetime) -> Event:
    """`preparation.resolved` for all open failures at once, because the job is over; `head` still counts them."""
    data = {
        **_job_data(origin, head),
        "phase": Phase.PREPARATION.value,
        "nodes": [],
        "reason": end.value,
        "counts": counts(head),
        "causes": [cause_data(cause) for cause in head.causes if cause.phase is Phase.PREPARATION],
    }
    return _job_event(origin, head, EventType.PREPARATION_RESOLVED, since, now, data)


def job_event(origin: Origin, head: JobHead, kind: EventType, since: datetime, now: datetime, **data: object) -> Event:
    """An event about a job as a whole: stuck, resumed, gone, unreachable, reachable.

    `since` is the stored moment that makes the id; `data` is added to what every job event says.
    """
    about = {**_job_data(origin, head), "since": time_text(since), "counts": counts(head), **data}
    return _job_event(origin, head, kind, since, now, about)


def account_event(origin: Origin, kind: EventType, since: datetime, now: datetime, **data: object) -> Event:
    """An event about an account as a whole."""
    about = {"account": origin.account, "since": time_text(since), **data, "links": links_of(origin, None)}
    identity = event_id(since, kind.value, origin.partition, time_text(since))
    return _event(origin, kind, identity, at=since, now=now, data=about)


def pool_event(
    origin: Origin,
    kind: EventType,
    pool_id: str,
    jobs: frozenset[str],
    identity: str,
    *,
    at: datetime,
    now: datetime,
    data: Mapping[str, object],
) -> Event:
    """An event about a pool that these watched jobs use, of the moment `at`; `data` is added to what every one says."""
    about = {"account": origin.account, "poolId": pool_id, **data, "links": links_of(origin, None)}
    event = _event(origin, kind, identity, at=at, now=now, data=about, pools=[pool_id], subject=f"pools/{pool_id}")
    return msgspec.structs.replace(event, jobs=jobs)


def webhook_event(
    origin: Origin, kind: EventType, webhook: str, since: datetime, now: datetime, **data: object
) -> Event:
    """An event about a webhook, or a ping to it."""
    about = {"webhook": webhook, "since": time_text(since), **data, "links": links_of(origin, None)}
    identity = event_id(since, kind.value, webhook, time_text(since))
    return _event(origin, kind, identity, at=since, now=now, data=about, subject=f"webhooks/{webhook}")


def trouble_data(trouble: Trouble) -> dict[str, object]:
    """An error as events and answers show it."""
    return {
        "code": trouble.code,
        "message": trouble.message,
        "requestId": trouble.request_id,
        "values": [{"key": key, "value": value} for key, value in trouble.values],
    }


def standstill_data(head: JobHead, standstill: Standstill | None) -> dict[str, object]:
    """Why a job can't move: the reason by name, the pool's nodes by state, its error, and the tasks that wait.

    What failed preparations have in common stands under `causes`, as in every event that tells of them.
    """
    if standstill is None or standstill.reason is None:
        return {}
    pool: dict[str, object] = {"poolId": standstill.pool_id or None, "nodes": dict(standstill.by_state)}
    about: dict[str, object] = {"reason": standstill.reason.value, "pool": pool, "tasks": standstill.tasks}
    if not standstill.reason.is_of_pool:
        return {**about, "causes": [cause_data(cause) for cause in head.causes if cause.phase is Phase.PREPARATION]}
    if standstill.cause is not None:
        pool["error"] = {"code": standstill.cause.code, "message": standstill.cause.message}
    return about


def cause_data(cause: Cause) -> dict[str, object]:
    """A cause as events and answers show it."""
    return {"phase": cause.phase.value, "code": cause.code, "message": cause.message, "nodes": cause.nodes}


def counts(head: JobHead) -> dict[str, object]:
    """The counts of a job as events and answers show them."""
    return {
        "nodes": head.nodes,
        "preparation": msgspec.structs.asdict(head.preparation),
        "release": msgspec.structs.asdict(head.release),
    }


def _job_event(
    origin: Origin, head: JobHead, kind: EventType, since: datetime, now: datetime, data: dict[str, object]
) -> Event:
    at = max(as_utc(since), as_utc(head.creation_time))
    parts = (kind.value, origin.partition, head.job_id.lower(), time_text(head.creation_time), time_text(since))
    return _event(origin, kind, event_id(at, *parts), at=at, now=now, data=data, job=head)


def _event(
    origin: Origin,
    kind: EventType,
    identity: str,
    *,
    at: datetime,
    now: datetime,
    data: dict[str, object],
    job: JobHead | None = None,
    pools: Iterable[str] = (),
    subject: str | None = None,
    version: int = 1,
) -> Event:
    body = {
        "specversion": "1.0",
        "id": identity,
        "source": origin.source,
        "type": kind.value,
        "subject": f"jobs/{job.job_id}" if job else subject,
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
        job_id=job.job_id if job else None,
        account=origin.account,
        pools=frozenset(pools),
        body=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
    )


def _job_data(origin: Origin, head: JobHead) -> dict[str, object]:
    return {
        "account": origin.account,
        "jobId": head.job_id,
        "jobCreationTime": written_time(head.creation_time, head.creation_digits),
        "jobState": head.state,
        "links": links_of(origin, head.job_id),
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


def _shortened(value: dict[str, object]) -> dict[str, object]:
    """The same entry with every text cut and few details: what no webhook could carry is left to `list_nodes`."""
    return {name: _short(part) for name, part in value.items()}


def _short(value: object) -> object:
    if isinstance(value, str):
        return clean(value, limit=_TEXT_BYTES_IN_LARGE_NODE)
    if isinstance(value, Mapping):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_short(part) for part in value[:_DETAILS_IN_LARGE_NODE]]
    return value
