"""A clock that jumps back by hours keeps nothing of a job or its pool waiting for hours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.batch.model import TaskCounts
from shared.batch.pool_model import ComputeNode
from tests.whole.troubles.waiting_job import JOB, POOL, Story, fails_everywhere

BACK = timedelta(hours=3)


@dataclass(frozen=True)
class Clock:
    """The clock of a story, which may be fast for a while."""

    story: Story
    by: timedelta

    def fast(self) -> None:
        """From now on it is."""
        self.story.clock.advance(self.by)

    def right(self) -> None:
        """It jumps back."""
        self.story.clock.advance(-self.by)


def _breaks(story: Story, node: str, *, works: int) -> None:
    """The start task has just failed on one more node; so many others work."""
    known = [each for each in story.batch.pool_nodes.get(POOL, ()) if each.state == "starttaskfailed"]
    broken = [*known, ComputeNode(id=node, state="starttaskfailed", state_transition_time=story.clock())]
    story.batch.pool_nodes[POOL] = [
        *broken,
        *(ComputeNode(id=f"idle-{number}", state="idle") for number in range(works)),
    ]
    story.batch.node_counts[POOL] = {"starttaskfailed": len(broken), "idle": works}


def another_node_fails(story: Story, clock: Clock) -> None:
    """A job is first seen; later preparation fails on a node that it had not shown yet."""
    clock.fast()
    story.job()
    story.pool(n1="idle", n2="idle", n3="idle")
    story.preparations(n1=0)
    story.minutes(3)
    clock.right()
    story.preparations(n2=1)
    story.minutes(2)


def the_pool_dies(story: Story, clock: Clock) -> None:
    """No node of the pool can work, since a moment ago."""
    clock.fast()
    story.job()
    story.pool(n1="unusable", n2="unusable")
    story.minutes(2)
    clock.right()
    story.minutes(9)


def nothing_moves(story: Story, clock: Clock) -> None:
    """One look has shown that nothing moves; the next has to agree."""
    clock.fast()
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=1)
    story.minutes(2)
    clock.right()
    story.minutes(5)


def it_moves_again(story: Story, clock: Clock) -> None:
    """A standstill was told; preparation succeeds on a node."""
    clock.fast()
    fails_everywhere(story)
    clock.right()
    story.minutes(1)
    story.preparations(n1=0)
    story.minutes(7)


def nobody_waits(story: Story, clock: Clock) -> None:
    """A standstill was told; somebody has just deleted the tasks."""
    clock.fast()
    fails_everywhere(story)
    story.batch.counts[JOB] = TaskCounts()
    story.minutes(5)
    clock.right()
    story.minutes(9)


def the_job_is_deleted(story: Story, clock: Clock) -> None:
    """A standstill was told; Batch has just said for the first time that the job does not exist."""
    clock.fast()
    fails_everywhere(story)
    story.batch.jobs.clear()
    story.minutes(1)
    clock.right()
    story.minutes(4)


def the_node_leaves(story: Story, clock: Clock) -> None:
    """The node that failed was missing in one listing of its pool."""
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=0)
    story.minutes(2)
    clock.fast()
    story.pool(n2="idle")
    story.minutes(6)
    clock.right()
    story.minutes(12)


def another_start_task_fails(story: Story, clock: Clock) -> None:
    """A node of the pool could not work when the pool was first seen, and another can't later."""
    clock.fast()
    story.job()
    _breaks(story, "n1", works=7)
    story.minutes(3)
    clock.right()
    _breaks(story, "n2", works=6)
    story.minutes(3)


def the_broken_node_is_removed(story: Story, clock: Clock) -> None:
    """A node that could not work was missing in one listing of its pool."""
    clock.fast()
    story.job()
    _breaks(story, "n1", works=7)
    story.minutes(2)
    story.pool(n2="idle")
    story.minutes(2)
    clock.right()
    story.minutes(12)


STORIES: dict[Callable[[Story, Clock], None], Sequence[str]] = {
    another_node_fails: ["preparation.failed"],
    the_pool_dies: ["job.stuck"],
    nothing_moves: ["preparation.failed", "job.stuck"],
    it_moves_again: ["preparation.failed", "job.stuck", "preparation.resolved", "job.resumed"],
    nobody_waits: ["preparation.failed", "job.stuck", "job.resumed"],
    the_job_is_deleted: ["preparation.failed", "job.stuck", "preparation.resolved", "job.resumed", "job.gone"],
    the_node_leaves: ["preparation.failed", "preparation.resolved"],
    another_start_task_fails: ["node.failed", "node.failed"],
    the_broken_node_is_removed: ["node.failed", "node.recovered"],
}


@pytest.mark.parametrize("by", [timedelta(0), BACK], ids=["right", "fast"])
@pytest.mark.parametrize(("story", "told"), STORIES.items(), ids=[story.__name__ for story in STORIES])
def test_what_happens_is_told_by_whatever_clock(
    story: Callable[[Story, Clock], None], told: Sequence[str], by: timedelta
) -> None:
    """What was noted by a clock that was hours fast holds up nothing that happens once it is right."""
    played = Story()
    story(played, Clock(played, by))
    # When the clock jumps ahead, nobody has polled for hours.
    assert sorted(kind for kind in played.types if not kind.startswith("account.")) == sorted(told)
