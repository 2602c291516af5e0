"""Delivers what is due, for as long as there is time.

Owns which deliveries are attempted, closed or put off, and the probe of a failing webhook, by what waits and was tried
longest ago, or a ping. Does not own an attempt (`delivery.attempt`), the lanes that attempts are made in
(`delivery.webhook_lanes`) or how healthy a webhook is (`delivery.failing_rules`, `delivery.webhook_states`).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from shared.delivery.answer_rules import Judgement, give_up, is_due, is_given_up, is_held, last_tried
from shared.delivery.attempt import Attempter
from shared.delivery.backlog import Backlog
from shared.delivery.credential_redaction import without_token
from shared.delivery.failing_rules import is_suspect, listens, next_try
from shared.delivery.next_tries import NextTries
from shared.delivery.probe_candidates import ProbeCandidate, ProbeCandidates
from shared.delivery.rows import close_disabled, close_removed, read_due, record
from shared.delivery.turn_rules import DeliveryStep, decide_delivery
from shared.delivery.webhook_lanes import WebhookLanes
from shared.delivery.webhook_states import WebhookHealth, read_health
from shared.errors import StoreError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Origin
from shared.ports import Authorize, Clock, Lanes, Sender, Table
from shared.state.telling import Attempt
from shared.webhook import Webhook

MOST_BODIES = 500
"""Waiting attempts that keep their event's body, of some 20 kB, at hand; the others read it when their turn comes."""


class Deliverer(Struct, frozen=True, kw_only=True):
    """Delivers for every configured webhook; `new_id` makes lease ids, `own` speaks for what concerns no account.

    `authorize` is asked for a token by those webhooks whose format has no key of its own, and `backlog` what waits for
    a webhook, and what was given up of it since a moment, when the others are told of it.
    """

    table: Table
    sender: Sender
    lanes: Lanes
    clock: Clock
    webhooks: Mapping[str, Webhook]
    own_ledger: Ledger
    own: Origin
    new_id: Callable[[], str]
    authorize: Authorize = without_token
    backlog: Callable[[Webhook, datetime], Backlog | None] = lambda _webhook, _since: None

    def start(self, deadline: datetime) -> "DeliveryRun":
        """Begin a run that starts no attempt after `deadline`.

        Raises:
            StoreError: The state of the webhooks can't be read; nothing is delivered now.
        """
        health = read_health(self.table, self.own_ledger, self.own, self.webhooks, self._backlog_of)
        for name, webhook in self.webhooks.items():
            if webhook.waits_for is not None and listens(webhook, health.state(name)):
                write_line("webhook-waits", logging.WARNING, webhook=name, setting=webhook.waits_for)
        return DeliveryRun(self, deadline, health)

    def _backlog_of(self, name: str, since: datetime) -> Backlog | None:
        return self.backlog(self.webhooks[name], since)


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
        self._lanes = WebhookLanes(deliverer.lanes, deliverer.webhooks)
        self._swept: list[str] = []
        self._candidates = ProbeCandidates()
        self._next_tries = NextTries()
        self._attempter = Attempter(
            table=deliverer.table,
            sender=deliverer.sender,
            authorize=deliverer.authorize,
            clock=deliverer.clock,
            new_id=deliverer.new_id,
            follow=self.follow,
            expect=self._next_tries.add,
            recovered_at=lambda name: health.state(name).recovered_at,
        )

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
        """How healthy the webhooks are, as far as this run knows."""
        return self._health

    @property
    def deadline(self) -> datetime:
        """No attempt is started after this moment."""
        return self._deadline

    @property
    def wake_at(self) -> datetime | None:
        """When something that could not be told yet is to be tried, None when nothing waits; right after the end."""
        on = [name for name in self._health.names if self._deliverer.webhooks[name].enabled]
        tries = (next_try(self._health.state(name), self._next_tries.first(name)) for name in on)
        return min(filter(None, tries), default=None)

    def offer(self, pending: Iterable[Pending]) -> None:
        """Attempt these deliveries as soon as their webhooks have a free place."""
        for item in pending:
            with self._lock:
                known = item.place in self._offered
                self._offered.add(item.place)
            if not known:
                self._submit(item)

    def sweep(self, partition: str, webhook: str | None = None) -> int:
        """Offer whatever is due in a partition, of one webhook or of all; how many deliveries wait there, due or not.

        What waits for a webhook that is switched off or not configured any more is closed, whenever it would be due.
        """
        now = self._deliverer.clock()
        if webhook is None:
            self._swept.append(partition)
        waiting = 0
        over: dict[str, list[Pending]] = {}
        for item in read_due(self._deliverer.table, partition, webhook):
            waiting += 1
            name, delivery = item.delivery.webhook, item.delivery
            hook = self._deliverer.webhooks.get(name)
            if hook is None or self._health.state(name).disabled_since is not None:
                over.setdefault(name, []).append(item)
            elif is_given_up(delivery, now) or (
                not self.is_failing(name) and is_due(delivery, now, self._health.state(name).recovered_at)
            ):
                self.offer([item])
            elif hook.enabled:
                self._put_off(item)
        for name, items in over.items():
            self.submit(name, partial(self._close, items))
        return waiting

    def finish(self) -> int:
        """Wait for every attempt that was offered, probe whom it is time to probe; how many no time was left for."""
        self._lanes.join()
        for name in self._health.names:
            if self._is_to_be_probed(name):
                self.submit(name, partial(self._probe, name))
        self._lanes.join()
        return self._left

    def put_off(self, name: str, candidate: ProbeCandidate) -> None:
        """Keep for its probe, or for after it, what a failing webhook is not told now."""
        self._candidates.add(name, candidate)

    def expect(self, name: str, account: str, at: datetime | None) -> None:
        """Note when a chat webhook is to be told of an account, None for not at all: nobody need ping it before."""
        self._next_tries.put(name, account, at)

    def submit(self, name: str, work: Callable[[], None], **about: str | None) -> None:
        """Do work for a webhook in its lane, logged with what it is `about` if it fails; `finish` waits for it."""
        self._lanes.submit(name, work, about)

    def follow(self, name: str, judgement: Judgement, attempt: Attempt) -> None:
        """Remember what an attempt says about a webhook, and tell the others when it begins or ceases to fail."""
        self.offer(self._health.follow(name, judgement, attempt))

    def is_failing(self, name: str) -> bool:
        """Whether a webhook is only probed now."""
        return self._health.state(name).failing_since is not None

    def _submit(self, item: Pending) -> None:
        if item.body is not None:
            with self._lock:
                item = item if self._bodies < MOST_BODIES else replace(item, body=None)
                self._bodies += item.body is not None
        self.submit(item.delivery.webhook, partial(self._take, item), event=item.delivery.event_id)

    def _put_off(self, item: Pending) -> None:
        """Keep a delivery whose time has not come: of a failing webhook's only the one that was tried longest ago."""
        name, delivery = item.delivery.webhook, item.delivery
        held = is_held(delivery.leased_until, self._deliverer.clock())
        if not self.is_failing(name):
            self._next_tries.add(name, (held and delivery.leased_until) or delivery.next_attempt_at)
        if held or not self.is_failing(name):
            return
        with self._lock:
            self._offered.discard(item.place)
        probe = partial(self._attempter.attempt, self._deliverer.webhooks[name], item, probe=True)
        self._candidates.add_delivery(name, last_tried(delivery), probe)

    def _take(self, item: Pending) -> None:
        if item.body is not None:
            with self._lock:
                self._bodies -= 1
        now, delivery = self._deliverer.clock(), item.delivery
        webhook = self._deliverer.webhooks.get(delivery.webhook)
        state = self._health.state(webhook.name) if webhook is not None else None
        turn = decide_delivery(delivery, webhook, state, now, self._deadline)
        match turn.step:
            case DeliveryStep.LEAVE:
                with self._lock:
                    self._left += 1
            case DeliveryStep.CLOSE:
                self._close([item])
            case DeliveryStep.GIVE_UP:
                record(self._deliverer.table, item, give_up(delivery, turn.reason, now))
            case DeliveryStep.KEEP:
                pass
            case DeliveryStep.PUT_OFF:
                self._put_off(item)
            case DeliveryStep.WAIT:
                self._next_tries.add(delivery.webhook, delivery.next_attempt_at)
            case DeliveryStep.ATTEMPT:
                self._attempter.attempt(self._deliverer.webhooks[delivery.webhook], item)

    def _close(self, items: Sequence[Pending]) -> None:
        """End what nobody is to be sent any more, of one webhook that is removed or disabled."""
        name, now, table = items[0].delivery.webhook, self._deliverer.clock(), self._deliverer.table
        if name in self._deliverer.webhooks:
            close_disabled(table, items, self._health.state(name), now)
        else:
            close_removed(table, items, now)

    def _is_to_be_probed(self, name: str) -> bool:
        webhook = self._deliverer.webhooks[name]
        if not webhook.enabled or self._deliverer.clock() >= self._deadline:
            return False
        return self.is_failing(name) or is_suspect(self._health.state(name), self._next_tries.first(name))

    def _probe(self, name: str) -> None:
        """Try one thing at a webhook that takes nothing, and go on with all that waits if it does again."""
        if not self._health.may_probe(name, self._deliverer.clock()):
            return
        candidates, before = self._candidates.take(name), self._health.state(name)
        for one in candidates:
            one.probe()
            if self._health.state(name) != before:
                break  # else there was no need to send it any more
        else:
            self._attempter.ping(self._deliverer.webhooks[name], self._deliverer.own)
        if self._health.state(name).failures:
            return
        try:
            for partition in self._swept:
                self.sweep(partition, name)
        except StoreError as error:  # what waits is due all the same
            write_line("sweep-lost", webhook=name, error=str(error))
        for one in candidates:
            one.resume()
