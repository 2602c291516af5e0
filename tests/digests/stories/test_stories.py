"""Who is told how often: each test is a story, and `transcripts/` has what chat and pager got, by time.

REGENERATE_TRANSCRIPTS=1 writes the transcripts anew; read the difference before it is committed.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.messages.sentences import plural
from shared.state.jobs import JobEnd, PhaseCounts
from tests.digests.paged_world import cause, fail, incidents, mend
from tests.digests.told_world import Sent, World
from tests.support.told_jobs import ACCOUNT, NOW
from trials.promises.bodies import read_message

TRANSCRIPTS = Path(__file__).parent / "transcripts"
NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
AUTO_POOL = "hourly_0E1B2C3D-AAAA-BBBB-CCCC-{:012}"
_MOST_FACTS = 3


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """An account told to Slack and a pager; both then got exactly the transcript, at its times."""
    told = World("slack", "pagerduty")
    yield told
    name = request.function.__name__.removeprefix("test_")
    lines = [line for sent in told.sender.sent for line in _lines(sent)]
    transcript = "\n".join([str(request.function.__doc__), "", *lines, ""])
    path = TRANSCRIPTS / f"{name}.txt"
    if os.environ.get("REGENERATE_TRANSCRIPTS") == "1":
        path.write_text(transcript, encoding="utf-8")
    said = path.read_text(encoding="utf-8")
    assert transcript == said, "if people should receive this now, run REGENERATE_TRANSCRIPTS=1 pytest"


def _lines(sent: Sent) -> Iterator[str]:
    at = f"after {sent.at - NOW!s:>15}  {sent.webhook:<9}"
    reading = read_message(sent.webhook, sent.text.encode())
    if reading.incident:
        key = reading.incident.removeprefix(f"prepwatch:pagerduty:{ACCOUNT}:")
        yield f"{at}  incident {key}{' is over' if reading.ends else f': {reading.headline}'}"
        return
    yield f"{at}  {reading.headline}"
    for part in reading.parts[:2]:
        for name, value in part.facts[:_MOST_FACTS]:
            yield f"{'':34}| {part.job}: {name}: {value}"[:160]
    more = len(reading.parts) - 2
    if more > 0:
        yield f"{'':34}| and {more} more {plural('part', more)}"


def _steps(world: World, duration: timedelta, minutes: int = 1) -> None:
    for _ in range(duration // timedelta(minutes=minutes)):
        world.now += timedelta(minutes=minutes)
        world.tell()


def test_one_sick_node_in_twelve_jobs(world: World) -> None:
    """One node fails the preparation of twelve jobs, one a minute: at most two incidents and three chat messages."""
    for number in range(12):
        fail(world, f"render-{number:02}", cause(world, "FailureExitCode", nodes=1, node=NODE))
        world.tick()
    world.tick(20)
    assert len(incidents(world)) <= 2
    assert len(world.told("slack")) <= 3


def test_one_expired_sas_in_fifty_jobs(world: World) -> None:
    """Fifty jobs of a pool meet one expired SAS within ten minutes: one incident, at most three chat messages."""
    for number in range(50):
        fail(world, f"job-{number:02}", cause(world))
        world.now += timedelta(seconds=12)
        world.tell()
    world.tick(60)
    assert len(incidents(world)) == 1
    assert len(world.told("slack")) <= 3


def test_two_teams_in_one_pool(world: World) -> None:
    """Two teams' jobs fail in one pool, each for a reason of its own: two incidents."""
    fail(world, "simulation", cause(world))
    fail(world, "rendering", cause(world, "ContainerInvalidImage"))
    world.tick(30)
    assert len(incidents(world)) == 2


def test_a_node_that_flaps(world: World) -> None:
    """A node fails and works again every three minutes, for two hours: one incident, at most four chat messages."""
    for _ in range(20):
        fail(world, "nightly", cause(world, "FailureExitCode", nodes=1, node=NODE))
        world.tick(3)
        mend(world, "nightly")
        world.tick(3)
    world.tick(90)
    assert len(incidents(world)) == 1
    assert len(world.told("slack")) <= 4


@pytest.mark.slow
def test_thirty_short_jobs_an_hour(world: World) -> None:
    """Thirty short jobs an hour fail for one cause, all day: one incident, at most thirty chat messages."""
    for number in range(24 * 30):
        fail(world, f"short-{number:03}", cause(world))
        if number:
            world.change(f"short-{number - 1:03}", closed=JobEnd.ENDED, preparation=PhaseCounts(failed=3), causes=())
        if number % 2:
            _steps(world, timedelta(minutes=4), 2)
    assert len(incidents(world)) == 1
    assert len(world.told("slack")) <= 30


def test_a_job_made_anew_each_hour(world: World) -> None:
    """A schedule makes a job anew each hour, on nodes of its own, and each fails: one incident a day."""
    _made_anew(world, 1, hours=24, minutes=5)
    assert len(incidents(world)) == 1


def test_a_job_made_anew_each_hour_for_days() -> None:
    """The same over three days, with eight quiet hours in each: one incident a day, under one key."""
    world = World("pagerduty")
    for day in range(3):
        _made_anew(world, 1 + day * 16, hours=16, minutes=20)
        _steps(world, timedelta(hours=8), 20)
    assert len(incidents(world)) == 1
    assert world.actions().count("resolve") == 3


def _made_anew(world: World, first: int, *, hours: int, minutes: int) -> None:
    """Each hour a job that fails, the first with this number, looked at every so many minutes."""
    for number in range(first - 1, first - 1 + hours):
        job, pool = f"hourly:job-{number + 1}", AUTO_POOL.format(number)
        fail(world, job, cause(world, "FailureExitCode", nodes=2, node=f"tvmps_{number}"), pool=pool)
        _steps(world, timedelta(minutes=40), minutes)
        world.change(job, closed=JobEnd.ENDED, preparation=PhaseCounts(failed=2), causes=())
        _steps(world, timedelta(minutes=20), minutes)
