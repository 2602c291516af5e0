"""Short stories of one account, with every kind of write in them, in chapters.

Owns what happens in Batch, what the app then does, and when. Does not own who runs (`stage`), what goes wrong (the
tests) or how it is judged (`checker`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from local.batch_simulator.causes import PREPARATION_CAUSES
from local.batch_simulator.statuses import Phase, failed, succeeded
from local.batch_simulator.world import World
from shared.changes import slicing
from shared.composition import App
from shared.ledger import ledger, purging
from shared.polling.cycle import CycleReport
from shared.state import chunks
from trials.soak.place import SHAKY

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
POOL = "pool-1"


Act = Callable[[App], object]


def cycle(app: App) -> CycleReport:
    """The timer fires.

    Raises:
        StoreError: The table is away; on Azure this is a failed invocation.
    """
    ((_, poller),) = app.pollers.items()
    return poller.run()


def deliver(app: App) -> None:
    """A nudge comes.

    Raises:
        StoreError: The table is away; on Azure this is a failed invocation.
    """
    for account in app.pollers:
        app.deliveries.run(account, timedelta(seconds=60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What happens in Batch, how long after the chapter before, and what the app then does.

    Somebody who `asked` for it asks again when he gets no answer. Batch is `denied` to so many requests first, chat
    calls so many messages `wrong`, and `meanwhile` is what another process does while chat hears of something for the
    first time. `breaks` names the kinds of write that are broken in this chapter, None for every one: what other
    chapters break need not be broken again.
    """

    name: str
    after: timedelta
    happen: Callable[[World, datetime], None]
    act: Act = cycle
    asked: bool = False
    denied: int = 0
    wrong: int = 0
    meanwhile: Act | None = None
    breaks: frozenset[str] | None = None

    def is_broken(self, point: str) -> bool:
        """Whether a point, or the kind of a write, is one of those that faults happen to here."""
        return self.breaks is None or point.partition(":")[0] in self.breaks


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Its chapters; `chats` says whether a chat service is told, `small` whether all limits are a handful of nodes.

    The webhooks named in `refusals` refuse so many messages at first. What a fault holds back may come so `late`.
    """

    name: str
    chapters: tuple[Chapter, ...]
    refusals: Mapping[str, int] = field(default_factory=dict)
    chats: bool = False
    small: bool = False
    late: timedelta = timedelta(0)

    def world(self, chapter: int) -> tuple[World, datetime]:
        """Batch as it is when the app acts in that chapter, and the time then."""
        now = NOW
        world = World(now=now)
        for one in self.chapters[: chapter + 1]:
            now += one.after
            world.advance(now)
            one.happen(world, now)
        return world, now

    @contextmanager
    def limits(self) -> Iterator[None]:
        """The limits under which the app acts: small, so that a few nodes need several transactions and chunks."""
        with ExitStack() as stack:
            for module, name, limit in _SMALL if self.small else ():
                stack.enter_context(patch.object(module, name, limit))
            yield


_SMALL = (
    (slicing, "MAX_ROWS", 12),
    (chunks, "MAX_CHUNK_NODES", 4),
    (ledger, "MAX_ROWS", 3),
    (purging, "MAX_ROWS", 40),
)


def _nodes_fail(world: World, now: datetime) -> None:
    world.add_job("align", creation_time=now - timedelta(minutes=10))
    fails(world, "align", "a1", now)
    fails(world, "align", "a2", now)
    succeeds(world, "align", "a3", now)
    world.add_job("render", creation_time=now - timedelta(minutes=10), state="terminating")
    fails(world, "render", "r1", now, phase=Phase.RELEASE)


def nothing(world: World, now: datetime) -> None:
    """Only time passes."""


def _begins_anew(world: World, now: datetime) -> None:
    succeeds(world, "align", "a1", now)
    world.delete_job("render")
    world.add_job("render", creation_time=now - timedelta(minutes=1))
    fails(world, "render", "r1", now)


def _ends(world: World, now: datetime) -> None:
    world.set_job_state("align", "completed", at=now)


def fails(world: World, job: str, node: str, now: datetime, phase: Phase = Phase.PREPARATION, pool: str = POOL) -> None:
    """A phase of a job failed on a node a moment ago."""
    start, end = now - timedelta(seconds=50), now - timedelta(seconds=20)
    run = failed(job, phase, PREPARATION_CAUSES[0], start=start, end=end)
    if phase is Phase.PREPARATION:
        world.set_status(job, pool, node, preparation=run)
    else:
        earlier = succeeded(job, Phase.PREPARATION, start=start - timedelta(minutes=5), end=start)
        world.set_status(job, pool, node, preparation=earlier, release=run)


def succeeds(world: World, job: str, node: str, now: datetime) -> None:
    """A job was prepared on a node a moment ago."""
    start, end = now - timedelta(seconds=50), now - timedelta(seconds=20)
    world.set_status(job, POOL, node, preparation=succeeded(job, Phase.PREPARATION, start=start, end=end))


CYCLES = Story(
    name="cycles",
    refusals={SHAKY: 3},
    chapters=(
        Chapter(name="nodes fail", after=timedelta(0), happen=_nodes_fail),
        Chapter(name="only deliveries", after=timedelta(minutes=3), happen=nothing, act=deliver),
        Chapter(
            name="a job is created again",
            after=timedelta(minutes=3),
            happen=_begins_anew,
            breaks=frozenset({"replace", "commit"}),
        ),
        Chapter(
            name="a job ends",
            after=timedelta(minutes=3),
            happen=_ends,
            breaks=frozenset({"commit", "claim", "send", "record", "webhook"}),
        ),
        Chapter(name="the job is settled", after=timedelta(minutes=15), happen=nothing, breaks=frozenset({"commit"})),
        Chapter(name="a day without a cycle", after=timedelta(hours=26), happen=nothing),
        Chapter(
            name="a job is forgotten",
            after=timedelta(minutes=3),
            happen=nothing,
            breaks=frozenset({"drop", "remove"}),
        ),
    ),
)
"""What cycles and deliveries do; SHAKY fails, is probed and recovers."""

TROUBLE = Story(
    name="trouble",
    chats=True,
    chapters=(
        Chapter(name="begins", after=timedelta(0), happen=nothing, denied=1, breaks=frozenset()),
        Chapter(
            name="ends while chat is told of it",
            after=timedelta(minutes=2),
            happen=nothing,
            denied=1,
            meanwhile=cycle,
            breaks=frozenset({"again"}),
        ),
    ),
)
"""A trouble of the account whose end comes while chat is still being told of it."""
