"""A Batch account whose failures stay listed until somebody has heard of them.

Owns when the simulated life stands still. What fails and vanishes between two looks is not promised to be told, and how
long a look takes under faults depends on the machine; so nothing vanishes before it was told for the first time. What
is never told stays listed for ever, and is lost without doubt.
"""

import heapq
from datetime import datetime, timedelta

from local.batch_simulator.life import Life
from local.batch_simulator.world import World
from tests.faults.checker import Occurrence, told_by, true_occurrence
from tests.faults.recorder import Recorder


class WaitingLife:
    """Life that stands still while a failure is older than *grace* and no message of it was seen by *recorder*."""

    def __init__(self, life: Life, world: World, recorder: Recorder, grace: timedelta) -> None:
        self._life = life
        self._world = world
        self._recorder = recorder
        self._grace = grace
        self._unheard: dict[Occurrence, datetime] = {}
        self._heard: set[Occurrence] = set()
        self._failures = 0
        self._receipts = 0
        self._now = world.now

    def advance(self, now: datetime) -> None:
        """Let happen what is due, or put everything off by the time that was waited."""
        self._listen()
        if any(failed_at + self._grace < now for failed_at in self._unheard.values()):
            waited = now - self._now
            self._life._due = [(when + waited, number, happen) for when, number, happen in self._life._due]
            heapq.heapify(self._life._due)
        self._life.advance(now)
        for failure in self._world.failures[self._failures :]:
            occurrence = true_occurrence(failure.to_json())
            if occurrence not in self._heard:
                self._unheard[occurrence] = now
        self._failures = len(self._world.failures)
        self._now = now

    def _listen(self) -> None:
        receipts = self._recorder.receipts[self._receipts :]
        self._receipts += len(receipts)
        for receipt in receipts:
            for occurrence in told_by(receipt.body):
                self._heard.add(occurrence)
                self._unheard.pop(occurrence, None)
