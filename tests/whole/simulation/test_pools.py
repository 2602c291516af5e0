"""Whatever goes wrong, what is told of a pool's nodes is how they were, once."""

from datetime import timedelta

import pytest

from trials.promises.checks import check_end
from trials.simulation.people import Webhooks
from trials.simulation.plant import Plant
from trials.simulation.weather import FINE, Chance, ReceiverMood
from trials.simulation.week import STORMS

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


def change_one(plant: Plant) -> None:
    """Let one of twelve nodes become something else; the first always works, so that the pool never stands still."""
    chance, name = plant.chance, f"tvm-{plant.chance.random.randint(2, 12)}"
    state = chance.pick(STATES)
    pool = plant.world.pools.find(POOL)
    known = pool.nodes.get(name) if pool is not None else None
    if (known.state if known is not None else None) == state:
        return
    if state is None:
        plant.world.pools.drop_node(POOL, name, at=plant.now)
    else:
        plant.world.pools.set_node(POOL, name, at=plant.now, state=state)


def minutes(plant: Plant, number: int, *, changing: bool = False) -> None:
    """So many minutes, in each of which every process polls or starts again."""
    for _ in range(number):
        if changing and plant.chance.happens(0.4):
            change_one(plant)
        for process in plant.processes:
            plant.poll(process) if process.alive else plant.start(process)
        plant.run_for(MINUTE)


def outage(plant: Plant, number: int) -> None:
    """So many minutes in which nodes go on to break and to heal, and nobody polls."""
    for _ in range(number):
        change_one(plant)
        plant.run_for(MINUTE)


@pytest.mark.parametrize(
    "storm",
    ["everything", *(pytest.param(storm, marks=pytest.mark.slow) for storm in ("fine", "lost writes", "deaths"))],
)
def test_what_is_told_of_nodes_is_how_they_were(storm: str) -> None:
    """Two instances poll at once through faults and an outage: every failure is told once and ends once, none is lost.

    Chat and pager, which take nothing for a while, know in the end that the pool is in trouble, and then of its end.
    """
    with Plant(Chance(f"pools {storm}"), webhooks=WEBHOOKS, skew=timedelta(seconds=2)) as plant:
        told = plant.witness.listeners
        plant.world.add_job("render", creation_time=plant.now - MINUTE, pool=POOL)
        for number in range(1, 13):
            plant.world.pools.set_node(POOL, f"tvm-{number}", at=plant.now)
        plant.chance.weather = STORMS[storm]
        minutes(plant, 50, changing=True)
        for receiver in plant.receivers.values():
            receiver.mood = ReceiverMood.BROKEN
        minutes(plant, 30, changing=True)
        outage(plant, 20)
        for receiver in plant.receivers.values():
            receiver.mood = ReceiverMood.WELL
        minutes(plant, 50, changing=True)
        plant.chance.weather = FINE
        for number in range(2, 6):
            plant.world.pools.set_node(POOL, f"tvm-{number}", at=plant.now, state="starttaskfailed")
        minutes(plant, 50)
        plant.witness.nodes.check_calm()
        assert [name for name in told if not told[name].knows_of_pool(POOL, plant.now)] == []
        for number in range(2, 13):
            plant.world.pools.set_node(POOL, f"tvm-{number}", at=plant.now)
        minutes(plant, 80)
        check_end(plant)
        assert [name for name in told if told[name].knows_of_pool(POOL, plant.now)] == []
        assert len(plant.witness.nodes.told) > 5
