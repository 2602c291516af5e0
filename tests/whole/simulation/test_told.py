"""What the simulation found about chat and pager, each played by hand, so that it stays found."""

from datetime import timedelta

from trials.simulation.batch import ACCOUNT
from trials.simulation.fault_rates import NO_FAULTS, AccountState, Chance, FaultRates, ReceiverState
from trials.simulation.scripts import FAILURE, add_job, fail, succeed
from trials.simulation.system import System

MINUTE = timedelta(minutes=1)


def _minutes(system: System, number: int) -> None:
    for _ in range(number):
        system.poll(system.processes[0])
        system.run_for(MINUTE)


def test_failures_of_a_job_created_again_before_chat_was_told_are_told() -> None:
    """What failed while chat had to wait is in its numbers, even when a new job has taken the id meanwhile."""
    with System(Chance("counts"), names="A", webhooks={"chat": {"format": "slack"}}) as system:
        add_job(system, "again")
        _minutes(system, 1)
        fail(system, "again", "n1", FAILURE)
        _minutes(system, 2)
        fail(system, "again", "n2", FAILURE)
        _minutes(system, 1)
        system.world.delete_job("again")
        add_job(system, "again")
        _minutes(system, 10)
        first, last = system.monitor.listeners["chat"].messages
        assert [part.newly_failed("preparation") for each in (first, last) for part in each.reading.parts] == [1, 1]


def test_end_of_what_came_with_another_end_is_told() -> None:
    """A job that nobody sees any more as its failures are over, and then is gone, is said to be gone."""
    with System(Chance("unseen"), names="A", webhooks={"chat": {"format": "slack"}}) as system:
        for job in ("unseen", "well"):
            add_job(system, job)
        _minutes(system, 1)
        fail(system, "unseen", "n1", FAILURE)
        _minutes(system, 2)
        succeed(system, "unseen", "n1")
        _minutes(system, 1)
        system.account.sick_jobs.add("unseen")
        _minutes(system, 10)
        system.world.delete_job("unseen")
        system.account.sick_jobs.clear()
        _minutes(system, 15)
        told = [part for each in system.monitor.listeners["chat"].messages for part in each.reading.parts]
        assert [(part.resolved, part.goes_on) for part in told] == [(False, False), (True, True), (True, False)]


def test_page_that_was_held_up_does_not_follow_its_end() -> None:
    """A pager that could not be told that an account is unreachable is not told so when the account is well again."""
    with System(Chance("overtaken"), names="A", webhooks={"pager": {"format": "pagerduty"}}) as system:
        _minutes(system, 1)
        system.receivers["pager"].state = ReceiverState.BROKEN
        system.chance.rates = FaultRates(account=AccountState.DENIED)
        _minutes(system, 4)
        system.receivers["pager"].state = ReceiverState.WELL
        system.chance.rates = NO_FAULTS
        _minutes(system, 90)
        incident = system.monitor.listeners["pager"].incidents[f"prepwatch:account:{ACCOUNT}"]
        assert not incident.is_open


def test_page_that_is_on_its_way_when_its_trouble_ends_is_followed_by_the_end() -> None:
    """The end of an incident is told again when the page that opens it was still being sent as the end was told."""
    with System(Chance("beside"), webhooks={"pager": {"format": "pagerduty"}}) as system:
        first, second = system.processes
        _minutes(system, 1)
        system.chance.rates = FaultRates(account=AccountState.DENIED)
        _minutes(system, 2)
        system.senders["A"].latency = (15, 16)
        system.poll(first)
        system.run_for(timedelta(seconds=5))
        system.chance.rates = NO_FAULTS
        system.poll(second)
        system.run_for(MINUTE)
        _minutes(system, 5)
        incident = system.monitor.listeners["pager"].incidents[f"prepwatch:account:{ACCOUNT}"]
        assert len(incident.lives) == 1
        assert not incident.is_open
