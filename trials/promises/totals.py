"""The totals of failures in an account's row: they never fall, and never say more than was told.

Owns that comparison. Does not own what was told (`monitor`).
"""

from collections import Counter
from dataclasses import dataclass, field

from shared.state.accounts import Cycle


@dataclass(slots=True)
class Totals:
    """The totals as they were last written."""

    known: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def wrong_with(self, cycle: Cycle, told: int) -> str | None:
        """What is wrong with a row's totals after that many failures, None when nothing is."""
        before, self.known = (
            self.known,
            Counter({(one.pool_id, one.phase, one.code): one.failures for one in cycle.failures}),
        )
        if before <= self.known and self.known.total() <= told:
            return None
        return f"failures are counted as {dict(self.known)}, after {dict(before)} and {told} of them"
