"""What the simulation found about chat and pager, each played by hand, so that it stays found."""

from datetime import timedelta

from trials.simulation.batch import ACCOUNT
from trials.simulation.plant import Plant
from trials.simulation.scripts import FAILURE, add_job, fail, succeed
from trials.simulation.weather import FINE, AccountMood, Chance, ReceiverMood, Weather

MINUTE = timedelta(minutes=1)


def _minutes(plant: Plant, number: int) -> None:
    for _ in range(number):
        plant.poll(plant.processes[0])
        plant.run_for(MINUTE)


def test_failures_of_a_job_created_again_before_chat_was_told_are_told() -> None:
    """What failed while chat had to wait is in its numbers, even when a new job has taken the id meanwhile."""
    with Plant(Chance("counts"), names="A", webhooks={"chat": {"format": "slack"}}) as plant:
        add_job(plant, "again")
        _minutes(plant, 1)
        fail(plant, "again", "n1", FAILURE)
        _minutes(plant, 2)
        fail(plant, "again", "n2", FAILURE)
        _minutes(plant, 1)
        plant.world.delete_job("again")
        add_job(plant, "again")
        _minutes(plant, 10)
        first, last = plant.witness.listeners["chat"].messages
        assert [part.newly_failed("preparation") for each in (first, last) for part in each.hearing.parts] == [1, 1]


def test_end_of_what_came_with_another_end_is_told() -> None:
    """A job that nobody sees any more as its failures are over, and then is gone, is said to be gone."""
    with Plant(Chance("unseen"), names="A", webhooks={"chat": {"format": "slack"}}) as plant:
        for job in ("unseen", "well"):
            add_job(plant, job)
        _minutes(plant, 1)
        fail(plant, "unseen", "n1", FAILURE)
        _minutes(plant, 2)
        succeed(plant, "unseen", "n1")
        _minutes(plant, 1)
        plant.account.sick_jobs.add("unseen")
        _minutes(plant, 10)
        plant.world.delete_job("unseen")
        plant.account.sick_jobs.clear()
        _minutes(plant, 15)
        told = [part for each in plant.witness.listeners["chat"].messages for part in each.hearing.parts]
        assert [(part.resolved, part.goes_on) for part in told] == [(False, False), (True, True), (True, False)]


def test_page_that_was_held_up_does_not_follow_its_end() -> None:
    """A pager that could not be told that an account is unreachable is not told so when the account is well again."""
    with Plant(Chance("overtaken"), names="A", webhooks={"pager": {"format": "pagerduty"}}) as plant:
        _minutes(plant, 1)
        plant.receivers["pager"].mood = ReceiverMood.BROKEN
        plant.chance.weather = Weather(account=AccountMood.DENIED)
        _minutes(plant, 4)
        plant.receivers["pager"].mood = ReceiverMood.WELL
        plant.chance.weather = FINE
        _minutes(plant, 90)
        incident = plant.witness.listeners["pager"].incidents[f"prepwatch:account:{ACCOUNT}"]
        assert not incident.is_open


def test_page_that_is_on_its_way_when_its_trouble_ends_is_followed_by_the_end() -> None:
    """The end of an incident is told again when the page that opens it was still being sent as the end was told."""
    with Plant(Chance("beside"), webhooks={"pager": {"format": "pagerduty"}}) as plant:
        first, second = plant.processes
        _minutes(plant, 1)
        plant.chance.weather = Weather(account=AccountMood.DENIED)
        _minutes(plant, 2)
        plant.senders["A"].latency = (15, 16)
        plant.poll(first)
        plant.run_for(timedelta(seconds=5))
        plant.chance.weather = FINE
        plant.poll(second)
        plant.run_for(MINUTE)
        _minutes(plant, 5)
        incident = plant.witness.listeners["pager"].incidents[f"prepwatch:account:{ACCOUNT}"]
        assert len(incident.lives) == 1
        assert not incident.is_open
