"""What people receive while an account, a webhook or Prepwatch itself is in trouble."""

from trials.simulation.fault_rates import NO_FAULTS, AccountState, FaultRates, ReceiverState
from trials.simulation.scripts import (
    FAILURE,
    MISSING_INPUT,
    add_job,
    fail,
    fail_all,
    set_nodes,
    start_task_failed,
    succeed,
)
from trials.simulation.story import HOUR, MINUTE, Story, nodes


def test_first_deployment(told: Story) -> None:
    """Prepwatch is deployed where nodes failed long ago and a moment ago: only the latter is news."""
    add_job(told.system, "old-job", active=9)
    fail(told.system, "old-job", "n01", FAILURE)
    told.without_prepwatch(5 * HOUR)
    fail(told.system, "old-job", "n02", FAILURE)
    told.say("Prepwatch runs for the first time")
    told.wait(2 * MINUTE)
    told.status()


def test_expired_credential(told: Story) -> None:
    """Batch refuses the credential for a quarter of an hour; a node fails meanwhile."""
    add_job(told.system, "render-9", active=9)
    told.wait(3 * MINUTE)
    told.say("the credential expires")
    told.rates(FaultRates(account=AccountState.DENIED))
    told.wait(5 * MINUTE)
    told.status()
    fail(told.system, "render-9", "n01", FAILURE)
    told.wait(10 * MINUTE)
    told.say("the credential is renewed")
    told.rates(NO_FAULTS)
    told.wait(3 * MINUTE)
    told.status()


def test_throttled_account(told: Story) -> None:
    """Batch asks for patience for twenty minutes; a node fails meanwhile."""
    add_job(told.system, "render-10", active=9)
    told.wait(3 * MINUTE)
    told.say("Batch throttles the account")
    told.rates(FaultRates(account=AccountState.THROTTLED))
    told.wait(4 * MINUTE)
    told.status()
    fail(told.system, "render-10", "n01", FAILURE)
    told.wait(16 * MINUTE)
    told.status()
    told.say("Batch answers again")
    told.rates(NO_FAULTS)
    told.wait(8 * MINUTE)
    told.status()


def test_job_unreachable(told: Story) -> None:
    """Batch can't list one job for ten minutes; the others go on."""
    add_job(told.system, "broken", active=9)
    add_job(told.system, "sound", active=9)
    told.wait(2 * MINUTE)
    told.say("the listing of one job fails")
    told.system.account.sick_jobs = {"broken"}
    told.wait(2 * MINUTE)
    fail(told.system, "sound", "n01", FAILURE)
    told.wait(8 * MINUTE)
    told.status()
    told.say("it works again")
    told.system.account.sick_jobs = set()
    told.wait(2 * MINUTE)
    told.status()


def test_key_rotation(told: Story) -> None:
    """A receiver changes from the old secret to the new one while both are configured: it can verify throughout."""
    add_job(told.system, "nightly-6", active=9)
    told.wait(MINUTE)
    fail(told.system, "nightly-6", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("the receiver changes to the new secret")
    told.receiver("rotating").secret = told.system.settings.webhooks[-1].secrets[0]
    fail(told.system, "nightly-6", "n02", FAILURE)
    told.wait(2 * MINUTE)


def test_dead_webhook_for_a_day(told: Story) -> None:
    """One receiver is down for a day in which three nodes fail; the others are told at once, and are told of it."""
    add_job(told.system, "nightly-7", active=9)
    succeed(told.system, "nightly-7", "good-1")
    told.wait(3 * MINUTE)
    told.say("the night team's receiver goes down")
    told.receiver("night-team").state = ReceiverState.REFUSING
    for node in nodes(3):
        fail(told.system, "nightly-7", node, FAILURE)
        told.wait(4 * HOUR, every=4 * MINUTE)
    told.status()
    told.wait(12 * HOUR, every=4 * MINUTE)
    told.say("the receiver is up again")
    told.receiver("night-team").state = ReceiverState.WELL
    told.wait(26 * HOUR, every=4 * MINUTE)
    told.status()


def test_mute_over_a_night(told: Story) -> None:
    """Somebody mutes the nightly jobs from 22:00 to 07:00; some fail meanwhile, and what failed before is mended."""
    told.without_prepwatch(21 * HOUR + 50 * MINUTE)
    add_job(told.system, "nightly-9", active=9)
    add_job(told.system, "nightly-10", active=9)
    add_job(told.system, "render-12", active=9)
    succeed(told.system, "nightly-9", "good-1")
    succeed(told.system, "nightly-10", "good-1")
    succeed(told.system, "render-12", "good-1")
    told.wait(2 * MINUTE)
    told.say("a node of nightly-10 fails before the mute")
    fail(told.system, "nightly-10", "n10", MISSING_INPUT)
    told.wait(8 * MINUTE)
    told.say("nightly* is muted until 07:00")
    told.mute(["nightly*"], told.system.now + 9 * HOUR)
    told.wait(3 * HOUR, every=4 * MINUTE)
    told.say("01:00, two nodes of nightly-9 fail")
    fail_all(told.system, "nightly-9", ["n01", "n02"], FAILURE)
    told.wait(HOUR, every=4 * MINUTE)
    told.say("02:00, one of them is mended, and so is nightly-10; a job that is not muted fails")
    succeed(told.system, "nightly-9", "n02")
    succeed(told.system, "nightly-10", "n10")
    fail(told.system, "render-12", "n12", FAILURE)
    told.wait(HOUR, every=4 * MINUTE)
    told.say("03:00, another node of nightly-9 fails")
    fail(told.system, "nightly-9", "n03", MISSING_INPUT)
    told.wait(4 * HOUR, every=4 * MINUTE)
    told.say("07:00, the mute is over")
    told.wait(20 * MINUTE)
    told.status()
    told.say("nightly-9 is mended")
    succeed(told.system, "nightly-9", "n01", "n03")
    told.wait(30 * MINUTE)
    told.status()


def test_what_still_stands_in_the_morning(told: Story) -> None:
    """Two jobs fail and a pool breaks at night; one job is mended before eight, the rest before the next morning."""
    for name in ("nightly-60", "nightly-62"):
        add_job(told.system, name, active=9, running=7)
        fail_all(told.system, name, nodes(3), MISSING_INPUT)
        succeed(told.system, name, *nodes(10)[3:])
    set_nodes(told.system, nodes(10), "running")
    add_job(told.system, "nightly-61", pool="pool-2", running=6)
    set_nodes(told.system, nodes(10), "running", pool="pool-2")
    start_task_failed(told.system, nodes(4), 127, pool="pool-2")
    told.wait(6 * MINUTE)
    told.wait(5 * HOUR + 54 * MINUTE, every=30 * MINUTE)
    told.say("preparation succeeds in nightly-62")
    succeed(told.system, "nightly-62", *nodes(3))
    told.wait(2 * HOUR + 3 * MINUTE, every=15 * MINUTE)
    told.status()
    told.say("the rest is mended")
    succeed(told.system, "nightly-60", *nodes(3))
    set_nodes(told.system, nodes(4), "idle", pool="pool-2")
    told.wait(25 * HOUR, every=30 * MINUTE)
    told.status()


def test_receiver_gone_for_good(told: Story) -> None:
    """A receiver answers 410: it is sent nothing more, and the others are told."""
    add_job(told.system, "nightly-8", active=9)
    told.wait(2 * MINUTE)
    told.receiver("night-team").state = ReceiverState.GONE
    fail(told.system, "nightly-8", "n01", FAILURE)
    told.wait(2 * MINUTE)
    told.say("another node fails")
    fail(told.system, "nightly-8", "n02", FAILURE)
    told.wait(2 * MINUTE)
    told.status()


def test_process_dies_after_sending(told: Story) -> None:
    """The process dies after a receiver took a message and before that was recorded: it comes again, the same."""
    add_job(told.system, "render-11", active=9)
    told.wait(2 * MINUTE)
    fail(told.system, "render-11", "n01", FAILURE)
    told.rates(FaultRates(crash_while_sending=1.0))
    told.wait(MINUTE)
    told.rates(NO_FAULTS)
    told.say("the process has died; another one starts")
    told.system.start(told.system.processes[0])
    told.wait(3 * MINUTE)
