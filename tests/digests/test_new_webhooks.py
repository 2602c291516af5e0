"""A chat or pager webhook that is new, or was switched off, is told what stands, in one message and as what stands."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.api.mutes import Mutes
from shared.batch.model import Phase
from shared.delivery.failing_rules import disable, enable
from shared.delivery.webhook_states import change_webhook
from shared.digests.mutes import Mute
from shared.ledger.ledger import Ledger
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.rows import digest_key, pace_key
from shared.webhook import Webhook
from tests.digests.paged_world import cause, fail, incidents, mend, page, stands_still
from tests.digests.told_world import World
from tests.support.fake_table import Fault
from tests.support.told_jobs import ACCOUNT, webhook

KINDS = ["slack", "teams", "pagerduty"]


def _settings(world: World, webhooks: Sequence[Webhook]) -> None:
    """Go on with these webhooks."""
    world.webhooks = world.sender.webhooks = tuple(webhooks)
    world.ledger = Ledger(table=world.table, account=ACCOUNT, webhooks=world.webhooks, new_id=world.new_id)


def _disable(world: World, name: str) -> None:
    """Let a person switch a webhook off."""
    deliverer = world.deliverer()
    change_webhook(
        world.table, deliverer.own_ledger, deliverer.own, name, lambda state: disable(state, world.now), world.now
    )


def _enable(world: World, name: str) -> None:
    """Let a person allow a webhook that is disabled to be told again."""
    world.sender.answers.clear()
    deliverer = world.deliverer()
    change_webhook(
        world.table, deliverer.own_ledger, deliverer.own, name, lambda state: enable(state, world.now), world.now
    )


def _go(world: World, name: str) -> None:
    """Let a receiver say that it is gone for good, asked by one more failure."""
    world.sender.answers[name] = (410, b"")
    fail(world, "asked", cause(world, "Asked"))
    world.tick(10)
    world.sender.sent.clear()


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


@pytest.mark.parametrize("switch_off", [_disable, _go])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_disabled_is_told_what_stands(kind: str, switch_off: Callable[[World, str], None]) -> None:
    """By a person or by its receiver: what began meanwhile is one message or page, none of it as new, then silence."""
    world = World(kind)
    fail(world, "known", cause(world, "Known"))
    world.tick(3)
    world.sender.sent.clear()
    switch_off(world, kind)
    for number in range(12):
        fail(world, f"job-{number}", cause(world, f"Code{number}"))
        world.tick()
    assert world.told(kind) == []
    _enable(world, kind)
    world.tick(200)
    (told,) = (sent for sent in world.told(kind) if "job-11" in sent.text or "12 jobs" in sent.text)
    assert "newly failed" not in told.text
    assert "12 jobs" in told.text or "13 jobs" in told.text
    for number in range(12):
        mend(world, f"job-{number}")
    mend(world, "asked")
    world.tick(90)
    # The incident of which it was told when it was gone may be open, and keeps its key.
    opened = 0 if kind != "pagerduty" else 2 if switch_off is _go else 1
    assert list(incidents(world).values()) == [["trigger", "resolve"]] * opened or kind != "pagerduty"


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_later_is_new(kind: str) -> None:
    """Only what began while it was disabled is told as what stands, also where that was over before it could be."""
    world = World(kind)
    fail(world, "nightly-1", cause(world, "Known"))
    world.tick(3)
    _disable(world, kind)
    fail(world, "weekly-1", cause(world, "Weekly"))
    world.tick()
    mutes = Mutes(table=world.table, clock=lambda: world.now)
    until = world.now + timedelta(minutes=30)
    mute = Mute(jobs=("weekly-*",), starts_at=world.now, ends_at=until, created_by="op", comment="known")
    mutes.put_mute("weekly", mute)
    _enable(world, kind)
    world.tick(5)
    mend(world, "weekly-1")
    world.tick(100)
    world.sender.sent.clear()
    fail(world, "weekly-1", cause(world, "Other"))
    world.tick(60)
    (told,) = world.told(kind)
    assert "weekly-1" in told.text
    assert "newly failed" in told.text or kind == "pagerduty"
    assert "switched on" not in told.text


@pytest.mark.parametrize("kind", KINDS)
def test_more_of_what_it_knew_is_told_where_it_was(kind: str) -> None:
    """A job that it knew of and that failed on more nodes meanwhile is no new incident, and its end is told."""
    world = World(kind)
    fail(world, "known", cause(world, nodes=3))
    world.tick(3)
    _disable(world, kind)
    fail(world, "known", cause(world, nodes=7))
    world.tick(30)
    world.sender.sent.clear()
    _enable(world, kind)
    world.tick(60)
    (told,) = world.told(kind)
    assert "newly failed" not in told.text
    assert "7 of 40" in told.text
    mend(world, "known")
    world.tick(90)
    assert kind != "pagerduty" or list(incidents(world).values()) == [["trigger", "resolve"]]
    assert len(world.told(kind)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_under_way_is_not_repeated(kind: str) -> None:
    """Who disables a webhook while it is being told takes nothing from whoever tells it."""
    world = World(kind)
    fail(world, "known", cause(world, "Known"))

    def disable_meanwhile() -> None:
        world.sender.meanwhile = lambda: None
        _disable(world, kind)
        world.tell()

    world.sender.meanwhile = disable_meanwhile
    world.tick(10)
    _enable(world, kind)
    world.tick(60)
    assert len(world.told(kind)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_releases_that_failed_meanwhile_are_told(kind: str) -> None:
    """They do not go on, and nobody would hear of them else: one message or page."""
    world = World(kind)
    world.tick()
    _disable(world, kind)
    world.tick()
    for number in range(4):
        why = cause(world, f"Code{number}", phase=Phase.RELEASE)
        world.change(f"job-{number}", causes=(why,), release=PhaseCounts(failed=3), release_failed_ever=3)
    world.tick()
    _enable(world, kind)
    world.tick(90)
    assert "4 jobs" in world.told(kind)[0].text
    assert len(world.told(kind)) == (2 if kind == "pagerduty" else 1)
    assert kind != "pagerduty" or world.actions() == ["trigger", "resolve"]


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


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_too_long_stands_too(kind: str) -> None:
    """A new chat is told of a preparation that hangs since before it was there, and a new pager is not called."""
    world = World(webhooks=[webhook("cloudevents", name="ops")])
    hangs = PhaseCounts(running=2, slow=2)
    world.change("nightly", nodes=60, preparation=hangs, slow_turned_at=world.now)
    _settings(world, [webhook(kind)])
    world.tick(40)
    assert len(world.sender.sent) == (kind != "pagerduty")
    assert all("takes too long on 2 of 60 nodes" in request.text for request in world.sender.sent)
