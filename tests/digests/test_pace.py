"""How often chat and pager are told: seldom, and soon what they do not know yet."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.state.pools import Standstill
from tests.digests.told_world import ALL, World, newly_failed
from tests.support.told_jobs import CHAT
from trials.promises.bodies import read_message

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
    assert sum(newly_failed(sent.text) for sent in world.told(chat)) == 240


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


def test_a_job_that_stands_still_again_shortens_the_wait() -> None:
    """Who was told that all is well with it must not go on believing that, though the reason is one they know."""
    world = World("slack")
    world.change("other", stuck=Standstill(since=world.now, confirmed=True, pool_id="pool"))
    for _ in range(20):
        world.fail(1)
        world.tick()
    world.change("other", stuck=None)
    world.tick(8)
    last = world.told("slack")[-1]
    assert "1 job works again" in last.text
    world.change("other", stuck=Standstill(since=world.now, confirmed=True, pool_id="pool"))
    world.tick(2)
    assert "other of acc/pool stands still" in world.told("slack")[-1].text


def test_another_job_that_stands_still_waits_like_others() -> None:
    """Nobody believes anything of a job that they were never told of, and they know the reason."""
    world = World("slack")
    world.change("other", stuck=Standstill(since=world.now, confirmed=True, pool_id="pool"))
    for _ in range(20):
        world.fail(1)
        world.tick()
    last = world.told("slack")[-1]
    world.change("another", stuck=Standstill(since=world.now, confirmed=True, pool_id="pool"))
    world.tick(8)
    assert world.told("slack")[-1] is last
    world.tick(30)
    assert "another" in world.told("slack")[-1].text


def test_what_turns_in_one_cycle_is_told_together() -> None:
    """Jobs are read one after the other: what works again since one cycle is one message."""
    world = World("slack")
    for number in range(3):
        world.fail(2, f"job-{number}")
    world.tick(6)
    for number in range(3):
        world.recover(f"job-{number}")
        world.now += timedelta(seconds=5)
    world.now -= timedelta(seconds=15)
    world.tick(30)
    assert len(world.told("slack")) == 2
    assert "Preparation works again in 3 jobs" in world.told("slack")[1].text


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
    reading = read_message(chat, message.text.encode())
    assert len({part.job for part in reading.parts if part.job.startswith("render-")}) == 8
    assert "22 not named here" in message.text


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


@pytest.mark.slow
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
