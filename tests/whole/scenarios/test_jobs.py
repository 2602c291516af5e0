"""What people receive while preparation fails."""

from trials.simulation.scripts import (
    DENIED_INPUT,
    FAILURE,
    MISSING_INPUT,
    RELEASE_FAILURE,
    add_job,
    begin,
    end,
    fail,
    fail_all,
    release,
    succeed,
)
from trials.simulation.story import HOUR, MINUTE, Story, nodes


def test_mass_failure(told: Story) -> None:
    """All 60 nodes of a job fail within a minute for one reason; the job can't go on, until its input is there."""
    add_job(told.system, "nightly-1", active=200)
    told.wait(2 * MINUTE)
    told.say("preparation fails on 60 nodes")
    fail_all(told.system, "nightly-1", nodes(60), DENIED_INPUT)
    told.wait(10 * MINUTE)
    told.status()
    told.say("the input is mended, every node is reimaged")
    begin(told.system, "nightly-1", *nodes(60))
    told.wait(2 * MINUTE)
    succeed(told.system, "nightly-1", *nodes(60))
    told.wait(6 * MINUTE)
    told.status()


def test_autoscale_trickle(told: Story) -> None:
    """Autoscale adds one bad node a minute, for ten minutes, to a job that works elsewhere."""
    add_job(told.system, "render-7", active=50)
    succeed(told.system, "render-7", "good-1", "good-2")
    told.wait(2 * MINUTE)
    for node in nodes(10):
        told.say(f"{node} joins and fails")
        fail(told.system, "render-7", node, FAILURE)
        told.wait(MINUTE)
    told.wait(12 * MINUTE)
    told.status()


def test_spot_reimage(told: Story) -> None:
    """A spot node fails, is preempted, comes back under the same name, runs and succeeds; later it fails again."""
    add_job(told.system, "render-8", active=5)
    succeed(told.system, "render-8", "good-1")
    told.wait(2 * MINUTE)
    fail(told.system, "render-8", "spot-1", MISSING_INPUT)
    told.wait(2 * MINUTE)
    told.say("spot-1 is preempted and missing from the listing for a while")
    kept = told.system.world.job("render-8")
    status = kept.statuses["spot-1", "pool-1"] if kept else None
    told.system.world.forget_status("render-8", "pool-1", "spot-1")
    told.wait(5 * MINUTE)
    told.say("it is listed again, as it was")
    told.system.world.set_status("render-8", "pool-1", "spot-1", preparation=status.preparation if status else None)
    told.wait(2 * MINUTE)
    told.say("it is back and runs")
    begin(told.system, "render-8", "spot-1")
    told.wait(2 * MINUTE)
    told.say("it succeeds")
    succeed(told.system, "render-8", "spot-1")
    told.wait(2 * MINUTE)
    told.say("it is preempted and fails again")
    fail(told.system, "render-8", "spot-1", MISSING_INPUT)
    told.wait(2 * MINUTE)


def test_delete_during_release(told: Story) -> None:
    """A job with an open failure is deleted; a release task fails while that goes on, then the job is gone."""
    add_job(told.system, "nightly-2", active=3)
    succeed(told.system, "nightly-2", "n01", "n02")
    fail(told.system, "nightly-2", "n03", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is being deleted")
    end(told.system, "nightly-2", "deleting")
    release(told.system, "nightly-2", "n01")
    release(told.system, "nightly-2", "n02", RELEASE_FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is gone")
    told.system.world.delete_job("nightly-2")
    told.wait(6 * MINUTE)
    told.status()


def test_mended_before_it_ends(told: Story) -> None:
    """Preparation of two jobs fails and is mended; four minutes later they end, before that was told."""
    for job in ("nightly-63", "nightly-64"):
        add_job(told.system, job, active=9, running=3)
        succeed(told.system, job, "good-1")
    told.wait(2 * MINUTE)
    for job in ("nightly-63", "nightly-64"):
        fail_all(told.system, job, nodes(3), FAILURE)
    told.wait(20 * MINUTE, every=2 * MINUTE)
    told.say("it is mended")
    for job in ("nightly-63", "nightly-64"):
        succeed(told.system, job, *nodes(3))
    told.wait(4 * MINUTE)
    told.say("both jobs end")
    for job in ("nightly-63", "nightly-64"):
        end(told.system, job, "completed")
    told.wait(20 * MINUTE, every=2 * MINUTE)
    told.status()


def test_vanished_with_open_failures(told: Story) -> None:
    """A job with an open failure vanishes between two polls."""
    add_job(told.system, "nightly-3", active=3)
    succeed(told.system, "nightly-3", "n01")
    fail(told.system, "nightly-3", "n02", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job vanishes")
    told.system.world.delete_job("nightly-3")
    told.wait(6 * MINUTE)
    told.status()


def test_job_created_again(told: Story) -> None:
    """A job with an open failure is deleted and created again at once; the same node fails for the new one."""
    add_job(told.system, "nightly-4", active=3)
    fail(told.system, "nightly-4", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is deleted and created again")
    told.system.world.delete_job("nightly-4")
    add_job(told.system, "nightly-4", active=3)
    told.wait(2 * MINUTE)
    told.say("n01 fails for the new job")
    fail(told.system, "nightly-4", "n01", FAILURE)
    told.wait(6 * MINUTE)


def test_three_hours_of_outage(told: Story) -> None:
    """Prepwatch does not run for three hours, in which nodes fail: one is still listed so, one has recovered."""
    add_job(told.system, "nightly-5", active=9)
    succeed(told.system, "nightly-5", "n01")
    told.wait(3 * MINUTE)
    told.say("Prepwatch stops")
    told.without_prepwatch(HOUR)
    fail(told.system, "nightly-5", "n02", FAILURE)
    fail(told.system, "nightly-5", "n03", FAILURE)
    add_job(told.system, "started-meanwhile", active=9)
    fail(told.system, "started-meanwhile", "n04", MISSING_INPUT)
    told.without_prepwatch(HOUR)
    succeed(told.system, "nightly-5", "n03")
    told.without_prepwatch(HOUR)
    told.say("Prepwatch runs again")
    told.wait(3 * MINUTE)
    told.status()
