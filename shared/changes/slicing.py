"""How a job's changes are cut into transactions, each complete in itself.

Owns slicing and the splitting of chunks. Does not own how changes become events (`changes.event_grouping`), rows
(`state.rows`) or the writing of a transaction (`ledger.job_writer`). Every slice carries a head that counts exactly
what has been written up to it, so that a crash between two slices leaves a true picture; only the last sets the
listing's fingerprints, so that what was not written is found again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.changes.event_grouping import Step
from shared.changes.tally import NodeUpdate, Tally
from shared.ledger.job_transaction import MAX_RAW_BYTES, Slice
from shared.messages.events import Event
from shared.ports import MAX_ROWS
from shared.state.chunks import (
    MAX_CHUNKS_AT_FIRST,
    Chunk,
    Cover,
    Entry,
    encode_chunk,
    encode_record,
    levels_to_split,
    split,
)
from shared.state.jobs import JobHead


class Capacity(Struct, frozen=True, kw_only=True):
    """What a transaction can hold: `rows_of` tells what an event costs with all that is owed for it."""

    rows_of: Callable[[Event], int]
    spare_rows: int
    now: datetime


class Layout(Struct, frozen=True, kw_only=True):
    """Where a job's nodes lie before its updates.

    `known` is the head as stored, `head` the one with this cycle's facts; `chunks` are the chunks' contents (of a job
    without stored chunks: all of them, empty), `stored` the prefixes of those that the table has. `plan_layout` adds
    `splits`, the transactions that lead there, `cover`, which tells each node's chunk then, and of the chunks to write
    what they will hold when every update is written, before events have their ids: `final`, and `packed` as stored.
    """

    known: JobHead
    head: JobHead
    chunks: Mapping[str, Chunk]
    stored: frozenset[str]
    splits: tuple[Slice, ...] = ()
    cover: Cover = field(default_factory=lambda: Cover(()))
    final: Mapping[str, Chunk] = field(default_factory=dict)
    packed: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """The stored size of each chunk that will be written, when every update is, in bytes."""
        return {prefix: len(content) for prefix, content in self.packed.items()}


def plan_layout(layout: Layout, updates: Sequence[NodeUpdate]) -> Layout:
    """Split every chunk that the updates would fill.

    A chunk that is stored already is split by a transaction of its own; one that is not is only thought of anew, as
    long as the first slice can still write all of them.
    """
    head, current, stored = layout.head, dict(layout.chunks), set(layout.stored)
    entries = [(update.key, _entry_of(update)) for update in updates]
    slices: list[Slice] = []

    def rewrite(prefixes: Iterable[str], dropped: tuple[str, ...] = ()) -> None:
        # Nothing but the chunks changes here: what else this cycle decided is told by the slices that follow.
        known = replace(layout.known, page_fingerprints=None, chunks=head.chunks)
        written = {prefix: encode_chunk(current[prefix]) for prefix in prefixes}
        slices.append(Slice(head=known, chunks=written, dropped=dropped))
        stored.update(written)

    while True:
        cover = Cover(head.chunks, current)
        final = {prefix: dict(chunk) for prefix, chunk in current.items() if prefix not in stored}
        for key, entry in entries:
            prefix = cover.prefix_of(key)
            if prefix not in final:
                final[prefix] = dict(current[prefix])
            final[prefix][key] = entry
        packed = {prefix: encode_chunk(chunk) for prefix, chunk in final.items()}
        levels = {prefix: levels_to_split(len(chunk), len(packed[prefix])) for prefix, chunk in final.items()}
        full = [prefix for prefix in final if levels[prefix]]
        # Every chunk holds what goes into it; until then each round may fill the parts of the last.
        if not full:
            break
        for prefix in full:
            # More chunks than one slice can write anew: those that there are become rows first.
            if prefix not in stored and len(head.chunks) - 1 + (1 << levels[prefix]) > MAX_CHUNKS_AT_FIRST:
                rewrite(head.chunks)
            parts = split(prefix, current.pop(prefix), levels[prefix])
            current.update(parts)
            head = replace(head, chunks=tuple(sorted({*head.chunks, *parts} - {prefix})))
            # Row by row its nodes would be in two rows for a while, or in none.
            if prefix in stored:
                rewrite(parts, dropped=(prefix,))
    return Layout(
        known=layout.known,
        head=head,
        chunks=current,
        stored=frozenset(stored),
        splits=tuple(slices),
        cover=cover,
        final=final,
        packed=packed,
    )


def plan_slices(
    layout: Layout,
    steps: Sequence[Step],
    page_fingerprints: tuple[bytes, ...] | None,
    events: Sequence[Event],
    capacity: Capacity,
) -> tuple[Slice, ...]:
    """The transactions that write a job's updates, in order, its splits first; at least one.

    Args:
        layout: The head with this cycle's facts about the job before any of the updates, and every chunk they touch.
        steps: The updates, grouped; of two updates of one node the earlier comes first.
        page_fingerprints: The fingerprints of the whole listing.
        events: Events about the job itself, told with the first slice.
        capacity: What fits.
    """
    head, chunks = layout.head, layout.chunks
    entries = list(_entries_of(steps, layout))
    packed = {**layout.packed, **_with_events(steps, entries, layout)}
    left = Counter(prefix for step in steps for prefix in step.updates)
    working = {prefix: dict(chunk) for prefix, chunk in chunks.items() if prefix in packed}

    def contents(prefixes: Iterable[str]) -> dict[str, bytes]:
        return {prefix: encode_chunk(working[prefix]) if left[prefix] else packed[prefix] for prefix in prefixes}

    slices: list[Slice] = []
    tally = Tally(is_open=head.closed is None)
    # A chunk without nodes is written too: a row that is missing later on is a row that was lost.
    bare = [prefix for prefix, chunk in chunks.items() if prefix not in layout.stored and not chunk]
    filling = _Filling(capacity, events, {prefix: len(packed[prefix]) for prefix in bare})
    for step, written in zip(steps, entries, strict=True):
        touched = {prefix: len(packed[prefix]) for prefix in step.updates}
        if not filling.take(step.event, touched):
            slices.append(
                filling.slice(replace(tally.applied_to(head, capacity.now), page_fingerprints=None), contents)
            )
            filling = _Filling(capacity, (), {})
            filling.take(step.event, touched)
        for prefix, some in written.items():
            working[prefix].update(some)
            left[prefix] -= 1
        tally.merge(step.tally)
    last = tally.applied_to(head, capacity.now) if steps else head
    slices.append(filling.slice(replace(last, page_fingerprints=page_fingerprints), contents))
    return (*layout.splits, *slices)


def _entries_of(steps: Sequence[Step], layout: Layout) -> Iterator[dict[str, Chunk]]:
    """What each step leaves in its chunks: what the layout encoded, with the events that have told it by then."""
    event_ids: dict[tuple[str, Phase], str] = {}
    for step in steps:
        written: dict[str, Chunk] = {}
        for prefix, updates in step.updates.items():
            some = written[prefix] = {}
            for update in updates:
                # Without a fingerprint it is the first half of two, and the layout encoded the second.
                entry = layout.final[prefix][update.key] if update.fingerprint else _entry_of(update)
                if step.event is not None and update.change is not None:
                    event_ids[update.key, update.change.phase] = step.event.id
                    entry = Entry(
                        entry.fingerprint,
                        entry.record,
                        event_ids.get((update.key, Phase.PREPARATION)),
                        event_ids.get((update.key, Phase.RELEASE)),
                    )
                some[update.key] = entry
        yield written


def _entry_of(update: NodeUpdate) -> Entry:
    return Entry(update.fingerprint, encode_record(update.after))


def _with_events(steps: Sequence[Step], entries: Sequence[Mapping[str, Chunk]], layout: Layout) -> dict[str, bytes]:
    """The layout's final chunks whose records have come to name an event, as stored."""
    touched = {prefix for step in steps if step.event is not None for prefix in step.updates}
    named = {prefix: dict(layout.final[prefix]) for prefix in touched}
    for written in entries:
        for prefix, some in written.items():
            if prefix in touched:
                named[prefix].update(some)
    return {prefix: encode_chunk(chunk) for prefix, chunk in named.items()}


class _Filling:
    """The slice that is being filled."""

    def __init__(self, capacity: Capacity, events: Sequence[Event], chunks: Mapping[str, int]) -> None:
        self._capacity = capacity
        self._events = list(events)
        self._chunks = dict(chunks)
        self._rows = 1 + capacity.spare_rows + len(chunks) + sum(map(capacity.rows_of, events))
        self._bytes = sum(chunks.values()) + sum(len(event.body) for event in events)

    def take(self, event: Event | None, chunks: Mapping[str, int]) -> bool:
        """Put an event and chunks in if they fit, and tell whether they did; the first ones always do.

        Whoever grouped the updates saw to that.
        """
        new = {prefix: size for prefix, size in chunks.items() if prefix not in self._chunks}
        rows = self._rows + len(new) + (self._capacity.rows_of(event) if event else 0)
        weight = self._bytes + sum(new.values()) + (len(event.body) if event else 0)
        if (self._events or self._chunks) and (rows > MAX_ROWS or weight > MAX_RAW_BYTES):
            return False
        self._rows, self._bytes = rows, weight
        self._chunks.update(new)
        if event is not None:
            self._events.append(event)
        return True

    def slice(self, head: JobHead, contents: Callable[[Iterable[str]], Mapping[str, bytes]]) -> Slice:
        """The slice, with its chunks as they are now."""
        return Slice(head=head, chunks=contents(self._chunks), events=tuple(self._events))
