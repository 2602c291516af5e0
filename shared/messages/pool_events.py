"""What receivers are told of the nodes of a pool: `node.failed` and `node.recovered`.

Owns the data of these events and how many nodes one has. Does not own which nodes are told (`pools.nodes`), or what
every event has (`messages.events`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.messages.events import Event, EventType, Origin, links_of, structured_event
from shared.messages.ids import event_id
from shared.messages.node_entries import BODY_BYTES, NodeEntry, json_object, tail_members
from shared.moments import as_utc
from shared.state.pools import NodeChange, NodeEnd

_ENVELOPE_BYTES = 3_000  # what an event says beside its nodes
_CAUSE_BYTES = 160  # what a cause takes in an event beside its message


class _Identity(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    occurrence_id: str
    pool_id: str
    node_id: str
    node_url: str | None = None
    unable_reason: str
    unable_since: datetime | None = None


def pool_events(
    origin: Origin,
    pool_id: str,
    changes: Sequence[NodeChange],
    *,
    jobs: frozenset[str],
    by_state: Mapping[str, int],
    unable: int,
    max_nodes: int,
    now: datetime,
) -> Iterator[tuple[Event, tuple[str, ...]]]:
    """The events that tell of these nodes, each with their occurrences; of an end, those that end alike together.

    `by_state` counts the pool's nodes, `unable` those of them that can't work.
    """
    for end in dict.fromkeys(change.end for change in changes):
        alike = [(node, _entry(pool_id, node)) for node in changes if node.end == end]
        for group in _cut(alike, max_nodes):
            event = _event(origin, pool_id, end, group, jobs, {"nodes": dict(by_state), "unable": unable}, now)
            yield event, tuple(entry.occurrence_id for _, entry in group)


_Group = Sequence[tuple[NodeChange, NodeEntry]]


def _cut(entries: _Group, max_nodes: int) -> Iterator[_Group]:
    group: list[tuple[NodeChange, NodeEntry]] = []
    size = _ENVELOPE_BYTES
    for node, entry in entries:
        more = len(entry.body) + len(entry.cause[1] if entry.cause else "") + _CAUSE_BYTES
        if group and (len(group) >= max_nodes or size + more > BODY_BYTES):
            yield group
            group, size = [], _ENVELOPE_BYTES
        group.append((node, entry))
        size += more
    if group:
        yield group


def _event(
    origin: Origin,
    pool_id: str,
    end: NodeEnd | None,
    group: _Group,
    jobs: frozenset[str],
    counts: Mapping[str, object],
    now: datetime,
) -> Event:
    kind = EventType.NODE_FAILED if end is None else EventType.NODE_RECOVERED
    # A failure happened when the last of its nodes became a fault; an end is noticed, and has no other moment.
    moments = [node.known.counts_from if end is None else node.known.ended_at for node, _ in group]
    at = max(map(as_utc, moments))
    causes = Counter(entry.cause for _, entry in group if entry.cause is not None)
    data: dict[str, object] = {
        "account": origin.account,
        "poolId": pool_id,
        "nodes": [entry.body for _, entry in group],
        **({"reason": end} if end is not None else {}),
        "counts": counts,
        "causes": [{"code": code, "message": message, "nodes": many} for (code, message), many in causes.most_common()],
        "links": links_of(origin, None),
    }
    occurrences = sorted(entry.occurrence_id for _, entry in group)
    began = max(as_utc(node.known.counts_from) for node, _ in group)
    identity = event_id(began, kind.value, *occurrences)
    return structured_event(
        origin, kind, identity, at=at, now=now, data=data, pools=[pool_id], jobs=jobs, subject=f"pools/{pool_id}"
    )


def _entry(pool_id: str, node: NodeChange) -> NodeEntry:
    known, listed = node.known, node.listed
    identity = _Identity(
        occurrence_id=known.occurrence_id,
        pool_id=pool_id,
        node_id=known.node_id,
        node_url=listed.url if listed is not None else None,
        unable_reason=known.reason,
        unable_since=known.since,
    )
    members = [msgspec.json.encode(identity)[1:-1]]
    if listed is not None:
        said = {name: part for name, part in msgspec.to_builtins(listed).items() if name not in {"id", "url"}}
        members.append(msgspec.json.encode(said)[1:-1])
    members += tail_members(node.stderr_tail, node.stdout_tail)
    return NodeEntry(occurrence_id=known.occurrence_id, cause=(known.code, known.message), body=json_object(members))
