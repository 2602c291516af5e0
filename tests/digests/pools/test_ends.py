"""When what was told of a pool's nodes is over, and what is said then."""

import pytest

from tests.digests.pools.troubled_world import breaks, count_pools, job, over, said, set_pool, unable
from tests.digests.told_world import World


def test_what_only_left_is_not_green_and_ends_after_an_hour() -> None:
    """Nodes that were removed mend nothing: that is said without green, when the next ones had an hour to show."""
    world = World("slack", "pagerduty")
    nodes = breaks(world, 12)
    world.tick(30)
    set_pool(world, over(world, nodes, left=True))
    world.tick(58)
    assert len(world.sender.sent) == 2
    world.tick(10)
    assert said(world, "slack")[1:] == ["\N{LARGE BLUE CIRCLE} The nodes that could not work have left acc/pool"]
    assert "30 minutes, from 22:00 UTC" in world.told("slack")[1].text
    assert said(world, "pagerduty")[1:] == ["over"]


@pytest.mark.parametrize(
    ("mended", "left", "heading"),
    [
        (1, 3, "\N{LARGE BLUE CIRCLE} 1 of 4 nodes of acc/pool works again, 3 have left"),
        (3, 1, "\N{LARGE BLUE CIRCLE} 3 of 4 nodes of acc/pool work again, 1 has left"),
        (4, 0, "\N{LARGE GREEN CIRCLE} Nodes of acc/pool work again after 2 minutes"),
    ],
)
def test_only_what_was_mended_is_green(mended: int, left: int, heading: str) -> None:
    """Where some nodes became able and others were removed, both are said; the incident is over as soon."""
    world = World("slack", "pagerduty")
    nodes = breaks(world, 4, size=12)
    world.tick(2)
    set_pool(world, [*over(world, nodes[:mended]), *over(world, nodes[mended : mended + left], left=True)], size=12)
    world.tick(11)
    assert said(world, "slack")[1:] == [heading]
    assert said(world, "pagerduty")[1:] == ["over"]


def test_what_was_mended_before_its_job_ended_is_green() -> None:
    """That no job uses the pool any more takes nothing back: its nodes work again."""
    world = World("slack", "pagerduty")
    nodes = breaks(world, 12)
    world.tick(20)
    mended = over(world, nodes)
    set_pool(world, mended)
    world.tick(5)
    set_pool(world, mended, unwatched=True)
    world.tick(70)
    assert said(world, "slack")[1:] == ["\N{LARGE GREEN CIRCLE} Nodes of acc/pool work again after 20 minutes"]
    assert said(world, "pagerduty")[1:] == ["over"]


@pytest.mark.parametrize("unwatched", [False, True])
def test_of_a_pool_that_cannot_be_counted_nothing_is_told(unwatched: bool) -> None:  # noqa: FBT001 - a parameter
    """While the right to read pools is missing nobody can tell: neither more, nor once a day, nor that it is over."""
    world = World("slack", "pagerduty")
    job(world)
    nodes = breaks(world, 12)
    world.tick(30)
    set_pool(world, nodes, unwatched=unwatched)
    count_pools(world, None)
    world.tick(24 * 60)
    assert len(world.sender.sent) == 2
    set_pool(world, over(world, nodes))
    world.tick(12)
    assert said(world, "pagerduty")[1:] == ["over"]


def test_what_flaps_is_one_trouble() -> None:
    """Nodes that are replaced one by one, and fail again, neither end what was told nor begin it anew."""
    world = World("slack", "pagerduty")
    nodes = breaks(world, 4)
    for number in range(30):
        world.tick(5)
        gone, *rest = nodes
        nodes = [*rest, unable(f"next-{number}", world.now)]
        set_pool(world, [*over(world, [gone], left=True), *rest])
        world.tick(5)
        set_pool(world, nodes)
    assert len(world.told("slack")) == len(world.told("pagerduty")) == 1
