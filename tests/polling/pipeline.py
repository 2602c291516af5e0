"""A job as the table holds it: listings go in as `watching` walks them, transactions come out and are kept."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec

from shared.batch.model import NodeStatus, Phase
from shared.batch.outcomes import outcome_of
from shared.changes.diff import by_chunk, decide_updates, known_fingerprints, page_fingerprint, read_items
from shared.changes.event_grouping import group_updates
from shared.changes.layout import plan_layout
from shared.changes.node_rules import Watch
from shared.changes.slicing import Capacity, plan_slices
from shared.ledger.job_transaction import Slice
from shared.messages.events import Event
from shared.ports import MAX_ROWS
from shared.state.chunks import Cover, decode_chunk, decode_record, first_prefixes
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord
from shared.state.rows import to_columns
from tests.support.builders import NOW, ORIGIN, head, page

MOST_BYTES = 3 * 1024 * 1024
_ROW_OVERHEAD = 1_200  # a row's address, headers and names in a transaction, and a delivery's own columns


@dataclass(slots=True)
class StoredJob:
    """One job's head and chunks; `receivers` webhooks get every event, `told_state` ones how things stand."""

    receivers: int = 1
    told_state: int = 0
    max_nodes: int = 25
    head: JobHead = field(default_factory=head)
    rows: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def plan(self, shown: Sequence[NodeStatus], told: Sequence[Event] = ()) -> tuple[Slice, ...]:
        """The transactions that a listing of one page leads to."""
        value = page(*shown)
        current = self.head
        chunks = {prefix: decode_chunk(self.rows[prefix]) for prefix in current.chunks}
        items = read_items([value], known_fingerprints(chunks))
        if items and not current.chunks:
            current = msgspec.structs.replace(current, chunks=first_prefixes(len(items)))
        grouped = by_chunk(items, Cover(current.chunks))
        chunks = chunks or {prefix: {} for prefix in current.chunks}
        watch = Watch(announce_from=current.announce_from, open=current.closed is None)
        updates = [update for prefix, some in grouped.items() for update in decide_updates(some, chunks[prefix], watch)]
        layout = plan_layout(self.head, current, chunks, updates)
        cover, sizes = layout.cover, layout.sizes
        steps = group_updates(ORIGIN, layout.head, updates, cover, sizes, max_nodes=self.max_nodes, now=NOW)
        capacity = Capacity(rows_of=lambda _: 1 + self.receivers, spare_rows=self.told_state, now=NOW)
        return plan_slices(layout, steps, (page_fingerprint(value),), told, capacity)

    def write(self, step: Slice) -> None:
        """Do one transaction, within the limits of the table service."""
        rows, weight = self.cost(step)
        assert rows <= MAX_ROWS, f"{rows} rows"
        assert weight < MOST_BYTES, f"{weight} bytes"
        assert not set(step.dropped) & set(step.chunks)
        for prefix in step.dropped:
            del self.rows[prefix]
        self.rows.update(step.chunks)
        self.head = step.head
        self.events.extend(step.events)

    def show(self, *shown: NodeStatus) -> tuple[Slice, ...]:
        """Plan a listing and write all of it."""
        slices = self.plan(shown)
        for step in slices:
            self.write(step)
        return slices

    def copy(self) -> "StoredJob":
        """The same job, to go on with otherwise."""
        return replace(self, rows=dict(self.rows), events=list(self.events))

    def cost(self, step: Slice) -> tuple[int, int]:
        """Rows and bytes of a transaction as it is encoded: binary as base64, the rest as text."""
        rows = 1 + len(step.chunks) + len(step.dropped) + self.told_state + len(step.events) * (1 + self.receivers)
        binary = sum(map(len, step.chunks.values())) + sum(len(event.body) for event in step.events)
        binary += sum(len(value) for value in to_columns(step.head).values() if isinstance(value, bytes))
        return rows, binary * 4 // 3 + rows * _ROW_OVERHEAD

    def records(self) -> Mapping[str, NodeRecord]:
        """Every node's record by key."""
        return {
            key: decode_record(entry) for stored in self.rows.values() for key, entry in decode_chunk(stored).items()
        }

    def assert_true(self) -> None:
        """The head names exactly the stored chunks, which cover all nodes, and counts exactly their records."""
        assert sum(2.0 ** -len(prefix) for prefix in self.head.chunks) == (1.0 if self.head.chunks else 0.0)
        assert set(self.head.chunks) == set(self.rows)
        records = self.records()
        assert self.head.nodes == len(records)
        for phase in Phase:
            runs = [run for known in records.values() if (run := known.record_of(phase)) is not None]
            found = Counter(outcome_of(run.info) for run in runs)
            counts = self.head.counts_of(phase)
            assert {outcome: counts.of(outcome) for outcome in found} == dict(found)
        marks = sum(known.open is not None for known in records.values())
        assert self.head.preparation.open == (marks if self.head.closed is None else 0)


def told_occurrences(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Type and occurrence of everything that events tell."""
    return [(event.type.value, node["occurrenceId"]) for event in events for node in body_of(event)["data"]["nodes"]]


def body_of(event: Event) -> Any:
    """An event's body as a receiver parses it."""
    return msgspec.json.decode(event.body)


@cache
def noise(seed: int, size: int = 4096) -> str:
    """Text of about so many bytes that is not ASCII and hardly gets smaller by compression."""
    return random.Random(seed).randbytes(size * 2 // 3).decode("utf-16-le", "ignore")
