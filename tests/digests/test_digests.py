"""Chat and pager hear how jobs stand: seldom, truly, and at least once."""

import json
import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.api.mutes import Mutes
from shared.digests.mutes import Mute
from shared.digests.rows import is_owed
from shared.ports import Delete
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.pools import Standstill
from shared.state.rows import OWN, from_row, job_key, webhook_key
from shared.state.telling import WebhookState
from tests.digests.told_world import World
from tests.support.fake_table import Fault
from tests.support.told_jobs import ACCOUNT, CHAT, webhook
from trials.promises.hearing import hear

ALL = (*CHAT, "pagerduty")
CHAT_IDS = pytest.mark.parametrize("chat", CHAT, ids=str)


@CHAT_IDS
def test_rolling_failure(chat: str) -> None:
    """Nodes that fail over an hour make at most six chat messages, every failure counted once, and one incident."""
    world = World(chat, "pagerduty")
    for _ in range(60):
        world.fail(200 // 60 + 1)
        world.tick()
    messages = world.told(chat)
    assert 2 <= len(messages) <= 6
    assert len({sent.body["dedup_key"] for sent in world.told("pagerduty")}) == 1
    assert set(world.actions()) == {"trigger"}
    world.tick(70)
    assert len(world.told(chat)) <= 6
    assert sum(_newly_failed(sent.text) for sent in world.told(chat)) == 240


@CHAT_IDS
def test_mass_failure(chat: str) -> None:
    """2,000 nodes that fail at once, in many transactions, make one message and one incident."""
    world = World(chat, "pagerduty")
    for _ in range(20):
        world.fail(100)
    world.tell()
    world.tick(180)
    (message,) = world.told(chat)
    assert "2000 newly failed" in message.text
    assert world.actions() == ["trigger"]


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


def test_hold_and_growing_pauses() -> None:
    """The first message waits ten seconds for its like, then come pauses of 5, 10, 20, 40 and 60 minutes."""
    world = World("slack")
    world.fail(1)
    assert world.tell() == world.now + timedelta(seconds=10)
    world.now += timedelta(seconds=9)
    world.tell()
    assert world.told("slack") == []
    world.now += timedelta(seconds=1)
    for _ in range(5 * 60):
        world.tell()
        world.now += timedelta(minutes=1)
        world.fail(1)
    times = [sent.at for sent in world.told("slack")]
    assert [(later - times[0]) // timedelta(minutes=1) for later in times] == [0, 5, 15, 35, 75, 135, 195, 255]


def test_resolved_waits_until_it_stays_so() -> None:
    """What works again is said to be over after ten minutes: what fails again sooner never was over."""
    world = World("slack")
    world.fail(1)
    world.tick()
    world.recover()
    world.tick(9)
    world.fail(1)
    world.recover()
    world.tick(9)
    assert len(world.told("slack")) == 1
    world.tick()
    assert "2 times" not in world.told("slack")[1].text
    assert "works again" in world.told("slack")[1].text


@pytest.mark.parametrize(
    ("other", "minutes"),
    [
        pytest.param({"code": "DiskFull"}, 5, id="a cause not told yet"),
        pytest.param({"pool_id": "pool-gpu"}, 5, id="a pool not told yet"),
        pytest.param({}, 20, id="merely another job"),
    ],
)
def test_what_shortens_the_wait(other: dict[str, str], minutes: int) -> None:
    """A cause or a pool that was not told yet waits five minutes, another job as long as the rest."""
    world = World("slack")
    for _ in range(20):
        world.fail(1)
        world.tick()
    assert len(world.told("slack")) == 3
    last = world.told("slack")[-1].at
    world.fail(1, "other")
    _, head = world.job("other")
    assert head is not None
    causes = tuple(replace(cause, code=other.get("code", cause.code)) for cause in head.causes)
    world.change("other", causes=causes, pool_id=other.get("pool_id", head.pool_id))
    world.tick(30)
    assert "other" in world.told("slack")[3].text
    waited = (world.told("slack")[3].at - last) // timedelta(minutes=1)
    assert waited in {minutes, minutes + 1}


@pytest.mark.parametrize("turn", ["begins", "ends"])
def test_a_standstill_and_its_end_shorten_the_wait(turn: str) -> None:
    """That nothing moves any more, or moves again, is told after five minutes, however long the pause has grown."""
    world = World("slack")
    standstill = Standstill(since=world.now, confirmed=True, pool_id="pool")
    if turn == "ends":
        world.change("other", stuck=standstill)
    for _ in range(20):
        world.fail(1)
        world.tick()
    last = world.told("slack")[-1].at
    world.change("other", stuck=standstill if turn == "begins" else None)
    world.tick(8)
    assert world.told("slack")[-1].at - last <= timedelta(minutes=6)


@CHAT_IDS
def test_thirty_jobs_with_one_cause(chat: str) -> None:
    """Their message names pool, number and cause first, gives the remedy once, and has at most 25 lines."""
    world = World(chat)
    for number in range(30):
        world.fail(38, f"render-{number:03}")
    world.tick()
    (message,) = world.told(chat)
    assert re.search(r"Preparation failed in 30 jobs of acc/pool, on up to 38 of 5000 nodes: \w+", message.text)
    assert message.text.count("What to do") == 1
    hearing = hear(chat, message.text.encode())
    assert len({part.job for part in hearing.parts if part.job.startswith("render-")}) == 8
    assert "and 22 more" in message.text


def test_quiet_hour_begins_anew() -> None:
    """After an hour without news the next failure is told as fast as the first."""
    world = World("slack")
    for _ in range(40):
        world.fail(1)
        world.tick()
    world.tick(150)
    before = len(world.told("slack"))
    world.fail(1)
    world.tick()
    assert len(world.told("slack")) == before + 1
    world.fail(1)
    world.tick(5)
    assert len(world.told("slack")) == before + 2


def test_many_jobs_one_message() -> None:
    """1,000 jobs that fail together make one chat message and one incident, all told once."""
    world = World(*ALL)
    for number in range(1000):
        world.fail(1, f"job-{number}")
    world.tick(8)
    for chat in CHAT:
        (message,) = world.told(chat)
        assert "1000 jobs" in message.text
    assert world.actions() == ["trigger"]


def _timeless(body: object) -> str:
    """A message without how long something has lasted when it was sent."""
    return re.sub(r" \([^()]*(minute|hour|day)[^()]*\)", "", json.dumps(body))


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_crash_between_send_and_told(kind: str) -> None:
    """A message whose record was lost is sent again, whole, when the lease has ended, and then no more."""
    world = World(kind)
    world.fail(7)
    world.tick()
    world.fail(5, "other")
    world.now += timedelta(minutes=10)
    before = len(world.sender.sent)
    world.sender.meanwhile = lambda: world.table.fail_next(Fault.BEFORE)
    world.tell()
    world.sender.meanwhile = lambda: None
    assert len(world.sender.sent) == before + 1
    world.now += timedelta(seconds=30)
    world.tell()
    assert len(world.sender.sent) == before + 1, "the lease is still held"
    world.tick(60)
    first, again = world.sender.sent[before:]
    assert _timeless(first.body) == _timeless(again.body)


def test_failure_during_the_sending_is_told_next() -> None:
    """What fails while a message is on its way is not taken as told by it."""
    world = World("slack")
    world.fail(7)
    world.now += timedelta(seconds=10)
    world.sender.meanwhile = lambda: world.fail(3)
    world.tell()
    world.sender.meanwhile = lambda: None
    world.tick(6)
    assert [_newly_failed(sent.text) for sent in world.told("slack")] == [7, 3]


def test_release_failure_during_the_sending_is_told_next() -> None:
    """The same holds where nothing is left open that would make anybody look again."""
    world = World("slack")
    world.change("nightly", release_failed_ever=4, release=PhaseCounts(failed=4))
    world.now += timedelta(seconds=10)
    world.sender.meanwhile = lambda: world.change("nightly", release_failed_ever=6, release=PhaseCounts(failed=6))
    world.tell()
    world.sender.meanwhile = lambda: None
    world.tick(6)
    assert [_newly_failed(sent.text) for sent in world.told("slack")] == [4, 2]


def test_two_at_once_send_once() -> None:
    """While one instance sends, another leaves the webhook alone."""
    world = World("slack")
    world.fail(7)
    world.now += timedelta(seconds=10)
    sender = world.sender

    def another() -> None:
        sender.meanwhile = lambda: None
        world.tell()

    sender.meanwhile = another
    world.tell()
    world.tick(60)
    assert len(world.told("slack")) == 1


def test_nothing_to_tell_costs_one_query_and_no_write() -> None:
    """Once told, an open failure makes no write and no message however long it stays."""
    world = World("slack")
    world.fail(7)
    world.tick()
    writes = len(world.table.writes)
    world.recover(left=3)
    world.tick(60)
    assert len(world.table.writes) == writes + 1, "the commit of the recovery itself"
    assert len(world.told("slack")) == 1


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


def test_failures_that_add_to_a_standstill_are_told_once_an_hour() -> None:
    """Who knows that a job stands still, and why, is not told of each further node that fails for the same cause."""
    world = World("slack")
    world.fail(7)
    world.tick(10)
    world.change("nightly", stuck=Standstill(since=world.now, confirmed=True))
    world.tick(2)
    told = len(world.told("slack"))
    for _ in range(20):
        world.tick(6)
        world.fail(1)
    assert len(world.told("slack")) - told == 2


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
    assert _newly_failed(world.told("slack")[1].text) == 2


@pytest.mark.parametrize("answer", [None, (500, b""), (403, b""), (400, b"invalid_blocks"), (200, b"<html>")])
def test_refused_messages_wait_and_are_not_lost(answer: tuple[int, bytes] | None) -> None:
    """A webhook that fails or refuses is probed every five minutes, and told everything when it is back."""
    world = World("slack")
    world.sender.answers["slack"] = answer
    world.fail(7)
    world.tick(120)
    assert 24 <= len(world.told("slack")) <= 27
    world.sender.answers.clear()
    world.fail(5)
    tried = len(world.told("slack"))
    world.tick(6)
    (message,) = world.told("slack")[tried:]
    assert _newly_failed(message.text) == 12


def test_failing_webhook_is_known_to_all() -> None:
    """Three connection errors in a row make a chat webhook failing, as deliveries do; a success heals it."""
    world = World("slack")
    world.sender.answers["slack"] = None
    world.fail(7)
    world.tick(30)
    assert _state(world).failing_since is not None
    world.sender.answers.clear()
    world.tick(90)
    assert _state(world).failing_since is None


def test_disabled_webhook_is_left_alone() -> None:
    """A chat that says that it is gone is not called again."""
    world = World("slack")
    world.sender.answers["slack"] = (404, b"no_service")
    world.fail(7)
    world.tick(120)
    assert len(world.told("slack")) == 1
    assert _state(world).disabled_since is not None


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


def _state(world: World) -> WebhookState:
    row = world.table.get(OWN, webhook_key("slack"))
    assert row is not None
    return from_row(row, WebhookState)


def _newly_failed(text: str) -> int:
    before, _, _ = text.partition(" newly failed")
    digits = before[-6:].rpartition(" ")[2].rpartition('"')[2]
    return int(digits) if digits.isdigit() else 0
