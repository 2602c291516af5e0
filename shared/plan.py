"""How a job's changes are cut into transactions, each complete in itself.

Owns slicing and the splitting of chunks. Does not own how changes become events (`grouping`), rows (`table_rows`) or
the sending of a transaction (`watching`). Every slice carries a head that counts exactly what has been written up to
it, so that a crash between two slices leaves a true picture; only the last sets the digests of the listing, so that
what was not written is found again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from shared.chunks import (
    MAX_CHUNKS_AT_FIRST,
    Chunk,
    Cover,
    Entry,
    encode_chunk,
    encode_record,
    levels_to_split,
    split,
)
from shared.events import Event
from shared.grouping import Step
from shared.state import JobHead
from shared.tally import NodeUpdate, Tally

MAX_ROWS = 100
MAX_RAW_BYTES = 2_000_000
"""What a slice's chunks and events may weigh; base64 makes a third more of it, and 3 MiB is the limit."""


class Slice(Struct, frozen=True, kw_only=True):
    """What one transaction writes: the head as it is then, chunks by prefix, prefixes dropped, and events."""

    head: JobHead
    chunks: Mapping[str, bytes] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()


class Room(Struct, frozen=True, kw_only=True):
    """What a transaction has room for: `rows_of` tells what an event costs with all that is owed for it."""

    rows_of: Callable[[Event], int]
    spare_rows: int
    now: datetime


def final_chunks(chunks: Mapping[str, Chunk], updates: Iterable[NodeUpdate], cover: Cover) -> dict[str, Chunk]:
    """The chunks as they will be when every update is written."""
    final = {prefix: dict(chunk) for prefix, chunk in chunks.items()}
    for update in updates:
        final[cover.prefix_of(update.key)][update.key] = Entry(update.digest, encode_record(update.after))
    return final


class Layout(Struct, frozen=True, kw_only=True):
    """Where a job's nodes lie before its updates.

    `known` is the head as stored, `head` the one with this cycle's facts; `chunks` are the chunks' contents (of a job
    without stored chunks: all of them, empty), `stored` the prefixes of those that the table has. `plan_layout` adds
    `splits`, the transactions that lead there, `cover`, which tells each node's chunk then, and `final`, the chunks to
    write as they will be stored when every update is written, before events have their ids.
    """

    known: JobHead
    head: JobHead
    chunks: Mapping[str, Chunk]
    stored: frozenset[str]
    splits: tuple[Slice, ...] = ()
    cover: Cover = field(default_factory=lambda: Cover(()))
    final: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """The stored size of each chunk that will be written, when every update is, in bytes."""
        return {prefix: len(content) for prefix, content in self.final.items()}


def plan_layout(layout: Layout, updates: Sequence[NodeUpdate]) -> Layout:
    """Split every chunk that the updates would fill.

    A chunk that is stored already is split by a transaction of its own; one that is not is only thought of anew, as
    long as the first slice can still write all of them.
    """
    head, current, stored = layout.head, dict(layout.chunks), set(layout.stored)
    slices: list[Slice] = []

    def rewrite(prefixes: Iterable[str], dropped: tuple[str, ...] = ()) -> None:
        # Nothing but the chunks changes here: what else this cycle decided is told by the slices that follow.
        known = replace(layout.known, pages=None, chunks=head.chunks)
        written = {prefix: encode_chunk(current[prefix]) for prefix in prefixes}
        slices.append(Slice(head=known, chunks=written, dropped=dropped))
        stored.update(written)

    while True:
        cover = Cover(head.chunks, current)
        touched = {cover.prefix_of(update.key) for update in updates} | (current.keys() - stored)
        final = final_chunks({prefix: current[prefix] for prefix in touched}, updates, cover)
        encoded = {prefix: encode_chunk(chunk) for prefix, chunk in final.items()}
        levels = {prefix: levels_to_split(len(chunk), len(encoded[prefix])) for prefix, chunk in final.items()}
        full = [prefix for prefix in final if levels[prefix]]
        if not full:
            break
        for prefix in full:
            if prefix not in stored and len(head.chunks) - 1 + (1 << levels[prefix]) > MAX_CHUNKS_AT_FIRST:
                rewrite(head.chunks)
            parts = split(prefix, current.pop(prefix), levels[prefix])
            current.update(parts)
            head = replace(head, chunks=tuple(sorted({*head.chunks, *parts} - {prefix})))
            if prefix in stored:
                rewrite(parts, dropped=(prefix,))
    return replace(
        layout, head=head, chunks=current, stored=frozenset(stored), splits=tuple(slices), cover=cover, final=encoded
    )


def plan_slices(
    layout: Layout,
    steps: Sequence[Step],
    pages: tuple[bytes, ...] | None,
    events: Sequence[Event],
    room: Room,
) -> tuple[Slice, ...]:
    """The transactions that write a job's updates, in order, its splits first; at least one.

    Args:
        layout: The head with this cycle's facts about the job before any of the updates, and every chunk they touch.
        steps: The updates, grouped; of two updates of one node the earlier comes first.
        pages: The digests of the whole listing.
        events: Events about the job itself, told with the first slice.
        room: What fits.
    """
    head, chunks = layout.head, layout.chunks
    placed = [[_Placed(layout.cover.prefix_of(update.key), update) for update in step.updates] for step in steps]
    final = _final_bytes(layout, steps, placed)
    sizes = {prefix: len(content) for prefix, content in final.items()}
    left = Counter(item.prefix for items in placed for item in items)
    working = {prefix: dict(chunk) for prefix, chunk in chunks.items()}

    def contents(prefixes: Iterable[str]) -> dict[str, bytes]:
        return {prefix: encode_chunk(working[prefix]) if left[prefix] else final[prefix] for prefix in prefixes}

    slices: list[Slice] = []
    tally = Tally(head)
    filling = _Filling(room, events)
    # A chunk without nodes is written too: a row that is missing later on is a row that was lost.
    bare = [prefix for prefix, chunk in chunks.items() if prefix not in layout.stored and not chunk]
    filling.add(None, {prefix: sizes[prefix] for prefix in bare})
    for step, items in zip(steps, placed, strict=True):
        touched = {item.prefix: sizes[item.prefix] for item in items}
        if not filling.has_room(step.event, touched):
            slices.append(filling.slice(replace(tally.head(room.now), pages=None), contents))
            filling = _Filling(room, ())
        filling.add(step.event, touched)
        for item in items:
            working[item.prefix][item.update.key] = item.entry
            left[item.prefix] -= 1
            tally.add(item.update)
    last = tally.head(room.now) if steps else head
    slices.append(filling.slice(replace(last, pages=pages), contents))
    return (*layout.splits, *slices)


class _Placed:
    """An update with the chunk that it goes into and the entry that it leaves there."""

    __slots__ = ("entry", "prefix", "update")

    def __init__(self, prefix: str, update: NodeUpdate) -> None:
        self.prefix = prefix
        self.update = update
        self.entry = Entry(update.digest, encode_record(update.after))


def _final_bytes(layout: Layout, steps: Sequence[Step], placed: Sequence[Sequence[_Placed]]) -> dict[str, bytes]:
    """The layout's final chunks, those anew whose records have come to name an event."""
    told = {item.prefix for step, items in zip(steps, placed, strict=True) if step.event for item in items}
    renewed = {prefix: dict(layout.chunks[prefix]) for prefix in told}
    for items in placed:
        for item in items:
            if item.prefix in told:
                renewed[item.prefix][item.update.key] = item.entry
    return {**layout.final, **{prefix: encode_chunk(chunk) for prefix, chunk in renewed.items()}}


class _Filling:
    """The slice that is being filled."""

    def __init__(self, room: Room, events: Iterable[Event]) -> None:
        self._room = room
        self._events: list[Event] = []
        self._chunks: dict[str, int] = {}
        self._rows = 1 + room.spare_rows
        self._bytes = 0
        for event in events:
            self.add(event, {})

    def has_room(self, event: Event | None, chunks: Mapping[str, int]) -> bool:
        """Whether these fit; the first ones always do, as whoever grouped them saw to."""
        if not self._events and not self._chunks:
            return True
        rows, weight = self._cost(event, chunks)
        return self._rows + rows <= MAX_ROWS and self._bytes + weight <= MAX_RAW_BYTES

    def add(self, event: Event | None, chunks: Mapping[str, int]) -> None:
        """Put an event and chunks in."""
        rows, weight = self._cost(event, chunks)
        self._rows += rows
        self._bytes += weight
        self._chunks.update(chunks)
        if event is not None:
            self._events.append(event)

    def slice(self, head: JobHead, contents: Callable[[Iterable[str]], Mapping[str, bytes]]) -> Slice:
        """The slice, with its chunks as they are now."""
        return Slice(head=head, chunks=contents(self._chunks), events=tuple(self._events))

    def _cost(self, event: Event | None, chunks: Mapping[str, int]) -> tuple[int, int]:
        new = {prefix: size for prefix, size in chunks.items() if prefix not in self._chunks}
        rows = len(new) + (self._room.rows_of(event) if event else 0)
        return rows, sum(new.values()) + (len(event.body) if event else 0)
