"""When a job begins to stand still, and what only looks so: nodes that try again, wrong clocks, cycles without time."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.batch.pool_model import NodeInfo, Task
from shared.errors import BatchUnavailableError
from tests.support.deployment import a_job
from tests.whole.scale.batch_values import prepared
from tests.whole.troubles.waiting_job import JOB, POOL, Story, Told, dead_pool

STUCK = ("stuck", "preparationFailed")
DEAD = ("stuck", "nodesUnable")


def the_failed_node_prepares_anew(story: Story) -> None:
    """The only node had failed when nobody waited; it is rebooted, tasks come, and it prepares itself anew."""
    story.job()
    story.pool(n1="idle")
    story.batch.counts[JOB] = TaskCounts()
    story.preparations(n1=1)
    story.minutes(30)
    story.batch.counts[JOB] = TaskCounts(active=5, running=1)
    story.batch.running[JOB] = []
    story.prepares("n1")
    story.minutes(10)
    story.batch.running[JOB] = [Task(id="one", node_info=NodeInfo(pool_id=POOL, node_id="n1"))]
    story.preparations(n1=0)
    story.minutes(9)


def the_failed_node_tries_again(story: Story) -> None:
    """The same, but what it does is the second try of a run."""
    story.job()
    story.pool(n1="idle")
    story.preparations(n1=1)
    story.minutes(1)
    story.batch.running[JOB] = []
    story.prepares("n1", retry_count=1)
    story.minutes(9)


def the_node_is_rebooted_and_fails_each_time(story: Story) -> None:
    """The only node prepares itself for six minutes, fails, and is rebooted five minutes later, all the time."""
    story.job()
    story.pool(n1="idle")
    story.batch.running[JOB] = []
    for _ in range(5):
        story.prepares("n1")
        story.minutes(6)
        story.preparations(n1=1)
        story.minutes(5)


def a_node_has_succeeded_at_a_time_to_come(story: Story) -> None:
    """The only good node had a clock that was days ahead; it is removed, and preparation fails on all others."""
    story.job()
    story.pool(n1="idle", n2="idle", n3="idle")
    story.batch.nodes[JOB] = (prepared("n3", story.clock() + timedelta(days=3), exit_code=0),)
    story.minutes(2)
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=1)
    story.minutes(30)


def nobody_reaches_the_node_for_a_while(story: Story) -> None:
    """The preparation of the only node goes on for an hour; Batch has just lost sight of the node, for some minutes."""
    story.job()
    story.pool(n1="running")
    story.batch.counts[JOB] = TaskCounts(active=5, running=1)
    story.batch.running[JOB] = []
    story.prepares("n1")
    story.minutes(58)
    story.pool(n1="unknown")
    story.minutes(4)
    assert story.head.preparation.slow == 0
    story.pool(n1="running")
    story.minutes(5)


def the_pool_is_not_always_counted(story: Story) -> None:
    """The pool is dead; every fifth minute the counts leave it out."""
    story.job(prepares=False)
    story.pool(n1="unusable", n2="unusable")
    counts = story.batch.node_counts[POOL]
    for _ in range(3):
        story.minutes(4)
        del story.batch.node_counts[POOL]
        story.minutes(1)
        story.batch.node_counts[POOL] = counts


def the_job_is_not_always_listed(story: Story) -> None:
    """The pool is dead; every fifth minute the job listing leaves its only job out."""
    story.job(prepares=False)
    story.pool(n1="unusable", n2="unusable")
    job = story.batch.jobs[JOB]
    for _ in range(3):
        story.minutes(4)
        del story.batch.jobs[JOB]
        story.minutes(1)
        story.batch.jobs[JOB] = job


def the_pool_comes_back_after_an_hour(story: Story) -> None:
    """A pool without nodes that work is not counted for an hour, and has still none for a moment."""
    story.job(prepares=False)
    story.pool(n1="unusable")
    story.minutes(3)
    counts = story.batch.node_counts.pop(POOL)
    story.minutes(60)
    story.batch.node_counts[POOL] = counts
    story.minutes(2)
    story.pool(n1="idle")
    story.minutes(5)


def another_job_takes_all_the_time(story: Story) -> None:
    """The listing of another job is so long that each cycle waits for it as long as it may."""
    story.batch.add(replace(a_job("huge"), creation_time=story.clock()))

    def ask(method: str, job: str) -> None:
        if method == "list_statuses" and job == "huge":
            story.clock.advance(seconds=82)
            raise BatchUnavailableError("DeadlineExceeded", "Too long.")

    story.batch.before_asking = ask
    dead_pool(story)


STORIES: dict[Callable[[Story], None], Told] = {
    the_failed_node_prepares_anew: [],
    the_failed_node_tries_again: [STUCK],
    the_node_is_rebooted_and_fails_each_time: [STUCK],
    nobody_reaches_the_node_for_a_while: [("stuck", "preparationSlow")],
    the_pool_is_not_always_counted: [DEAD],
    the_job_is_not_always_listed: [DEAD],
    the_pool_comes_back_after_an_hour: [],
    a_node_has_succeeded_at_a_time_to_come: [STUCK],
    another_job_takes_all_the_time: [DEAD],
}


@pytest.mark.parametrize(("story", "told"), STORIES.items(), ids=[story.__name__ for story in STORIES])
def test_a_standstill_begins_when_nothing_can_move(story: Callable[[Story], None], told: Told) -> None:
    """It is told once, and only where no node is at work for the job, whatever else goes on in its account."""
    played = Story()
    story(played)
    assert played.told == told
