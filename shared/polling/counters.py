"""Counts failures and requests, until a cycle carries them to the table.

Owns the counting, and how totals that only grow stay small enough for the account's row. Does not own where they are
kept (`state.accounts`) or shown (`api.metrics`). Threads may share a counter. What a process counted and had not
carried to the table when it died, or when another cycle overtook its own, is missing: it is not always known whether
the row was written, and the totals never fall, and never say more than what happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock

from shared.batch.causes import cause_of
from shared.state.accounts import FailureCount
from shared.state.nodes import Change, Reason

MOST_COUNTED = 100
"""Pools, phases and codes with a total of their own; of each phase all further ones are counted as OTHER."""
MAX_CODE_CHARACTERS = 64
OTHER = "other"
_UNANSWERED = "none"
"""The code of a request that was not answered."""

FailureKind = tuple[str, str, str]
"""The pool's id, the phase and the code."""


class FailureCounter:
    """New failures by their kind."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[FailureKind] = Counter()

    def add(self, changes: Iterable[Change]) -> None:
        """Count those of the changes that are failures; call it once they are written."""
        kinds = [
            (change.node.pool_id, change.phase.value, cause_of(change.occurrence)[0][:MAX_CODE_CHARACTERS])
            for change in changes
            if change.reason is Reason.NEWLY_FAILED
        ]
        with self._lock:
            self._counts.update(kinds)

    def take(self) -> Mapping[FailureKind, int]:
        """What was counted since this was called last; it is not counted again."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken


class RequestCounter:
    """Requests by the code of their answers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()

    def add(self, status: int | None) -> None:
        """Count a request; `status` is None when no answer came."""
        with self._lock:
            self._counts[_UNANSWERED if status is None else str(status)] += 1

    def take(self) -> Mapping[str, int]:
        """What was counted since this was called last; whoever takes it must keep it."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, taken: Mapping[str, int]) -> None:
        """Count once more what could not be kept."""
        with self._lock:
            self._counts.update(taken)


def grown(known: Sequence[FailureCount], new: Mapping[FailureKind, int]) -> tuple[FailureCount, ...]:
    """The totals with what is new; whatever has a total of its own keeps it. Pure."""
    totals: Counter[FailureKind] = Counter({(one.pool_id, one.phase, one.code): one.failures for one in known})
    for kind, number in sorted(new.items()):
        own = kind in totals or len(totals) < MOST_COUNTED
        totals[kind if own else (OTHER, kind[1], OTHER)] += number
    return tuple(
        FailureCount(pool_id=pool, phase=phase, code=code, failures=number)
        for (pool, phase, code), number in sorted(totals.items())
    )
