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
from shared.changes import slicing
from shared.state import chunks
from trials.promises.checks import check_calm, check_end
from trials.promises.checks_ends import check_ends
from trials.promises.checks_told import check_all_told, check_ends_told
from trials.promises.shown_health import ShownHealth
from trials.simulation.fault_rates import NO_FAULTS, AccountState, Chance, FaultRates, ReceiverState, WriteFault
from trials.simulation.process import Process
from trials.simulation.system import START, System
from trials.simulation.webhooks import Webhooks, draw_webhooks

MINUTE = timedelta(minutes=1)
_CALM_MINUTES = 6
_TOLD_WITHIN = 8  # hours: the longest pause, the longest wait after failed attempts, and a poll that finds it over
_MUTES = ("one", "two")
_OFTEN, _HELD_BACK = 4 * MINUTE, 60 * MINUTE
_LONGEST_END = 80  # hours: more than the whole retry schedule takes

_LOST = (WriteFault.BEFORE, WriteFault.AFTER, WriteFault.OWN_CONFLICT)
_DEATHS = (WriteFault.CRASH_BEFORE, WriteFault.CRASH_AFTER)

FAULTS: Mapping[str, FaultRates] = {
    "fine": NO_FAULTS,
    "lost writes": FaultRates(write=0.15, write_faults=_LOST, read=0.02, overlap=0.3),
    "deaths": FaultRates(write=0.06, write_faults=_DEATHS, crash_while_sending=0.1, overlap=0.3),
    "bad pages": FaultRates(absent=0.2, stale=0.3, twice=0.05, skip_job=0.1, overlap=0.5, slow_batch=0.2),
    "slow Batch": FaultRates(slow_batch=0.6, overlap=0.7, batch=0.05),
    "flaky Batch": FaultRates(batch=0.3, overlap=0.2),
    "denied": FaultRates(account=AccountState.DENIED),
    "throttled": FaultRates(account=AccountState.THROTTLED, overlap=0.3),
    "down": FaultRates(account=AccountState.DOWN, write=0.05, write_faults=_LOST),
    "restores": FaultRates(write=0.3, write_faults=(WriteFault.REWIND,), overlap=0.2),
    "everything": FaultRates(
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
_STATES = (
    *(ReceiverState.WELL,) * 4,
    *(state for state in ReceiverState if state not in {ReceiverState.WELL, ReceiverState.GONE}),
)


LIVING_POOLS = Pace(jobs=5, nodes=5, fail_rate=0.25, node_fail_rate=0.2, speed=0.12)
"""Nodes are lost and come back, pools break and heal, preparations hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a run is like, beside its seed.

    `faults` are drawn from, each for a `segment` of so many minutes; the timer fires `every` so many. `webhooks` draws
    who is told. At each firing somebody mutes jobs, or ends a mute, with the chance `mutes`.
    `small` makes rows, transactions and chunks small, so that what takes a thousand nodes outside happens with a few.
    """

    hours: float = 6
    faults: Sequence[str] = tuple(FAULTS)
    pace: Pace = field(default_factory=lambda: Pace(jobs=4, nodes=7, fail_rate=0.25, speed=0.12))
    every: int = 1
    small: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    states: Sequence[ReceiverState] = _STATES
    segment: tuple[int, int] = (20, 50)
    outages: float = 0.1
    webhooks: Callable[[Chance], Webhooks] = draw_webhooks
    mutes: float = 0.02


def run(seed: int, profile: Profile | None = None, tell: Callable[[str], None] | None = None) -> System:
    """Run a seed to its end; the system as it then is.

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
        webhooks = profile.webhooks(chance)
        with System(chance, settings=settings, webhooks=webhooks, page_size=page_size, skew=skew, tell=tell) as system:
            Life(system.world, profile.pace, seed=seed, start=START)
            _SeededRun(system, profile).live()
            return system


@dataclass(slots=True)
class _SeededRun:
    """A run on its way; `reborn` are the dead processes that start again, and when."""

    system: System
    profile: Profile
    minute: int = 0
    rebirths: dict[str, int] = field(default_factory=dict)
    shown_health: ShownHealth = field(init=False)

    def __post_init__(self) -> None:
        self.shown_health = ShownHealth(self.system, poll=self.profile.every * MINUTE)

    def live(self) -> None:
        end = START + timedelta(hours=self.profile.hours)
        while self.system.now < end:
            self._segment()
            self._calm()
        self._heal()

    def _segment(self) -> None:
        """Some time under one kind of faults, perhaps with nobody at work at all."""
        chance, system = self.system.chance, self.system
        fault = chance.pick(self.profile.faults)
        chance.rates = FAULTS[fault]
        for receiver in system.receivers.values():
            receiver.state = chance.pick(self.profile.states)
        jobs = [job.job_id.lower() for job in system.world.jobs()]
        system.account.sick_jobs = {chance.pick(jobs)} if jobs and chance.happens(0.2) else set()
        minutes = chance.random.randint(*self.profile.segment)
        self._say(f"--- {minutes} minutes of: {fault} ---")
        if chance.happens(self.profile.outages):
            self._say("--- nobody at work ---")
            for _ in range(minutes):
                system.run_for(MINUTE)
                system.monitor.standstills.look(undisturbed=False)
            self.shown_health.disturbance = system.now
        for _ in range(0, minutes, self.profile.every):
            self._one_step()

    def _calm(self) -> None:
        """All well, and the world standing still: then everything that stands in the listing must be known."""
        system = self.system
        system.chance.rates = NO_FAULTS
        system.account.frozen = True
        system.account.sick_jobs = set()
        self._say("--- calm ---")
        self._revive(now=True)
        for _ in range(_CALM_MINUTES):
            self._one_step(steady=True)
        system.run_for(timedelta(seconds=45))
        check_calm(system)
        system.account.frozen = False

    def _heal(self) -> None:
        """Receivers are well too, until no delivery waits any more."""
        system = self.system
        system.account.frozen = True
        for receiver in system.receivers.values():
            receiver.state = ReceiverState.GONE if receiver.state is ReceiverState.GONE else ReceiverState.WELL
        self._say("--- the end: all well ---")
        if self.profile.mutes and system.chance.happens(0.5):
            until = system.now + timedelta(hours=_TOLD_WITHIN) + _HELD_BACK + 3 * _OFTEN
            system.put_mute(system.living()[0], "end", ["*"], system.now, until)
        self._hours(_TOLD_WITHIN)
        self._stay_well()
        check_ends_told(system)
        self._hours(_TOLD_WITHIN)
        for _ in range(_LONGEST_END):
            if not any(True for part in ("_", *system.accounts) for _ in system.waiting(part)):
                break
            self._hours(1)
        self._stay_well()
        check_end(system)
        check_all_told(system)
        check_ends(system)

    def _hours(self, number: int) -> None:
        for _ in range(number):
            self.system.poll(self.system.living()[0])
            self.system.run_for(timedelta(hours=1))

    def _stay_well(self) -> None:
        """Poll often while the end of what came back again and again may be held back."""
        for _ in range(_HELD_BACK // _OFTEN + 2):
            if "account.unreachable" not in self.system.monitor.standing.values():
                return
            self.system.poll(self.system.living()[0])
            self.system.run_for(_OFTEN)

    def _one_step(self, *, steady: bool = False) -> None:
        """From one firing of the timer to the next; `steady` is in calm, when it fires each minute."""
        system, minutes = self.system, 1 if steady else self.profile.every
        self._revive(now=False)
        living = system.living()
        self.minute += minutes
        if living:
            timer = living[0] if not living[0].polling else living[-1]
            if not timer.polling:
                system.poll(timer)
            if not steady:
                self._disturb(living)
            if system.now.hour == 3 and 17 <= system.now.minute < 17 + minutes:
                system.purge(timer)
        system.run_for(minutes * MINUTE)
        self.shown_health.look()
        well = system.chance.rates is NO_FAULTS and not system.account.sick_jobs and self.profile.every == 1
        system.monitor.standstills.look(undisturbed=well)

    def _disturb(self, living: Sequence[Process]) -> None:
        """What people and queues do beside the timer."""
        chance, system = self.system.chance, self.system
        if chance.happens(chance.rates.overlap):
            system.poll(chance.pick(living), chance.between(0, 50))
        if chance.happens(0.05):
            system.summary(chance.pick(living), chance.pick((None, 0, 60)))
        if chance.happens(0.05):
            system.deliver(chance.pick(living), chance.between(0, 50))
        if chance.happens(self.profile.mutes):
            self._mute(chance.pick(living))

    def _mute(self, process: Process) -> None:
        """Somebody wants quiet for a while, soon or at once, or no longer."""
        chance, system = self.system.chance, self.system
        name = chance.pick(_MUTES)
        if chance.happens(0.3):
            system.delete_mute(process, name)
            return
        jobs = [job.job_id for job in system.world.jobs()]
        glob = chance.pick(("*", "*-00?", *jobs))
        starts = system.now + chance.pick((timedelta(0), 7 * MINUTE))
        system.put_mute(process, name, [glob], starts, starts + chance.pick((5 * MINUTE, 45 * MINUTE, 300 * MINUTE)))

    def _revive(self, *, now: bool) -> None:
        for process in self.system.processes:
            if process.alive:
                continue
            back = self.rebirths.setdefault(process.name, self.minute + self.system.chance.random.randint(1, 8))
            if now or self.minute >= back:
                del self.rebirths[process.name]
                self._say(f"{process.name} starts again")
                self.system.start(process)

    def _say(self, line: str) -> None:
        self.system.say(line)


@contextlib.contextmanager
def _small(chance: Chance) -> Iterator[None]:
    """Limits so small that slices and splits happen among a handful of nodes."""
    with contextlib.ExitStack() as stack:
        for owner, name, sizes in (
            (slicing, "MAX_ROWS", (10, 14, 100)),
            (chunks, "MAX_CHUNK_NODES", (3, 5, 1024)),
            (chunks, "_FILL_AT_FIRST", (2, 4, 800)),
        ):
            stack.enter_context(patch.object(owner, name, chance.pick(sizes)))
        yield
