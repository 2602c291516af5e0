"""How badly the outside behaves: chances of every fault, and the draws from them.

Owns the kinds of faults and the one source of chance. Does not own what a fault does to a call (the fakes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import TypeVar

_T = TypeVar("_T")


class WriteFault(StrEnum):
    """What happens to a write."""

    BEFORE = "lost before it was done"
    AFTER = "done, its answer lost"
    OWN_CONFLICT = "done, then sent again by the client and refused"
    CRASH_BEFORE = "the process dies before it"
    CRASH_AFTER = "the process dies after it"
    REWIND = "done, then head and chunks are restored from before"


class AccountState(StrEnum):
    """How the Batch account as a whole answers."""

    WELL = "well"
    DENIED = "denied"
    THROTTLED = "throttled"
    DOWN = "down"


class ReceiverState(StrEnum):
    """How a receiver answers."""

    WELL = "well"
    SLOW = "slow"
    REFUSING = "refusing connections"
    BROKEN = "answering 500"
    BUSY = "asking for patience"
    FORGETFUL = "taking it and not answering"
    FLAKY = "one of these each time"
    GONE = "gone for good"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """Chances between 0 and 1, each per call; `write_faults` are the kinds that a failing write draws from.

    `skip_job` leaves a job out of the job listing, `absent` a node out of a page, `stale` serves a page from before,
    `twice` lists a node a second time. `overlap` starts a second cycle beside the timer's.
    """

    write: float = 0.0
    write_faults: Sequence[WriteFault] = (WriteFault.BEFORE,)
    read: float = 0.0
    crash_while_sending: float = 0.0
    batch: float = 0.0
    skip_job: float = 0.0
    absent: float = 0.0
    stale: float = 0.0
    twice: float = 0.0
    slow_batch: float = 0.0
    overlap: float = 0.0
    account: AccountState = AccountState.WELL


NO_FAULTS = FaultRates()


class Chance:
    """All that is drawn, from one seed; `rates` may change at any time."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.rates = NO_FAULTS

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now; nothing is drawn for what can't."""
        return probability > 0 and self.random.random() < probability

    def pick(self, some: Sequence[_T]) -> _T:
        """One of several."""
        return some[self.random.randrange(len(some))]

    def between(self, least_seconds: float, most_seconds: float) -> timedelta:
        """A duration."""
        return timedelta(seconds=self.random.uniform(least_seconds, most_seconds))
