"""Watches everything that leaves the app, commit by commit and request by request, and says what breaks a promise.

Owns the rules that hold at every moment. Does not own those that hold once all is calm (`checks`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.batch_simulator.filters import parse_time
from local.batch_simulator.world import Job
from shared.ports import Clock, Delete, Insert, Operation, Replace, Row
from shared.state import Cycle, Delivery
from shared.table_rows import CYCLE, from_row, unpack
from tests.simulation.baton import Owner
from tests.simulation.moving import why_it_moves
from tests.simulation.receivers import Receipt
from tests.simulation.truth import Incarnation, Occurrence

Place = tuple[str, str]  # webhook, event id
_OPPOSITES = {
    "account.reachable": "account.unreachable",
    "webhook.recovered": "webhook.failing",
    "job.reachable": "job.unreachable",
    "job.resumed": "job.stuck",
}
_TROUBLES = frozenset(_OPPOSITES.values())


class BrokenPromiseError(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """An event as it was first stored."""

    id: str
    type: str
    partition: str
    at: datetime
    body: bytes
    data: Mapping[str, Any]
    occurrences: tuple[Occurrence, ...]


@dataclass(slots=True, kw_only=True)
class Witness:
    """What was seen; `broken` holds what must not have been.

    `ended` is the truth: runs that ended, by failure. So are the jobs that `job` finds by id.
    """

    ended: Mapping[Occurrence, bool]
    job: Callable[[str], Job | None]
    clock: Clock
    broken: list[str] = field(default_factory=list)
    events: dict[str, SeenEvent] = field(default_factory=dict)
    told: dict[tuple[str, Occurrence], str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    accepted: set[Place] = field(default_factory=set)
    good_cycles: list[tuple[datetime, datetime]] = field(default_factory=list)
    _last_cycle: datetime | None = None
    _excused: set[Place] = field(default_factory=set)
    _in_flight: set[Place] = field(default_factory=set)
    _unrecorded: dict[Place, Owner] = field(default_factory=dict)

    def blame(self, sentence: str) -> None:
        """Note that a promise is broken."""
        self.broken.append(f"{self.clock():%a %H:%M:%S}: {sentence}")

    # --- the table ---

    def committed(self, partition: str, operations: Sequence[Operation]) -> None:
        """Look at a transaction that was just done."""
        for operation in operations:
            kind, _, rest = operation.key.partition("|")
            if isinstance(operation, Delete):
                continue
            row = Row(key=operation.key, columns=operation.columns, etag="")
            if kind == "event" and isinstance(operation, Insert):
                self._see_event(partition, row)
            elif kind == CYCLE:
                self._see_cycle(from_row(row, Cycle))
            elif kind in {"done", "dead", "due"}:
                webhook, _, event_id = rest.partition("|")
                self._see_delivery(kind, (webhook, event_id), row, new=isinstance(operation, Insert))

    def disturbed(self, operations: Sequence[Operation]) -> None:
        """A writer does not learn what came of these: what they were to record may be done again."""
        for operation in operations:
            kind, _, rest = operation.key.partition("|")
            if kind == "due" and isinstance(operation, Delete | Replace):
                webhook, _, event_id = rest.partition("|")
                self._excused.add((webhook, event_id))

    def crashed(self, owner: Owner) -> None:
        """A process died: what it had sent and not recorded may be sent again."""
        self._excused |= {place for place, its in self._unrecorded.items() if its is owner}

    def _see_event(self, partition: str, row: Row) -> None:
        body = unpack(row)
        document = json.loads(body)
        event_id, kind, data = document["id"], document["type"].removeprefix("prepwatch."), document["data"]
        if event_id in self.events:
            self.blame(f"event {event_id} was stored twice")
        occurrences = tuple(_occurrence(data, node) for node in data.get("nodes", ()))
        event = SeenEvent(
            id=event_id, type=kind, partition=partition, at=self.clock(), body=body, data=data, occurrences=occurrences
        )
        self.events[event_id] = event
        for occurrence in occurrences:
            before = self.told.setdefault((kind, occurrence), event_id)
            if before != event_id:
                self.blame(f"{_words(occurrence)} was told as {kind} by {before} and again by {event_id}")
            if self.ended.get(occurrence) is not kind.endswith("failed"):
                self.blame(f"{kind} of {_words(occurrence)} is invented")
        self._see_standing(event)
        if kind == "job.stuck":
            self._see_stuck(data)

    def _see_stuck(self, data: Mapping[str, Any]) -> None:
        """A job that can still move is never called stuck."""
        job = self.job(data["jobId"])
        if job is not None and job.creation_time == parse_time(data["jobCreationTime"]):
            why = why_it_moves(job, self.clock())
            if why is not None:
                self.blame(f"job {job.job_id} was called stuck, but {why}")

    def _see_standing(self, event: SeenEvent) -> None:
        """Troubles and their ends take turns."""
        kind = _OPPOSITES.get(event.type, event.type)
        if kind not in _TROUBLES:
            return
        about = event.data.get("webhook") or event.data.get("jobId") or ""
        key = f"{kind} {event.partition} {about} {event.data.get('jobCreationTime')}"
        if self.standing.get(key) == event.type or (event.type not in _TROUBLES and key not in self.standing):
            self.blame(f"{event.type} of {about or event.partition} was told out of turn")
        self.standing[key] = event.type

    def _see_cycle(self, cycle: Cycle) -> None:
        last = self.good_cycles[-1][1] if self.good_cycles else None
        if last is not None and (cycle.last_good_at is None or cycle.last_good_at < last):
            self.blame(f"the last good time went back from {last} to {cycle.last_good_at}")
        if self._last_cycle is not None and cycle.started_at < self._last_cycle:
            self.blame("the last cycle's start went back")
        self._last_cycle = cycle.started_at
        if cycle.last_good_at is not None and cycle.last_good_at != last:
            self.good_cycles.append((self.clock(), cycle.last_good_at))

    def _see_delivery(self, kind: str, place: Place, row: Row, *, new: bool) -> None:
        delivery = from_row(row, Delivery)
        if new and kind == "due" and place[1] not in self.events:
            self.blame(f"{place[0]} is owed {place[1]}, which is no event")
        if kind == "done" and place not in self.accepted:
            self.blame(f"{place[1]} was recorded as delivered to {place[0]}, which never took it")
        if kind == "dead" and not delivery.reason:
            self.blame(f"{place[1]} was given up for {place[0]} without a reason")
        if not delivery.leased_until:
            self._unrecorded.pop(place, None)

    # --- receivers ---

    def sending(self, webhook: str, event_id: str, owner: Owner) -> None:
        """An attempt begins."""
        place = (webhook, event_id)
        if place in self._in_flight:
            self.blame(f"{event_id} is sent to {webhook} while another attempt holds it")
        self._in_flight.add(place)
        self._unrecorded[place] = owner

    def sent(self, webhook: str, event_id: str) -> None:
        """An attempt has ended."""
        self._in_flight.discard((webhook, event_id))

    def received(self, receipt: Receipt, owner: Owner) -> None:
        """A request reached its receiver."""
        place = (receipt.webhook, receipt.id)
        event = self.events.get(receipt.id)
        if event is None:
            self.blame(f"{receipt.webhook} got {receipt.id}, which is no event")
        elif event.body != receipt.body:
            self.blame(f"{receipt.webhook} got other bytes for {receipt.id} than are stored")
        if not receipt.verified:
            self.blame(f"{receipt.webhook} can't verify {receipt.id}")
        if place in self.accepted and place not in self._excused:
            self.blame(f"{receipt.webhook} got {receipt.id} again after accepting it, and there was no fault")
        self.receipts.append(receipt)
        if receipt.accepted:
            self._excused.discard(place)
            self.accepted.add(place)


def _occurrence(data: Mapping[str, Any], node: Mapping[str, Any]) -> Occurrence:
    created, started = data["jobCreationTime"], node.get("startTime")
    return Occurrence(
        Incarnation(data["jobId"].lower(), parse_time(created)),
        node["poolId"].lower(),
        node["nodeId"].lower(),
        data["phase"],
        parse_time(started) if started else None,
    )


def _words(occurrence: Occurrence) -> str:
    job, created = occurrence.incarnation
    return (
        f"{occurrence.phase} of job {job} of {created:%H:%M:%S} on {occurrence.node[-12:]} "
        f"of {occurrence.started:%H:%M:%S}"
        if occurrence.started
        else f"{occurrence.phase} of job {job} on {occurrence.node}"
    )
