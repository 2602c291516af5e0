"""What can't be read of a job hides nothing else that happens to it."""

from collections.abc import Callable, Sequence

import pytest

from shared.batch.model import TaskCounts, UnreadableJob
from tests.whole.troubles.waiting_job import JOB, POOL, Story

ODD = {"poolId": POOL, "nodeId": 5}
_UNREADABLE = UnreadableJob(id=JOB, why="creationTime")


def preparation_fails_everywhere(story: Story) -> None:
    """Preparation has failed on each of the pool's nodes; one more entry of the listing can't be read."""
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=1)
    story.batch.nodes[JOB] = (*(story.batch.nodes[JOB] or ()), ODD)
    story.minutes(9)


def preparation_hangs(story: Story) -> None:
    """A preparation goes on for too long beside such an entry."""
    story.job()
    story.pool(n1="idle", n2="idle")
    story.batch.counts[JOB] = TaskCounts()
    story.prepares("n1")
    story.batch.nodes[JOB] = (*(story.batch.nodes[JOB] or ()), ODD)
    story.minutes(62)


def the_node_leaves(story: Story) -> None:
    """The node that failed leaves the pool beside such an entry."""
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=0)
    story.batch.nodes[JOB] = (*(story.batch.nodes[JOB] or ()), ODD)
    story.minutes(5)
    story.pool(n2="idle")
    story.minutes(12)


def the_pool_dies(story: Story) -> None:
    """The job listing can't be read but for the job's name, and its pool has no node that works."""
    story.job()
    story.pool(n1="unusable")
    story.minutes(2)
    story.batch.jobs[JOB] = _UNREADABLE
    story.minutes(9)


def the_pool_of_a_job_without_preparation_dies(story: Story) -> None:
    """The same of a job that is not listed, since it has no preparation task."""
    story.job(prepares=False)
    story.pool(n1="unusable")
    story.minutes(2)
    story.batch.jobs[JOB] = _UNREADABLE
    story.minutes(9)


STORIES: dict[Callable[[Story], None], Sequence[str]] = {
    preparation_fails_everywhere: ["preparation.failed", "job.unreachable", "job.stuck"],
    preparation_hangs: ["job.unreachable", "preparation.slow"],
    the_node_leaves: ["preparation.failed", "job.unreachable", "preparation.resolved"],
    the_pool_dies: ["job.unreachable", "job.stuck"],
    the_pool_of_a_job_without_preparation_dies: ["job.stuck"],
}


@pytest.mark.parametrize(("story", "told"), STORIES.items(), ids=[story.__name__ for story in STORIES])
def test_an_odd_entry_costs_only_itself(story: Callable[[Story], None], told: Sequence[str]) -> None:
    """All that can be read is judged, and told, as if the rest were not there."""
    played = Story()
    story(played)
    assert sorted(played.types) == sorted(told)
