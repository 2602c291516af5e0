"""The stories: each a function that its docstring sums up; adding one is adding a function."""

from collections.abc import Callable
from datetime import timedelta

from tests.whole.scenarios.story import Story
from tests.whole.simulation.scripts import (
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
from tests.whole.simulation.weather import FINE, AccountMood, ReceiverMood, Weather

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
STORIES: dict[str, Callable[[Story], None]] = {}


def story(tell: Callable[[Story], None]) -> Callable[[Story], None]:
    """Name a story after its function."""
    STORIES[tell.__name__] = tell
    return tell


def _nodes(number: int) -> list[str]:
    return [f"n{index:02d}" for index in range(1, number + 1)]


@story
def mass_failure(told: Story) -> None:
    """All 60 nodes of a job fail within a minute for one reason; the job can't go on, until its input is there."""
    add_job(told.plant, "nightly-1", active=200)
    told.wait(2 * MINUTE)
    told.say("preparation fails on 60 nodes")
    fail_all(told.plant, "nightly-1", _nodes(60), DENIED_INPUT)
    told.wait(10 * MINUTE)
    told.status()
    told.say("the input is mended, every node is reimaged")
    begin(told.plant, "nightly-1", *_nodes(60))
    told.wait(2 * MINUTE)
    succeed(told.plant, "nightly-1", *_nodes(60))
    told.wait(6 * MINUTE)
    told.status()


@story
def autoscale_trickle(told: Story) -> None:
    """Autoscale adds one bad node a minute, for ten minutes, to a job that works elsewhere."""
    add_job(told.plant, "render-7", active=50)
    succeed(told.plant, "render-7", "good-1", "good-2")
    told.wait(2 * MINUTE)
    for node in _nodes(10):
        told.say(f"{node} joins and fails")
        fail(told.plant, "render-7", node, FAILURE)
        told.wait(MINUTE)
    told.wait(12 * MINUTE)
    told.status()


@story
def spot_reimage(told: Story) -> None:
    """A spot node fails, is preempted, comes back under the same name, runs and succeeds; later it fails again."""
    add_job(told.plant, "render-8", active=5)
    succeed(told.plant, "render-8", "good-1")
    told.wait(2 * MINUTE)
    fail(told.plant, "render-8", "spot-1", MISSING_INPUT)
    told.wait(2 * MINUTE)
    told.say("spot-1 is preempted and missing from the listing for a while")
    kept = told.plant.world.job("render-8")
    status = kept.statuses["spot-1", "pool-1"] if kept else None
    told.plant.world.forget_status("render-8", "pool-1", "spot-1")
    told.wait(5 * MINUTE)
    told.say("it is listed again, as it was")
    told.plant.world.set_status("render-8", "pool-1", "spot-1", preparation=status.preparation if status else None)
    told.wait(2 * MINUTE)
    told.say("it is back and runs")
    begin(told.plant, "render-8", "spot-1")
    told.wait(2 * MINUTE)
    told.say("it succeeds")
    succeed(told.plant, "render-8", "spot-1")
    told.wait(2 * MINUTE)
    told.say("it is preempted and fails again")
    fail(told.plant, "render-8", "spot-1", MISSING_INPUT)
    told.wait(2 * MINUTE)


@story
def delete_during_release(told: Story) -> None:
    """A job with an open failure is deleted; a release task fails while that goes on, then the job is gone."""
    add_job(told.plant, "nightly-2", active=3)
    succeed(told.plant, "nightly-2", "n01", "n02")
    fail(told.plant, "nightly-2", "n03", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is being deleted")
    end(told.plant, "nightly-2", "deleting")
    release(told.plant, "nightly-2", "n01")
    release(told.plant, "nightly-2", "n02", RELEASE_FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is gone")
    told.plant.world.delete_job("nightly-2")
    told.wait(6 * MINUTE)
    told.status()


@story
def vanished_with_open_failures(told: Story) -> None:
    """A job with an open failure vanishes between two polls."""
    add_job(told.plant, "nightly-3", active=3)
    succeed(told.plant, "nightly-3", "n01")
    fail(told.plant, "nightly-3", "n02", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job vanishes")
    told.plant.world.delete_job("nightly-3")
    told.wait(6 * MINUTE)
    told.status()


@story
def job_created_again(told: Story) -> None:
    """A job with an open failure is deleted and created again at once; the same node fails for the new one."""
    add_job(told.plant, "nightly-4", active=3)
    fail(told.plant, "nightly-4", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the job is deleted and created again")
    told.plant.world.delete_job("nightly-4")
    add_job(told.plant, "nightly-4", active=3)
    told.wait(2 * MINUTE)
    told.say("n01 fails for the new job")
    fail(told.plant, "nightly-4", "n01", FAILURE)
    told.wait(6 * MINUTE)


@story
def three_hours_of_outage(told: Story) -> None:
    """Prepwatch does not run for three hours, in which nodes fail: one is still listed so, one has recovered."""
    add_job(told.plant, "nightly-5", active=9)
    succeed(told.plant, "nightly-5", "n01")
    told.wait(3 * MINUTE)
    told.say("Prepwatch stops")
    told.without_prepwatch(HOUR)
    fail(told.plant, "nightly-5", "n02", FAILURE)
    fail(told.plant, "nightly-5", "n03", FAILURE)
    add_job(told.plant, "started-meanwhile", active=9)
    fail(told.plant, "started-meanwhile", "n04", MISSING_INPUT)
    told.without_prepwatch(HOUR)
    succeed(told.plant, "nightly-5", "n03")
    told.without_prepwatch(HOUR)
    told.say("Prepwatch runs again")
    told.wait(3 * MINUTE)
    told.status()


@story
def first_deployment(told: Story) -> None:
    """Prepwatch is deployed where nodes failed long ago and a moment ago: only the latter is news."""
    add_job(told.plant, "old-job", active=9)
    fail(told.plant, "old-job", "n01", FAILURE)
    told.without_prepwatch(5 * HOUR)
    fail(told.plant, "old-job", "n02", FAILURE)
    told.say("Prepwatch runs for the first time")
    told.wait(2 * MINUTE)
    told.status()


@story
def expired_credential(told: Story) -> None:
    """Batch refuses the credential for a quarter of an hour; a node fails meanwhile."""
    add_job(told.plant, "render-9", active=9)
    told.wait(3 * MINUTE)
    told.say("the credential expires")
    told.weather(Weather(account=AccountMood.DENIED))
    told.wait(5 * MINUTE)
    told.status()
    fail(told.plant, "render-9", "n01", FAILURE)
    told.wait(10 * MINUTE)
    told.say("the credential is renewed")
    told.weather(FINE)
    told.wait(3 * MINUTE)
    told.status()


@story
def throttled_account(told: Story) -> None:
    """Batch asks for patience for twenty minutes; a node fails meanwhile."""
    add_job(told.plant, "render-10", active=9)
    told.wait(3 * MINUTE)
    told.say("Batch throttles the account")
    told.weather(Weather(account=AccountMood.THROTTLED))
    told.wait(4 * MINUTE)
    told.status()
    fail(told.plant, "render-10", "n01", FAILURE)
    told.wait(16 * MINUTE)
    told.status()
    told.say("Batch answers again")
    told.weather(FINE)
    told.wait(8 * MINUTE)
    told.status()


@story
def job_unreachable(told: Story) -> None:
    """Batch can't list one job for ten minutes; the others go on."""
    add_job(told.plant, "broken", active=9)
    add_job(told.plant, "sound", active=9)
    told.wait(2 * MINUTE)
    told.say("the listing of one job fails")
    told.plant.account.sick_jobs = {"broken"}
    told.wait(2 * MINUTE)
    fail(told.plant, "sound", "n01", FAILURE)
    told.wait(8 * MINUTE)
    told.status()
    told.say("it works again")
    told.plant.account.sick_jobs = set()
    told.wait(2 * MINUTE)
    told.status()


@story
def key_rotation(told: Story) -> None:
    """A receiver changes from the old secret to the new one while both are configured: it can verify throughout."""
    add_job(told.plant, "nightly-6", active=9)
    told.wait(MINUTE)
    fail(told.plant, "nightly-6", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the receiver changes to the new secret")
    told.receiver("rotating").secret = told.plant.settings.webhooks[-1].secrets[0]
    fail(told.plant, "nightly-6", "n02", FAILURE)
    told.wait(2 * MINUTE)


@story
def dead_webhook_for_a_day(told: Story) -> None:
    """One receiver is down for a day in which three nodes fail; the others are told at once, and are told of it."""
    add_job(told.plant, "nightly-7", active=9)
    succeed(told.plant, "nightly-7", "good-1")
    told.wait(3 * MINUTE)
    told.say("the night team's receiver goes down")
    told.receiver("night-team").mood = ReceiverMood.REFUSING
    for node in _nodes(3):
        fail(told.plant, "nightly-7", node, FAILURE)
        told.wait(4 * HOUR, every=4 * MINUTE)
    told.status()
    told.wait(12 * HOUR, every=4 * MINUTE)
    told.say("the receiver is up again")
    told.receiver("night-team").mood = ReceiverMood.WELL
    told.wait(26 * HOUR, every=4 * MINUTE)
    told.status()


@story
def mute_over_a_night(told: Story) -> None:
    """Somebody mutes the nightly jobs from 22:00 to 07:00; some fail meanwhile, and what failed before is mended."""
    told.without_prepwatch(21 * HOUR + 50 * MINUTE)
    add_job(told.plant, "nightly-9", active=9)
    add_job(told.plant, "nightly-10", active=9)
    add_job(told.plant, "render-12", active=9)
    succeed(told.plant, "nightly-9", "good-1")
    succeed(told.plant, "nightly-10", "good-1")
    succeed(told.plant, "render-12", "good-1")
    told.wait(2 * MINUTE)
    told.say("a node of nightly-10 fails before the mute")
    fail(told.plant, "nightly-10", "n10", MISSING_INPUT)
    told.wait(8 * MINUTE)
    told.say("nightly* is muted until 07:00")
    told.mute(["nightly*"], told.plant.now + 9 * HOUR)
    told.wait(3 * HOUR, every=4 * MINUTE)
    told.say("01:00, two nodes of nightly-9 fail")
    fail_all(told.plant, "nightly-9", ["n01", "n02"], FAILURE)
    told.wait(HOUR, every=4 * MINUTE)
    told.say("02:00, one of them is mended, and so is nightly-10; a job that is not muted fails")
    succeed(told.plant, "nightly-9", "n02")
    succeed(told.plant, "nightly-10", "n10")
    fail(told.plant, "render-12", "n12", FAILURE)
    told.wait(HOUR, every=4 * MINUTE)
    told.say("03:00, another node of nightly-9 fails")
    fail(told.plant, "nightly-9", "n03", MISSING_INPUT)
    told.wait(4 * HOUR, every=4 * MINUTE)
    told.say("07:00, the mute is over")
    told.wait(20 * MINUTE)
    told.status()
    told.say("nightly-9 is mended")
    succeed(told.plant, "nightly-9", "n01", "n03")
    told.wait(30 * MINUTE)
    told.status()


@story
def receiver_gone_for_good(told: Story) -> None:
    """A receiver answers 410: it is sent nothing more, and the others are told."""
    add_job(told.plant, "nightly-8", active=9)
    told.wait(2 * MINUTE)
    told.receiver("night-team").mood = ReceiverMood.GONE
    fail(told.plant, "nightly-8", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("another node fails")
    fail(told.plant, "nightly-8", "n02", FAILURE)
    told.wait(2 * MINUTE)
    told.status()


@story
def process_dies_after_sending(told: Story) -> None:
    """The process dies after a receiver took a message and before that was recorded: it comes again, the same."""
    add_job(told.plant, "render-11", active=9)
    told.wait(2 * MINUTE)
    fail(told.plant, "render-11", "n01", FAILURE)
    told.weather(Weather(crash_while_sending=1.0))
    told.wait(MINUTE)
    told.weather(FINE)
    told.say("the process has died; another one starts")
    told.plant.start(told.plant.processes[0])
    told.wait(3 * MINUTE)
