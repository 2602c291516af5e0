"""Which changes are told together in one event.

Owns the size of events. Does not own their bodies (`messages.job_events`, `messages.node_entries`) or the transactions
that carry them (`changes.slicing`). One event tells of one type and one pool, of at most EVENT_MAX_NODES nodes, in at
most BODY_BYTES bytes, and touches few enough chunks to fit a transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec
from msgspec import Struct

from shared.changes.tally import NodeUpdate, Tally
from shared.messages.events import Event, EventType, Origin
from shared.messages.job_events import change_type, nodes_event
from shared.messages.node_entries import BODY_BYTES, NodeEntry, node_entry
from shared.state.chunks import Cover
from shared.state.jobs import JobHead
from shared.state.nodes import Change

_ENVELOPE_BYTES = 2_500  # what an event says beside its nodes and their causes
_CAUSE_BYTES = 80  # what a cause takes in an event beside its code and message
_MAX_CHUNKS = 20
_MAX_CHUNK_BYTES = 1_200_000

_RANK = {
    EventType.PREPARATION_FAILED: 0,
    EventType.PREPARATION_SLOW: 1,
    EventType.PREPARATION_RESOLVED: 2,
    EventType.RELEASE_FAILED: 3,
}


class Step(Struct, frozen=True, kw_only=True):
    """Updates that one transaction writes, by the prefix of their chunk, with the event that tells them, if any.

    `tally` is what they do to the job's counts.
    """

    updates: Mapping[str, Sequence[NodeUpdate]]
    tally: Tally
    event: Event | None = None


class _Placed(Struct, frozen=True, gc=False):
    """An update that is worth telling, with its chunk's prefix and its place in an event."""

    prefix: str
    update: NodeUpdate
    change: Change
    entry: NodeEntry


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
    is_open = head.closed is None
    total = Tally(is_open=is_open)
    announced: defaultdict[tuple[EventType, str], list[_Placed]] = defaultdict(list)
    quiet: defaultdict[str, list[NodeUpdate]] = defaultdict(list)
    for update in updates:
        prefix, change = cover.prefix_of(update.key), update.change
        if change is None:
            quiet[prefix].append(update)
        else:
            place = change_type(change), change.node.pool_id
            announced[place].append(_Placed(prefix, update, change, node_entry(origin, head, change)))
    groups: list[tuple[Sequence[_Placed], Tally]] = []
    for kind, pool_id in sorted(announced, key=lambda place: (_RANK[place[0]], place[1])):
        items = sorted(announced[kind, pool_id], key=attrgetter("prefix", "update.key"))
        for group in _cut(items, sizes, max_nodes):
            groups.append((group, Tally(is_open=is_open, updates=(item.update for item in group))))
            total.merge(groups[-1][1])
    silent = [
        Step(updates={prefix: some}, tally=Tally(is_open=is_open, updates=some))
        for prefix, some in sorted(quiet.items())
    ]
    for step in silent:
        total.merge(step.tally)
    shown = total.applied_to(head, now)
    return (*(_announcing(origin, shown, group, tally, now) for group, tally in groups), *silent)


def _announcing(origin: Origin, shown: JobHead, group: Sequence[_Placed], tally: Tally, now: datetime) -> Step:
    by_name = sorted(group, key=attrgetter("update.key"))
    event = nodes_event(origin, shown, [item.change for item in by_name], [item.entry for item in by_name], now)
    placed: dict[str, list[NodeUpdate]] = {}
    for item in group:
        placed.setdefault(item.prefix, []).append(item.update)
    return Step(updates=placed, tally=tally, event=event)


def _cut(items: Iterable[_Placed], sizes: Mapping[str, int], max_nodes: int) -> Iterator[Sequence[_Placed]]:
    filling = _Filling(sizes, max_nodes)
    for item in items:
        if not filling.take(item):
            yield filling.items
            filling = _Filling(sizes, max_nodes)
            filling.take(item)
    if filling.items:
        yield filling.items


class _Filling:
    """The event that is being filled."""

    def __init__(self, sizes: Mapping[str, int], max_nodes: int) -> None:
        self.items: list[_Placed] = []
        self._sizes = sizes
        self._max_nodes = max_nodes
        self._bytes = _ENVELOPE_BYTES
        self._causes: set[tuple[str, str]] = set()
        self._prefixes: set[str] = set()
        self._chunk_bytes = 0

    def take(self, item: _Placed) -> bool:
        """Put one more in if it fits, and tell whether it did; the first always does."""
        prefix, cause = item.prefix, item.entry.cause
        size = self._bytes + len(item.entry.body)
        if cause is not None and cause not in self._causes:
            size += _CAUSE_BYTES + len(msgspec.json.encode(cause))
        chunks, chunk_bytes = len(self._prefixes), self._chunk_bytes
        if prefix not in self._prefixes:
            chunks, chunk_bytes = chunks + 1, chunk_bytes + self._sizes[prefix]
        if self.items and (
            len(self.items) >= self._max_nodes
            or size > BODY_BYTES
            or chunks > _MAX_CHUNKS
            or chunk_bytes > _MAX_CHUNK_BYTES
        ):
            return False
        self.items.append(item)
        self._bytes, self._chunk_bytes = size, chunk_bytes
        self._causes |= {cause} if cause is not None else set()
        self._prefixes.add(prefix)
        return True
