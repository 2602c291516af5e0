"""What programs are told of standstills over time: each once, with its end, and why."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import JobManagerTask, TaskCounts
from shared.batch.pool_model import NodeError, Pool, ResizeError, Task
from shared.errors import BatchUnavailableError
from tests.whole.troubles.waiting_job import JOB, MINUTE, POOL, Story, Told, dead_pool, fails_everywhere


def disabled_and_enabled(story: Story) -> None:
    """Somebody disables the job, and enables it again."""
    fails_everywhere(story)
    story.job(state="disabled")
    story.minutes(5)
    story.job(state="active")
    story.minutes(9)


def the_good_node_comes_and_goes(story: Story) -> None:
    """The only node that takes tasks is taken out of use, put back, and taken out again."""
    story.job()
    story.pool(n1="idle", n2="idle", n3="running")
    story.preparations(n3=0)
    story.minutes(2)
    story.preparations(n1=1, n2=1)
    story.minutes(3)
    for running in (0, 1, 0):
        story.pool(n1="idle", n2="idle", **({"n3": "running"} if running else {}))
        story.batch.counts[JOB] = TaskCounts(active=6 - running, running=running)
        story.minutes(9)


def no_more_watched_and_watched_again(story: Story) -> None:
    """Somebody stops watching the job, and asks for it again."""
    fails_everywhere(story)
    story.ask(lambda routes: routes.untrack_job)
    story.minutes(3)
    story.ask(lambda routes: routes.track_job)
    story.minutes(6)


def a_success_of_a_dead_pool_is_listed_late(story: Story) -> None:
    """A preparation had succeeded when all nodes of the pool broke, which is listed after the standstill was told."""
    story.job()
    story.pool(n1="unusable", n2="unusable")
    story.minutes(3)
    story.preparations(n1=0)
    late = story.batch.nodes.pop(JOB)
    story.minutes(6)
    story.batch.nodes[JOB] = late
    story.minutes(9)


def one_wrong_404(story: Story) -> None:
    """For one cycle Batch leaves the job out and says that it does not exist."""
    dead_pool(story)
    job = story.batch.jobs.pop(JOB)
    story.minutes(1)
    story.batch.jobs[JOB] = job
    story.minutes(9)


def two_wrong_404s_far_apart(story: Story) -> None:
    """The same happens again an hour later."""
    one_wrong_404(story)
    story.minutes(60)
    job = story.batch.jobs.pop(JOB)
    story.minutes(1)
    story.batch.jobs[JOB] = job
    story.minutes(9)


def deleted(story: Story) -> None:
    """The job is deleted."""
    dead_pool(story)
    story.batch.jobs.clear()
    story.minutes(4)


def completed(story: Story) -> None:
    """The job is over."""
    dead_pool(story)
    story.job(state="completed")
    story.minutes(4)


def emptied(story: Story) -> None:
    """Somebody deletes the job's tasks."""
    dead_pool(story)
    story.batch.counts[JOB] = TaskCounts()
    story.minutes(9)


def excluded(story: Story) -> None:
    """The settings no longer name the job."""
    dead_pool(story)
    story.with_settings(TRACKED_JOBS="other*")
    story.minutes(4)


def has_no_preparation_after_all(story: Story) -> None:
    """The job could not be listed until its pool works again, and turns out to have no preparation task."""
    story.job()
    story.pool(n1="unusable")
    story.batch.failures["list_statuses"] = BatchUnavailableError("OperationTimedOut", "Sorry.")
    story.minutes(9)
    del story.batch.failures["list_statuses"]
    story.batch.nodes[JOB] = None
    story.pool(n1="idle")
    story.minutes(2)


def nodes_are_not_counted(story: Story) -> None:
    """Batch answers the node counts with an error, all the time."""
    counts = story.batch.list_node_counts

    def fail(**options: Any) -> Any:
        list(counts(**options))
        raise BatchUnavailableError("InternalError", "Sorry.", status=500)

    story.batch.list_node_counts = fail  # type: ignore[method-assign] # as the account is then
    fails_everywhere(story)


def nodes_are_counted_now_and_then(story: Story) -> None:
    """Every other time Batch answers the node counts with an error; the pool is dead."""
    counts, answers = story.batch.list_node_counts, [0]

    def fail(**options: Any) -> Any:
        answers[0] += 1
        if answers[0] % 2:
            raise BatchUnavailableError("InternalError", "Sorry.", status=500)
        return counts(**options)

    story.batch.list_node_counts = fail  # type: ignore[method-assign] # as the account is then
    dead_pool(story)


def the_job_manager_holds_the_good_node(story: Story) -> None:
    """The only node that succeeded is held by the job manager."""
    story.job(job_manager_task=JobManagerTask(id="manager"))
    story.batch.running[JOB] = [Task(id="manager")]
    story.batch.counts[JOB] = TaskCounts(active=5, running=1)
    story.pool(n1="idle", n2="idle", n3="running")
    story.preparations(n3=0)
    story.minutes(2)
    story.preparations(n1=1, n2=1)
    story.minutes(6)


def only_the_job_manager_is_left(story: Story) -> None:
    """The job manager runs, and has given the job no task yet."""
    story.batch.counts[JOB] = TaskCounts(running=1)
    story.job(job_manager_task=JobManagerTask(id="manager"))
    story.batch.running[JOB] = [Task(id="manager")]
    story.pool(n1="idle", n2="running")
    story.preparations(n2=0)
    story.minutes(2)
    story.preparations(n1=1)
    story.minutes(9)


def nodes_start_with_errors(story: Story) -> None:
    """All nodes seem to be starting, and show errors: they never arrive."""
    story.job(prepares=False)
    story.pool(n1="starting", n2="starting")
    errors = (NodeError(code="BatchAgentInstallationFailure", message="The extension failed."),)
    story.batch.pool_nodes[POOL] = [replace(node, errors=errors) for node in story.batch.pool_nodes[POOL]]
    story.minutes(9)


def nodes_start(story: Story) -> None:
    """All nodes are starting."""
    story.job(prepares=False)
    story.pool(n1="starting", n2="starting")
    story.minutes(45)


def the_reason_changes(story: Story) -> None:
    """The pool gets no nodes for want of quota; later it gets some, and the start task fails on all."""
    story.job(prepares=False)
    story.pool()
    quota = ResizeError(code="AccountCoreQuotaReached", message="Full.")
    story.batch.pools[POOL] = Pool(id=POOL, allocation_state="steady", target_dedicated_nodes=2, resize_errors=(quota,))
    story.minutes(9)
    del story.batch.pools[POOL]
    story.pool(n1="starttaskfailed", n2="starttaskfailed")
    story.minutes(16)


STUCK = ("stuck", "preparationFailed")
DEAD = ("stuck", "nodesUnable")
STORIES: dict[Callable[[Story], None], Told] = {
    disabled_and_enabled: [STUCK, ("resumed", "jobDisabled"), STUCK],
    the_good_node_comes_and_goes: [STUCK, ("resumed", None), STUCK],
    no_more_watched_and_watched_again: [STUCK, ("resumed", "untracked"), STUCK],
    a_success_of_a_dead_pool_is_listed_late: [DEAD],
    one_wrong_404: [DEAD],
    two_wrong_404s_far_apart: [DEAD],
    deleted: [DEAD, ("resumed", "jobGone")],
    completed: [DEAD, ("resumed", "jobEnded")],
    emptied: [DEAD, ("resumed", "nobodyWaits")],
    excluded: [DEAD, ("resumed", "untracked")],
    has_no_preparation_after_all: [DEAD, ("resumed", None)],
    nodes_are_not_counted: [STUCK],
    nodes_are_counted_now_and_then: [DEAD],
    the_job_manager_holds_the_good_node: [STUCK],
    only_the_job_manager_is_left: [],
    nodes_start_with_errors: [DEAD],
    nodes_start: [],
    the_reason_changes: [("stuck", "resizeFailed")],
}


@pytest.mark.parametrize(("story", "told"), STORIES.items(), ids=[story.__name__ for story in STORIES])
def test_each_standstill_is_told_once_and_ended_once(story: Callable[[Story], None], told: Told) -> None:
    """Each standstill has one beginning and one end, which says why it is over where nothing moves."""
    played = Story()
    story(played)

    assert played.told == told
    begun = [event["data"]["since"] for event in played.events if event["type"].endswith("stuck")]
    ended = [event["data"]["since"] for event in played.events if event["type"].endswith("resumed")]
    assert ended == begun[: len(ended)]
    assert len(set(begun)) == len(begun)


def test_a_standstill_begins_no_earlier_than_the_last_one_ended() -> None:
    """What made the job suspect is as old as before, and has been told to be over."""
    story = Story()
    disabled_and_enabled(story)
    first, over, second = story.events

    assert over["recordedtime"] <= second["data"]["since"] > first["data"]["since"]


def test_a_standstill_is_not_as_old_as_what_failed_long_ago() -> None:
    """Tasks ran until the good node was taken away, however long ago preparation had failed on the others."""
    story = Story()
    story.job()
    story.pool(n1="idle", n2="idle", n3="running")
    story.preparations(n3=0)
    story.minutes(1)
    story.preparations(n1=1, n2=1)
    story.batch.counts[JOB] = TaskCounts(active=5, running=1)
    story.minutes(120)
    gone_at = story.clock()
    story.pool(n1="idle", n2="idle")
    story.batch.counts[JOB] = TaskCounts(active=6)
    story.minutes(4)

    assert story.told == [STUCK]
    assert story.head.stuck_since is not None
    assert gone_at - MINUTE <= story.head.stuck_since <= gone_at


def test_the_tasks_that_wait_do_not_include_the_job_manager() -> None:
    """The job manager runs, and waits for nothing."""
    story = Story()
    the_job_manager_holds_the_good_node(story)

    assert story.events[0]["data"]["tasks"] == 5


def test_who_stands_still_for_another_reason_is_shown_with_it() -> None:
    """Programs were told of the standstill; the head has the reason that two looks agreed on, since the same moment."""
    story = Story()
    the_reason_changes(story)
    stuck = story.head.stuck

    assert stuck is not None
    assert (stuck.reason, stuck.by_state) == ("startTaskFailed", {"starttaskfailed": 2})
    assert story.events[0]["data"]["since"][:16] == f"{stuck.since:%Y-%m-%dT%H:%M}"


def test_whether_there_is_a_job_manager_is_asked_once() -> None:
    """A job of which all nodes but one have failed is asked for its manager, and never again."""
    story = Story()
    story.job()
    story.pool(n1="idle", n2="idle")
    story.preparations(n1=1, n2=0)
    story.minutes(1)
    story.batch.asked.clear()
    story.minutes(9)

    assert story.batch.requests["get_job"] == 0
    assert story.head.wait_for_success is True
