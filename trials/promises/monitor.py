"""Watches everything that leaves the app, commit by commit and request by request, and says what breaks a promise.

Owns the rules that hold at every moment. Does not own those that hold once all is calm (`checks`).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from local.batch_simulator.filters import parse_time
from shared.digests.mutes import Mute
from shared.messages.format_table import format_of
from shared.ports import Clock, Delete, Insert, Operation, Replace, Row
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, from_row, unpack_body
from shared.state.telling import Delivery, Incidents
from shared.webhook import Webhook
from trials.promises.broken_nodes import BrokenNodes
from trials.promises.listeners import Listener
from trials.promises.moving import why_it_moves
from trials.promises.mutes import StandingMutes
from trials.promises.reading import KnownCauses
from trials.promises.records import pass_on
from trials.promises.seen import OPPOSITES, SeenEvent, is_invented, is_told_by, occurrence_of, words_of
from trials.promises.standing_still import Standstills
from trials.promises.totals import Totals
from trials.promises.truth import Incarnation, Occurrence, TrueWorld
from trials.simulation.receivers import Receipt, SentMessage
from trials.simulation.scheduler import Owner

OwedDelivery = tuple[str, str]  # webhook, event id
_TROUBLES = frozenset(OPPOSITES.values())
_LOOKS = timedelta(minutes=2)
"""How long ago a look at a job may have begun whose result is stored now."""
_STUCK_FOR = timedelta(minutes=2) - timedelta(seconds=5)


class BrokenPromiseError(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True, kw_only=True)
class Monitor:
    """What was seen of an app in a `world`; `broken` holds what must not have been."""

    world: TrueWorld
    clock: Clock
    webhooks: Sequence[Webhook] = ()
    broken: list[str] = field(default_factory=list)
    events: dict[str, SeenEvent] = field(default_factory=dict)
    told: dict[tuple[str, Occurrence], str] = field(default_factory=dict)
    left_out: set[OwedDelivery] = field(default_factory=set)
    standing: dict[str, str] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    accepted: set[OwedDelivery] = field(default_factory=set)
    read_up_to: list[tuple[datetime, datetime]] = field(default_factory=list)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    pools: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    totals: Totals = field(default_factory=Totals)
    mutes: StandingMutes = field(default_factory=StandingMutes)
    listeners: dict[str, Listener] = field(default_factory=dict)
    nodes: BrokenNodes = field(init=False)
    standstills: Standstills = field(init=False)
    _last_cycle: datetime | None = None
    surely_heard: set[OwedDelivery] = field(default_factory=set)
    _excused: set[OwedDelivery] = field(default_factory=set)
    _once_more: Counter[OwedDelivery] = field(default_factory=Counter)
    _in_flight: set[OwedDelivery] = field(default_factory=set)
    _unrecorded: dict[OwedDelivery, Owner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let everybody be watched who is told how jobs stand."""
        self.nodes = BrokenNodes(clock=self.clock, blame=self.blame, states=self.world.true_pools.states)
        self.standstills = Standstills(world=self.world, clock=self.clock, blame=self.blame)
        listener = partial(Listener, failures=self.failures, mutes=self.mutes, clock=self.clock, blame=self.blame)
        for webhook in self.webhooks:
            if format_of(webhook).tells_state:
                self.listeners[webhook.name] = listener(webhook=webhook, causes=KnownCauses(pools=self.pools))

    def blame(self, sentence: str) -> None:
        """Note that a promise is broken."""
        self.broken.append(f"{self.clock():%a %H:%M:%S}: {sentence}")

    # --- the table ---

    def committed(self, partition: str, operations: Sequence[Operation], owner: Owner) -> None:
        """Look at a transaction that was just done."""
        for operation in operations:
            kind, _, rest = operation.key.partition("|")
            if isinstance(operation, Delete):
                if kind == "mute":
                    self.mutes.delete(rest)
                continue
            row = Row(key=operation.key, columns=operation.columns, etag="")
            if kind == "event" and isinstance(operation, Insert):
                self._see_event(partition, row)
            elif kind == CYCLE:
                self._see_cycle(from_row(row, Cycle))
            elif kind == "incidents":
                self.listeners[rest].recorded_open(owner, from_row(row, Incidents))
            elif kind == "mute":
                self.mutes.put(rest, from_row(row, Mute), self.clock())
            elif kind in {"done", "dead", "due"}:
                webhook, _, event_id = rest.partition("|")
                self._see_delivery(kind, (webhook, event_id), row, new=isinstance(operation, Insert))
        pass_on(operations, owner, self.listeners)

    def disturbed(self, operations: Sequence[Operation], owner: Owner) -> None:
        """A writer does not learn what came of these: what they were to record may be done again."""
        for operation in operations:
            kind, _, rest = operation.key.partition("|")
            webhook, _, event_id = rest.partition("|")
            if kind == "due" and isinstance(operation, Delete | Replace):
                self._excused.add((webhook, event_id))
            elif kind == "digest" and webhook in self.listeners:
                self.listeners[webhook].disturbed(owner)

    def crashed(self, owner: Owner) -> None:
        """A process died: what it had sent and not recorded may be sent again."""
        self._excused |= {place for place, its in self._unrecorded.items() if its is owner}
        for listener in self.listeners.values():
            listener.disturbed(owner)

    def _see_event(self, partition: str, row: Row) -> None:
        body = unpack_body(row)
        document = json.loads(body)
        event_id, kind, data = document["id"], document["type"].removeprefix("prepwatch."), document["data"]
        if event_id in self.events:
            self.blame(f"event {event_id} was stored twice")
        if of_nodes := kind.startswith("node."):
            self.nodes.see(kind, data)
        occurrences = () if of_nodes else tuple(occurrence_of(data, node) for node in data.get("nodes", ()))
        event = SeenEvent(
            id=event_id, type=kind, partition=partition, at=self.clock(), body=body, data=data, occurrences=occurrences
        )
        self.events[event_id] = event
        for occurrence in occurrences:
            before = self.told.setdefault((kind, occurrence), event_id)
            if before != event_id:
                self.blame(f"{words_of(occurrence)} was told as {kind} by {before} and again by {event_id}")
            if is_invented(event, occurrence, self.world.ended.get(occurrence)):
                self.blame(f"{kind} of {words_of(occurrence)} is invented")
            if kind.endswith("failed"):
                self.failures[occurrence.incarnation.job, occurrence.phase] += 1
                self.pools[occurrence.incarnation.job].add(occurrence.pool)
        self._see_standing(event)
        if kind == "job.stuck":
            self._see_stuck(event)
        if kind in {"job.stuck", "job.resumed"} and data["jobCreationTime"]:
            self.standstills.see(kind, Incarnation(data["jobId"].lower(), parse_time(data["jobCreationTime"])))

    def _see_stuck(self, event: SeenEvent) -> None:
        """A job is called stuck only after some minutes, if its tasks wait in vain and nothing in it can still move."""
        name, since = event.data["jobId"], parse_time(event.data["since"])
        created = parse_time(event.data["jobCreationTime"])
        incarnation = Incarnation(name.lower(), created)
        stood = self.world.stood_still(incarnation, event.at)
        if stood is None or event.at - stood > _LOOKS:
            self.blame(f"{name} is called stuck, and its tasks run")
        if event.at - since < _STUCK_FOR:
            self.blame(f"{name} is called stuck after {event.at - since}")
        job = self.world.job(name)
        if job is None or job.creation_time != created:
            return
        pool, keeps_failing = self.world.pools.find(job.pool), self.world.keeps_failing(incarnation, event.at)
        if (why := why_it_moves(job, pool, event.at, keeps_failing=keeps_failing)) is not None:
            self.blame(f"{name} is called stuck, but {why}")

    def _see_standing(self, event: SeenEvent) -> None:
        """Troubles and their ends take turns."""
        kind = OPPOSITES.get(event.type, event.type)
        if kind not in _TROUBLES:
            return
        about = event.data.get("webhook") or event.data.get("jobId") or ""
        key = f"{kind} {event.partition} {about} {event.data.get('jobCreationTime')}"
        if self.standing.get(key) == event.type or (event.type not in _TROUBLES and key not in self.standing):
            self.blame(f"{event.type} of {about or event.partition} was told out of turn")
        self.standing[key] = event.type

    def _see_cycle(self, cycle: Cycle) -> None:
        last = self.read_up_to[-1][1] if self.read_up_to else None
        if last is not None and (cycle.read_up_to is None or cycle.read_up_to < last):
            self.blame(f"what the account is read up to went back from {last} to {cycle.read_up_to}")
        if self._last_cycle is not None and cycle.started_at < self._last_cycle:
            self.blame("the last cycle's start went back")
        self._last_cycle = cycle.started_at
        if wrong := self.totals.wrong_with(cycle, self.failures.total()):
            self.blame(wrong)
        if cycle.read_up_to is not None and cycle.read_up_to != last:
            self.read_up_to.append((self.clock(), cycle.read_up_to))

    def _see_delivery(self, kind: str, place: OwedDelivery, row: Row, *, new: bool) -> None:
        delivery = from_row(row, Delivery)
        if new and kind == "due" and place[1] not in self.events:
            self.blame(f"{place[0]} is owed {place[1]}, which is no event")
        if kind == "done" and place not in self.accepted and delivery.closed and self._is_left_out(place):
            self.left_out.add(place)
        elif kind == "done" and place not in self.accepted:
            self.blame(f"{place[1]} was recorded as delivered to {place[0]}, which never took it: {delivery.reason}")
        if kind == "dead" and not delivery.reason:
            self.blame(f"{place[1]} was given up for {place[0]} without a reason")
        if kind == "due" and not delivery.tries and (not new or place in self.accepted):
            self._once_more[place] += 1  # a trouble may have been told after this, its end
        if not delivery.leased_until:
            self._unrecorded.pop(place, None)

    def _is_left_out(self, place: OwedDelivery) -> bool:
        """Whether it tells chat or pager of a trouble that is over, or of the end of one which that never heard of."""
        told = self.events[place[1]]
        if place[0] not in self.listeners:
            return False
        others = [event for event in self.events.values() if event.data.get("since") == told.data.get("since")]
        if told.type in OPPOSITES:
            heard = [event for event in others if event.type == OPPOSITES[told.type]]
            return not {(place[0], event.id) for event in heard} & self.surely_heard - self._unrecorded.keys()
        return any(OPPOSITES.get(event.type) == told.type for event in others)

    # --- receivers ---

    def sending(self, message: SentMessage, owner: Owner) -> None:
        """An attempt begins."""
        listener = self.listeners.get(message.webhook)
        if listener is not None and message.reading is not None and message.reading.about_jobs:
            listener.sending(message.reading, owner)
            return
        if listener is not None:
            listener.event_sending()
        if message.is_ping:
            return
        places = self._places(message)
        for place in places:
            if place in self._in_flight and not self._once_more[place] and not _is_vague(message, places):
                self.blame(f"{place[1]} is sent to {message.webhook} while another attempt holds it")
            self._in_flight.add(place)
            self._unrecorded[place] = owner

    def sent(self, message: SentMessage) -> None:
        """An attempt has ended."""
        if message.is_ping:
            return
        if message.reading is not None and message.reading.about_jobs:
            self.listeners[message.webhook].sent()
        else:
            self._in_flight.difference_update(self._places(message))

    def received(self, receipt: Receipt, owner: Owner) -> None:
        """A request reached its receiver."""
        message = receipt.message
        self.receipts.append(receipt)
        if not receipt.verified:
            self.blame(f"{message.webhook} can't verify {message.id or message.reading}")
        listener = self.listeners.get(message.webhook)
        of_jobs = message.reading is not None and message.reading.about_jobs
        if listener is not None and receipt.accepted and not of_jobs:
            listener.event_accepted()
        if message.is_ping:
            return
        if listener is not None and message.reading is not None and receipt.was_read:
            listener.received(message.reading, owner, accepted=receipt.accepted)
        if not of_jobs:
            self._see_event_received(receipt)

    def _see_event_received(self, receipt: Receipt) -> None:
        message = receipt.message
        places = self._places(message)
        if not places:
            self.blame(f"{message.webhook} got {message.id or message.reading}, which is no event")
        for place in places:
            if message.reading is None and self.events[place[1]].body != message.body:
                self.blame(f"{message.webhook} got other bytes for {message.id} than are stored")
            excused = place in self._excused or self._once_more[place] > 0 or _is_vague(message, places)
            if place in self.accepted and not excused:
                self.blame(f"{message.webhook} got {place[1]} again after accepting it, and there was no fault")
            if receipt.accepted:
                if place in self._excused:  # each of the two excuses one repetition
                    self._excused.discard(place)
                elif place in self.accepted:
                    self._once_more[place] = max(0, self._once_more[place] - 1)
                self.accepted.add(place)
                if not _is_vague(message, places):
                    self.surely_heard.add(place)

    def _places(self, message: SentMessage) -> list[OwedDelivery]:
        """The deliveries that a message may be of: one, unless it is the end of an incident, which says little.

        Nor can two events of one minute about the same webhook be told apart: people are told times to the minute.
        """
        if message.reading is None:
            ids = [message.id] if message.id in self.events else []
        else:
            ids = [event.id for event in self.events.values() if is_told_by(event, message.reading)]
        return [(message.webhook, event_id) for event_id in ids]


def _is_vague(message: SentMessage, places: Sequence[OwedDelivery]) -> bool:
    return message.is_vague or len(places) > 1
