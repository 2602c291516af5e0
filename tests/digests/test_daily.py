"""What still stands is told to chat once a day, in one message, and to nobody else."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from shared.digests.daily.rules import due_since
from shared.digests.mutes import Mute
from shared.ports import Put
from shared.state.rows import OWN, mute_key, to_columns
from shared.state.telling import Pace
from tests.digests.told_world import World
from tests.support.told_jobs import NOW

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EIGHT = NOW.replace(hour=8) + timedelta(days=1)


@pytest.mark.parametrize(
    ("daily_at", "now", "since"),
    [
        pytest.param(EIGHT - 20 * HOUR, EIGHT, EIGHT, id="it is time"),
        pytest.param(EIGHT - 20 * HOUR, EIGHT - MINUTE, None, id="not yet"),
        pytest.param(EIGHT, EIGHT + 5 * HOUR, None, id="said today"),
        pytest.param(EIGHT - MINUTE, EIGHT + 5 * HOUR, EIGHT, id="the app did not run at eight"),
        pytest.param(EIGHT - 30 * HOUR, EIGHT - HOUR, EIGHT - 24 * HOUR, id="nor yesterday"),
        pytest.param(None, EIGHT, None, id="an older version told it"),
        pytest.param(EIGHT + 9 * HOUR, EIGHT, None, id="the clock has jumped back"),
    ],
)
def test_when_it_is_time(daily_at: datetime | None, now: datetime, since: datetime | None) -> None:
    """At eight in the morning, or with the first cycle after that, once."""
    assert due_since(Pace(daily_at=daily_at), now) == since


def _until(world: World, moment: datetime, every: timedelta = 10 * MINUTE) -> None:
    """Let time pass with a cycle's end now and then."""
    while world.now < moment:
        world.now = min(world.now + every, moment)
        world.tell()


def _failing(*kinds: str) -> World:
    """An account in which preparation fails in two jobs, of which everybody was told at ten in the evening."""
    world = World(*kinds)
    world.fail(3)
    world.fail(2, "weekly")
    world.tick()
    world.sender.sent.clear()
    return world


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_it_is_said_once_a_day(kind: str) -> None:
    """One message each morning as long as it stands, which begins with what it is and tells nothing as new."""
    world = _failing(kind)
    _until(world, EIGHT + 72 * HOUR + MINUTE)
    assert [(sent.at - EIGHT) // HOUR for sent in world.told(kind)] == [0, 24, 48, 72]
    for sent in world.told(kind):
        assert "Not over yet: Preparation still fails in 2 jobs of acc/pool, on up to 3 of 5000 nodes" in sent.text
        assert "nightly" in sent.text
        assert "newly failed" not in sent.text


def test_a_pager_is_not_called_again() -> None:
    """Who has an incident open knows."""
    world = _failing("pagerduty")
    _until(world, EIGHT + HOUR)
    assert world.told("pagerduty") == []


def _mend(world: World) -> None:
    for job in ("nightly", "weekly"):
        world.recover(job)


def _mute(world: World) -> None:
    mute = Mute(jobs=("*",), starts_at=world.now, ends_at=EIGHT + HOUR, created_by="me", comment="known")
    world.table.transact(OWN, [Put(key=mute_key("night"), columns=to_columns(mute))])


@pytest.mark.parametrize("change", [pytest.param(_mend, id="mended"), pytest.param(_mute, id="muted")])
def test_nothing_is_said_of_what_does_not_stand_or_is_muted(change: Callable[[World], None]) -> None:
    """Nobody reads in the morning that all is well, nor what they do not want to hear of."""
    world = _failing("teams")
    _until(world, EIGHT - 3 * HOUR)
    change(world)
    _until(world, EIGHT - HOUR)
    world.sender.sent.clear()
    _until(world, EIGHT + HOUR - MINUTE)
    assert world.told("teams") == []


def test_it_moves_no_pause() -> None:
    """What is new after it is told as if it had not been, and what was told this morning is not said once more."""
    world = _failing("teams")
    _until(world, EIGHT + MINUTE)
    (daily,) = world.told("teams")
    world.fail(1, "third")
    world.tick()
    assert [sent.at for sent in world.told("teams")] == [daily.at, world.now]
    world.sender.sent.clear()
    _until(world, EIGHT + 23 * HOUR)
    assert world.told("teams") == []


def test_news_come_first() -> None:
    """What is to be told at eight anyway is told by itself; the rest follows with the next cycle, without it."""
    world = _failing("teams")
    _until(world, EIGHT - MINUTE)
    world.fail(1, "third")
    world.tick()
    world.tick()
    news, daily = world.told("teams")
    assert "third" in news.text
    assert "Not over yet" not in news.text
    assert "Not over yet: Preparation still fails in 2 jobs" in daily.text
    assert "third" not in daily.text


def test_whoever_may_not_have_read_it_gets_it_once_more() -> None:
    """A receiver that did not answer is tried again; one that calls the message wrong is not, until tomorrow."""
    world = _failing("teams")
    _until(world, EIGHT - MINUTE)
    world.sender.answers["teams"] = (503, b"")
    world.tick(2)
    world.sender.answers.clear()
    _until(world, EIGHT + HOUR, MINUTE)
    tried = [(sent.at - EIGHT) // MINUTE for sent in world.told("teams") if "Not over yet" in sent.text]
    assert tried == [0, 1, 4]
    world.sender.sent.clear()
    _until(world, EIGHT + 23 * HOUR)
    world.sender.answers["teams"] = (400, b"")
    _until(world, EIGHT + 26 * HOUR)
    tries = sum("Not over yet" in sent.text for sent in world.told("teams"))
    assert tries == 2  # as a whole, and in its shortest form
