"""What was told to webhooks that are gone is forgotten, by the daily purge."""

from collections import Counter
from datetime import timedelta

from msgspec.structs import replace

from shared.api.mutes import Mutes
from shared.digests.mutes import Mute
from shared.ledger.purging import Purger
from shared.ports import Insert
from shared.state.rows import OWN, digest_key, pace_key, range_of, to_columns, webhook_key
from shared.state.telling import DeliveryState, WebhookState
from tests.digests.told_world import World
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import refusal
from tests.support.told_jobs import ACCOUNT as TOLD_ACCOUNT
from tests.support.webhook_settings import PAGER, SIGNED, SLACK


def _digests(deployment: Deployment) -> list[str]:
    return [row.key for row in deployment.table.query(ACCOUNT, *range_of("digest"))]


def test_webhooks_that_are_gone() -> None:
    """What a webhook was told goes with its place in the settings, or its format; what others were told stays."""
    table = FakeTable()
    renamed = {**SLACK, "name": "ops"}
    before = deploy(SLACK, PAGER, renamed, table=table)
    before.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    before.poll()
    assert len(_digests(before)) > 3
    after = deploy({**SLACK, "enabled": False}, SIGNED, table=table)
    after.app.purger.run()
    assert _digests(after) == [pace_key("chat"), digest_key("chat", "job-1")]


def test_a_webhook_that_takes_an_old_name_is_not_held_off() -> None:
    """That a webhook was switched off or failed goes with its place in the settings; what is known of others stays."""
    table = FakeTable()
    deploy(SIGNED, SLACK, table=table)
    for name in (SIGNED["name"], SLACK["name"]):
        state = WebhookState(name=str(name), failures=4, disabled_since=NOW)
        table.transact(OWN, [Insert(key=webhook_key(str(name)), columns=to_columns(state))])
    deploy(SLACK, table=table).app.purger.run()
    assert [row.key for row in table.query(OWN, *range_of("webhook"))] == [webhook_key(str(SLACK["name"]))]


def test_mutes_that_ended_long_ago() -> None:
    """A mute is listed for as long as events are after its end, and then goes: each one from the page is a row."""
    deployment = deploy(RETENTION_DAYS="5")
    mutes = Mutes(table=deployment.table, clock=deployment.clock)
    mute = Mute(jobs=("*",), starts_at=NOW, ends_at=NOW + timedelta(hours=1), created_by="op", comment="known")
    mutes.put_mute("over", mute)
    mutes.put_mute("later", replace(mute, ends_at=NOW + timedelta(days=2)))
    deployment.clock.advance(days=5, minutes=59)
    deployment.app.purger.run()
    assert [one.name for one in mutes.list_mutes()] == ["later", "over"]
    deployment.clock.advance(minutes=2)
    deployment.app.purger.run()
    assert [one.name for one in mutes.list_mutes()] == ["later"]


def test_rows_of_a_newer_version_stay() -> None:
    """A row that only a newer version can read is not judged by this one."""
    world = World("slack")
    world.fail(1)
    world.tick()
    purger = Purger(
        table=world.table,
        clock=lambda: world.now,
        accounts=(TOLD_ACCOUNT,),
        webhooks=(),
        digest_webhooks=(),
        retention=timedelta(days=30),
    )
    key = digest_key("slack", "nightly")
    row = world.table.get(TOLD_ACCOUNT, key)
    assert row is not None
    world.rewrite(key, {**row.columns, "v": 99})
    purger.run()
    assert [row.key for row in world.table.query(TOLD_ACCOUNT, *range_of("digest"))] == [key]


def test_deliveries_to_webhooks_that_are_gone() -> None:
    """What was due to a webhook that is no longer configured is closed, which is no fault, and goes when it is old."""
    table = FakeTable()
    before = deploy(SIGNED, table=table, accounts=2)
    before.sender.answer = refusal(503)
    before.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    before.poll()
    after = deploy(SLACK, table=table, accounts=2)
    after.clock.advance(days=1)
    after.poll()
    assert _deliveries(after) == {DeliveryState.DONE: 1}
    after.clock.advance(days=31)
    after.app.purger.run()
    assert _deliveries(after) == {}


def _deliveries(deployment: Deployment) -> Counter[DeliveryState]:
    """What is kept of deliveries to ops, by state."""
    return Counter(
        state
        for state in DeliveryState
        for partition in (ACCOUNT, OTHER_ACCOUNT, OWN)
        for _ in deployment.table.query(partition, *range_of(f"{state.value}|ops"))
    )
