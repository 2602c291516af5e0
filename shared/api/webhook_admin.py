"""Shows, tries and switches webhooks, for the people who run them.

Owns what is shown of a webhook, pings, and the switch by hand. Does not own what the settings say of it (`webhook`),
nor its health under deliveries (`delivery.answer_rules`). A ping is no delivery: it is sent once, at once, also to a
webhook that is switched off, and its answer is only shown.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from urllib.parse import urlsplit

from msgspec import Raw, Struct

from shared.api.events.history import attempt_view
from shared.api.refusals import ConflictError, TooSoonError, not_found
from shared.api.untold import UntoldReader
from shared.api.webhook_views import LastAnswerView, MessageView, PingView, UntoldView, WebhookView
from shared.delivery.advice import advice_on
from shared.delivery.answer_rules import Verdict, attempt_of, judge
from shared.delivery.backlog import MAX_COUNTED, Backlog
from shared.delivery.credential_redaction import without_token
from shared.delivery.failing_rules import WebhookStanding, disable, enable, standing_of, try_again
from shared.delivery.rows import close_disabled, read_due
from shared.delivery.sending import send_ping
from shared.delivery.webhook_states import change_webhook
from shared.digests.sent import FoundMessage, read_sent
from shared.errors import RowConflictError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.messages.events import EventType, Origin, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import format_of
from shared.moments import is_to_come
from shared.ports import Authorize, Clock, Sender, Table, swap
from shared.redaction import clean
from shared.state.rows import OWN, count_up_to, deliveries_of, from_row, ping_key, read_webhook, to_columns, webhook_key
from shared.state.telling import DeliveryState, WebhookState
from shared.webhook import Webhook, waiting_words

PING_EVERY = timedelta(seconds=10)
_SHOWN_OF_URL = 4


class Ping(Struct, frozen=True, kw_only=True):
    """When a webhook was last pinged."""

    at: datetime


class WebhookAdmin(Struct, frozen=True, kw_only=True):
    """Administers the configured webhooks; `ledger` is that of the partition OWN.

    `backlog` says what waits for a webhook, and what was given up of it since a moment; None when nobody can tell.
    """

    table: Table
    clock: Clock
    sender: Sender
    webhooks: Mapping[str, Webhook]
    accounts: Sequence[str]
    ledger: Ledger
    own: Origin
    untold: UntoldReader
    backlog: Callable[[Webhook, datetime], Backlog | None]
    authorize: Authorize = without_token

    def list_webhooks(self) -> list[WebhookView]:
        """Every configured webhook, in the order of the settings.

        Raises:
            StoreError: The table can't be read.
        """
        untold = self.untold.read(self.webhooks.values())
        return [self._view(webhook, self._read(name), untold[name]) for name, webhook in self.webhooks.items()]

    def list_messages(
        self, name: str, account: str | None, *, top: int, after: str | None
    ) -> tuple[tuple[MessageView, ...], str | None]:
        """What a chat or pager webhook was sent about how jobs and pools stand, the newest first.

        `after` is the id of the last message of the page before; returned with the page is that of this one, None when
        nothing is behind it.

        Raises:
            NotFoundError: No such webhook, or no such account is watched.
            StoreError: The table can't be read.
        """
        self._known(name)
        if account is not None and account not in self.accounts:
            raise not_found("account", account, self.accounts)
        found = list(islice(read_sent(self.table, [account] if account else self.accounts, name, after), top + 1))
        return tuple(map(_message_view, found[:top])), found[top - 1].id if len(found) > top else None

    def ping(self, name: str) -> PingView:
        """Send a ping at once and say what came of it; once it is taken, all that waits for the webhook is due.

        Raises:
            NotFoundError: No such webhook.
            TooSoonError: It was pinged within the last ten seconds.
            StoreError: The table is away. Nothing was sent, or the ping was and what waits is not due yet; ping again.
        """
        webhook = self._known(name)
        now = self._begin_ping(name)
        event = webhook_event(self.own, EventType.PING, name, now, now)
        message = Message(id=event.id, body=event.body)
        answer = send_ping(self.sender, self.authorize, webhook, message, now, aloud=True)
        ended = self.clock()
        judgement = judge(format_of(webhook), answer, 1, ended)
        attempt = attempt_of(judgement, answer, ended)
        delivered = judgement.verdict is Verdict.DELIVERED
        if delivered:
            self._change(name, partial(try_again, taken=True))
        write_line("ping", webhook=name, event=event.id, verdict=judgement.verdict.value, reason=judgement.reason)
        return PingView(
            webhook=name,
            event_id=event.id,
            at=now,
            delivered=delivered,
            status=attempt.status,
            reason=attempt.reason,
            duration_ms=attempt.duration_ms,
            answer=clean(attempt.answer),
            advice=None if delivered else advice_on(webhook, answer.failure, answer.status),
        )

    def enable(self, name: str) -> WebhookView:
        """Let a disabled webhook be sent events again, and a failing one be tried at once: all that waits is due.

        Raises:
            NotFoundError: No such webhook.
            ConflictError: The settings switch it off.
            StoreError: The change could not be written.
        """
        webhook = self._known(name)
        if not webhook.enabled:
            message = f"Webhook {name!r} is switched off in the settings: set its enabled to true there."
            raise ConflictError(message, target="name", reason="WebhookSwitchedOff")
        return self._view(webhook, self._change(name, enable))

    def disable(self, name: str) -> WebhookView:
        """Send a webhook nothing more until it is enabled; what waits for it is closed.

        Raises:
            NotFoundError: No such webhook.
            StoreError: The change could not be written.
        """
        webhook = self._known(name)
        state = self._change(name, disable)
        for partition in (*self.accounts, OWN):
            # What is under way meanwhile is closed when its lease ends.
            close_disabled(self.table, read_due(self.table, partition, name), state, self.clock())
        return self._view(webhook, state)

    def _change(self, name: str, decide: Callable[[WebhookState, datetime], WebhookState]) -> WebhookState:
        now, count = self.clock(), partial(self.backlog, self.webhooks[name])
        return change_webhook(self.table, self.ledger, self.own, name, lambda before: decide(before, now), now, count)

    def _begin_ping(self, name: str) -> datetime:
        """The moment of a ping, once it is certain that no other is made within PING_EVERY."""
        row = self.table.get(OWN, ping_key(name))
        now = self.clock()
        last = from_row(row, Ping).at if row else None
        ready = now if last is None or is_to_come(last, now) else last + PING_EVERY
        if now < ready:
            raise _too_soon(name, ready - now)
        try:
            self.table.transact(OWN, [swap(ping_key(name), to_columns(Ping(at=now)), row)])
        except RowConflictError as error:
            raise _too_soon(name, PING_EVERY) from error
        return now

    def _known(self, name: str) -> Webhook:
        if name not in self.webhooks:
            raise not_found("webhook", name)
        return self.webhooks[name]

    def _read(self, name: str) -> WebhookState:
        return read_webhook(self.table.get(OWN, webhook_key(name)), name)

    def _view(self, webhook: Webhook, state: WebhookState, untold: UntoldView | None = None) -> WebhookView:
        untold, standing = untold or self.untold.of(webhook), standing_of(webhook, state)
        silent = untold.silent if standing is WebhookStanding.OK else None
        return WebhookView(
            name=webhook.name,
            format=webhook.format,
            host=urlsplit(webhook.url).netloc,
            url_ends_with=webhook.url[-_SHOWN_OF_URL:],
            events=webhook.events,
            jobs=webhook.jobs,
            accounts=webhook.accounts,
            pools=webhook.pools,
            enabled=webhook.enabled,
            state=WebhookStanding.FAILING if silent else standing,
            failing_since=state.failing_since,
            disabled_since=state.disabled_since,
            not_before=state.not_before,
            since=min(filter(None, (state.failing_since, state.disabled_since)), default=None),
            reason=silent or (waiting_words(webhook.waits_for) if webhook.waits_for else state.reason),
            last_answer=last_answer(webhook, state),
            untold=untold,
            due=self._count(DeliveryState.DUE, webhook.name),
            dead=self._count(DeliveryState.DEAD, webhook.name),
        )

    def _count(self, state: DeliveryState, name: str) -> int:
        start, end = deliveries_of(state, name)
        rows = chain.from_iterable(self.table.query(partition, start, end) for partition in (*self.accounts, OWN))
        return count_up_to(MAX_COUNTED, rows)


def _message_view(found: FoundMessage) -> MessageView:
    message = found.message
    return MessageView(
        id=found.id,
        account=found.account,
        sent_at=message.sent_at,
        state=message.sending,
        jobs=message.jobs,
        text=message.text,
        body=Raw(message.body),
        attempts=tuple(map(attempt_view, message.attempts)),
    )


def last_answer(webhook: Webhook, state: WebhookState) -> LastAnswerView | None:
    """What a webhook that is not healthy last answered, None when it took what it was sent last."""
    last = state.last
    if last is None:
        return None
    return LastAnswerView(
        at=last.at,
        status=last.status,
        reason=last.reason,
        answer=clean(last.answer),
        advice=advice_on(webhook, last.failure, last.status),
    )


def _too_soon(name: str, wait: timedelta) -> TooSoonError:
    message = f"Webhook {name!r} was pinged a moment ago: one ping in {PING_EVERY.seconds} seconds is sent."
    return TooSoonError(message, target="name", wait=wait)
