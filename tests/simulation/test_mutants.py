"""The simulation can fail: every defect that matters is found, and only when it is there."""

from dataclasses import dataclass

import pytest

from local.batch_simulator.life import Pace
from tests.simulation.mutants import MUTANTS
from tests.simulation.week import Profile, run
from tests.simulation.witness import BrokenPromiseError

_SEEDS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """Where a mutant is looked for: in runs of this profile, from this seed on."""

    profile: Profile
    seed: int = 0


def _in(*storms: str, seed: int = 0, **rest: object) -> Hunt:
    return Hunt(profile=Profile(hours=1.5, storms=storms, outages=0, **rest), seed=seed)  # type: ignore[arg-type]


HUNTS = {
    "digests_kept_after_half_a_commit": _in("deaths", "lost writes", seed=5),
    "one_commit_id_per_process": _in("lost writes", seed=2),
    "loser_writes_over_the_winner": _in("slow Batch"),
    "absent_node_forgotten": _in("bad pages"),
    "open_mark_dropped_when_it_runs_again": _in("fine"),
    "delivered_before_it_was_accepted": _in("deaths"),
    "lease_ignored": _in("lost writes"),
    "ids_from_a_clock": _in("restores"),
    "known_event_spoils_the_whole_transaction": _in("restores"),
    "first_sight_not_stored": Hunt(
        profile=Profile(
            hours=1.5,
            storms=("slow Batch",),
            outages=0.4,
            settings={"FIRST_SIGHT_SECONDS": "0", "POLL_BUDGET_SECONDS": "5", "POLL_CONCURRENCY": "1"},
        ),
        seed=3,
    ),
    "last_good_time_goes_back": _in("slow Batch"),
    "old_secret_not_signed_with": _in("fine"),
    "incarnation_not_asked_for_again": _in("slow Batch", pace=Pace(jobs=8, nodes=3, fail_rate=0.5, speed=0.5)),
    "event_beside_its_transaction": _in("lost writes", seed=1),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_defect_is_found(name: str) -> None:
    """The simulation breaks with the defect in place, and the very same run keeps every promise without it."""
    hunt = HUNTS[name]
    seed = next((seed for seed in range(hunt.seed, hunt.seed + _SEEDS) if _is_found(name, seed, hunt.profile)), None)
    assert seed is not None, f"{name} survives {_SEEDS} seeds"
    run(seed, hunt.profile)


def _is_found(name: str, seed: int, profile: Profile) -> bool:
    with MUTANTS[name]():
        try:
            run(seed, profile)
        except BrokenPromiseError:
            return True
    return False
