"""Whatever goes wrong, what is told of a pool's nodes is how they were, once."""

from datetime import timedelta

import pytest

from trials.promises.checks import check_end
from trials.simulation.plant import Plant
from trials.simulation.weather import FINE, Chance, ReceiverMood
from trials.simulation.week import STORMS

POOL = "pool-1"
MINUTE = timedelta(minutes=1)
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


@pytest.mark.parametrize(
    "storm",
    ["everything", *(pytest.param(storm, marks=pytest.mark.slow) for storm in ("fine", "lost writes", "deaths"))],
)
def test_what_is_told_of_nodes_is_how_they_were(storm: str) -> None:
    """Two instances poll at once through faults: every failure is told once and ends once, none is invented or lost."""
    with Plant(Chance(f"pools {storm}"), webhooks={"all": {}}, skew=timedelta(seconds=2)) as plant:
        plant.world.add_job("render", creation_time=plant.now - MINUTE, pool=POOL)
        for number in range(1, 13):
            plant.world.pools.set_node(POOL, f"tvm-{number}", at=plant.now)
        plant.chance.weather = STORMS[storm]
        for _ in range(150):
            if plant.chance.happens(0.4):
                change_one(plant)
            for process in plant.processes:
                plant.poll(process) if process.alive else plant.start(process)
            plant.run_for(MINUTE)
        plant.chance.weather = FINE
        plant.receivers["all"].mood = ReceiverMood.WELL
        for _ in range(50):
            for process in plant.processes:
                plant.poll(process) if process.alive else plant.start(process)
            plant.run_for(MINUTE)
        plant.witness.nodes.check_calm()
        check_end(plant)
        assert len(plant.witness.nodes.told) > 5
