"""Counts failures and requests, until a cycle carries them to the table.

Owns the counting, and how totals that only grow stay small enough for the account's row. Does not own where they are
kept (`state.accounts`) or shown (`api.metrics`). Threads may share a counter. What is counted when the process dies is
missing, and so are failures when another cycle overtakes their own: it is not always known whether the row was written,
and the totals never fall, and never say more than what happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Generic, TypeVar

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
_Kind = TypeVar("_Kind")


class _SharedCounter(Generic[_Kind]):
    """Counts that threads share, until they are taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[_Kind] = Counter()

    def take(self) -> Mapping[_Kind, int]:
        """What was counted since this was called last; it is not counted again unless it is given back."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def _count(self, more: Iterable[_Kind] | Mapping[_Kind, int]) -> None:
        with self._lock:
            self._counts.update(more)


class FailureCounter(_SharedCounter[FailureKind]):
    """New failures by their kind."""

    def add(self, changes: Iterable[Change]) -> None:
        """Count those of the changes that are failures; call it once they are written."""
        kinds = [
            (change.node.pool_id, change.phase.value, cause_of(change.occurrence)[0][:MAX_CODE_CHARACTERS])
            for change in changes
            if change.reason is Reason.NEWLY_FAILED
        ]
        self._count(kinds)


class RequestCounter(_SharedCounter[str]):
    """Requests by the code of their answers."""

    def add(self, status: int | None) -> None:
        """Count a request; `status` is None when no answer came."""
        self._count([_UNANSWERED if status is None else str(status)])

    def give_back(self, taken: Mapping[str, int]) -> None:
        """Count once more what could not be kept."""
        self._count(taken)


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
