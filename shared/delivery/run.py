"""Delivers what is due: claim, render, sign, send, decide, record.

Owns the walk of a delivery and the lanes of a run. Does not own which webhook may be tried (`delivery.health`), what
an answer means (`delivery.attempts`), requests' form (`messages.formats`) or how bytes travel (`ports.Sender`). A
delivery is held by a lease while it is attempted:

    due --claim (ETag)--> leased --send--> record (ETag): done | dead | due again, later
     ^                      |
     +---- lease expires ---+   whoever held it died: attempted once more, same id, same bytes
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from shared.delivery.attempts import (
    SCHEDULE,
    Judgement,
    NextStep,
    claim,
    give_up,
    has_lost_an_attempt,
    is_due,
    judge,
    leave_out,
    next_step,
)
from shared.delivery.health import WebhookHealth, read_health
from shared.delivery.overtaken import end_of
from shared.delivery.sending import hide_credentials, send_message, without_token
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_defect, write_line
from shared.ledger.ledger import Ledger, Pending
from shared.messages.events import Origin
from shared.messages.format import Message
from shared.messages.formats import format_of
from shared.ports import Authorize, Clock, Delete, Lanes, Put, Replace, Sender, Table
from shared.state.rows import delivery_key, event_key, from_row, range_of, to_columns, unpack_body
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

IN_FLIGHT = 4
"""Attempts of one webhook at the same time; a slow receiver holds up only itself."""
MOST_BODIES = 500
"""Waiting attempts that keep their event's body, of some 20 kB, at hand; the others read it when their turn comes."""


class Deliverer(Struct, frozen=True, kw_only=True):
    """Delivers for every configured webhook; `new_id` makes lease ids, `site` speaks for what concerns no account.

    `authorize` is asked for a token by those webhooks whose format has no key of its own.
    """

    table: Table
    sender: Sender
    lanes: Lanes
    clock: Clock
    webhooks: Mapping[str, Webhook]
    own_ledger: Ledger
    site: Origin
    new_id: Callable[[], str]
    authorize: Authorize = without_token

    def start(self, deadline: datetime) -> "DeliveryRun":
        """Begin a run that starts no attempt after `deadline`.

        Raises:
            StoreError: The state of the webhooks can't be read; nothing is delivered now.
        """
        return DeliveryRun(self, deadline, read_health(self.table, self.own_ledger, self.site, self.webhooks))


class DeliveryRun:
    """One run of deliveries: whatever it is offered is attempted at once, each webhook in its own lane.

    Use it as a context, so that nothing is left running, and no line unlogged, when whoever began it fails.
    """

    def __init__(self, deliverer: Deliverer, deadline: datetime, health: WebhookHealth) -> None:
        self._deliverer = deliverer
        self._deadline = deadline
        self._lock = Lock()
        self._offered: set[str] = set()
        self._left = 0
        self._bodies = 0
        self._health = health

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Wait for what was offered, if whoever began the run could not."""
        if isinstance(error, Exception):
            self.finish()

    @property
    def deliverer(self) -> Deliverer:
        """What it delivers with."""
        return self._deliverer

    @property
    def health(self) -> WebhookHealth:
        """How the webhooks fare, as far as this run knows."""
        return self._health

    @property
    def deadline(self) -> datetime:
        """No attempt is started after this moment."""
        return self._deadline

    def offer(self, pending: Iterable[Pending]) -> None:
        """Attempt these deliveries as soon as their webhooks have a free place."""
        for item in pending:
            with self._lock:
                known = item.place in self._offered
                self._offered.add(item.place)
            if not known:
                self._submit(item)

    def sweep(self, partition: str) -> int:
        """Offer whatever is due in a partition and return how many deliveries wait there, due or not."""
        now = self._deliverer.clock()
        start, end = range_of(DeliveryState.DUE.value)
        waiting = 0
        for row in self._deliverer.table.query(partition, start, end):
            waiting += 1
            try:
                delivery = from_row(row, Delivery)
            except UnreadableRowError as error:
                write_line("delivery-unreadable", error=str(error))
                continue
            if is_due(delivery, now):
                self.offer([Pending(partition=partition, delivery=delivery, etag=row.etag)])
        return waiting

    def finish(self) -> int:
        """Wait for every attempt that was offered; the number of those that no time was left for."""
        offered = -1
        while offered != len(self._offered):  # an attempt may make due what tells another webhook of it
            offered = len(self._offered)
            for name in (*self._health.names, ""):
                self._deliverer.lanes.join(_lane(name))
        return self._left

    def submit(self, name: str, work: Callable[[], None], **about: str | None) -> None:
        """Do work for a webhook in its lane; `finish` waits for it.

        A defect met in it is logged with what it is `about`, and the other work goes on.
        """
        lane = name if name in self._health.names else ""
        self._deliverer.lanes.submit(_lane(lane), IN_FLIGHT, partial(self._do, name, work, about))

    def _do(self, name: str, work: Callable[[], None], about: Mapping[str, str | None]) -> None:
        try:
            work()
        except Exception as defect:  # noqa: BLE001 - what it held is due again when the lease ends, as after a crash
            webhook = self._deliverer.webhooks.get(name)
            hide = partial(hide_credentials, webhook) if webhook else str
            write_defect("delivery-defect", defect, hide, webhook=name, **about)

    def _submit(self, item: Pending) -> None:
        if item.body is not None:
            with self._lock:
                item = item if self._bodies < MOST_BODIES else replace(item, body=None)
                self._bodies += item.body is not None
        self.submit(item.delivery.webhook, lambda: self._take(item), event=item.delivery.event_id)

    def _take(self, item: Pending) -> None:
        if item.body is not None:
            with self._lock:
                self._bodies -= 1
        now = self._deliverer.clock()
        webhook = self._deliverer.webhooks.get(item.delivery.webhook)
        if now >= self._deadline:
            with self._lock:
                self._left += 1
        elif item.delivery.tries >= len(SCHEDULE):
            # Every attempt was claimed and none came to an end: whoever made it died.
            reason = f"given up after {item.delivery.tries} attempts without an end"
            self._record(item, give_up(item.delivery, reason, now))
        elif webhook is None:
            self._record(item, give_up(item.delivery, "the webhook is not configured any more", now))
        elif (disabled := self._health.state(webhook.name)).disabled_since is not None:
            self._record(item, give_up(item.delivery, f"the webhook is disabled: {disabled.reason}", now))
        elif webhook.enabled and self._health.admits_delivery(item, now):
            try:
                self._attempt(webhook, item, now)
            finally:
                self.release(webhook.name)

    def release(self, name: str) -> None:
        """Let go of a webhook after an attempt: what waited for its probe is tried if that has healed it."""
        for item in self._health.leave(name):
            self._submit(item)

    def follow(self, name: str, judgement: Judgement, now: datetime) -> None:
        """Remember what an attempt says about a webhook, and tell the others when it begins or ceases to fail."""
        self.offer(self._health.follow(name, judgement, now))

    def _attempt(self, webhook: Webhook, item: Pending, now: datetime) -> None:
        # claim
        claimed = claim(item.delivery, self._deliverer.new_id(), now)
        key = delivery_key(DeliveryState.DUE, webhook.name, claimed.event_id)
        try:
            swap = Replace(key=key, columns=to_columns(claimed), etag=item.etag)
            etag = self._deliverer.table.transact(item.partition, [swap])[key]
            body = item.body or self._body(item)
        except StoreError as error:
            # Somebody else holds it, or nothing is known: a lease that nobody uses expires.
            write_line("claim-lost", webhook=webhook.name, event=claimed.event_id, error=str(error))
            return
        held = replace(item, delivery=claimed, etag=etag)
        if body is None:
            self._record(held, give_up(claimed, "the event is not stored any more", now))
            return
        end = end_of(self._deliverer.table, item.partition, webhook, body)
        if end is not None and end.is_known():
            # Whoever died in an attempt may have told it after its end.
            if not has_lost_an_attempt(claimed) or end.tell_once_more(now):
                self._record(held, leave_out(claimed, "it is over, and its end is told", now))
            return

        # render, sign, send
        message = Message(id=claimed.event_id, body=body)
        answer = send_message(self._deliverer.sender, self._deliverer.authorize, webhook, message, now)

        # decide
        ended = self._deliverer.clock()
        judgement = judge(format_of(webhook), answer, claimed.tries, ended)
        step = next_step(claimed, judgement, answer, ended)

        # record; an end that came meanwhile first, for afterwards nobody would look for it
        if end is None or not end.is_known() or end.tell_once_more(ended):
            self._record(held, step)
        self.follow(webhook.name, judgement, ended)
        if step.state is DeliveryState.DEAD:
            write_line(
                "delivery_dead",
                logging.WARNING,
                webhook=webhook.name,
                event=claimed.event_id,
                reason=step.delivery.reason,
            )
        write_line(
            "attempt",
            webhook=webhook.name,
            event=claimed.event_id,
            tries=claimed.tries,
            verdict=judgement.verdict.value,
            reason=judgement.reason,
            durationMs=step.delivery.attempts[-1].duration_ms,
        )

    def _body(self, item: Pending) -> bytes | None:
        row = self._deliverer.table.get(item.partition, event_key(item.delivery.event_id))
        return None if row is None else unpack_body(row)

    def _record(self, item: Pending, step: NextStep) -> None:
        delivery = step.delivery
        due = delivery_key(DeliveryState.DUE, delivery.webhook, delivery.event_id)
        columns = to_columns(delivery)
        if step.state is DeliveryState.DUE:
            operations: Sequence[Replace | Delete | Put] = [Replace(key=due, columns=columns, etag=item.etag)]
        else:
            ended = delivery_key(step.state, delivery.webhook, delivery.event_id)
            operations = [Delete(key=due, etag=item.etag), Put(key=ended, columns=columns)]
        try:
            self._deliverer.table.transact(item.partition, operations)
        except StoreError as error:
            # The lease expires and it is attempted again with the same id and bytes, unless this was written after all.
            write_line("record-lost", webhook=delivery.webhook, event=delivery.event_id, error=str(error))


def _lane(webhook: str) -> str:
    return f"webhook:{webhook}"
