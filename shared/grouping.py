"""Which changes are told together in one event.

Owns the size of events. Does not own their bodies (`events`) or the transactions that carry them (`plan`). One event
tells of one type and one pool, of at most EVENT_MAX_NODES nodes, in at most BODY_BYTES bytes, and touches few enough
chunks to fit a transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.chunks import Cover
from shared.diff import Change
from shared.events import BODY_BYTES, Event, EventType, Origin, change_cause, change_type, node_entry, nodes_event
from shared.model import Phase
from shared.state import JobHead, NodeRecord
from shared.tally import NodeUpdate, Tally

_ENVELOPE_BYTES = 2_500  # what an event says beside its nodes and their causes
_CAUSE_BYTES = 80  # what a cause takes in an event beside its code and message
_MAX_CHUNKS = 20
_MAX_CHUNK_BYTES = 1_200_000

_ORDER = (EventType.PREPARATION_FAILED, EventType.PREPARATION_RESOLVED, EventType.RELEASE_FAILED)


class Step(Struct, frozen=True, kw_only=True):
    """Updates that are written in one transaction, with the event that tells them, if any."""

    updates: tuple[NodeUpdate, ...]
    event: Event | None = None


class _Told(Struct, frozen=True, kw_only=True):
    """An update that is worth telling, with its place in an event."""

    update: NodeUpdate
    change: Change
    prefix: str
    entry: Mapping[str, object]
    size: int
    cause: tuple[str, str]
    cause_size: int


def group_updates(
    origin: Origin,
    head: JobHead,
    updates: Sequence[NodeUpdate],
    sizes: Mapping[str, int],
    *,
    max_nodes: int,
    now: datetime,
) -> tuple[Step, ...]:
    """The updates as steps, preparation before release, those without a change last and chunk by chunk.

    Args:
        origin: Where the events come from.
        head: The job before the updates; the events show its counts after all of them.
        updates: What the diff found.
        sizes: What each chunk weighs once all updates are written (`Layout.sizes`), by prefix, in bytes.
        max_nodes: The most nodes of an event.
        now: When the events are recorded.
    """
    cover = Cover(head.chunks)
    told, quiet = [], []
    tally = Tally(head)
    for update in updates:
        tally.add(update)
        prefix = cover.prefix_of(update.key)
        if update.change is None:
            quiet.append((prefix, update))
            continue
        entry = node_entry(origin, head, update.change)
        size = len(msgspec.json.encode(entry))
        cause = change_cause(update.change)
        told.append(
            _Told(
                update=update,
                change=update.change,
                prefix=prefix,
                entry=entry,
                size=size,
                cause=cause,
                cause_size=_CAUSE_BYTES + len(msgspec.json.encode(cause)),
            )
        )
    shown = tally.head(now)
    told.sort(key=_event_order)
    quiet.sort(key=lambda item: item[0])
    steps = []
    told_of_preparation: dict[str, str] = {}
    for _, alike in groupby(told, key=lambda item: _event_order(item)[:2]):
        for group in _cut(alike, sizes, max_nodes):
            by_name = sorted(group, key=lambda item: item.update.key)
            event = nodes_event(origin, shown, [item.change for item in by_name], [item.entry for item in by_name], now)
            updates_told = tuple(_with_event(item, event.id, told_of_preparation) for item in group)
            steps.append(Step(updates=updates_told, event=event))
    steps.extend(
        Step(updates=tuple(update for _, update in group)) for _, group in groupby(quiet, key=lambda item: item[0])
    )
    return tuple(steps)


def _event_order(item: _Told) -> tuple[int, str, str, str]:
    kind = _ORDER.index(change_type(item.change))
    return kind, item.change.node.pool_id, item.prefix, item.update.key


def _cut(items: Iterator[_Told], sizes: Mapping[str, int], max_nodes: int) -> Iterator[tuple[_Told, ...]]:
    group: list[_Told] = []
    for item in items:
        if group and _is_too_much([*group, item], sizes, max_nodes):
            yield tuple(group)
            group = []
        group.append(item)
    if group:
        yield tuple(group)


def _is_too_much(group: Sequence[_Told], sizes: Mapping[str, int], max_nodes: int) -> bool:
    causes = {item.cause: item.cause_size for item in group}
    prefixes = {item.prefix for item in group}
    return (
        len(group) > max_nodes
        or sum(item.size for item in group) + sum(causes.values()) > BODY_BYTES - _ENVELOPE_BYTES
        or len(prefixes) > _MAX_CHUNKS
        or sum(sizes[prefix] for prefix in prefixes) > _MAX_CHUNK_BYTES
    )


def _with_event(item: _Told, event_id: str, told_of_preparation: dict[str, str]) -> NodeUpdate:
    """The update, its record naming the events that told it; a node may have both phases to tell, in turn."""
    after, key = item.update.after, item.update.key
    if item.change.phase is Phase.PREPARATION:
        told_of_preparation[key] = event_id
        return replace(item.update, after=_naming(after, Phase.PREPARATION, event_id))
    if key in told_of_preparation:
        after = _naming(after, Phase.PREPARATION, told_of_preparation[key])
    return replace(item.update, after=_naming(after, Phase.RELEASE, event_id))


def _naming(record: NodeRecord, phase: Phase, event_id: str) -> NodeRecord:
    run = record.record_of(phase)
    if run is None:
        return record
    told = replace(run, event_id=event_id)
    if phase is Phase.PREPARATION:
        return replace(record, preparation=told)
    return replace(record, release=told)
