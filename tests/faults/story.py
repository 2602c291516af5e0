"""A short story of one account with every kind of write in it, in chapters.

Owns what happens in Batch and when. Does not own who runs (`stage`), what goes wrong (the tests) or how it is judged
(`checker`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.batch_simulator.causes import PREPARATION_CAUSES
from local.batch_simulator.statuses import Phase, failed, succeeded
from local.batch_simulator.world import World
from shared.composition import App

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
POOL = "pool-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What happens in Batch, how long after the chapter before, and whether the app then polls or only delivers."""

    name: str
    after: timedelta
    happen: Callable[[World, datetime], None]
    polls: bool = True

    def run(self, app: App) -> None:
        """Let the app do its part.

        Raises:
            StoreError: The table is away; on Azure this is a failed invocation.
        """
        ((account, poller),) = app.pollers.items()
        if self.polls:
            poller.run()
        else:
            app.deliveries.run(account, timedelta(seconds=60))


def _nodes_fail(world: World, now: datetime) -> None:
    world.add_job("align", creation_time=now - timedelta(minutes=10))
    _fails(world, "align", "a1", now)
    _fails(world, "align", "a2", now)
    _succeeds(world, "align", "a3", now)
    world.add_job("render", creation_time=now - timedelta(minutes=10), state="terminating")
    _fails(world, "render", "r1", now, phase=Phase.RELEASE)


def _nothing(world: World, now: datetime) -> None:
    """Only time passes."""


def _begins_anew(world: World, now: datetime) -> None:
    _succeeds(world, "align", "a1", now)
    world.delete_job("render")
    world.add_job("render", creation_time=now - timedelta(minutes=1))
    _fails(world, "render", "r1", now)


def _ends(world: World, now: datetime) -> None:
    world.set_job_state("align", "completed", at=now)


def _fails(world: World, job: str, node: str, now: datetime, phase: Phase = Phase.PREPARATION) -> None:
    start, end = now - timedelta(seconds=50), now - timedelta(seconds=20)
    run = failed(job, phase, PREPARATION_CAUSES[0], start=start, end=end)
    if phase is Phase.PREPARATION:
        world.set_status(job, POOL, node, preparation=run)
    else:
        earlier = succeeded(job, Phase.PREPARATION, start=start - timedelta(minutes=5), end=start)
        world.set_status(job, POOL, node, preparation=earlier, release=run)


def _succeeds(world: World, job: str, node: str, now: datetime) -> None:
    start, end = now - timedelta(seconds=50), now - timedelta(seconds=20)
    world.set_status(job, POOL, node, preparation=succeeded(job, Phase.PREPARATION, start=start, end=end))


CHAPTERS = (
    Chapter(name="nodes fail", after=timedelta(0), happen=_nodes_fail),
    Chapter(name="only deliveries", after=timedelta(minutes=3), happen=_nothing, polls=False),
    Chapter(name="a job is created again", after=timedelta(minutes=3), happen=_begins_anew),
    Chapter(name="a job ends", after=timedelta(minutes=3), happen=_ends),
    Chapter(name="a day without a cycle", after=timedelta(hours=26), happen=_nothing),
    Chapter(name="a job is forgotten", after=timedelta(minutes=3), happen=_nothing),
)
CLEAN = CHAPTERS[0]
"""Any chapter that polls: its `run` is a cycle."""


def world_of(chapter: int) -> tuple[World, datetime]:
    """Batch as it is when the app runs in that chapter, and the time then."""
    now = NOW
    world = World(now=now)
    for one in CHAPTERS[: chapter + 1]:
        now += one.after
        world.advance(now)
        one.happen(world, now)
    return world, now
