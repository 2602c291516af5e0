"""Lists events in the order in which they were recorded, the newest first.

Owns that order, how far back it reaches, and the tokens for a place in it. Does not own reading (`ledger.archive`). An
id sorts by when something happened, because it must come out the same again, so that what is told late, at the end of
an outage for instance, has the id of an old event. Therefore the events of WINDOW ids are put in order together.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice

from msgspec import Struct

from shared.ledger.archive import EVENT_ID, Archive, FoundEvent, StoredDelivery
from shared.messages.ids import newest_first

WINDOW = 1000
"""How many are put in order together: as many rows as one answer of Table storage holds, so that it costs no more."""

_POSITION = re.compile(rf"(?:([0-9]{{13}}-{EVENT_ID.pattern})[.])?({EVENT_ID.pattern})?")


class Window(Struct, frozen=True, kw_only=True):
    """Events whose ids follow one another, each with the deliveries that were asked for; `end` is the last id."""

    end: str
    events: Sequence[tuple[FoundEvent, Sequence[StoredDelivery]]]


class ListPosition(Struct, frozen=True, kw_only=True):
    """Where a listing goes on: behind `last`, among the events whose ids follow `begin`; empty is before the first."""

    begin: str = ""
    last: str = ""

    @property
    def token(self) -> str:
        """The position as a link holds it."""
        return f"{self.last}.{self.begin}" if self.last else self.begin


NEWEST = ListPosition()


def read_list_position(token: str) -> ListPosition | None:
    """The position that a link holds, None when it is none; an event's id, as links held before, begins a window."""
    found = _POSITION.fullmatch(token)
    return ListPosition(last=found[1] or "", begin=found[2] or "") if found else None


def order_of(recorded_at: datetime | None, event_id: str) -> str:
    """What sorts the newest recorded first, and of those recorded together what happened last."""
    return f"{newest_first(recorded_at)}-{event_id}"


def newest_recorded(
    windows: Iterable[Window], after: ListPosition
) -> Iterator[tuple[FoundEvent, Sequence[StoredDelivery], ListPosition]]:
    """The events of windows that begin after `after.begin`, in order, each with the position behind it."""
    begin, last = after.begin, after.last
    for window in windows:
        ordered = {order_of(event.recorded_at, event.id): (event, its) for event, its in window.events}
        for order in sorted(ordered):
            if order > last:
                yield *ordered[order], ListPosition(begin=begin, last=order)
        begin, last = window.end, ""


def windows_of_events(archive: Archive, partitions: Iterable[str], begin: str) -> Iterator[Window]:
    """All events whose ids follow `begin`.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    found = archive.found(partitions, after=begin or None)
    while some := list(islice(found, WINDOW)):
        yield Window(end=some[-1].id, events=[(one, ()) for one in some])


def windows_of_deliveries(archive: Archive, deliveries: Iterable[StoredDelivery]) -> Iterator[Window]:
    """The events of deliveries that come in the order of their ids.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    groups = ((name, list(group)) for name, group in groupby(deliveries, key=lambda one: one.delivery.event_id))
    while some := dict(islice(groups, WINDOW)):
        events = [
            (event, some[event.id])
            for partition in sorted({its[0].partition for its in some.values()})
            for event in archive.named(partition, [name for name, its in some.items() if its[0].partition == partition])
        ]
        yield Window(end=max(some), events=events)
