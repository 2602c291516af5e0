"""The simulation can fail: every defect that matters is found, and only when it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import pytest

from local.batch_simulator.life.pace import Pace
from trials.promises.checks_told import check_all_told
from trials.promises.monitor import BrokenPromiseError
from trials.promises.shown_health import ShownHealth
from trials.simulation.fault_rates import Chance, ReceiverState
from trials.simulation.scripts import FAILURE, add_job, fail
from trials.simulation.seeded_run import LIVING_POOLS, Profile, run
from trials.simulation.system import System
from trials.simulation.told_mutants import MUTANTS
from trials.simulation.webhooks import WEBHOOKS, draw_webhooks

pytestmark = [pytest.mark.defects, pytest.mark.slow]
_SEEDS = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hunt:
    """Where a mutant is looked for: in runs of this profile, from this seed on, or in a play by hand."""

    profile: Profile | None = None
    seed: int = 0
    by_hand: Callable[[int], None] | None = None

    def play(self, seed: int) -> None:
        """Let it happen.

        Raises:
            BrokenPromiseError: It was found.
        """
        if self.by_hand is not None:
            self.by_hand(seed)
        else:
            run(seed, self.profile)


def _tasks_run_beside_failures(seed: int) -> None:
    """A job on whose listed nodes preparation has failed, while its tasks run on nodes that are not listed."""
    with System(Chance(f"moves {seed}"), names="A") as system:
        add_job(system, "moves", active=5, running=2)
        fail(system, "moves", "n1", FAILURE)
        for _ in range(9):
            system.poll(system.processes[0])
            system.run_for(timedelta(minutes=1))


def _refuses_before_a_mute(seed: int) -> None:
    """A chat refuses twice, and then everything is muted, so that nothing is to be sent there for hours."""
    with System(Chance(f"refuses {seed}"), names="A", webhooks={"chat": {"format": "slack"}}) as system:
        health = ShownHealth(system)

        def minutes(number: int) -> None:
            for _ in range(number):
                system.poll(system.processes[0])
                system.run_for(timedelta(minutes=1))
                health.look()

        add_job(system, "refused")
        fail(system, "refused", "n1", FAILURE)
        minutes(7)
        system.receivers["chat"].state = ReceiverState.BROKEN
        fail(system, "refused", "n2", FAILURE)
        minutes(2)
        system.put_mute(system.processes[0], "quiet", ["*"], system.now, system.now + timedelta(hours=5))
        minutes(40)


def _pool_breaks_and_nobody_can_tell(seed: int) -> None:
    """Nodes of a pool break, and what chat is told can't be written down."""
    with System(Chance(f"pool {seed}"), names="A", webhooks={"chat": {"format": "slack"}}) as system:
        health = ShownHealth(system)
        add_job(system, "render", pool="pool-1")
        for number in range(12):
            system.world.pools.set_node("pool-1", f"tvm-{number}", at=system.now)
        for minute in range(45):
            if minute == 5:
                system.planned.lost = "digest|chat"
                for number in range(4):
                    system.world.pools.set_node("pool-1", f"tvm-{number}", at=system.now, state="starttaskfailed")
            system.poll(system.processes[0])
            system.run_for(timedelta(minutes=1))
            health.look()


def _more_fails_while_chat_is_told(seed: int) -> None:
    """Nodes of a job fail, one after the other, while a chat that answers slowly is told of those before."""
    with System(Chance(f"grows {seed}"), names="A", webhooks={"chat": {"format": "slack"}}) as system:
        system.receivers["chat"].state = ReceiverState.SLOW
        add_job(system, "grows")
        for number in range(12):
            fail(system, "grows", f"n{number}", FAILURE)
            system.poll(system.processes[0])
            system.run_for(timedelta(seconds=5))
        for _ in range(30):
            system.poll(system.processes[0])
            system.run_for(timedelta(minutes=1))
        check_all_told(system)


def _in(*faults: str, seed: int = 0, hours: float = 1.5, **rest: object) -> Hunt:
    """Among signed webhooks alone, because that is faster."""
    among = {"webhooks": lambda _chance: WEBHOOKS, "mutes": 0, **rest}
    return Hunt(profile=Profile(hours=hours, faults=faults, outages=0, **among), seed=seed)  # type: ignore[arg-type]  # as given


def _told(*faults: str, seed: int = 0, mutes: float = 0.0, hours: float = 1.5, **rest: object) -> Hunt:
    """Among webhooks of all formats."""
    return _in(*faults, seed=seed, hours=hours, webhooks=draw_webhooks, mutes=mutes, **rest)


CALM = _told("fine", mutes=0.1, seed=1)
MUTED = _told("fine", mutes=0.1, seed=3)
SLOW = _told("slow Batch")
DYING = _told("deaths", seed=5)
RESTORED = _told("restores")
UNSURE = _in("lost writes", seed=2)
HUNTS = {
    "digests_kept_after_half_a_commit": _in("deaths", "lost writes", seed=5),
    "one_commit_id_per_process": UNSURE,
    "loser_writes_over_the_winner": SLOW,
    "absent_node_forgotten": RESTORED,
    "open_mark_dropped_when_it_runs_again": UNSURE,
    "delivered_before_it_was_accepted": DYING,
    "lease_ignored": RESTORED,
    "ids_from_a_clock": RESTORED,
    "known_event_spoils_the_whole_transaction": RESTORED,
    "first_sight_not_stored": Hunt(
        profile=Profile(
            hours=1.5,
            faults=("slow Batch",),
            outages=0.4,
            settings={"FIRST_SIGHT_SECONDS": "0", "POLL_BUDGET_SECONDS": "5", "POLL_CONCURRENCY": "1"},
            webhooks=lambda _chance: WEBHOOKS,
            mutes=0,
        ),
        seed=3,
    ),
    "old_secret_not_signed_with": UNSURE,
    "incarnation_not_asked_for_again": _in("slow Batch", pace=Pace(jobs=8, nodes=3, fail_rate=0.5, speed=0.5)),
    "event_beside_its_transaction": UNSURE,
    "trouble_of_a_lost_job_never_ends": UNSURE,
    "told_without_a_lease": SLOW,
    "told_as_the_job_stands_when_it_is_recorded": Hunt(by_hand=_more_fails_while_chat_is_told, seed=1),
    "told_before_it_is_sent": SLOW,
    "mute_never_ends": MUTED,
    "mute_holds_nothing_back": CALM,
    "mute_holds_back_the_end": MUTED,
    "pause_never_grows": MUTED,
    "end_not_told_by_itself": DYING,
    "incident_that_never_ends": SLOW,
    "incident_ends_at_once": SLOW,
    "incident_for_each_message": SLOW,
    "counts_begin_anew_with_a_new_job": DYING,
    "trouble_told_after_its_end": _told("denied", seed=9),
    "stuck_without_asking_for_tasks": Hunt(by_hand=_tasks_run_beside_failures),
    "stuck_again_and_again": RESTORED,
    "dead_pool_not_noticed": _in("fine", hours=3, pace=LIVING_POOLS),
    "stuck_at_once": CALM,
    "who_refused_is_never_pinged": Hunt(by_hand=_refuses_before_a_mute),
    "late_news_is_shown_nowhere": DYING,
    "late_news_of_pools_is_shown_nowhere": Hunt(by_hand=_pool_breaks_and_nobody_can_tell),
    "account_is_never_reachable": DYING,
    "webhook_recovers_unsaid": RESTORED,
    "ends_are_for_programs": DYING,
}
"""Most share a world with others, so that it is played once without any defect."""


@pytest.mark.parametrize("name", MUTANTS)
def test_the_defect_is_found(name: str) -> None:
    """The simulation breaks with the defect in place, and the very same run keeps every promise without it."""
    hunt = HUNTS[name]
    seed = next((seed for seed in range(hunt.seed, hunt.seed + _SEEDS) if _is_found(name, seed, hunt)), None)
    assert seed is not None, f"{name} survives {_SEEDS} seeds"
    _play_without(hunt, seed)


@cache
def _play_without(hunt: Hunt, seed: int) -> None:
    hunt.play(seed)


def _is_found(name: str, seed: int, hunt: Hunt) -> bool:
    with MUTANTS[name]():
        try:
            hunt.play(seed)
        except BrokenPromiseError:
            return True
    return False
