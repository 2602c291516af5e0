"""What the states of a pool's nodes mean."""

from collections.abc import Mapping

import pytest

from shared.pools.states import NodeClasses, classes_of


@pytest.mark.parametrize(
    ("by_state", "classes"),
    [
        ({}, NodeClasses()),
        ({"idle": 1, "running": 2}, NodeClasses(able=3)),
        ({"starttaskfailed": 1, "unusable": 2, "unknown": 3}, NodeClasses(unable=6)),
        (
            {"creating": 1, "starting": 1, "waitingforstarttask": 1, "rebooting": 1, "reimaging": 1, "upgradingos": 1},
            NodeClasses(on_the_way=6),
        ),
        (
            {"leavingpool": 1, "preempted": 1, "offline": 1, "deallocating": 1, "deallocated": 1},
            NodeClasses(away=5),
        ),
        ({"hibernating": 1}, NodeClasses(on_the_way=1)),
    ],
    ids=["none", "able", "unable", "on the way", "away", "unheard of"],
)
def test_every_state_has_its_class(by_state: Mapping[str, int], classes: NodeClasses) -> None:
    """Able, unable, on the way or away; of a state that is not known nothing bad is said."""
    assert classes_of(by_state) == classes
