"""How a job's changes are cut into transactions, each complete in itself.

Owns slicing. Does not own which chunks there are (`changes.layout`), how changes become events
(`changes.event_grouping`), rows (`state.rows`) or the writing of a transaction (`ledger.job_writer`). Every slice
carries a head that counts exactly what has been written up to it, so that a crash between two slices leaves a true
picture; only the last sets the listing's fingerprints, so that what was not written is found again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.changes.event_grouping import Step
from shared.changes.layout import Layout, entry_of
from shared.changes.tally import Tally
from shared.ledger.job_transaction import MAX_RAW_BYTES, Slice
from shared.messages.events import Event
from shared.ports import MAX_ROWS
from shared.state.chunks import Chunk, Entry, encode_chunk
from shared.state.jobs import JobHead


class Capacity(Struct, frozen=True, kw_only=True):
    """What a transaction can hold: `rows_of` tells what an event costs with all that is owed for it."""

    rows_of: Callable[[Event], int]
    spare_rows: int
    now: datetime


def plan_slices(
    layout: Layout,
    steps: Sequence[Step],
    page_fingerprints: tuple[bytes, ...] | None,
    events: Sequence[Event],
    capacity: Capacity,
) -> tuple[Slice, ...]:
    """The transactions that write a job's updates, in order, its splits first; at least one.

    Args:
        layout: Where the job's nodes lie when the updates are about to be written.
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
                entry = layout.final[prefix][update.key] if update.fingerprint else entry_of(update)
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
