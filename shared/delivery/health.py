"""How the webhooks fare during one run: which may be tried now, and what an attempt says about them.

Owns the states of webhooks as they are read and written, the single probe of a failing one, and what waits for it. Does
not own what an answer means (`delivery.attempts`) or attempts (`delivery.run`, `digests.run`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock

from msgspec import Struct, field
from msgspec.structs import replace

from shared.delivery.attempts import LONGEST_WAIT, SCHEDULE, Judgement, Verdict
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.ledger import Ledger, Pending
from shared.messages.events import Event, EventType, Origin, webhook_event
from shared.ports import Row, Table
from shared.state.rows import OWN, range_of, read_webhook, webhook_key
from shared.state.telling import WebhookState

FAILING_AFTER = 3


def follow_webhook(state: WebhookState, judgement: Judgement, now: datetime) -> WebhookState:
    """How a webhook fares after an attempt.

    Three failures of its own in a row make it failing: then it is probed one message at a time, with growing pauses. It
    is never switched off for that; only a receiver that says it is gone is.
    """
    if judgement.verdict is Verdict.DISABLE:
        return replace(state, disabled_since=state.disabled_since or now, reason=judgement.reason)
    if judgement.counts_as_failure:
        failures = state.failures + 1
        failing = state.failing_since or (now if failures >= FAILING_AFTER else None)
        pause = SCHEDULE[min(1 + failures - FAILING_AFTER, 4)] if failing else timedelta(0)
        asked = judgement.asked_wait or timedelta(0)
        not_before = now + max(pause, min(asked, LONGEST_WAIT)) if pause or asked else None
        return replace(state, failures=failures, failing_since=failing, not_before=not_before, reason=judgement.reason)
    if judgement.asked_wait is not None:
        return replace(state, not_before=now + min(judgement.asked_wait, LONGEST_WAIT), reason=judgement.reason)
    if judgement.verdict is Verdict.DELIVERED:
        return replace(state, failures=0, failing_since=None, not_before=None, reason="")
    return state


_NEVER = datetime.max.replace(tzinfo=UTC)


class _Health(Struct):
    """A webhook's state as last read or written, with its row."""

    row: Row | None
    state: WebhookState
    probing: bool = False
    parked: list[Pending] = field(default_factory=list)


class WebhookHealth:
    """How each of the webhooks fares; `ledger` is that of the partition OWN, `site` speaks for no account."""

    def __init__(self, table: Table, ledger: Ledger, site: Origin, rows: Mapping[str, Row | None]) -> None:
        self._table = table
        self._ledger = ledger
        self._site = site
        self._lock = Lock()
        self._of = {name: _Health(row, _state_of(name, row)) for name, row in rows.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The webhooks that are configured."""
        return tuple(self._of)

    def state(self, name: str) -> WebhookState:
        """How a webhook fares, as far as this run knows."""
        return self._of[name].state

    def admits(self, name: str, now: datetime) -> bool:
        """Whether a webhook may be told how things stand now, a failing one as its single probe; `leave` it then."""
        with self._lock:
            health = self._of[name]
            if _waits(health.state, now) or health.probing or health.state.disabled_since is not None:
                return False
            health.probing = health.state.failing_since is not None
            return True

    def admits_delivery(self, item: Pending, now: datetime) -> bool:
        """Whether a delivery may be attempted now; `leave` its webhook then.

        A failing webhook is tried by a single probe, and the others are kept for what it brings.
        """
        with self._lock:
            health = self._of[item.delivery.webhook]
            if _waits(health.state, now):
                return False
            if health.state.failing_since is not None:
                if health.probing:
                    health.parked.append(item)
                    return False
                health.probing = True
            return True

    def leave(self, name: str) -> Sequence[Pending]:
        """Let go of a webhook after an attempt; what waited for its probe if that has healed it."""
        with self._lock:
            health = self._of[name]
            health.probing = False
            parked, health.parked = health.parked, []
            return parked if health.state.failing_since is None else ()

    def follow(self, name: str, judgement: Judgement, now: datetime) -> Sequence[Pending]:
        """Remember what an attempt says about a webhook; the deliveries that tell the others of a turn in it."""
        with self._lock:
            health = self._of[name]
            after = follow_webhook(health.state, judgement, now)
            if after == health.state:
                return ()
            try:
                written = self._ledger.commit_webhook(
                    health.row, after, turn_events(self._site, health.state, after, now), now
                )
            except StoreError as error:
                write_line("webhook-state-lost", webhook=name, error=str(error))
                health.row = self._reread(name)
                health.state = _state_of(name, health.row)
                return ()
            health.row, health.state = written.row, after
            return written.pending

    def _reread(self, name: str) -> Row | None:
        try:
            return self._table.get(OWN, webhook_key(name))
        except StoreError:
            return None


def turn_events(site: Origin, before: WebhookState, after: WebhookState, now: datetime) -> tuple[Event, ...]:
    """What the other webhooks are told of a turn in how one fares, or of its being switched; nothing for no turn."""
    reason = after.reason
    if before.disabled_since is None and after.disabled_since is not None:
        kind, since = EventType.WEBHOOK_DISABLED, after.disabled_since
    elif before.disabled_since is not None and after.disabled_since is None:
        # No attempt does that.
        kind, since, reason = EventType.WEBHOOK_RECOVERED, before.disabled_since, "enabled by request"
    elif before.failing_since is None and after.failing_since is not None:
        kind, since = EventType.WEBHOOK_FAILING, after.failing_since
    elif before.failing_since is not None and after.failing_since is None:
        kind, since = EventType.WEBHOOK_RECOVERED, before.failing_since
    else:
        return ()
    return (webhook_event(site, kind, after.name, since, now, reason=reason),)


def read_health(table: Table, ledger: Ledger, site: Origin, names: Iterable[str]) -> WebhookHealth:
    """How these webhooks fare now.

    Raises:
        StoreError: Their states can't be read.
    """
    start, end = range_of("webhook")
    rows = {row.key: row for row in table.query(OWN, start, end)}
    return WebhookHealth(table, ledger, site, {name: rows.get(webhook_key(name)) for name in names})


def _state_of(name: str, row: Row | None) -> WebhookState:
    try:
        return read_webhook(row, name)
    except UnreadableRowError as error:
        # Never taken for a webhook without a past: it is sent nothing, and its row is left as it is.
        write_line("webhook-unreadable", logging.ERROR, webhook=name, error=str(error))
        return WebhookState(name=name, not_before=_NEVER)


def _waits(state: WebhookState, now: datetime) -> bool:
    return state.not_before is not None and now < state.not_before
