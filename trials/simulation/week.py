"""A stretch of operation drawn from one seed: jobs live and die, the outside misbehaves and recovers, again and again.

Owns the order of what happens and the profiles. `run` is all that a test needs; the same arguments give the same run.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from unittest.mock import patch

from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from shared.changes import slicing as plan
from shared.state import chunks
from trials.promises.checks import check_calm, check_end
from trials.promises.checks_ends import check_ends
from trials.promises.checks_told import check_all_told, check_ends_told
from trials.promises.green import GreenLights
from trials.simulation.people import Webhooks, draw_people
from trials.simulation.plant import START, Plant
from trials.simulation.process import Process
from trials.simulation.weather import FINE, AccountMood, Chance, ReceiverMood, Weather, WriteFault

MINUTE = timedelta(minutes=1)
_CALM_MINUTES = 6
_TOLD_WITHIN = 8  # hours: the longest pause, the longest wait after failed attempts, and a poll that finds it over
_MUTES = ("one", "two")
_OFTEN, _HELD_BACK = 4 * MINUTE, 60 * MINUTE
_LONGEST_END = 80  # hours: more than the whole retry schedule takes

_LOST = (WriteFault.BEFORE, WriteFault.AFTER, WriteFault.OWN_CONFLICT)
_DEATHS = (WriteFault.CRASH_BEFORE, WriteFault.CRASH_AFTER)

STORMS: Mapping[str, Weather] = {
    "fine": FINE,
    "lost writes": Weather(write=0.15, write_faults=_LOST, read=0.02, overlap=0.3),
    "deaths": Weather(write=0.06, write_faults=_DEATHS, crash_while_sending=0.1, overlap=0.3),
    "bad pages": Weather(absent=0.2, stale=0.3, twice=0.05, skip_job=0.1, overlap=0.5, slow_batch=0.2),
    "slow Batch": Weather(slow_batch=0.6, overlap=0.7, batch=0.05),
    "flaky Batch": Weather(batch=0.3, overlap=0.2),
    "denied": Weather(account=AccountMood.DENIED),
    "throttled": Weather(account=AccountMood.THROTTLED, overlap=0.3),
    "down": Weather(account=AccountMood.DOWN, write=0.05, write_faults=_LOST),
    "restores": Weather(write=0.3, write_faults=(WriteFault.REWIND,), overlap=0.2),
    "everything": Weather(
        write=0.08,
        write_faults=(*_LOST, *_DEATHS),
        read=0.01,
        crash_while_sending=0.03,
        batch=0.05,
        absent=0.1,
        stale=0.1,
        skip_job=0.05,
        slow_batch=0.2,
        overlap=0.5,
    ),
}
_MOODS = (
    *(ReceiverMood.WELL,) * 4,
    *(mood for mood in ReceiverMood if mood not in {ReceiverMood.WELL, ReceiverMood.GONE}),
)


LIVING_POOLS = Pace(jobs=5, nodes=5, fail_rate=0.25, node_fail_rate=0.2, speed=0.12)
"""Nodes are lost and come back, pools break and heal, preparations hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a run is like, beside its seed.

    `storms` are drawn from; `every_minute` False lets the timer fire every fourth minute while nothing is going on.
    `people` draws who is told. In a minute somebody mutes jobs, or ends a mute, with the chance `mutes`.
    `small` makes rows, transactions and chunks small, so that what takes a thousand nodes outside happens with a few.
    """

    hours: float = 6
    storms: Sequence[str] = tuple(STORMS)
    pace: Pace = field(default_factory=lambda: Pace(jobs=4, nodes=7, fail_rate=0.25, speed=0.12))
    every_minute: bool = True
    small: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    moods: Sequence[ReceiverMood] = _MOODS
    segment: tuple[int, int] = (20, 50)
    outages: float = 0.1
    people: Callable[[Chance], Webhooks] = draw_people
    mutes: float = 0.02


def run(seed: int, profile: Profile | None = None, tell: Callable[[str], None] | None = None) -> Plant:
    """Run a seed to its end; the plant as it then is.

    Raises:
        BrokenPromiseError: A promise was broken; the message says which.
    """
    profile = profile or Profile()
    chance = Chance(f"prepwatch {seed}")
    with _small(chance) if profile.small else contextlib.nullcontext():
        settings = {
            "EVENT_MAX_NODES": chance.pick(("1", "2", "25")),
            "POLL_CONCURRENCY": chance.pick(("1", "2", "8")),
            "FIRST_SIGHT_SECONDS": chance.pick(("0", "600", "3600")),
            **profile.settings,
        }
        page_size, skew = chance.pick((3, 7, 100)), chance.pick((timedelta(0), timedelta(seconds=2)))
        people = profile.people(chance)
        with Plant(chance, settings=settings, webhooks=people, page_size=page_size, skew=skew, tell=tell) as plant:
            Life(plant.world, profile.pace, seed=seed, start=START)
            _WeekRun(plant, profile).live()
            return plant


@dataclass(slots=True)
class _WeekRun:
    """A run on its way; `reborn` are the dead processes that start again, and when."""

    plant: Plant
    profile: Profile
    minute: int = 0
    lively_until: int = 0
    known_version: int = 0
    rebirths: dict[str, int] = field(default_factory=dict)
    green: GreenLights = field(init=False)

    def __post_init__(self) -> None:
        self.green = GreenLights(self.plant)

    def live(self) -> None:
        end = START + timedelta(hours=self.profile.hours)
        while self.plant.now < end:
            self._segment()
            self._calm()
        self._heal()

    def _segment(self) -> None:
        """Some time in one kind of weather, perhaps with nobody at work at all."""
        chance, plant = self.plant.chance, self.plant
        storm = chance.pick(self.profile.storms)
        chance.weather = STORMS[storm]
        for receiver in plant.receivers.values():
            receiver.mood = chance.pick(self.profile.moods)
        jobs = [job.job_id.lower() for job in plant.world.jobs()]
        plant.account.sick_jobs = {chance.pick(jobs)} if jobs and chance.happens(0.2) else set()
        minutes = chance.random.randint(*self.profile.segment)
        self._say(f"--- {minutes} minutes of: {storm} ---")
        if chance.happens(self.profile.outages):
            self._say("--- nobody at work ---")
            for _ in range(minutes):
                plant.run_for(MINUTE)
                plant.witness.standstills.look(undisturbed=False)
            self.green.disturbance = plant.now
        for _ in range(minutes):
            self._one_minute()

    def _calm(self) -> None:
        """All well, and the world standing still: then everything that stands in the listing must be known."""
        plant = self.plant
        plant.chance.weather = FINE
        plant.account.frozen = True
        plant.account.sick_jobs = set()
        self._say("--- calm ---")
        self._revive(now=True)
        for _ in range(_CALM_MINUTES):
            self._one_minute(steady=True)
        plant.run_for(timedelta(seconds=45))
        check_calm(plant)
        plant.account.frozen = False

    def _heal(self) -> None:
        """Receivers are well too, until no delivery waits any more."""
        plant = self.plant
        plant.account.frozen = True
        for receiver in plant.receivers.values():
            receiver.mood = ReceiverMood.GONE if receiver.mood is ReceiverMood.GONE else ReceiverMood.WELL
        self._say("--- the end: all well ---")
        if self.profile.mutes and plant.chance.happens(0.5):
            until = plant.now + timedelta(hours=_TOLD_WITHIN) + _HELD_BACK + 3 * _OFTEN
            plant.put_mute(plant.living()[0], "end", ["*"], plant.now, until)
        self._hours(_TOLD_WITHIN)
        self._stay_well()
        check_ends_told(plant)
        self._hours(_TOLD_WITHIN)
        for _ in range(_LONGEST_END):
            if not any(True for part in ("_", *plant.accounts) for _ in plant.waiting(part)):
                break
            self._hours(1)
        self._stay_well()
        check_end(plant)
        check_all_told(plant)
        check_ends(plant)

    def _hours(self, number: int) -> None:
        for _ in range(number):
            self.plant.poll(self.plant.living()[0])
            self.plant.run_for(timedelta(hours=1))

    def _stay_well(self) -> None:
        """Poll often while the end of what came back again and again may be held back."""
        for _ in range(_HELD_BACK // _OFTEN + 2):
            if "account.unreachable" not in self.plant.witness.standing.values():
                return
            self.plant.poll(self.plant.living()[0])
            self.plant.run_for(_OFTEN)

    def _one_minute(self, *, steady: bool = False) -> None:
        plant = self.plant
        self._revive(now=False)
        living = plant.living()
        self.minute += 1
        if living:
            timer = living[0] if not living[0].polling else living[-1]
            if (steady or self._is_due()) and not timer.polling:
                plant.poll(timer)
            if not steady:
                self._disturb(living)
            if plant.now.hour == 3 and plant.now.minute == 17:
                plant.purge(timer)
        plant.run_for(MINUTE)
        self.green.look()
        well = plant.chance.weather is FINE and not plant.account.sick_jobs and self.profile.every_minute
        plant.witness.standstills.look(undisturbed=well)

    def _disturb(self, living: Sequence[Process]) -> None:
        """What people and queues do beside the timer."""
        chance, plant = self.plant.chance, self.plant
        if chance.happens(chance.weather.overlap):
            plant.poll(chance.pick(living), chance.between(0, 50))
        if chance.happens(0.05):
            plant.summary(chance.pick(living), chance.pick((None, 0, 60)))
        if chance.happens(0.05):
            plant.deliver(chance.pick(living), chance.between(0, 50))
        if chance.happens(self.profile.mutes):
            self._mute(chance.pick(living))

    def _mute(self, process: Process) -> None:
        """Somebody wants quiet for a while, soon or at once, or no longer."""
        chance, plant = self.plant.chance, self.plant
        name = chance.pick(_MUTES)
        if chance.happens(0.3):
            plant.delete_mute(process, name)
            return
        jobs = [job.job_id for job in plant.world.jobs()]
        glob = chance.pick(("*", "*-00?", *jobs))
        starts = plant.now + chance.pick((timedelta(0), 7 * MINUTE))
        plant.put_mute(process, name, [glob], starts, starts + chance.pick((5 * MINUTE, 45 * MINUTE, 300 * MINUTE)))

    def _is_due(self) -> bool:
        """Whether the timer fires: each minute, or while nothing is going on every fourth."""
        if self.profile.every_minute:
            return True
        version = sum(job.version for job in self.plant.world.jobs()) + len(self.plant.witness.events)
        if version != self.known_version or any(True for _ in self.plant.waiting(*self.plant.accounts)):
            self.known_version, self.lively_until = version, self.minute + 2
        return self.minute <= self.lively_until or self.minute % 4 == 0

    def _revive(self, *, now: bool) -> None:
        for process in self.plant.processes:
            if process.alive:
                continue
            back = self.rebirths.setdefault(process.name, self.minute + self.plant.chance.random.randint(1, 8))
            if now or self.minute >= back:
                del self.rebirths[process.name]
                self._say(f"{process.name} starts again")
                self.plant.start(process)

    def _say(self, line: str) -> None:
        self.plant.say(line)


@contextlib.contextmanager
def _small(chance: Chance) -> Iterator[None]:
    """Limits so small that slices and splits happen among a handful of nodes."""
    with contextlib.ExitStack() as stack:
        for owner, name, sizes in (
            (plan, "MAX_ROWS", (10, 14, 100)),
            (chunks, "MAX_CHUNK_NODES", (3, 5, 1024)),
            (chunks, "_FILL_AT_FIRST", (2, 4, 800)),
        ):
            stack.enter_context(patch.object(owner, name, chance.pick(sizes)))
        yield
