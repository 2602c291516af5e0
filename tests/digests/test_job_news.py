"""What of a job is news to chat and pager, and what is held back."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from shared.api.mutes import Mutes
from shared.digests.mutes import Mute
from shared.digests.rows import is_owed
from shared.ports import Delete
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.pools import EndedStandstill, Standstill, StandstillEnd, StandstillReason
from shared.state.rows import digest_key, job_key
from shared.state.telling import Told
from tests.digests.paged_world import cause, fail, stands_still
from tests.digests.told_world import ALL, World, newly_failed
from tests.support.told_jobs import ACCOUNT, CHAT, webhook


@pytest.mark.parametrize("end", [None, JobEnd.ENDED])
def test_resolved_once(end: JobEnd | None) -> None:
    """After recovery or the job's end each chat gets one resolved message, and the pager one resolve."""
    world = World(*ALL)
    world.fail(30)
    world.tick(7)
    if end is None:
        world.recover()
    else:
        world.change("nightly", preparation=PhaseCounts(failed=30), closed=end)
    world.tick(180)
    for chat in CHAT:
        first, last = world.told(chat)
        assert "works again" not in first.text
        assert (
            "Preparation works again after" if end is None else "Ended, preparation had failed on 30 of 5000 nodes"
        ) in last.text
    assert world.actions() == ["trigger", "resolve"]
    assert len({sent.body["dedup_key"] for sent in world.told("pagerduty")}) == 1


def test_mute_over_night() -> None:
    """A muted job is left out until the mute ends and is then told; others are told meanwhile."""
    world = World(*ALL)
    _mute(world, hours=8)
    world.fail(7)
    world.fail(5, "other")
    world.tick(60)
    for name in ("teams", "slack", "pagerduty"):
        (sent,) = world.told(name)
        assert "other" in sent.text
        assert "nightly" not in sent.text
    assert world.tell() == world.now + timedelta(hours=7)
    world.tick(7 * 60 + 6)
    for name in ("teams", "slack", "pagerduty"):
        assert "nightly" in world.told(name)[1].text
        assert len(world.told(name)) == 2


def test_mute_lets_the_end_pass() -> None:
    """What was told before a mute is resolved in spite of it."""
    world = World(*ALL)
    world.fail(7)
    world.tick()
    _mute(world, hours=8)
    world.recover()
    world.tick(12)
    assert "works again" in world.told("slack")[1].text
    assert world.actions() == ["trigger", "resolve"]


def test_stuck() -> None:
    """A job that gets stuck after its failures were told is told again, and pages by an incident of its own."""
    world = World(*ALL)
    world.fail(7)
    world.tick(10)
    world.change("nightly", stuck=Standstill(since=world.now, confirmed=True))
    world.tick(10)
    assert "stands still" in world.told("teams")[1].text
    assert [sent.body["payload"]["severity"] for sent in world.told("pagerduty")] == ["error", "critical"]  # type: ignore[index]  # JSON


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (None, ["oves again"]),
        (StandstillEnd.JOB_DISABLED, ["isabled while it stood still"]),
        (StandstillEnd.JOB_ENDED, []),
    ],
)
def test_a_job_that_ends_while_it_stands_still_ends_once(why: StandstillEnd | None, said: list[str]) -> None:
    """What keeps a job that has ended from going on ends in one message, be it seen before the end of its failures."""
    world = World(*CHAT)
    world.fail(7)
    world.change("nightly", stuck=Standstill(since=world.now, confirmed=True))
    world.tick(70)
    world.change("nightly", stuck=None, stuck_ended=EndedStandstill(at=world.now, why=why))
    world.tick(70)
    world.change("nightly", preparation=PhaseCounts(failed=7), closed=JobEnd.ENDED)
    world.tick(70)
    for chat in CHAT:
        _, *ends = world.told(chat)
        for end, words in zip(ends, [*said, "Ended, preparation had failed on 7 of"], strict=True):
            assert words in end.text


def test_release_failures() -> None:
    """Chat hears of release failures once."""
    world = World(*CHAT)
    world.change("nightly", release=PhaseCounts(failed=4), release_failed_ever=4, closed=JobEnd.ENDED)
    world.tick(150)
    assert len(world.told("slack")) == 1
    assert "elease failed on 4 of" in world.told("slack")[0].text


def test_over_before_told() -> None:
    """A failure that is over before anybody could be told is counted in chat, and pages nobody."""
    world = World(*ALL)
    world.fail(3)
    world.recover()
    world.tick(10)
    assert "3 newly failed" in world.told("slack")[0].text
    assert len(world.told("slack")) == 1
    assert world.actions() == []


def test_job_that_begins_anew() -> None:
    """Failures of a job that is counted anew are news, however many the one before had."""
    world = World("slack")
    world.fail(50)
    world.tick(10)
    world.change(
        "nightly",
        first_seen_at=world.now,
        preparation=PhaseCounts(failed=2, open=2),
        preparation_failed_ever=2,
    )
    world.tick(10)
    assert newly_failed(world.told("slack")[1].text) == 2


def test_job_without_a_head() -> None:
    """What was told of a job whose head is lost is resolved once, and then nobody looks for the job any more."""
    world = World(*ALL)
    world.fail(7)
    world.tick()
    world.table.transact(ACCOUNT, [Delete(key=job_key("nightly"))])
    world.tick(65)
    assert [len(world.told(name)) for name in ("teams", "slack", "pagerduty")] == [2, 2, 2]
    assert world.actions() == ["trigger", "resolve"]
    world.table.reads.clear()
    world.tick()
    assert ("get", ACCOUNT, job_key("nightly")) not in world.table.reads


def test_event_filter() -> None:
    """A webhook hears only of the events that it asks for, and what it does not want keeps no head."""
    hook = webhook("slack", events=("release.*",))
    world = World(webhooks=[hook])
    world.fail(7)
    world.tick(30)
    assert world.told("slack") == []
    _, head = world.job()
    assert head is not None
    assert not is_owed(world.table, ACCOUNT, hook, head, world.now)
    world.change("nightly", release=PhaseCounts(failed=4), release_failed_ever=4)
    assert is_owed(world.table, ACCOUNT, hook, world.job()[1] or head, world.now)
    world.tick(30)
    assert "4 newly failed" in world.told("slack")[0].text
    assert not is_owed(world.table, ACCOUNT, hook, world.job()[1] or head, world.now)


def _mute(world: World, *, hours: int) -> None:
    mutes = Mutes(table=world.table, clock=lambda: world.now)
    until = world.now + timedelta(hours=hours)
    mutes.put_mute(
        "night", Mute(jobs=("NIGHT*",), starts_at=world.now, ends_at=until, created_by="op", comment="known")
    )


@pytest.mark.parametrize("kept", [True, False])
def test_another_reason_of_a_standstill(*, kept: bool) -> None:
    """Chat hears once why a job stands still by now, and the pager has an incident for it.

    Chat does not where a version before told it, which kept no reason.
    """
    world = World(*ALL)
    stuck = Standstill(since=world.now, confirmed=True, reason=StandstillReason.RESIZE_FAILED, pool_id="pool-1")
    world.change("nightly", stuck=stuck)
    world.tick(20)
    if not kept:
        _forget_the_reason(world)
    world.change("nightly", stuck=replace(stuck, reason=StandstillReason.START_TASK_FAILED))
    world.tick(20)
    for chat in CHAT:
        messages = [sent.text for sent in world.told(chat)]
        assert "the pool asks for nodes and gets none" in messages[0]
        assert ["the start task failed" in text for text in messages[1:]] == [True] * kept
    assert world.actions() == ["trigger", "trigger", "resolve"]
    first, second, over = (sent.body for sent in world.told("pagerduty"))
    assert (first["dedup_key"], first["dedup_key"] != second["dedup_key"]) == (over["dedup_key"], True)


def _forget_the_reason(world: World) -> None:
    for name in CHAT:
        row = world.table.get(ACCOUNT, digest_key(name, "nightly"))
        assert row is not None
        told = msgspec.msgpack.decode(row.columns["said"], type=Told)  # type: ignore[arg-type] # its bytes
        said = msgspec.msgpack.encode(replace(told, stuck_reason=None))
        world.rewrite(row.key, {**row.columns, "said": said})


@pytest.mark.parametrize("kind", CHAT)
def test_a_new_chat_hears_how_many_jobs_stand_still(kind: str) -> None:
    """What it begins with is that nothing of these jobs runs, not that they still fail."""
    world = World(webhooks=[webhook("cloudevents", name="ops")])
    for number in range(3):
        fail(world, f"job-{number}", cause(world))
    for job in ("job-0", "job-1"):
        world.change(job, stuck=stands_still(world))
    world.now += timedelta(days=14)
    world.webhooks = world.sender.webhooks = (webhook(kind),)
    world.tick(2)
    assert "2 jobs stand still, 1 job still fails: acc/pool-cpu" in world.told(kind)[0].text


def test_failed_mended_and_ended_before_anybody_was_told() -> None:
    """It is told as what it was: mended, and no warning."""
    world = World("slack")
    world.fail(3)
    world.change("nightly", preparation=PhaseCounts(succeeded=3), closed=JobEnd.ENDED, mended=True, causes=())
    world.tick()
    (sent,) = world.told("slack")
    assert "\N{LARGE BLUE CIRCLE} Preparation failed 3 times, mended since" in sent.text
    assert "3 newly failed; mended before the job ended" in sent.text
