"""A job whose id another takes: what was known of the first is never told of the second, nor the other way round."""

import pytest
from msgspec.structs import replace

from shared.batch.model import BatchJob, TaskCounts
from shared.ports import Row
from tests.support.deployment import ACCOUNT
from tests.support.fake_table import Fault
from tests.whole.troubles.waiting_job import JOB, MINUTE, Story, dead_pool


def _created_again(story: Story, **fields: object) -> None:
    """Another job takes the id, of which nobody has polled yet."""
    job = story.batch.jobs[JOB]
    assert isinstance(job, BatchJob)
    story.batch.jobs[JOB] = replace(job, creation_time=story.clock(), state_transition_time=story.clock(), **fields)


def _rows(story: Story) -> list[Row]:
    return list(story.table.query(ACCOUNT, "job|", "job}"))


@pytest.mark.parametrize("prepares", [True, False], ids=["preparation", "none"])
def test_a_job_that_could_not_be_replaced_is_not_taken_for_the_one_before(*, prepares: bool) -> None:
    """The job on a dead pool is deleted and created again, and that can't be written down: the next cycle tells it."""
    story = Story()
    story.job(prepares=prepares)
    story.pool(n1="unusable", n2="unusable")
    story.batch.counts[JOB] = TaskCounts()
    story.minutes(3)
    _created_again(story)
    story.clock.advance(4 * MINUTE)
    story.batch.counts[JOB] = TaskCounts(active=6)
    story.table.fail_next(Fault.BEFORE, lambda _, operations: any(each.key == f"job|{JOB}" for each in operations))
    story.minutes(1)
    assert story.told == []
    story.minutes(9)
    (event,) = story.events
    assert event["data"]["jobCreationTime"][:19] == f"{story.head.creation_time:%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize("state", ["active", "completed"])
def test_a_job_of_another_creation_that_no_listing_shows_yet_changes_nothing(state: str) -> None:
    """Asked for singly, Batch shows another job: nothing of it is written for the one before."""
    story = Story()
    story.job()
    story.pool(n1="idle")
    story.preparations(n1=1)
    story.minutes(2)
    before = _rows(story)
    _created_again(story, state=state)
    story.batch.list_jobs = lambda **_: iter([()])  # type: ignore[method-assign] # the listing lags
    story.minutes(1)
    assert _rows(story) == before


@pytest.mark.parametrize("state", ["active", "completed", "disabled"])
def test_a_standstill_goes_on_until_a_listing_shows_the_job_of_another_creation(state: str) -> None:
    """Asked for singly, Batch shows another job: it neither ends nor changes the standstill of the one before."""
    story = Story()
    dead_pool(story)
    told, before = story.told, story.head
    _created_again(story, state=state)
    story.batch.list_jobs = lambda **_: iter([()])  # type: ignore[method-assign] # the listing lags
    story.minutes(3)
    about = ("creation_time", "state", "state_transition_time", "stuck_since")
    assert [getattr(story.head, name) for name in about] == [getattr(before, name) for name in about]
    assert (len(told), story.told) == (1, told)
