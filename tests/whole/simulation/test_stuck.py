"""A job that can still move is never called stuck; one that can't is, within ten minutes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from trials.promises.checks import check_calm
from trials.promises.witness import BrokenPromiseError
from trials.simulation.plant import Plant
from trials.simulation.scripts import (
    FAILURE,
    add_job,
    begin,
    drop_nodes,
    end,
    fail,
    fail_all,
    set_nodes,
    succeed,
)
from trials.simulation.weather import Chance

MINUTE = timedelta(minutes=1)
BAD = [f"bad-{number}" for number in range(5)]


def all_fail(plant: Plant) -> None:
    """Every node that was tried fails, and tasks wait."""
    add_job(plant, "nightly", active=9)
    fail_all(plant, "nightly", BAD, FAILURE)


def one_is_ready(plant: Plant) -> None:
    """One node works."""
    all_fail(plant)
    succeed(plant, "nightly", "good")


def one_prepares_itself(plant: Plant) -> None:
    """One node prepares itself, for a quarter of an hour each time."""
    if plant.world.job("nightly") is None:
        all_fail(plant)
    if plant.now.minute % 15 == 0:
        begin(plant, "nightly", "slow")


def one_is_prepared_again_and_again(plant: Plant) -> None:
    """One node fails and is tried again every three minutes."""
    if plant.world.job("nightly") is None:
        all_fail(plant)
    minute = plant.now.minute % 3
    if minute == 0:
        begin(plant, "nightly", BAD[0])
    elif minute == 2:
        fail(plant, "nightly", BAD[0], FAILURE)


def nothing_waits(plant: Plant) -> None:
    """The job has no task yet."""
    add_job(plant, "nightly")
    fail_all(plant, "nightly", BAD, FAILURE)


def tasks_run(plant: Plant) -> None:
    """A task of the job runs, wherever."""
    add_job(plant, "nightly", active=9, running=1)
    fail_all(plant, "nightly", BAD, FAILURE)


def tasks_do_not_wait(plant: Plant) -> None:
    """Tasks run without a successful preparation."""
    add_job(plant, "nightly", active=9).wait_for_success = False
    fail_all(plant, "nightly", BAD, FAILURE)


def is_ending(plant: Plant) -> None:
    """The job is being terminated, which takes an hour."""
    all_fail(plant)
    end(plant, "nightly", "terminating")


def is_disabled(plant: Plant) -> None:
    """Somebody has disabled the job."""
    all_fail(plant)
    end(plant, "nightly", "disabled")


def told_in_an_hour(job: Callable[[Plant], None], *, each_minute: bool = False) -> list[str]:
    """The types of events that an hour with this job brings."""
    with Plant(Chance("stuck"), names="A") as plant:
        job(plant)
        for _ in range(60):
            plant.poll(plant.processes[0])
            plant.run_for(MINUTE)
            if each_minute:
                job(plant)
        return [event.type for event in plant.witness.events.values()]


def test_a_job_whose_last_node_prepares_itself_is_not_stuck() -> None:
    """Whoever prepares itself, and has not done so for half an hour, may still take the tasks."""
    assert "job.stuck" not in told_in_an_hour(one_prepares_itself, each_minute=True)


@pytest.mark.parametrize(
    "job",
    [one_is_ready, nothing_waits, tasks_run, tasks_do_not_wait, is_ending, is_disabled],
    ids=lambda job: job.__name__,
)
def test_a_job_that_can_move_is_not_stuck(job: Callable[[Plant], None]) -> None:
    """However long nodes have failed, nobody is told that the job is stuck while there is a way on."""
    assert "job.stuck" not in told_in_an_hour(job)


def test_a_job_whose_nodes_fail_again_and_again_is_stuck_once() -> None:
    """A preparation that merely begins on one of the failed nodes neither keeps the standstill back nor ends it."""
    told = told_in_an_hour(one_is_prepared_again_and_again, each_minute=True)
    assert (told.count("job.stuck"), told.count("job.resumed")) == (1, 0)


def test_a_job_that_can_not_move_is_stuck() -> None:
    """When nothing runs, nothing has succeeded and tasks wait, people are told so, once."""
    assert told_in_an_hour(all_fail).count("job.stuck") == 1


def test_a_standstill_that_ends_with_its_job_is_told_to_be_over() -> None:
    """Each job.stuck gets its job.resumed, also when the job is terminated, deleted, or created again."""
    with Plant(Chance("stuck"), names="A") as plant:
        for state in ("terminating", None):
            all_fail(plant)
            for _ in range(8):
                plant.poll(plant.processes[0])
                plant.run_for(MINUTE)
            if state is not None:
                end(plant, "nightly", state)
            else:
                plant.world.delete_job("nightly")
            for _ in range(3):
                plant.poll(plant.processes[0])
                plant.run_for(MINUTE)
            if plant.world.job("nightly") is not None:
                plant.world.delete_job("nightly")
        check_calm(plant)
        types = [event.type for event in plant.witness.events.values()]
        assert (types.count("job.stuck"), types.count("job.resumed")) == (2, 2)


def test_a_node_that_takes_the_place_of_a_failed_one_may_still_move_the_job() -> None:
    """While failures of nodes that have just left stand open, a new one that prepares itself is counted on."""
    with Plant(Chance("replaced"), names="A") as plant:
        add_job(plant, "nightly", active=9)
        fail_all(plant, "nightly", BAD[:2], FAILURE)
        for minute in range(9):
            plant.poll(plant.processes[0])
            plant.run_for(MINUTE)
            if minute == 0:
                drop_nodes(plant, BAD[1:2])
                set_nodes(plant, ["fresh"], "idle")
                begin(plant, "nightly", "fresh")
        assert "job.stuck" not in {event.type for event in plant.witness.events.values()}


def test_the_witness_knows_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a job called stuck that has a node at work, every run of the simulation and every story would say so."""
    monkeypatch.setattr("shared.pools.standstill_rules._to_hold", lambda *_: 1)
    monkeypatch.setattr("shared.polling.standstills.StandstillWatcher._moves", lambda *_: False)
    monkeypatch.setattr("shared.polling.standstills.StandstillWatcher._may_move", lambda *_: False)
    monkeypatch.setattr("shared.pools.standstill_rules._follows_success", lambda *_: False)
    with pytest.raises(BrokenPromiseError, match="nightly is called stuck, but a node prepares itself"):
        told_in_an_hour(one_is_ready)
