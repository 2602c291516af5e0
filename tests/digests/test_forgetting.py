"""A job that chat or pager has still to be told of is not forgotten."""

from datetime import timedelta

import pytest

from shared.polling.cycle_rules import KnownJob
from shared.polling.known_jobs import LONGEST_KEPT_UNTOLD, JobHeadStore
from shared.state.jobs import JobEnd, PhaseCounts, Tracking
from shared.state.rows import digest_key
from tests.digests.told_world import World
from tests.support.told_jobs import ACCOUNT


def _forget(world: World) -> None:
    keeper = JobHeadStore(
        origin=world.origin,
        table=world.table,
        ledger=world.ledger,
        clock=lambda: world.now,
        first_sight=timedelta(hours=1),
        offer=lambda _: None,
    )
    row, head = world.job()
    assert head is not None
    keeper.forget({"nightly": KnownJob(head=head, row=row)}, world.now, world.now)


def _settled_world() -> World:
    """A job that failed, was told, ended and settled, without anybody being told of the end."""
    world = World("slack", "pagerduty")
    world.fail(3)
    world.tick()
    world.sender.answers = dict.fromkeys(("slack", "pagerduty"))
    ended = {"preparation": PhaseCounts(failed=3), "closed": JobEnd.ENDED}
    world.change("nightly", **ended, settled_at=world.now, tracking=Tracking.SETTLED)
    world.now += timedelta(days=2)
    return world


def test_kept_until_told() -> None:
    """A settled job stays while its end is not told, and then goes with what was told of it."""
    world = _settled_world()
    _forget(world)
    assert world.job()[1] is not None
    world.sender.answers = {}
    world.tick(65)
    assert world.actions()[-1] == "resolve"
    _forget(world)
    assert world.job()[1] is None
    assert world.table.get(ACCOUNT, digest_key("slack", "nightly")) is None
    assert world.table.get(ACCOUNT, digest_key("pagerduty", "nightly")) is None


@pytest.mark.parametrize("rest", [timedelta(hours=-1), timedelta(0)], ids=["not yet", "then"])
def test_not_kept_for_ever(rest: timedelta) -> None:
    """A receiver that is gone for good keeps a job no longer than a month."""
    world = _settled_world()
    world.now += LONGEST_KEPT_UNTOLD - timedelta(days=2) + rest
    _forget(world)
    assert (world.job()[1] is None) is (rest == timedelta(0))
