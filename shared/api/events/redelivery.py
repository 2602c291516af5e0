"""Sends events again: the same id, the same bytes, as a new delivery.

Owns which deliveries a request means, and how an ended one becomes due again. Does not own attempts
(`delivery.dispatch`), which find it like every other. A delivery's state is its row key, and it moves in one
transaction:

    done | dead --insert due (must not exist), delete the ended row (ETag)--> due, no attempt made

So there is never more than one pending delivery per event and webhook: who loses a race reads again, and a delivery
that waits already is left as it is. All that waits for a webhook is due then, whatever its pause.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice

import msgspec
from msgspec import Struct

from shared.api.events.history import EventFilter
from shared.api.events.views import MAX_AT_ONCE, RedeliveriesView, RedeliveryResult, RedeliveryState, RedeliveryView
from shared.api.refusals import ConflictError, not_found
from shared.delivery.failing_rules import try_again
from shared.delivery.webhook_states import change_webhook
from shared.errors import RowConflictError
from shared.ledger.archive import Archive, StoredDelivery, StoredEvent
from shared.ledger.ledger import Ledger
from shared.ledger.recipients import is_told_by_event, new_delivery, recipients
from shared.messages.events import Event, Origin
from shared.ports import Clock, Delete, Insert, Operation, Row, Table
from shared.state.rows import OWN, delivery_key, from_row, read_webhook, to_columns, webhook_key
from shared.state.swapping import until_written
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

_MAX_LOOKED_AT = 5000
_READ_TOGETHER = 100
_ENDED = (DeliveryState.DONE, DeliveryState.DEAD)


class Redelivered(Struct, frozen=True, kw_only=True):
    """What became of one webhook's delivery of an event, and the partition it lies in."""

    partition: str
    view: RedeliveryView


class Range(Struct, frozen=True, kw_only=True):
    """Which deliveries are meant; `webhook` None means every one, `after` the event id to go on after."""

    state: RedeliveryState
    events: EventFilter
    webhook: str | None = None
    after: str | None = None


class Redelivery(Struct, frozen=True, kw_only=True):
    """Makes deliveries of all accounts due again."""

    table: Table
    clock: Clock
    archive: Archive
    webhooks: Mapping[str, Webhook]
    ledger: Ledger
    own: Origin

    def redeliver(self, event_id: str, webhook: str | None) -> Sequence[Redelivered]:
        """Send one event again: to that webhook, or to each that it was owed to or that wants it now.

        Raises:
            NotFoundError: No such event or webhook.
            ConflictError: Nobody can be sent it.
            StoreError: The table can't be read or written; ask again, what was done already is then pending.
        """
        # gather
        stored = self.archive.event(event_id)
        if stored is None:
            raise not_found("event", event_id)
        owed = self.archive.of_event(stored)
        obstacles = self._obstacles()

        # decide
        if webhook is not None:
            self._refuse(webhook, obstacles.get(webhook))
            self._refuse(webhook, _why_not(self.webhooks[webhook], stored.event))
            targets: tuple[str, ...] = (webhook,)
        else:
            targets = self._targets(stored, owed)
            if not targets:
                message = "No configured webhook was to be sent this event, or wants it now"
                raise ConflictError(message, target="eventId", reason="NoRecipient", name_by="webhook")

        # apply
        done = [self._redeliver(stored, name, owed.get(name), obstacles) for name in targets]
        self._hurry(one.view.webhook for one in done if one.view.result is not RedeliveryResult.SKIPPED)
        return done

    def redeliver_range(self, wanted: Range) -> tuple[RedeliveriesView, frozenset[str]]:
        """Send again what a range means, at most MAX_AT_ONCE deliveries, and the partitions they lie in.

        Raises:
            NotFoundError: No such webhook.
            ConflictError: It can't be sent anything now.
            StoreError: The table can't be read or written; ask again, what was done already is then pending.
        """
        obstacles = self._obstacles()
        if wanted.webhook is not None:
            self._refuse(wanted.webhook, obstacles.get(wanted.webhook))
        found = self._dead(wanted) if wanted.state is RedeliveryState.DEAD else self._all(wanted)
        counts: Counter[RedeliveryResult] = Counter()
        partitions, waiting = set(), set()
        looked_at, last = 0, None
        for stored, targets in found:
            if looked_at == _MAX_LOOKED_AT or counts[RedeliveryResult.QUEUED] + len(targets) > MAX_AT_ONCE:
                break
            looked_at, last = looked_at + 1, stored.event.id
            if not wanted.events.wants(stored):
                continue
            for name, delivery in targets.items():
                done = self._redeliver(stored, name, delivery, obstacles)
                counts[done.view.result] += 1
                if done.view.result is not RedeliveryResult.SKIPPED:
                    partitions.add(stored.partition)
                    waiting.add(name)
        else:
            last = None
        self._hurry(waiting)
        view = RedeliveriesView(
            queued=counts[RedeliveryResult.QUEUED],
            already_pending=counts[RedeliveryResult.ALREADY_PENDING],
            skipped=counts[RedeliveryResult.SKIPPED],
            more=last is not None,
            skip_token=last,
        )
        return view, frozenset(partitions)

    def _dead(self, wanted: Range) -> Iterator[tuple[StoredEvent, Mapping[str, StoredDelivery | None]]]:
        """The events with dead deliveries, and those deliveries."""
        deliveries = self.archive.in_state(
            DeliveryState.DEAD, self.archive.partitions, after=wanted.after, webhook=wanted.webhook
        )
        for event_id, group in groupby(deliveries, key=lambda one: one.delivery.event_id):
            same = list(group)
            stored = self.archive.event(event_id, [same[0].partition])
            if stored is not None:
                yield stored, {one.delivery.webhook: one for one in same}

    def _all(self, wanted: Range) -> Iterator[tuple[StoredEvent, Mapping[str, StoredDelivery | None]]]:
        """The events, and the deliveries that they are owed as, or None where a webhook wants one only now."""
        events = self.archive.events(self.archive.partitions, after=wanted.after)
        while some := list(islice(events, _READ_TOGETHER)):
            owed = {
                partition: self.archive.between(partition, some[0].event.id, some[-1].event.id)
                for partition in {stored.partition for stored in some}
            }
            for stored in some:
                its = owed[stored.partition].get(stored.event.id, {})
                names = [name for name in self._targets(stored, its) if wanted.webhook in {None, name}]
                yield stored, {name: its.get(name) for name in names}

    def _targets(self, stored: StoredEvent, owed: Mapping[str, StoredDelivery]) -> tuple[str, ...]:
        wanting = recipients(self.webhooks.values(), stored.event)
        return tuple(
            name
            for name, webhook in self.webhooks.items()
            if name in wanting or (name in owed and _why_not(webhook, stored.event) is None)
        )

    def _redeliver(
        self, stored: StoredEvent, name: str, ended: StoredDelivery | None, obstacles: Mapping[str, str]
    ) -> Redelivered:
        webhook = self.webhooks.get(name)
        obstacle = "is not configured any more." if webhook is None else obstacles.get(name)
        obstacle = obstacle or (_why_not(webhook, stored.event) if webhook else None)
        if obstacle is not None:
            result, reason = RedeliveryResult.SKIPPED, f"the webhook {obstacle}"
        elif self._move(stored, name, ended):
            result, reason = RedeliveryResult.QUEUED, "due now, with all its attempts before it"
        else:
            result, reason = RedeliveryResult.ALREADY_PENDING, "it is pending already, and due now"
        return Redelivered(partition=stored.partition, view=RedeliveryView(webhook=name, result=result, reason=reason))

    def _hurry(self, names: Iterable[str]) -> None:
        """Make all that waits for these webhooks due."""
        now = self.clock()
        for name in names:
            change_webhook(
                self.table, self.ledger, self.own, name, lambda state: try_again(state, now, taken=False), now
            )

    def _move(self, stored: StoredEvent, name: str, known: StoredDelivery | None) -> bool:
        """Make a delivery due; False when it is so already. `known` is the ended one as it was read, if any was."""
        if known is not None and known.state is DeliveryState.DUE:
            return False
        due = delivery_key(DeliveryState.DUE, name, stored.event.id)
        ended = [[known.row]] if known is not None else []

        def move() -> bool:
            rows = ended.pop() if ended else self._ended(stored, name)
            now = self.clock()
            last = from_row(rows[-1], Delivery) if rows else None
            fresh = new_delivery(name, stored.event, now) if last is None else _anew(last, now)
            operations: list[Operation] = [Insert(key=due, columns=to_columns(fresh))]
            operations.extend(Delete(key=row.key, etag=row.etag) for row in rows)
            try:
                self.table.transact(stored.partition, operations)
            except RowConflictError:
                # Somebody moved it meanwhile: whether it is due now decides.
                if self.table.get(stored.partition, due) is not None:
                    return False
                raise
            return True

        return until_written(move, f"The delivery of {stored.event.id} to {name}")

    def _ended(self, stored: StoredEvent, name: str) -> list[Row]:
        keys = [delivery_key(state, name, stored.event.id) for state in _ENDED]
        return [row for key in keys if (row := self.table.get(stored.partition, key)) is not None]

    def _refuse(self, name: str, obstacle: str | None) -> None:
        if name not in self.webhooks:
            raise not_found("webhook", name)
        if obstacle is not None:
            raise ConflictError(f"Webhook {name!r} {obstacle}", target="webhook", reason="WebhookCantBeSent")

    def _obstacles(self) -> dict[str, str]:
        """Why webhooks can't be sent anything now: what is due of a disabled one dies at once."""
        found = {}
        for name, webhook in self.webhooks.items():
            row = self.table.get(OWN, webhook_key(name))
            state = read_webhook(row, name)
            if not webhook.enabled:
                found[name] = "is switched off in the settings."
            elif state.disabled_since is not None:
                found[name] = f"is disabled ({state.reason}): enable it first."
        return found


def _why_not(webhook: Webhook, event: Event) -> str | None:
    """Why a webhook, its filters left aside, is never sent such an event; None when it is."""
    if not is_told_by_event(webhook, event.type):
        return f"has the format {webhook.format}, which is told how a job stands instead of its events."
    return None


def _anew(delivery: Delivery, now: datetime) -> Delivery:
    """An ended delivery as due again: all tries before it, what was tried before still on record."""
    return msgspec.structs.replace(
        delivery,
        created_at=now,
        next_attempt_at=now,
        leased_until=None,
        lease="",
        tries=0,
        ended_at=None,
        reason="sent again on request",
    )
