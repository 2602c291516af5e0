"""The course of a soak: prepare, rage, drain, judge.

Time runs ten times as fast as on the wall, so that retries and leases of minutes take seconds.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from local.azurite import Azurite
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.server import Simulator
from local.batch_simulator.world import World
from shared.adapters.lanes import ThreadLanes
from shared.adapters.table_store import open_table
from shared.composition import compose
from shared.state.rows import OWN, range_of
from trials.promises.true_pools import TruePools
from trials.soak.chaos import Chaos
from trials.soak.checker import Receipt, Verdict, check, excuses, read_holds, true_occurrence
from trials.soak.exposure import ExposedLife, owed, read_polls, read_spans, to_json
from trials.soak.fault_proxy import fault_proxy
from trials.soak.nodes import is_owed, lost, phantom, read_troubles, troubles_of
from trials.soak.place import ACCOUNT, KEY, PATIENCE, SECRET, STEADY, WEBHOOKS, FastClock, Place
from trials.soak.recorder import Recorder
from trials.soak.worker import Duty, run_once

SPEED = 10
PACE = Pace(jobs=8, nodes=10, fail_rate=0.3, node_fail_rate=0.3, speed=0.5, linger=timedelta(minutes=4))
_CLEAN_CYCLES = 3
_DRAINING = tuple(timedelta(minutes=minutes) for minutes in (2, 3, 5, 15, 15, 30, 60, 120, 240, 480, 480))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a soak found, and how much there was to find it in."""

    verdict: Verdict
    failures: int
    owed: int
    broken_nodes: int
    owed_nodes: int
    messages: int
    faults: Counter[str]
    still_due: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether everything was told, nothing is wrong, and enough was seen to prove anything."""
        return self.verdict.good and not self.still_due and self.owed * 2 > self.failures

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {times}" for name, times in sorted(self.faults.items()))
        seen = f"{self.failures} failures, {self.owed} of them seen by a cycle that ended well"
        nodes = f"{self.broken_nodes} nodes that could not work, {self.owed_nodes} of them for long enough to be told"
        return f"{seen}; {nodes}; {self.messages} messages; {faults}\n{self.verdict}"


def soak(azurite: Azurite, seconds: float, seed: int, folder: Path) -> Outcome:
    """Run the app under faults for so long; truth, receipts and claims are then in *folder*."""
    clock = FastClock(start=datetime.now(UTC), speed=SPEED)
    world = World(now=clock())
    world.pools = pools = TruePools()
    recorder = Recorder(SECRET, clock)
    world.life = life = ExposedLife(Life(world, PACE, seed=seed, start=world.now), world)
    for pool in pools.all():  # so that each is watched all the time
        world.add_job(f"stays-in-{pool.pool_id}", pool=pool.pool_id, has_preparation=False)
    with ExitStack() as stack:
        stack.enter_context(recorder.listening())
        simulator = stack.enter_context(Simulator(world, account=ACCOUNT, key=KEY, clock=clock))
        proxy = stack.enter_context(fault_proxy(azurite.table))
        place = Place(
            batch=simulator.url, storage=azurite.connection_string, table=f"t{uuid4().hex}", receiver=recorder.url
        )
        behind = replace(place, storage=azurite.connection_string.replace(azurite.table, proxy.url))
        duties = [Duty(place=behind, clock=clock, polls=polls, folder=folder) for polls in (True, True, False, False)]
        chaos = Chaos(seed=seed, proxy=proxy, simulator=simulator, duties=duties)
        recorder.answer = chaos.answer
        chaos.run(seconds)
        world.life = None
        still_due = _drain(place, clock)
    truth = [
        {**failure.to_json(), "listed": to_json(life.spans(true_occurrence(failure.to_json())))}
        for failure in world.failures
    ]
    _write(folder / "truth.jsonl", truth)
    _write(folder / "nodes.jsonl", [one.to_json() for one in troubles_of(pools.states)])
    _write(folder / "received.jsonl", [dataclasses.asdict(receipt) for receipt in recorder.receipts])
    return replace(judge(folder), faults=chaos.counts, still_due=still_due)


def judge(folder: Path) -> Outcome:
    """Judge the five logs of a finished soak."""
    truth = [json.loads(line) for line in _lines(folder / "truth.jsonl")]
    receipts = [Receipt(**json.loads(line)) for line in _lines(folder / "received.jsonl")]
    holds = read_holds(_lines(folder / "claims.jsonl"))
    spans = {true_occurrence(line): read_spans(line["listed"]) for line in truth}
    polls = read_polls(_lines(folder / "polls.jsonl"))
    promised = owed(spans, polls)
    verdict = check(truth, receipts, WEBHOOKS, holds=holds, excused=excuses(holds, receipts), promised=promised)
    troubles = read_troubles([json.loads(line) for line in _lines(folder / "nodes.jsonl")])
    return Outcome(
        verdict=replace(
            verdict,
            lost=(*verdict.lost, *lost(troubles, receipts, [STEADY], polls)),
            phantom=(*verdict.phantom, *phantom(troubles, receipts)),
        ),
        failures=len(truth),
        owed=len(promised),
        broken_nodes=len(troubles),
        owed_nodes=sum(is_owed(one, polls) for one in troubles),
        messages=len(receipts),
        faults=Counter(),
        still_due=(),
    )


def _drain(place: Place, clock: FastClock) -> tuple[str, ...]:
    """Run clean cycles, time leaping ahead, until nothing is due; what still is."""
    app = compose(place.settings(), place.outside(clock, ThreadLanes(), storage_patience=PATIENCE, pause=clock.pause))
    table = open_table(place.storage, place.table)
    due: tuple[str, ...] = ()
    for number, leap in enumerate(_DRAINING):
        run_once(app, polls=True)
        due = tuple(row.key for part in (place.partition, OWN) for row in table.query(part, *range_of("due")))
        if not due and number >= _CLEAN_CYCLES:
            break
        clock.ahead += leap
    return due


def _write(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
