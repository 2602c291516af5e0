"""Which changes are told together in one event.

Owns the size of events. Does not own their bodies (`events`) or the transactions that carry them (`plan`). One event
tells of one type and one pool, of at most EVENT_MAX_NODES nodes, in at most BODY_BYTES bytes, and touches few enough
chunks to fit a transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec
from msgspec import Struct

from shared.chunks import Cover
from shared.diff import Change
from shared.events import (
    BODY_BYTES,
    Event,
    EventType,
    NodeEntry,
    Origin,
    change_cause,
    change_type,
    node_entry,
    nodes_event,
)
from shared.model import Phase
from shared.state import JobHead, NodeRecord
from shared.tally import NodeUpdate, Tally

_ENVELOPE_BYTES = 2_500  # what an event says beside its nodes and their causes
_CAUSE_BYTES = 80  # what a cause takes in an event beside its code and message
_MAX_CHUNKS = 20
_MAX_CHUNK_BYTES = 1_200_000

_RANK = {EventType.PREPARATION_FAILED: 0, EventType.PREPARATION_RESOLVED: 1, EventType.RELEASE_FAILED: 2}


class Step(Struct, frozen=True, kw_only=True):
    """Updates that are written in one transaction, with the event that tells them, if any."""

    updates: tuple[NodeUpdate, ...]
    event: Event | None = None


class _Told(Struct, frozen=True, kw_only=True, gc=False):
    """An update that is worth telling, with its place in an event."""

    order: tuple[int, str, str, str]
    update: NodeUpdate
    change: Change
    prefix: str
    entry: NodeEntry
    cause: tuple[str, str]


def group_updates(
    origin: Origin,
    head: JobHead,
    updates: Sequence[NodeUpdate],
    cover: Cover,
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
        cover: The chunks that the updates go into (`Layout.cover`).
        sizes: What each chunk weighs once all updates are written (`Layout.sizes`), by prefix, in bytes.
        max_nodes: The most nodes of an event.
        now: When the events are recorded.
    """
    told, quiet = [], []
    tally = Tally(head)
    for update in updates:
        tally.add(update)
        prefix, change = cover.prefix_of(update.key), update.change
        if change is None:
            quiet.append((prefix, update))
        else:
            told.append(
                _Told(
                    order=(_RANK[change_type(change)], change.node.pool_id, prefix, update.key),
                    update=update,
                    change=change,
                    prefix=prefix,
                    entry=node_entry(origin, head, change),
                    cause=change_cause(change),
                )
            )
    shown = tally.head(now)
    told.sort(key=lambda item: item.order)
    quiet.sort(key=lambda item: item[0])
    steps = []
    told_of_preparation: dict[str, str] = {}
    for _, alike in groupby(told, key=lambda item: item.order[:2]):
        for group in _cut(alike, sizes, max_nodes):
            by_name = sorted(group, key=lambda item: item.update.key)
            event = nodes_event(origin, shown, [item.change for item in by_name], [item.entry for item in by_name], now)
            updates_told = tuple(_with_event(item, event.id, told_of_preparation) for item in group)
            steps.append(Step(updates=updates_told, event=event))
    steps.extend(
        Step(updates=tuple(update for _, update in group)) for _, group in groupby(quiet, key=lambda item: item[0])
    )
    return tuple(steps)


def _cut(items: Iterable[_Told], sizes: Mapping[str, int], max_nodes: int) -> Iterator[Sequence[_Told]]:
    filling = _Filling(sizes, max_nodes)
    for item in items:
        if not filling.has_room(item):
            yield filling.items
            filling = _Filling(sizes, max_nodes)
        filling.add(item)
    if filling.items:
        yield filling.items


class _Filling:
    """The event that is being filled."""

    def __init__(self, sizes: Mapping[str, int], max_nodes: int) -> None:
        self.items: list[_Told] = []
        self._sizes = sizes
        self._max_nodes = max_nodes
        self._bytes = _ENVELOPE_BYTES
        self._causes: set[tuple[str, str]] = set()
        self._prefixes: set[str] = set()
        self._chunk_bytes = 0

    def has_room(self, item: _Told) -> bool:
        """Whether this fits; the first always does."""
        size, chunk_size = self._cost(item)
        return not self.items or (
            len(self.items) < self._max_nodes
            and self._bytes + size <= BODY_BYTES
            and len(self._prefixes | {item.prefix}) <= _MAX_CHUNKS
            and self._chunk_bytes + chunk_size <= _MAX_CHUNK_BYTES
        )

    def add(self, item: _Told) -> None:
        """Put one more in."""
        size, chunk_size = self._cost(item)
        self.items.append(item)
        self._bytes += size
        self._chunk_bytes += chunk_size
        self._causes.add(item.cause)
        self._prefixes.add(item.prefix)

    def _cost(self, item: _Told) -> tuple[int, int]:
        """The bytes that it adds to the event, and to the chunks that go with it."""
        cause = 0 if item.cause in self._causes else _CAUSE_BYTES + len(msgspec.json.encode(item.cause))
        return len(item.entry.body) + cause, 0 if item.prefix in self._prefixes else self._sizes[item.prefix]


def _with_event(item: _Told, event_id: str, told_of_preparation: dict[str, str]) -> NodeUpdate:
    """The update, its record naming the events that told it; a node may have both phases to tell, in turn."""
    update = item.update
    after, key = update.after, update.key
    if item.change.phase is Phase.PREPARATION:
        told_of_preparation[key] = event_id
    elif key in told_of_preparation:
        after = _naming(after, Phase.PREPARATION, told_of_preparation[key])
    after = _naming(after, item.change.phase, event_id)
    return NodeUpdate(key=key, digest=update.digest, before=update.before, after=after, change=update.change)


def _naming(record: NodeRecord, phase: Phase, event_id: str) -> NodeRecord:
    run = record.record_of(phase)
    if run is None:
        return record
    told = msgspec.structs.replace(run, event_id=event_id)
    if phase is Phase.PREPARATION:
        return msgspec.structs.replace(record, preparation=told)
    return msgspec.structs.replace(record, release=told)
