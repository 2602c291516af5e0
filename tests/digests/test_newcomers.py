"""A chat or pager webhook that is new, or was switched off, is told what stands, in one message and as what stands."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.ledger.ledger import Ledger
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.rows import digest_key, pace_key
from shared.webhook import Webhook
from tests.digests.paged_world import cause, fail, page, stands_still
from tests.digests.told_world import World
from tests.support.fake_table import Fault
from tests.support.told_jobs import ACCOUNT, webhook

KINDS = ["slack", "teams", "pagerduty"]


def _settings(world: World, webhooks: Sequence[Webhook]) -> None:
    """Go on with these webhooks."""
    world.webhooks = world.sender.webhooks = tuple(webhooks)
    world.ledger = Ledger(table=world.table, account=ACCOUNT, webhooks=world.webhooks, new_id=world.new_id)


def _failing_for_weeks(jobs: int = 12) -> World:
    """An account in which jobs fail for causes of their own, known to nobody but a program."""
    world = World(webhooks=[webhook("cloudevents", name="ops")])
    for number in range(jobs):
        fail(world, f"job-{number}", cause(world, f"Code{number}"))
    world.now += timedelta(days=14)
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_new_is_told_what_stands_in_one_message(kind: str) -> None:
    """One message or page for all of it, none of it as new, and nothing again."""
    world = _failing_for_weeks()
    _settings(world, [webhook(kind)])
    world.tick(200)
    (told,) = world.told(kind)
    assert "newly failed" not in told.text
    assert "12 jobs" in told.text or "12 nodes" in told.text


@pytest.mark.parametrize("kind", KINDS)
def test_its_end_is_told(kind: str) -> None:
    """Once all of it is mended the message or the incident has its end."""
    world = _failing_for_weeks(3)
    _settings(world, [webhook(kind)])
    world.tick(10)
    for number in range(3):
        world.change(f"job-{number}", causes=(), preparation=PhaseCounts(succeeded=40))
    world.tick(90)
    first, last = world.told(kind)
    assert first.text != last.text
    assert kind != "pagerduty" or world.actions() == ["trigger", "resolve"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_then_is_new(kind: str) -> None:
    """What stood is not counted again in what comes after."""
    world = _failing_for_weeks(2)
    _settings(world, [webhook(kind)])
    world.tick(10)
    fail(world, "job-9", cause(world, "Other"))
    world.tick(100)
    _, second = world.told(kind)
    assert "job-9" in second.text
    assert "job-1" not in second.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_cycle_beside_old_failures_is_silent(kind: str) -> None:
    """What ended before a job was first seen was announced to nobody: 300 such jobs are no storm."""
    world = World(kind)
    for number in range(300):
        old = PhaseCounts(failed=3, open=3)
        world.change(f"job-{number}", generation=0, preparation=old, preparation_failed_ever=0)
    world.tick(5)
    assert world.sender.sent == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_switched_off_is_told_what_stands(kind: str) -> None:
    """What began while it was off is in one message when it is on again; what it knew is not told again."""
    world = World(kind)
    hooks = world.webhooks
    fail(world, "known", cause(world, "Known"))
    world.tick(3)
    world.sender.sent.clear()
    _settings(world, [replace(each, enabled=False) for each in hooks])
    world.tick(60)
    for number in range(3):
        fail(world, f"job-{number}", cause(world, "Same"))
    _settings(world, hooks)
    world.tick(60)
    (told,) = world.told(kind)
    assert "known" not in told.text
    assert all(f"job-{number}" in told.text for number in range(3))


@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_tells_nothing_again(kind: str) -> None:
    """A version before has kept no word of it, and has told what its rows say."""
    world = World(kind)
    fail(world, "nightly", cause(world))
    world.tick(3)
    row = world.table.get(ACCOUNT, pace_key(kind))
    assert row is not None
    world.rewrite(row.key, {name: value for name, value in row.columns.items() if name != "catching_up"})
    world.sender.sent.clear()
    world.tick(60)
    assert world.sender.sent == []


def test_a_pager_hears_of_a_standstill_as_critical() -> None:
    """The page of what stands is as bad as the worst of it, and says what that is."""
    world = _failing_for_weeks(2)
    world.change("job-0", stuck=stands_still(world))
    _settings(world, [webhook("pagerduty")])
    world.tick(10)
    (told,) = world.told("pagerduty")
    assert page(told)["severity"] == "critical"
    assert "failed before this pager was added or switched on" in told.text


def test_more_than_one_transaction_holds() -> None:
    """Three hundred jobs that stand are one message, also when the process dies while it is prepared."""
    world = _failing_for_weeks(300)
    _settings(world, [webhook("slack")])
    world.table.fail_next(Fault.AFTER, lambda _partition, operations: len(operations) > 50)
    world.tick(10)
    assert len(world.told("slack")) == 1
    assert world.table.get(ACCOUNT, digest_key("slack", "job-299")) is not None


def test_what_is_over_by_then_is_not_told() -> None:
    """A job that ended before the first look concerns nobody."""
    world = _failing_for_weeks(1)
    world.change("job-0", closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3), causes=())
    _settings(world, [webhook("slack")])
    world.tick(20)
    assert world.sender.sent == []
