"""Webhook health during one run: which may be tried now, and what an attempt says about them.

Owns the states of webhooks as they are read and written, and the right to probe one. Does not own how an attempt
changes a state (`delivery.failing_rules`), what an answer means (`delivery.answer_rules`) or attempts
(`delivery.dispatch`, `digests.dispatch`).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Lock

from msgspec import Struct

from shared.delivery.answer_rules import Judgement
from shared.delivery.backlog import Backlog
from shared.delivery.failing_rules import Count, begin_probe, change_events, follow_webhook
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Origin
from shared.ports import Row, Table
from shared.state.rows import OWN, range_of, read_webhook, webhook_key
from shared.state.swapping import until_written
from shared.state.telling import Attempt, WebhookState

CountOf = Callable[[str, datetime], Backlog | None]
_NEVER = datetime.max.replace(tzinfo=UTC)


class _Health(Struct):
    """A webhook's state as last read or written, with its row."""

    row: Row | None
    state: WebhookState


class WebhookHealth:
    """How healthy each of the webhooks is; `ledger` is that of the partition OWN, `own` speaks for no account.

    `backlog` says what waits for one of them, and what was given up of it since a moment; None when nobody can tell.
    """

    def __init__(
        self, table: Table, ledger: Ledger, own: Origin, rows: Mapping[str, Row | None], backlog: CountOf
    ) -> None:
        self._table = table
        self._backlog = backlog
        self._ledger = ledger
        self._own = own
        self._lock = Lock()
        self._of = {name: _Health(row, _state_of(name, row)) for name, row in rows.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The webhooks that are configured."""
        return tuple(self._of)

    def state(self, name: str) -> WebhookState:
        """How healthy a webhook is, as far as this run knows."""
        return self._of[name].state

    def follow(self, name: str, judgement: Judgement, attempt: Attempt) -> Sequence[Pending]:
        """Remember what an attempt says about a webhook; the deliveries that tell the others of a turn in it."""
        return self._change(name, lambda state: follow_webhook(state, judgement, attempt), attempt.at) or ()

    def may_probe(self, name: str, now: datetime) -> bool:
        """Take the right to probe a webhook now; False when somebody else has it, or nothing is known."""
        return self._change(name, lambda state: begin_probe(state, now), now) is not None

    def _change(
        self, name: str, decide: Callable[[WebhookState], WebhookState | None], now: datetime
    ) -> Sequence[Pending] | None:
        """Swap a state for what is decided of it; None when that is not to be changed, or could not be."""
        with self._lock:
            health = self._of[name]

            def change() -> Sequence[Pending] | None:
                after = decide(health.state)
                if after is None:
                    return None
                if after == health.state:
                    return ()
                events = change_events(self._own, health.state, after, now, partial(self._backlog, name))
                try:
                    written = self._ledger.commit_webhook(health.row, after, events, now)
                except StoreError:
                    self._reread(health, name)
                    raise
                note_change(health.state, after)
                health.row, health.state = written.row, after
                return written.pending

            try:
                return until_written(change, f"The state of webhook {name}")
            except StoreError as error:
                write_line("webhook-state-lost", webhook=name, error=str(error))
                return None

    def _reread(self, health: _Health, name: str) -> None:
        """Take what others have written for how it stands; raises StoreError when the table is away."""
        health.row = self._table.get(OWN, webhook_key(name))
        health.state = _state_of(name, health.row)


def change_webhook(
    table: Table,
    ledger: Ledger,
    own: Origin,
    name: str,
    decide: Callable[[WebhookState], WebhookState],
    now: datetime,
    count: Count = lambda _since: None,
) -> WebhookState:
    """Let a person change how a webhook stands, and tell the others of it and what waits; how it stands then.

    Raises:
        LostRaceError: Others go on writing its state; nothing is changed.
        StoreError: The table is away.
        UnreadableRowError: Nobody knows how it stands.
    """

    def change() -> WebhookState:
        row = table.get(OWN, webhook_key(name))
        before = read_webhook(row, name)
        after = decide(before)
        if after != before:
            ledger.commit_webhook(row, after, change_events(own, before, after, now, count), now)
            note_change(before, after)
        return after

    return until_written(change, f"The state of webhook {name}")


def read_health(
    table: Table, ledger: Ledger, own: Origin, names: Iterable[str], backlog: CountOf = lambda _name, _since: None
) -> WebhookHealth:
    """How healthy these webhooks are now; `backlog` as `WebhookHealth` has it.

    Raises:
        StoreError: Their states can't be read.
    """
    start, end = range_of("webhook")
    rows = {row.key: row for row in table.query(OWN, start, end)}
    return WebhookHealth(table, ledger, own, {name: rows.get(webhook_key(name)) for name in names}, backlog)


def note_change(before: WebhookState, after: WebhookState) -> None:
    """Write the line that Azure Monitor's rules and whoever reads the log go by, when a webhook has turned."""
    if before.disabled_since is None and after.disabled_since is not None:
        write_line(
            "webhook-disabled", logging.WARNING, webhook=after.name, byRequest=after.by_request, reason=after.reason
        )
    if before.disabled_since is not None and after.disabled_since is None:
        write_line("webhook-enabled", webhook=after.name)
    if before.failing_since is None and after.failing_since is not None:
        write_line("webhook-failing", logging.WARNING, webhook=after.name, reason=after.reason)
    if before.failing_since is not None and after.failing_since is None:
        write_line("webhook-recovered", webhook=after.name)


def read_states(table: Table, names: Iterable[str]) -> dict[str, WebhookState | None]:
    """How healthy these webhooks are, None of those of which nobody can tell.

    Raises:
        StoreError: Their states can't be read.
    """
    start, end = range_of("webhook")
    rows = {row.key: row for row in table.query(OWN, start, end)}
    return {name: _readable(rows.get(webhook_key(name)), name) for name in names}


def _readable(row: Row | None, name: str) -> WebhookState | None:
    try:
        return read_webhook(row, name)
    except UnreadableRowError:
        return None


def _state_of(name: str, row: Row | None) -> WebhookState:
    try:
        return read_webhook(row, name)
    except UnreadableRowError as error:
        # Never taken for a webhook without a past: it is sent nothing, and its row is left as it is.
        write_line("webhook-unreadable", logging.ERROR, webhook=name, error=str(error))
        return WebhookState(name=name, not_before=_NEVER)
