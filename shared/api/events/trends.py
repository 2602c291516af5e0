"""Answers how many failures events tell of, on which day.

Owns what is counted, and how much is looked at for one answer. Nothing of the days is stored: events are kept for
RETENTION_DAYS and folded when somebody asks. Does not own reading (`ledger.archive`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from shared.api.events.history import partitions_of
from shared.api.events.views import TrendBy, TrendsView, TrendView
from shared.ledger.archive import Archive, StoredEvent
from shared.messages.events import EventType
from shared.moments import as_utc
from shared.ports import Clock

MAX_EVENTS_COUNTED = 5000
"""Events that are counted for one answer about days; each names up to EVENT_MAX_NODES nodes."""
MAX_NAMED = 20
"""Codes, pools or jobs that have a row of their own."""
DEFAULT_DAYS, MAX_DAYS = 14, 366

_FAILURES = frozenset({EventType.PREPARATION_FAILED, EventType.RELEASE_FAILED})


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
        counted_from, complete = start, True
        for looked_at, stored in enumerate(self.archive.events(partitions_of(self.archive, wanted.account))):
            if stored.event.recorded_at < start:
                break
            if looked_at == MAX_EVENTS_COUNTED:
                complete = False
                break
            counted_from = as_utc(stored.event.recorded_at)
            if stored.event.type in _FAILURES and _happened(stored) >= start:
                read.append(stored)
        shown = tuple((start + timedelta(days=number)).date() for number in range(days))
        return TrendsView(
            by=by,
            days=shown,
            counted_from=start if complete else counted_from,
            complete=complete,
            value=count_by_day(read, by, shown, wanted),
        )


def count_by_day(
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
