"""Finds events and their deliveries in the table, in the order of their ids: what happened last first.

Owns which rows are read for that, and that a row which can't be read is passed over with a line in the log. Does not
own what is looked for (`api.events.history`, `api.events.redelivery`, `api.events.explanation`), the order of recording
(`ledger.newest_events`) or any writing. A partition is an account, or OWN.
"""

import heapq
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.batch.causes import code_of
from shared.batch.model import Phase
from shared.decoding import UNDECODABLE, json_decoder
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.events import Event, EventType
from shared.ports import Row, Table
from shared.state.rows import (
    OWN,
    deliveries_of,
    delivery_key,
    event_key,
    from_row,
    just_after,
    range_of,
    unpack_body,
    unpack_jobs,
)
from shared.state.telling import Delivery, DeliveryState

EVENT_ID = re.compile(r"[0-9]{13}-[a-z2-7]{24}")
_PASSED_OVER = 1000  # rows of one answer of Table storage: to pass over more costs as much as to ask anew


class FoundEvent(Struct, frozen=True, kw_only=True):
    """An event's row as it lies in a partition, not yet read."""

    partition: str
    row: Row

    @property
    def id(self) -> str:
        """The event's id."""
        return self.row.key.removeprefix(event_key(""))

    @property
    def recorded_at(self) -> datetime | None:
        """When it was recorded; None when the row does not say so."""
        recorded = self.row.columns.get("recordedAt")
        return recorded if isinstance(recorded, datetime) else None


class StoredEvent(Struct, frozen=True, kw_only=True):
    """An event as it lies in a partition; `nodes` are pool and node id of those it names, `codes` why they failed.

    `subject` is CloudEvents': `jobs/nightly`, `pools/cpu`, `webhooks/ops`; None for an account's.
    `reason` is the event's own, or that of its nodes; None when it gives none.
    """

    partition: str
    event: Event
    time: datetime | None
    subject: str | None = None
    phase: Phase | None
    nodes: tuple[tuple[str, str], ...]
    codes: tuple[str, ...] = ()
    reason: str | None = None


class StoredDelivery(Struct, frozen=True, kw_only=True):
    """A delivery as it lies in a partition, with its row."""

    partition: str
    state: DeliveryState
    delivery: Delivery
    row: Row


class _Failure(Struct, frozen=True):
    code: str | None = None


class _Node(Struct, frozen=True, rename="camel"):
    pool_id: str = ""
    node_id: str = ""
    exit_code: int | None = None
    failure_info: _Failure | None = None
    reason: str | None = None


class _Data(Struct, frozen=True):
    phase: Phase | None = None
    nodes: tuple[_Node, ...] = ()
    reason: str | None = None


class _Body(Struct, frozen=True):
    """What is read again of an event's own bytes."""

    type: str
    time: datetime | None = None
    subject: str | None = None
    data: _Data = _Data()


class Archive(Struct, frozen=True, kw_only=True):
    """Reads what was told; `webhooks` are the names of those configured, others are found by their deliveries."""

    table: Table
    accounts: Sequence[str]
    webhooks: Sequence[str]

    @property
    def partitions(self) -> tuple[str, ...]:
        """Every partition that may hold events."""
        return (*self.accounts, OWN)

    def event(self, event_id: str, partitions: Iterable[str] | None = None) -> StoredEvent | None:
        """One event, or None when no partition holds a readable one.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        if not EVENT_ID.fullmatch(event_id):
            return None
        for partition in partitions or self.partitions:
            row = self.table.get(partition, event_key(event_id))
            if row is not None:
                return read_event(FoundEvent(partition=partition, row=row))
        return None

    def events(self, partitions: Iterable[str], *, after: str | None = None) -> Iterator[StoredEvent]:
        """The events that follow the id `after` (None: all), what happened last first.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        return (stored for found in self.found(partitions, after=after) if (stored := read_event(found)) is not None)

    def found(self, partitions: Iterable[str], *, after: str | None = None) -> Iterator[FoundEvent]:
        """As `events`, not yet read.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        start, end = range_of("event")
        start = just_after(event_key(after)) if after else start
        rows = [self._found(partition, start, end) for partition in partitions]
        return heapq.merge(*rows, key=lambda found: found.row.key)

    def named(self, partition: str, ids: Iterable[str]) -> Iterator[FoundEvent]:
        """The events of these ids that are stored, what happened last first, not yet read.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        keys = sorted(map(event_key, ids))
        while keys:
            passed_over = 0
            for found in self._found(partition, keys[0], just_after(keys[-1])):
                if found.row.key > keys[0]:
                    keys = keys[bisect_left(keys, found.row.key) :]  # those before are not stored
                if found.row.key == keys[0]:
                    yield found
                    keys, passed_over = keys[1:], 0
                elif (passed_over := passed_over + 1) > _PASSED_OVER:
                    break
            else:
                return

    def in_state(
        self, state: DeliveryState, partitions: Iterable[str], *, after: str | None = None, webhook: str | None = None
    ) -> Iterator[StoredDelivery]:
        """The deliveries in a state of the events that follow the id `after`, those of the newest event first.

        `webhook` None means of every webhook, also of those that are not configured any more.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        found = [
            self._deliveries(partition, state, name, just_after(after) if after else "")
            for partition in partitions
            for name in ([webhook] if webhook else self._names(partition, state))
        ]
        return heapq.merge(*found, key=lambda stored: stored.delivery.event_id)

    def between(self, partition: str, first: str, last: str) -> Mapping[str, Mapping[str, StoredDelivery]]:
        """The deliveries of the events from id `first` to id `last`, by event and webhook.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        found: dict[str, dict[str, StoredDelivery]] = {}
        for state in DeliveryState:
            for name in self._names(partition, state):
                for stored in self._deliveries(partition, state, name, first, last):
                    # One that moves on while it is read is met twice: the later state counts.
                    found.setdefault(stored.delivery.event_id, {})[name] = stored
        return found

    def of_event(self, stored: StoredEvent) -> Mapping[str, StoredDelivery]:
        """The deliveries of one event, by webhook.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        return self.between(stored.partition, stored.event.id, stored.event.id).get(stored.event.id, {})

    def _found(self, partition: str, start: str, end: str) -> Iterator[FoundEvent]:
        return (FoundEvent(partition=partition, row=row) for row in self.table.query(partition, start, end))

    def _deliveries(
        self, partition: str, state: DeliveryState, name: str, first: str = "", last: str | None = None
    ) -> Iterator[StoredDelivery]:
        end = just_after(delivery_key(state, name, last)) if last else deliveries_of(state, name)[1]
        for row in self.table.query(partition, delivery_key(state, name, first), end):
            try:
                delivery = from_row(row, Delivery)
            except UnreadableRowError as error:
                write_line("delivery-unreadable", error=str(error))
                continue
            yield StoredDelivery(partition=partition, state=state, delivery=delivery, row=row)

    def _names(self, partition: str, state: DeliveryState) -> Iterator[str]:
        """The configured webhooks, and whoever else has deliveries in this state.

        The others are looked for only between the configured ones' ranges, so that it costs no reading of deliveries.
        """
        start, end = range_of(state.value)
        for name in (*sorted(self.webhooks, key=lambda name: f"{name}|"), None):
            stop = end if name is None else delivery_key(state, name, "")
            while (row := next(iter(self.table.query(partition, start, stop)), None)) is not None:
                other = row.key.split("|")[1]
                yield other
                start = deliveries_of(state, other)[1]
            if name is not None:
                yield name
                start = deliveries_of(state, name)[1]


def read_event(found: FoundEvent) -> StoredEvent | None:
    """The event of a row, or None when it can't be read."""
    try:
        return _decode(found.partition, found.row)
    except UnreadableRowError as error:
        write_line("event-unreadable", error=str(error))
        return None


def _decode(partition: str, row: Row) -> StoredEvent:
    body = unpack_body(row)
    recorded, job = row.columns.get("recordedAt"), row.columns.get("job")
    try:
        said = json_decoder(_Body).decode(body)
        kind = EventType(said.type)
    except (*UNDECODABLE, ValueError) as error:  # or an event of a type that this version does not know
        raise UnreadableRowError(f"Row {row.key} can't be read: {error}") from error
    if not isinstance(recorded, datetime):
        raise UnreadableRowError(f"Row {row.key} does not say when it was recorded.")
    nodes = tuple((node.pool_id, node.node_id) for node in said.data.nodes)
    event = Event(
        id=row.key.removeprefix(event_key("")),
        type=kind,
        recorded_at=recorded,
        job_id=job if isinstance(job, str) else None,
        account=None if partition == OWN else partition,
        pools=frozenset(pool for pool, _ in nodes),
        jobs=unpack_jobs(row),
        body=body,
    )
    codes = tuple(code_of((node.failure_info or _Failure()).code, node.exit_code) for node in said.data.nodes)
    return StoredEvent(
        partition=partition,
        event=event,
        time=said.time,
        subject=said.subject,
        phase=said.data.phase,
        nodes=nodes,
        codes=codes,
        reason=said.data.reason or next((node.reason for node in said.data.nodes if node.reason), None),
    )
