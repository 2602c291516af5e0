"""What receivers are told of a job and its nodes: failed, slow, resolved, stuck, unreachable, gone.

Owns the data of these events. Does not own what a single node says in them (`messages.node_entries`), which changes are
told together (`changes.event_grouping`), or what every event has (`messages.events`).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.batch.exact_times import written_time
from shared.batch.model import Phase
from shared.batch.outcomes import ended_at
from shared.messages.events import Event, EventType, Origin, links_of, structured_event
from shared.messages.ids import event_id
from shared.messages.node_entries import NodeEntry
from shared.moments import as_utc, time_text
from shared.state.jobs import Cause, JobEnd, JobHead
from shared.state.nodes import Change, Reason
from shared.state.pools import Standstill, StandstillEnd

_ENDS_OF_LATE = frozenset({StandstillEnd.JOB_DISABLED, StandstillEnd.NOBODY_WAITS})
"""Ends that the first schema does not name."""


def change_type(change: Change) -> EventType:
    """The type of event that tells a change."""
    if change.reason in {Reason.RESOLVED, Reason.NODE_LEFT}:
        return EventType.PREPARATION_RESOLVED
    if change.reason is Reason.SLOW:
        return EventType.PREPARATION_SLOW
    return EventType.PREPARATION_FAILED if change.phase is Phase.PREPARATION else EventType.RELEASE_FAILED


def nodes_event(
    origin: Origin, head: JobHead, changes: Sequence[Change], entries: Sequence[NodeEntry], now: datetime
) -> Event:
    """The event that tells changes of one type; `entries` are their `node_entry`s."""
    kind = change_type(changes[0])
    ends = [at for change in changes if (at := change.at or ended_at(change.occurrence)) is not None]
    at = max(as_utc(max(ends, default=None)), as_utc(head.creation_time))
    causes = Counter(entry.cause for entry in entries if entry.cause is not None)
    has_left = changes[0].reason is Reason.NODE_LEFT
    ends_slow = kind is EventType.PREPARATION_RESOLVED and not all(entry.cause for entry in entries)
    data = {
        **_job_data(origin, head),
        "phase": changes[0].phase.value,
        "nodes": [entry.body for entry in entries],
        **({"reason": Reason.NODE_LEFT.value} if has_left else {}),
        "counts": _counts(head),
        "causes": [
            {"phase": changes[0].phase.value, "code": code, "message": message, "nodes": number}
            for (code, message), number in causes.most_common()
        ],
    }
    return structured_event(
        origin,
        kind,
        event_id(at, kind.value, *sorted(entry.occurrence_id for entry in entries)),
        at=at,
        now=now,
        data=data,
        job_id=head.job_id,
        pools=frozenset([change.node.pool_id for change in changes]),
        version=2 if has_left or ends_slow else 1,
    )


def closed_event(origin: Origin, head: JobHead, end: JobEnd, since: datetime, now: datetime) -> Event:
    """`preparation.resolved` for all open failures at once, because the job is over; `head` still counts them."""
    data = {
        **_job_data(origin, head),
        "phase": Phase.PREPARATION.value,
        "nodes": [],
        "reason": end.value,
        "counts": _counts(head),
        "causes": [_cause_data(cause) for cause in head.causes if cause.phase is Phase.PREPARATION],
    }
    return _job_event(origin, head, EventType.PREPARATION_RESOLVED, since, now, data)


def job_event(origin: Origin, head: JobHead, kind: EventType, since: datetime, now: datetime, **data: object) -> Event:
    """An event about a job as a whole: stuck, gone, unreachable, reachable.

    `since` is the stored moment that makes the id; `data` is added to what every job event says.
    """
    about = {**_job_data(origin, head), "since": time_text(since), "counts": _counts(head), **data}
    return _job_event(origin, head, kind, since, now, about)


def resumed_event(origin: Origin, head: JobHead, since: datetime, why: StandstillEnd | None, now: datetime) -> Event:
    """The end of a standstill that was told; `why` is None when the job moves, or can."""
    about = {**_job_data(origin, head), "since": time_text(since), "counts": _counts(head)}
    if why is not None:
        about["reason"] = why.value
    version = 2 if why in _ENDS_OF_LATE else 1
    return _job_event(origin, head, EventType.JOB_RESUMED, since, now, about, version)


def standstill_data(head: JobHead, standstill: Standstill | None) -> dict[str, object]:
    """Why a job can't move: the reason by name, the pool's nodes by state, its error, and the tasks that wait.

    What failed preparations have in common stands under `causes`, as in every event that tells of them.
    """
    if standstill is None or standstill.reason is None:
        return {}
    pool: dict[str, object] = {"poolId": standstill.pool_id or None, "nodes": dict(standstill.by_state)}
    about: dict[str, object] = {"reason": standstill.reason.value, "pool": pool, "tasks": standstill.tasks}
    if not standstill.reason.is_of_pool:
        return {**about, "causes": [_cause_data(cause) for cause in head.causes if cause.phase is Phase.PREPARATION]}
    if standstill.cause is not None:
        pool["error"] = {"code": standstill.cause.code, "message": standstill.cause.message}
    return about


def _job_event(
    origin: Origin,
    head: JobHead,
    kind: EventType,
    since: datetime,
    now: datetime,
    data: dict[str, object],
    version: int = 1,
) -> Event:
    at = max(as_utc(since), as_utc(head.creation_time))
    parts = (kind.value, origin.partition, head.job_id.lower(), time_text(head.creation_time), time_text(since))
    made = event_id(at, *parts)
    return structured_event(origin, kind, made, at=at, now=now, data=data, job_id=head.job_id, version=version)


def _job_data(origin: Origin, head: JobHead) -> dict[str, object]:
    return {
        "account": origin.account,
        "jobId": head.job_id,
        "jobCreationTime": written_time(head.creation_time, head.creation_digits),
        "jobState": head.state,
        "links": links_of(origin, head.job_id),
    }


def _cause_data(cause: Cause) -> dict[str, object]:
    return {"phase": cause.phase.value, "code": cause.code, "message": cause.message, "nodes": cause.nodes}


def _counts(head: JobHead) -> dict[str, object]:
    return {
        "nodes": head.nodes,
        "preparation": msgspec.structs.asdict(head.preparation),
        "release": msgspec.structs.asdict(head.release),
    }
