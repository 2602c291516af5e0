"""Writes one job down, step by step.

Owns what was last written of the job, which the next step swaps. Does not own what is written, or how doubt about a
write is resolved (`ledger.transaction`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Event
from shared.ports import Row
from shared.state.jobs import JobHead


class JobWriter(Struct, kw_only=True):
    """A job's head as last written, with its row (None before the first transaction).

    `offer` is handed every delivery that a commit made due.
    """

    ledger: Ledger
    offer: Callable[[Sequence[Pending]], None]
    row: Row | None
    head: JobHead

    def write(self, step: Slice, now: datetime) -> frozenset[str]:
        """Write one slice; the ids of the events that were recorded with it, but for those that were there already.

        Raises:
            LostRaceError: Nothing of it may be taken as written; look at the job again in the next cycle.
            StoreError: The table refuses it; writing it again will not help.
        """
        written = self.ledger.commit_job(self.row, self.head, step, now)
        self.row, self.head = written.row, step.head
        self.offer(written.pending)
        return written.recorded

    def write_head(self, head: JobHead, events: Sequence[Event], now: datetime) -> None:
        """Write what is known of the job as a whole, if it has changed or tells anything; raises as `write` does."""
        if head != self.head or events:
            self.write(Slice(head=head, events=tuple(events)), now)
