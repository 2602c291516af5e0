"""Whatever goes wrong, what is told of a pool's nodes is how they were, once."""

from datetime import timedelta

import pytest

from trials.promises.checks import check_end
from trials.simulation.fault_rates import NO_FAULTS, Chance, ReceiverState
from trials.simulation.seeded_run import FAULTS
from trials.simulation.system import System
from trials.simulation.webhooks import Webhooks

POOL = "pool-1"
MINUTE = timedelta(minutes=1)
WEBHOOKS: Webhooks = {
    "all": {},
    "slack": {"format": "slack"},
    "teams": {"format": "teams"},
    "pager": {"format": "pagerduty"},
}
STATES = ("starttaskfailed", "unusable", "idle", "idle", "rebooting", "waitingforstarttask", "preempted", None)
"""What a node may become; None is removed."""


def change_one(system: System) -> None:
    """Let one of twelve nodes become something else; the first always works, so that the pool never stands still."""
    chance, name = system.chance, f"tvm-{system.chance.random.randint(2, 12)}"
    state = chance.pick(STATES)
    pool = system.world.pools.find(POOL)
    known = pool.nodes.get(name) if pool is not None else None
    if (known.state if known is not None else None) == state:
        return
    if state is None:
        system.world.pools.drop_node(POOL, name, at=system.now)
    else:
        system.world.pools.set_node(POOL, name, at=system.now, state=state)


def minutes(system: System, number: int, *, changing: bool = False) -> None:
    """So many minutes, in each of which every process polls or starts again."""
    for _ in range(number):
        if changing and system.chance.happens(0.4):
            change_one(system)
        for process in system.processes:
            system.poll(process) if process.alive else system.start(process)
        system.run_for(MINUTE)


def outage(system: System, number: int) -> None:
    """So many minutes in which nodes go on to break and to heal, and nobody polls."""
    for _ in range(number):
        change_one(system)
        system.run_for(MINUTE)


@pytest.mark.parametrize(
    "fault",
    ["everything", *(pytest.param(fault, marks=pytest.mark.slow) for fault in ("fine", "lost writes", "deaths"))],
)
def test_what_is_told_of_nodes_is_how_they_were(fault: str) -> None:
    """Two instances poll at once through faults and an outage: every failure is told once and ends once, none is lost.

    Chat and pager, which take nothing for a while, know in the end that the pool is in trouble, and then of its end.
    """
    with System(Chance(f"pools {fault}"), webhooks=WEBHOOKS, skew=timedelta(seconds=2)) as system:
        told = system.monitor.listeners
        system.world.add_job("render", creation_time=system.now - MINUTE, pool=POOL)
        for number in range(1, 13):
            system.world.pools.set_node(POOL, f"tvm-{number}", at=system.now)
        system.chance.rates = FAULTS[fault]
        minutes(system, 50, changing=True)
        for receiver in system.receivers.values():
            receiver.state = ReceiverState.BROKEN
        minutes(system, 30, changing=True)
        outage(system, 20)
        for receiver in system.receivers.values():
            receiver.state = ReceiverState.WELL
        minutes(system, 50, changing=True)
        system.chance.rates = NO_FAULTS
        for number in range(2, 6):
            system.world.pools.set_node(POOL, f"tvm-{number}", at=system.now, state="starttaskfailed")
        minutes(system, 50)
        system.monitor.nodes.check_calm()
        assert [name for name in told if not told[name].knows_of_pool(POOL, system.now)] == []
        for number in range(2, 13):
            system.world.pools.set_node(POOL, f"tvm-{number}", at=system.now)
        minutes(system, 80)
        check_end(system)
        assert [name for name in told if told[name].knows_of_pool(POOL, system.now)] == []
        assert len(system.monitor.nodes.told) > 5
