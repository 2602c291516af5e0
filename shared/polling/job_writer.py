"""Writes one job down, step by step.

Owns what was last written of the job, which the next step swaps. Does not own what is written (`polling.job`,
`polling.nodes`) or how doubt about a write is resolved (`ledger.ledger`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from shared.ledger.ledger import Ledger, Pending
from shared.ledger.slice import Slice
from shared.polling.job_rules import Decision
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

    def write(self, step: Slice, now: datetime) -> None:
        """Write one slice.

        Raises:
            StoreError: Nothing of it may be taken as written; look at the job again in the next cycle.
        """
        written = self.ledger.commit_job(self.row, self.head, step, now)
        self.row, self.head = written.row, step.head
        self.offer(written.pending)

    def apply(self, decision: Decision, now: datetime) -> None:
        """Write a decision about the job as a whole, if it changes or tells anything; raises as `write` does."""
        if decision.head != self.head or decision.events:
            self.write(Slice(head=decision.head, events=decision.events), now)
