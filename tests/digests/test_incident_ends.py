"""Mutes, releases, upgrades: what opens no incident, and which one an end is sent to."""

from datetime import timedelta

import msgspec
import pytest

from shared.api.mutes import Mutes
from shared.batch.causes import EXIT_CODE
from shared.batch.model import Phase
from shared.digests.mutes import Mute
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.pools import EndedStandstill, StandstillEnd
from shared.state.rows import SCHEMA_VERSION, digest_key
from shared.state.telling import Told
from tests.digests.paged_world import (
    POOL,
    cause,
    fail,
    mend,
    page,
    stands_still,
)
from tests.digests.told_world import World
from tests.support.fake_table import Fault
from tests.support.told_jobs import ACCOUNT, webhook


def mute(world: World, **what: tuple[str, ...]) -> None:
    """Let somebody want quiet for a night."""
    ends_at = world.now + timedelta(hours=8)
    night = Mute(**what, starts_at=world.now, ends_at=ends_at, created_by="op", comment="known")
    Mutes(table=world.table, clock=lambda: world.now).put_mute("night", night)


@pytest.mark.parametrize("what", [{"jobs": ("night*",)}, {"pools": (POOL,)}], ids=["job", "pool"])
def test_a_muted_job_opens_nothing_and_joins_nothing(what: dict[str, tuple[str, ...]]) -> None:
    """What fails under a mute is paged when the mute ends, and never if it is mended by then."""
    world = World("pagerduty")
    mute(world, **what)
    fail(world, "nightly-1", cause(world))
    fail(world, "nightly-2", cause(world))
    world.tick(60)
    mend(world, "nightly-2")
    world.tick(60)
    assert world.actions() == []
    world.tick(7 * 60)
    (sent,) = world.told("pagerduty")
    assert "Preparation failed in nightly-1 of" in str(page(sent)["summary"])


def test_twenty_jobs_that_fail_and_are_mended_during_a_mute() -> None:
    """Nobody is paged for what is over; chat hears of it in one message when the mute ends."""
    world = World("pagerduty", "slack")
    mute(world, jobs=("night*",))
    for number in range(20):
        fail(world, f"nightly-{number}", cause(world))
    world.tick(60)
    for number in range(20):
        mend(world, f"nightly-{number}")
    world.tick(8 * 60)
    assert world.told("pagerduty") == []
    (told,) = world.told("slack")
    assert "20 jobs" in told.text


def test_a_mute_of_one_member() -> None:
    """A muted job is left out of its incident's news; what it had joined before holds until it is mended."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    fail(world, "render", cause(world))
    world.tick()
    mute(world, jobs=("nightly",))
    fail(world, "nightly", cause(world, nodes=9))
    mend(world, "render")
    world.tick(60)
    assert world.actions() == ["trigger"]
    mend(world, "nightly")
    world.tick(12)
    assert world.actions() == ["trigger", "resolve"]


def test_nobody_is_called_for_what_is_over() -> None:
    """A failure that was mended before the first page leaves nothing to tell, and is not looked at again."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    mend(world, "nightly")
    world.tick(60)
    assert world.sender.sent == []
    reads = len(world.table.reads)
    world.tick()
    assert len(world.table.reads) - reads <= 5


@pytest.mark.parametrize("mended", [False, True])
@pytest.mark.parametrize("code", ["DiskFull", EXIT_CODE])
def test_release_failures_are_a_warning_for_an_hour(code: str, *, mended: bool) -> None:
    """They are paged once, whatever becomes of the job, and closed an hour after the last of them: nothing mends them.

    That what failed in preparation was mended before the job ended says nothing about them.
    """
    world = World("pagerduty")
    released = cause(world, code, phase=Phase.RELEASE)
    fields = {"release": PhaseCounts(failed=3), "release_failed_ever": 3, "closed": JobEnd.ENDED, "pool_id": POOL}
    world.change("nightly", **fields, mended=mended, causes=(released,))
    world.tick(50)
    more = msgspec.structs.replace(released, nodes=4, last_seen=world.now)
    world.change("nightly", **{**fields, "release_failed_ever": 4}, causes=(more,))
    world.tick(30)
    assert world.actions() == ["trigger", "trigger"]
    assert page(world.told("pagerduty")[0])["severity"] == "warning"
    world.tick(40)
    assert world.actions() == ["trigger", "trigger", "resolve"]
    world.tick(200)
    assert len(world.actions()) == 3


@pytest.mark.parametrize(
    ("why", "resolved_after"),
    [(None, 10), (StandstillEnd.JOB_DISABLED, 60), (StandstillEnd.NOBODY_WAITS, 60)],
    ids=["moves", "disabled", "nobody waits"],
)
def test_a_standstill_that_only_went_away_may_come_back(why: StandstillEnd | None, resolved_after: int) -> None:
    """Who disables a job mends nothing: enabled on the same broken pool within the hour it calls nobody again."""
    world = World("pagerduty")
    world.change("nightly", pool_id=POOL, stuck=stands_still(world))
    world.tick(20)
    world.change("nightly", stuck=None, stuck_ended=EndedStandstill(at=world.now, why=why))
    world.tick(resolved_after - 2)
    assert world.actions() == ["trigger"]
    world.change("nightly", stuck=stands_still(world))
    world.tick(20)
    assert world.actions() == ["trigger"]
    world.change("nightly", stuck=None, stuck_ended=EndedStandstill(at=world.now, why=why))
    world.tick(resolved_after + 2)
    assert world.actions() == ["trigger", "resolve"]


def _told_by_the_version_before(world: World, job: str, told: Told) -> None:
    said = msgspec.msgpack.encode(told)
    world.rewrite(digest_key("pagerduty", job), {"v": SCHEMA_VERSION, "wanted": 1, "told": 1, "said": said})


def test_what_the_version_before_opened_is_ended_under_its_key() -> None:
    """An upgrade pages nobody again; a new standstill does, and the old incident ends under its own key."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    _, head = world.job()
    assert head is not None
    told = Told(job_id="nightly", counted_from=head.ever.since, preparation=3, standing=True, at=world.now)
    _told_by_the_version_before(world, "nightly", told)
    world.tick(30)
    assert world.actions() == []
    world.change("nightly", stuck=stands_still(world))
    world.tick()
    (sent,) = world.told("pagerduty")
    assert page(sent)["severity"] == "critical"
    world.change("nightly", stuck=None)
    mend(world, "nightly")
    world.tick(12)
    ended = [str(each.body["dedup_key"]) for each in world.told("pagerduty")[1:]]
    assert sorted(ended) == sorted([f"prepwatch:job:{ACCOUNT}:nightly", str(sent.body["dedup_key"])])
    world.tick(60)
    assert len(world.told("pagerduty")) == 3


def test_two_pagers_have_incidents_of_their_own() -> None:
    """The key carries the webhook's name: what one team's filters end does not end the other team's incident."""
    world = World(webhooks=[webhook("pagerduty"), webhook("pagerduty", name="team", jobs=("render*",))])
    fail(world, "nightly", cause(world))
    fail(world, "render", cause(world))
    world.tick()
    mend(world, "render")
    world.tick(15)
    keys = sorted({str(sent.body["dedup_key"]).split(":")[1] for sent in world.sender.sent})
    assert keys == ["pagerduty", "team"]
    assert world.actions() == ["trigger"]
    assert [sent.body["event_action"] for sent in world.told("team")] == ["trigger", "resolve"]


def test_a_page_whose_record_was_lost_is_ended_all_the_same() -> None:
    """Whoever dies after a page opened an incident leaves one that is ended, though what it told of is mended now."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    world.now += timedelta(seconds=10)
    world.sender.meanwhile = lambda: world.table.fail_next(Fault.BEFORE)
    world.tell()
    world.sender.meanwhile = lambda: None
    mend(world, "nightly")
    world.tick(90)
    assert world.actions() == ["trigger", "resolve"]
    assert len({sent.body["dedup_key"] for sent in world.told("pagerduty")}) == 1


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        pytest.param((400, b"invalid field"), [], id="called wrong"),
        pytest.param(None, ["resolve"], id="connection lost"),
    ],
)
def test_an_incident_that_the_pager_never_opened_has_no_end(answer: tuple[int, bytes] | None, end: list[str]) -> None:
    """What is mended before a page of it was taken is closed only if the page may have been taken after all."""
    world = World("pagerduty")
    world.sender.answers["pagerduty"] = answer
    fail(world, "nightly", cause(world))
    world.tick(3)
    mend(world, "nightly")
    opening, *_ = tried = list(world.sender.sent)
    world.sender.answers.clear()
    world.tick(90)
    later = [sent for sent in world.sender.sent[len(tried) :] if sent.body["dedup_key"] == opening.body["dedup_key"]]
    assert [sent.body["event_action"] for sent in later] == end
