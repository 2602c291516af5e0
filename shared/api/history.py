"""Answers what was told: events, how each delivery of them went, and how many failures they tell of on which day.

Owns the filters of events and how much is looked at for one answer. Nothing of the days is stored: events are kept for
RETENTION_DAYS and folded when somebody asks. Does not own reading (`ledger.archive`), the order of events
(`ledger.newest_events`) or sending again (`api.redelivery`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Raw, Struct

from shared.api.event_views import (
    AttemptView,
    DeliveryHistoryView,
    DeliveryView,
    EventHistoryView,
    EventView,
    ShownState,
    TrendBy,
    TrendsView,
    TrendView,
)
from shared.api.refusals import not_found
from shared.ledger.archive import Archive, StoredDelivery, StoredEvent, read_event
from shared.ledger.newest_events import NEWEST, Place, Window, newest_recorded, windows_of_deliveries, windows_of_events
from shared.messages.events import EventType
from shared.moments import as_utc
from shared.ports import Clock
from shared.redaction import clean
from shared.state.telling import Attempt, DeliveryState

MAX_LOOKED_AT = 1000
"""Events that are looked at for one page; filters may let few of them through."""
MAX_EVENTS_COUNTED = 5000
"""Events that are counted for one answer about days; each names up to EVENT_MAX_NODES nodes."""
MAX_NAMED = 20
"""Codes, pools or jobs that have a row of their own."""
DEFAULT_DAYS, MAX_DAYS = 14, 366

_FAILURES = frozenset({EventType.PREPARATION_FAILED, EventType.RELEASE_FAILED})
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
        self, wanted: EventFilter, *, top: int, after: Place = NEWEST
    ) -> tuple[tuple[EventView, ...], Place | None]:
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
        raise not_found("account", account)
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


class TrendFilter(Struct, frozen=True, kw_only=True):
    """Which failures are counted; None lets all through. Names are compared without case."""

    account: str | None = None
    job: str | None = None
    pool: str | None = None


class Trends(Struct, frozen=True, kw_only=True):
    """Counts the failures of all accounts."""

    archive: Archive
    clock: Clock

    def count(self, by: TrendBy, days: int, wanted: TrendFilter) -> TrendsView:
        """The failures of today and the days before it, `days` in all.

        Raises:
            NotFoundError: No such account is watched.
            StoreError: The table can't be read.
        """
        now = self.clock()
        start = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=days - 1)
        read: list[StoredEvent] = []
        counted_from, looked_at = start, 0
        for stored in self.archive.events(partitions_of(self.archive, wanted.account)):
            if stored.event.recorded_at < start:
                break
            if looked_at == MAX_EVENTS_COUNTED:
                counted_from = max(start, min(map(_happened, read), default=start))
                break
            looked_at += 1
            if stored.event.type in _FAILURES and _happened(stored) >= start:
                read.append(stored)
        shown = tuple((start + timedelta(days=number)).date() for number in range(days))
        complete = looked_at < MAX_EVENTS_COUNTED or counted_from == start
        return TrendsView(
            by=by, days=shown, counted_from=counted_from, complete=complete, value=fold(read, by, shown, wanted)
        )


def fold(
    events: Iterable[StoredEvent], by: TrendBy, days: Sequence[date], wanted: TrendFilter
) -> tuple[TrendView, ...]:
    """The rows of the failures that these events tell; those beyond MAX_NAMED are one row without a name. Pure."""
    counts: defaultdict[str, Counter[date]] = defaultdict(Counter)
    moments: defaultdict[str, list[datetime]] = defaultdict(list)
    for stored in events:
        if wanted.job is not None and (stored.event.job_id or "").lower() != wanted.job.lower():
            continue
        happened = _happened(stored)
        for name, number in _numbers(stored, by, wanted.pool).items():
            counts[name][happened.date()] += number
            moments[name].append(happened)
    ranked = sorted(counts, key=lambda name: (-counts[name].total(), name))
    rows: list[tuple[str | None, list[str]]] = [(name, [name]) for name in ranked[:MAX_NAMED]]
    if ranked[MAX_NAMED:]:
        rows.append((None, ranked[MAX_NAMED:]))
    return tuple(
        TrendView(
            name=shown,
            total=sum(counts[name].total() for name in names),
            counts=tuple(sum(counts[name][day] for name in names) for day in days),
            first=min(moment for name in names for moment in moments[name]),
            last=max(moment for name in names for moment in moments[name]),
        )
        for shown, names in rows
    )


def _happened(stored: StoredEvent) -> datetime:
    return as_utc(stored.time or stored.event.recorded_at)


def _numbers(stored: StoredEvent, by: TrendBy, pool: str | None) -> Counter[str]:
    """How many nodes an event tells of, by code, pool or job; only those in `pool` when one is wanted."""
    return Counter(
        code if by is TrendBy.CODE else where if by is TrendBy.POOL else stored.event.job_id or ""
        for (where, _), code in zip(stored.nodes, stored.codes, strict=True)
        if pool is None or where.lower() == pool.lower()
    )
