"""Answers what was told: events, and how each delivery of them went.

Owns the filters of events and how much is looked at for one answer. Does not own reading (`ledger.archive`), the order
of events (`ledger.newest_events`) or sending again (`api.events.redelivery`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Raw, Struct

from shared.api.events.views import (
    AttemptView,
    DeliveryHistoryView,
    DeliveryView,
    EventHistoryView,
    EventView,
    ShownState,
)
from shared.api.refusals import not_found
from shared.ledger.archive import Archive, StoredDelivery, StoredEvent, read_event
from shared.ledger.newest_events import (
    NEWEST,
    ListPosition,
    Window,
    newest_recorded,
    windows_of_deliveries,
    windows_of_events,
)
from shared.redaction import clean
from shared.state.telling import Attempt, DeliveryState

MAX_LOOKED_AT = 1000
"""Events that are looked at for one page; filters may let few of them through."""
_SHOWN = {
    DeliveryState.DUE: ShownState.PENDING,
    DeliveryState.DONE: ShownState.DELIVERED,
    DeliveryState.DEAD: ShownState.DEAD,
}
_STORED = {shown: state for state, shown in _SHOWN.items()} | {ShownState.CLOSED: DeliveryState.DONE}


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events are wanted; None lets all through. `since` and `until` (not included) go by when it was recorded."""

    state: ShownState | None = None
    job: str | None = None
    account: str | None = None
    node: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, stored: StoredEvent) -> bool:
        """Whether an event is wanted, its deliveries not looked at."""
        event = stored.event
        return (
            (self.job is None or (event.job_id or "").lower() == self.job.lower())
            and (self.node is None or any(node.lower() == self.node.lower() for _, node in stored.nodes))
            and (self.since is None or event.recorded_at >= self.since)
            and (self.until is None or event.recorded_at < self.until)
        )


class History(Struct, frozen=True, kw_only=True):
    """Reads the history of all accounts."""

    archive: Archive

    def list_events(
        self, wanted: EventFilter, *, top: int, after: ListPosition = NEWEST
    ) -> tuple[tuple[EventView, ...], ListPosition | None]:
        """The wanted events that follow `after`, newest recorded first, and the place to go on after (None: no more).

        With a state, each event shows only its deliveries in that state.

        Raises:
            NotFoundError: No such account is watched.
            StoreError: The table can't be read.
        """
        partitions = partitions_of(self.archive, wanted.account)
        found: list[tuple[StoredEvent, Sequence[StoredDelivery]]] = []
        looked_at, last = 0, None
        for event, deliveries, place in newest_recorded(self._windows(wanted.state, partitions, after.begin), after):
            if len(found) == top or looked_at == MAX_LOOKED_AT:
                break
            looked_at, last = looked_at + 1, place
            stored = read_event(event)
            if stored is not None and wanted.wants(stored):
                found.append((stored, deliveries))
        else:
            last = None
        if wanted.state is None:
            found = self._with_deliveries([stored for stored, _ in found])
        return tuple(_event_view(stored, deliveries) for stored, deliveries in found), last

    def get_event(self, event_id: str) -> EventHistoryView:
        """One event with all its deliveries and their attempts.

        Raises:
            NotFoundError: No such event is stored (any more).
            StoreError: The table can't be read.
        """
        stored = self.archive.event(event_id)
        if stored is None:
            raise not_found("event", event_id)
        return EventHistoryView(
            id=event_id,
            recorded_at=stored.event.recorded_at,
            event=Raw(stored.event.body),
            deliveries=tuple(map(delivery_history, _by_webhook(self.archive.of_event(stored).values()))),
        )

    def _windows(self, state: ShownState | None, partitions: Sequence[str], begin: str) -> Iterator[Window]:
        if state is None:
            return windows_of_events(self.archive, partitions, begin)
        found = self.archive.in_state(_STORED[state], partitions, after=begin or None)
        return windows_of_deliveries(self.archive, (one for one in found if shown_state(one) is state))

    def _with_deliveries(self, events: Sequence[StoredEvent]) -> list[tuple[StoredEvent, Sequence[StoredDelivery]]]:
        found = {}
        for partition in dict.fromkeys(stored.partition for stored in events):
            ids = [stored.event.id for stored in events if stored.partition == partition]
            found[partition] = self.archive.between(partition, min(ids), max(ids))
        return [(stored, tuple(found[stored.partition].get(stored.event.id, {}).values())) for stored in events]


def partitions_of(archive: Archive, account: str | None) -> tuple[str, ...]:
    """The partitions that hold the events of an account, or all of them.

    Raises:
        NotFoundError: No such account is watched.
    """
    if account is None:
        return archive.partitions
    if account not in archive.accounts:
        raise not_found("account", account, archive.accounts)
    return (account,)


def shown_state(stored: StoredDelivery) -> ShownState:
    """Where a delivery stands, in the words of the API."""
    return ShownState.CLOSED if stored.delivery.closed else _SHOWN[stored.state]


def delivery_history(stored: StoredDelivery) -> DeliveryHistoryView:
    """A delivery with its attempts."""
    view = _delivery_view(stored)
    return DeliveryHistoryView(
        webhook=view.webhook,
        state=view.state,
        tries=view.tries,
        reason=view.reason,
        created_at=view.created_at,
        next_attempt_at=view.next_attempt_at,
        ended_at=view.ended_at,
        attempts=tuple(map(attempt_view, stored.delivery.attempts)),
    )


def attempt_view(attempt: Attempt) -> AttemptView:
    """One try, as it is shown."""
    return AttemptView(
        at=attempt.at,
        status=attempt.status,
        reason=attempt.reason,
        duration_ms=attempt.duration_ms,
        answer=clean(attempt.answer),
    )


def _event_view(stored: StoredEvent, deliveries: Iterable[StoredDelivery]) -> EventView:
    event = stored.event
    return EventView(
        id=event.id,
        type=event.type.value,
        account=event.account,
        subject=stored.subject,
        job_id=event.job_id,
        phase=stored.phase,
        reason=stored.reason,
        nodes=len(stored.nodes),
        time=stored.time,
        recorded_at=event.recorded_at,
        deliveries=tuple(map(_delivery_view, _by_webhook(deliveries))),
    )


def _delivery_view(stored: StoredDelivery) -> DeliveryView:
    delivery = stored.delivery
    return DeliveryView(
        webhook=delivery.webhook,
        state=shown_state(stored),
        tries=delivery.tries,
        reason=delivery.reason,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at if stored.state is DeliveryState.DUE else None,
        ended_at=delivery.ended_at,
    )


def _by_webhook(deliveries: Iterable[StoredDelivery]) -> list[StoredDelivery]:
    return sorted(deliveries, key=lambda stored: stored.delivery.webhook)
