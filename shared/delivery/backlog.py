"""What waits for a webhook and what was given up of it, as others are told when it fails or works again.

Owns these numbers, and how deliveries are counted. Does not own how it is counted of how many jobs chat and pager have
to be told (`digests.backlog`), or the words (`messages.event_notices`).
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shared.errors import UnreadableRowError
from shared.ports import Row, Table
from shared.state.rows import count_up_to, deliveries_of, from_row
from shared.state.telling import Delivery, DeliveryState

MAX_COUNTED = 1000
"""Deliveries of one state, or jobs and pools, are counted up to this, so that what says so has a bounded cost."""


class Backlog(Struct, frozen=True, kw_only=True):
    """Events that wait, events that were given up, and jobs and pools of which there is news: None of who is told none.

    Only chat and pager are told how jobs and pools stand.
    """

    events: int
    given_up: int
    jobs: int | None = None

    def data(self) -> dict[str, object]:
        """The fields of an event that say so."""
        jobs = {} if self.jobs is None else {"jobsWaiting": self.jobs}
        return {"eventsWaiting": self.events, "givenUp": self.given_up, **jobs}


def count_deliveries(table: Table, partitions: Iterable[str], webhook: str, since: datetime) -> Backlog:
    """The deliveries that wait for a webhook, and those that were given up since then.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    due, dead = deliveries_of(DeliveryState.DUE, webhook), deliveries_of(DeliveryState.DEAD, webhook)
    places = tuple(partitions)
    waiting = (row for partition in places for row in table.query(partition, *due))
    over = (row for partition in places for row in table.query(partition, *dead) if _ended_since(row, since))
    return Backlog(events=count_up_to(MAX_COUNTED, waiting), given_up=count_up_to(MAX_COUNTED, over))


def _ended_since(row: Row, since: datetime) -> bool:
    try:
        ended_at = from_row(row, Delivery).ended_at
    except UnreadableRowError:
        return False
    return ended_at is not None and ended_at >= since
