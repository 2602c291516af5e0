"""Where a story is played: Azurite, the simulator, a receiver, and what was before each chapter.

Owns how a chapter is set up anew, so that each fault costs one chapter and not the whole story, and what a chapter
comes to when nothing goes wrong. Faults happen in front of the real table; what comes before and after needs no
network, and is played on a table in memory that one suite of tests holds to the same rules. Does not own what is wrong
in general (`checker`).
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from local.azurite import Azurite
from local.batch_simulator.server import Simulator
from shared.adapters.table_store import open_table
from shared.api.refusals import RefusalError
from shared.composition import App, compose
from shared.errors import StoreError
from shared.ports import Operation, Row, Table
from shared.state.rows import OWN
from tests.support.fake_table import FakeTable
from trials.faults.chat import last_trouble, read_chat
from trials.faults.outcome import Outcome, asked_for
from trials.faults.rows import restore
from trials.faults.story import NOW, Act, Story, cycle
from trials.faults.waiting import waits
from trials.soak.checker import Receipt, Verdict, check
from trials.soak.effects import Tell, watched
from trials.soak.place import ACCOUNT, KEY, PATIENCE, SECRET, WEBHOOKS, Place, SerialLanes, SetClock
from trials.soak.recorder import CHAT, Recorder, ScriptedAnswer

LEASE_IS_OVER = timedelta(seconds=110)
"""Longer than any lease: of deliveries, of chat, and of polling on demand."""
_DRAINING = tuple(timedelta(minutes=minutes) for minutes in (2, 4, 8, 20, 80, 240, 480))

_WELL_AGAIN = "account.reachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is wrong with a chapter that a fault happened in, empty for nothing, and whether anything came twice."""

    wrong: str
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What was before a chapter."""

    rows: dict[str, list[Row]]
    receipts: tuple[Receipt, ...]
    chat: tuple[str, ...]
    refusals: Mapping[str, int]


@dataclass(slots=True, kw_only=True)
class Stage:
    """One chapter of a story at a time; `place` leads to its table, `clock` is everybody's but the storage's.

    `memory` is the table while nothing goes wrong, None while that of `place` is.
    `points` are what each chapter passes when nothing goes wrong, `writers` which functions of the app wrote there
    (`module.Class.method`), `writes` the kinds of a chapter's writes as whoever looks at the network counts them.
    """

    story: Story
    simulator: Simulator
    recorder: Recorder
    clock: SetClock
    place: Place
    refusals: dict[str, int] = field(default_factory=dict)
    memory: FakeTable | None = field(default_factory=FakeTable)
    wrong: int = 0
    meanwhile: Callable[[], object] | None = None
    points: list[list[str]] = field(default_factory=list)
    writers: dict[str, set[str]] = field(default_factory=dict)
    writes: dict[int, list[str]] = field(default_factory=dict)
    _before: list[_Before] = field(default_factory=list)
    _tables: dict[int, str] = field(default_factory=dict)
    _expected: dict[int, Outcome] = field(default_factory=dict)

    @property
    def kinds(self) -> list[set[str]]:
        """The kinds of effect that something happens to in each chapter."""
        return [
            {point.partition(":")[0] for point in points if chapter.is_broken(point)}
            for chapter, points in zip(self.story.chapters, self.points, strict=True)
        ]

    def answer(self, webhook: str) -> ScriptedAnswer:
        """The receiver's answer to the next message."""
        if webhook == CHAT and self.wrong:
            self.wrong -= 1
            return ScriptedAnswer(status=400)
        if self.refusals.get(webhook):
            self.refusals[webhook] -= 1
            return ScriptedAnswer(status=500)
        if webhook == CHAT and (act := self.meanwhile) is not None:
            self.meanwhile = None
            act()
        return ScriptedAnswer()

    def _begin(self, chapter: int) -> None:
        """Let Batch, and whoever acts meanwhile, be as that chapter has them."""
        self.simulator.world, self.clock.now = self.story.world(chapter)
        self.simulator.faults.clear()
        its = self.story.chapters[chapter]
        if its.denied:
            self.simulator.inject("/jobs", 403, "AuthorizationFailure", times=its.denied)
        self.wrong = its.wrong
        self.meanwhile = partial(self._act_beside, its.meanwhile) if its.meanwhile else None

    def _act_beside(self, act: Act) -> None:
        with self.story.limits():
            act(self.app())

    def set_up(self, chapter: int) -> None:
        """Begin that chapter: its table with what was stored before, Batch and the clock as they are then.

        There is no table before the first write of a story, which makes it.
        """
        self._go_back(chapter)
        before, self.memory = self._before[chapter].rows, None
        if chapter not in self._tables or not any(before.values()):
            self._tables[chapter] = f"t{uuid4().hex}"
        self.place = replace(self.place, table=self._tables[chapter])
        restore(self._table(), before)

    def _go_back(self, chapter: int) -> None:
        before = self._before[chapter]
        self._begin(chapter)
        self.recorder.receipts[:] = before.receipts
        self.recorder.chat[:] = before.chat
        self.refusals = dict(before.refusals)

    def _table(self) -> Table:
        return open_table(self.place.storage, self.place.table) if self.memory is None else self.memory

    def _go_on_in_memory(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self.memory = FakeTable()
        restore(self.memory, rows)

    def play_all(self) -> None:
        """Play the whole story without a fault, remembering what was before each chapter."""
        self.refusals = dict(self.story.refusals)
        for number, chapter in enumerate(self.story.chapters):
            self._begin(number)
            self._before.append(
                _Before(
                    rows=self._rows(),
                    receipts=tuple(self.recorder.receipts),
                    chat=tuple(self.recorder.chat),
                    refusals=dict(self.refusals),
                )
            )
            self.points.append([])
            with self.story.limits():
                chapter.act(self.app(self._note))

    def _note(self, point: str, _operations: Sequence[Operation]) -> None:
        self.points[-1].append(point)
        writer = sys._getframe(2).f_code  # whoever called the table that tells of it
        file = Path(writer.co_filename)
        self.writers.setdefault(point, set()).add(
            f"{file.parent.name}/{file.stem}.{writer.co_qualname.replace('.<locals>', '')}"
        )

    def act(
        self, chapter: int, tell: Tell | None = None, *, storage: str | None = None, patience: timedelta = PATIENCE
    ) -> bool:
        """Let a fresh app act; whether it did to the end, or else failed or refused.

        *tell* hears of each effect, *storage* leads around to the table.
        """
        with self.story.limits(), suppress(StoreError, RefusalError):
            self.story.chapters[chapter].act(self.app(tell, storage=storage, patience=patience))
            return True
        return False

    def recover(self, chapter: int, *, done: bool) -> None:
        """Let time pass until nobody holds anything any more; whoever got no answer asks again; then a cycle runs."""
        self._go_on_in_memory(self._rows())
        self.clock.now += LEASE_IS_OVER
        if self.story.chapters[chapter].asked and not done:
            self.act(chapter)  # what is refused now, for there is nothing left to do, was done then
        self._drain()

    def app(self, tell: Tell | None = None, *, storage: str | None = None, patience: timedelta = PATIENCE) -> App:
        """A fresh app, as after a restart; *tell* hears of each effect, *storage* leads around to the table."""
        place = replace(self.place, storage=storage or self.place.storage)
        outside = place.outside(self.clock, SerialLanes(), storage_patience=patience, table=self.memory)
        return compose(place.settings(), watched(outside, tell) if tell else outside)

    def judge(self, chapter: int) -> Judged:
        """What is wrong now that all that was due in a chapter is delivered."""
        expected, outcome = self._expected_of(chapter), self._outcome()
        again = Counter({message: times - 1 for message, times in expected.taken.items()})
        verdict = self._verdict(again)
        wrong = {
            "": "" if verdict.good_but_for_duplicates else f"{verdict}: {verdict!r}",
            "not told": sorted(expected.told - outcome.told),
            "not sent again": sorted(
                message for message, times in expected.taken.items() if times > 1 and outcome.taken[message] < times
            ),
            "not said in chat": sorted((expected.said - outcome.said).items()),
            # A broken write may leave a job unread until the account counts as blind: its end is as good as none.
            "the last word on the account": [outcome.last_trouble]
            * (outcome.last_trouble not in {expected.last_trouble, _WELL_AGAIN}),
            "asked in vain": sorted(set(expected.asked) ^ set(outcome.asked)),
        }
        words = "; ".join(f"{name} {what}".strip() for name, what in wrong.items() if what)
        return Judged(wrong=words, duplicate=bool(verdict.duplicate or outcome.said - expected.said))

    def _expected_of(self, chapter: int) -> Outcome:
        """What a chapter comes to without a fault; the stage is left as it was."""
        if chapter not in self._expected:
            memory, now, refusals, meanwhile = self.memory, self.clock.now, self.refusals, self.meanwhile
            world, receipts, chat = self.simulator.world, list(self.recorder.receipts), list(self.recorder.chat)
            self._go_back(chapter)
            self._go_on_in_memory(self._before[chapter].rows)
            assert self.act(chapter)
            self.recover(chapter, done=True)
            verdict = self._verdict(Counter())
            assert verdict.good_but_for_duplicates, verdict
            self._expected[chapter] = self._outcome()
            self.memory, self.clock.now, self.refusals, self.meanwhile = memory, now, refusals, meanwhile
            self.simulator.world, self.recorder.receipts[:], self.recorder.chat[:] = world, receipts, chat
        return self._expected[chapter]

    def _drain(self) -> None:
        """Run clean cycles until nothing is due any more, chat knows everything, and nothing else may come.

        Raises:
            AssertionError: Something stays due for half a day.
        """
        waiting: list[str] = []
        began = self.clock.now
        for wait in (timedelta(0), *_DRAINING):
            self.clock.now += wait
            with self.story.limits():
                cycle(self.app())
            waiting = waits(self._table(), self.place.partition, self.place.settings().webhooks, self.clock.now)
            if not waiting and self.clock.now - began >= self.story.late:
                return
        raise AssertionError(f"still waiting: {waiting}")

    def _verdict(self, again: Counter[tuple[str, str]]) -> Verdict:
        truth = [failure.to_json() for failure in self.simulator.world.failures]
        return check(truth, self.recorder.receipts, WEBHOOKS, excused=again)

    def _outcome(self) -> Outcome:
        accepted = [receipt for receipt in self.recorder.receipts if receipt.accepted]
        return Outcome(
            told=frozenset(
                (receipt.webhook, event["type"], event.get("subject", ""))
                for receipt in accepted
                for event in [json.loads(receipt.body)]
                if event.get("subject", "").startswith(("jobs/", "pools/"))
                or event["type"] == "prepwatch.webhook.disabled"
            ),
            taken=Counter((receipt.webhook, receipt.id) for receipt in accepted),
            said=sum(map(read_chat, self.recorder.chat), Counter()),
            last_trouble=last_trouble(self.recorder.chat),
            asked=asked_for(self.app().routes) if any(chapter.asked for chapter in self.story.chapters) else (),
        )

    def _rows(self) -> dict[str, list[Row]]:
        table = self._table()
        return {partition: list(table.query(partition, "", "~")) for partition in (self.place.partition, OWN)}


@contextmanager
def stage(story: Story, azurite: Azurite) -> Iterator[Stage]:
    """A stage on which a story has been played once without a fault."""
    clock = SetClock(NOW)
    with ExitStack() as stack:
        recorder = Recorder(SECRET, clock)
        simulator = Simulator(story.world(0)[0], account=ACCOUNT, key=KEY, clock=clock)
        place = Place(
            batch=simulator.url,
            storage=azurite.connection_string,
            table=f"t{uuid4().hex}",
            receiver=recorder.url,
            chats=story.chats,
        )
        running = Stage(story=story, simulator=simulator, recorder=recorder, clock=clock, place=place)
        recorder.answer = running.answer
        stack.enter_context(recorder.listening())
        stack.enter_context(simulator)
        running.play_all()
        yield running
