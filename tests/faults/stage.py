"""Where the story is played: Azurite, the simulator, a receiver, and what was before each chapter.

Owns how a chapter is set up anew, so that each fault costs one chapter and not the whole story.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from local.azurite import Azurite
from local.batch_simulator.server import Simulator
from shared.composition import App, compose
from shared.ports import Put, Row
from shared.table_rows import OWN, range_of
from shared.table_store import open_table
from tests.faults.checker import Receipt, Verdict, check
from tests.faults.effects import Tell, watched
from tests.faults.place import ACCOUNT, KEY, PATIENCE, SECRET, SHAKY, WEBHOOKS, Place, SerialLanes, SetClock
from tests.faults.recorder import Recorder, Reply
from tests.faults.story import CHAPTERS, CLEAN, NOW, world_of

REFUSALS = 3
"""So many messages the webhook SHAKY refuses at first: it fails, is probed and recovers."""
LEASE_IS_OVER = timedelta(seconds=70)
_DRAINING = tuple(timedelta(minutes=minutes) for minutes in (2, 4, 8, 20, 80, 240, 480))

Told = frozenset[tuple[str, str, str]]
"""Webhook, type and subject of the events about jobs that were taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What was before a chapter."""

    rows: dict[str, list[Row]]
    receipts: tuple[Receipt, ...]
    refusals: int
    told_after: Told = frozenset()


@dataclass(slots=True, kw_only=True)
class Stage:
    """One chapter at a time; `place` leads to its table, `clock` is everybody's but the storage's."""

    azurite: Azurite
    simulator: Simulator
    recorder: Recorder
    clock: SetClock
    place: Place
    refusals: int = REFUSALS
    _before: list[_Before] = field(default_factory=list)

    def reply(self, webhook: str) -> Reply:
        """The receiver's answer to the next message."""
        if webhook == SHAKY and self.refusals:
            self.refusals -= 1
            return Reply(status=500)
        return Reply()

    def set_up(self, chapter: int) -> None:
        """Begin that chapter: a table of its own with what was stored before, Batch and the clock as they are then."""
        before = self._before[chapter]
        self.place = replace(self.place, table=f"t{uuid4().hex}")
        self.simulator.world, self.clock.now = world_of(chapter)
        self.recorder.receipts[:] = before.receipts
        self.refusals = before.refusals
        table = open_table(self.place.storage, self.place.table)
        for partition, rows in before.rows.items():
            if rows:
                table.transact(partition, [Put(key=row.key, columns=row.columns) for row in rows])

    def play_all(self) -> None:
        """Play the whole story without a fault, remembering what was before each chapter."""
        for chapter, one in enumerate(CHAPTERS):
            self.simulator.world, self.clock.now = world_of(chapter)
            before = _Before(rows=self._rows(), receipts=tuple(self.recorder.receipts), refusals=self.refusals)
            one.run(self.app())
            self._before.append(replace(before, told_after=self._told()))

    def app(self, tell: Tell | None = None, *, storage: str | None = None, patience: timedelta = PATIENCE) -> App:
        """A fresh app, as after a restart; *tell* hears of each effect, *storage* leads around to the table."""
        place = replace(self.place, storage=storage or self.place.storage)
        outside = place.outside(self.clock, SerialLanes(), storage_patience=patience)
        return compose(place.settings(), watched(outside, tell) if tell else outside)

    def drain(self) -> None:
        """Run clean cycles until nothing is due any more.

        Raises:
            AssertionError: Something stays due for half a day.
        """
        for wait in _DRAINING:
            if not self.due():
                return
            self.clock.now += wait
            CLEAN.run(self.app())
        raise AssertionError(f"still due: {self.due()}")

    def due(self) -> list[str]:
        """What is still to be delivered."""
        table = open_table(self.place.storage, self.place.table)
        return [row.key for part in (self.place.partition, OWN) for row in table.query(part, *range_of("due"))]

    def verdict(self) -> Verdict:
        """The checker's judgement of all that happened."""
        truth = [failure.to_json() for failure in self.simulator.world.failures]
        return check(truth, self.recorder.receipts, WEBHOOKS)

    def missing(self, chapter: int) -> Told:
        """What a play without faults has told by the end of that chapter, and this one has not."""
        return self._before[chapter].told_after - self._told()

    def _told(self) -> Told:
        events = [(receipt.webhook, json.loads(receipt.body)) for receipt in self.recorder.receipts if receipt.accepted]
        return frozenset(
            (webhook, event["type"], event.get("subject", ""))
            for webhook, event in events
            if event.get("subject", "").startswith("jobs/")
        )

    def _rows(self) -> dict[str, list[Row]]:
        table = open_table(self.place.storage, self.place.table)
        return {partition: list(table.query(partition, "", "~")) for partition in (self.place.partition, OWN)}


@contextmanager
def stage(azurite: Azurite) -> Iterator[Stage]:
    """A stage on which the story has been played once without a fault."""
    clock = SetClock(NOW)
    with ExitStack() as stack:
        recorder = Recorder(SECRET, clock)
        simulator = Simulator(world_of(0)[0], account=ACCOUNT, key=KEY, clock=clock)
        place = Place(
            batch=simulator.url,
            storage=azurite.connection_string,
            table=f"t{uuid4().hex}",
            receiver=recorder.url,
        )
        running = Stage(azurite=azurite, simulator=simulator, recorder=recorder, clock=clock, place=place)
        recorder.reply = running.reply
        stack.enter_context(recorder.listening())
        stack.enter_context(simulator)
        running.play_all()
        yield running
