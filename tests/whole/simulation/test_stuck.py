"""A job that can still move is never called stuck; one that can't is, within ten minutes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.polling.standstills import RunningTasks
from trials.promises.checks import check_calm
from trials.promises.monitor import BrokenPromiseError
from trials.simulation.fault_rates import Chance
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
from trials.simulation.system import System

MINUTE = timedelta(minutes=1)
BAD = [f"bad-{number}" for number in range(5)]


def all_fail(system: System) -> None:
    """Every node that was tried fails, and tasks wait."""
    add_job(system, "nightly", active=9)
    fail_all(system, "nightly", BAD, FAILURE)


def one_is_ready(system: System) -> None:
    """One node works."""
    all_fail(system)
    succeed(system, "nightly", "good")


def one_prepares_itself(system: System) -> None:
    """One node prepares itself, for a quarter of an hour each time."""
    if system.world.job("nightly") is None:
        all_fail(system)
    if system.now.minute % 15 == 0:
        begin(system, "nightly", "slow")


def one_is_prepared_again_and_again(system: System) -> None:
    """One node fails and is tried again every three minutes."""
    if system.world.job("nightly") is None:
        all_fail(system)
    minute = system.now.minute % 3
    if minute == 0:
        begin(system, "nightly", BAD[0])
    elif minute == 2:
        fail(system, "nightly", BAD[0], FAILURE)


def nothing_waits(system: System) -> None:
    """The job has no task yet."""
    add_job(system, "nightly")
    fail_all(system, "nightly", BAD, FAILURE)


def tasks_run(system: System) -> None:
    """A task of the job runs, wherever."""
    add_job(system, "nightly", active=9, running=1)
    fail_all(system, "nightly", BAD, FAILURE)


def tasks_do_not_wait(system: System) -> None:
    """Tasks run without a successful preparation."""
    add_job(system, "nightly", active=9).wait_for_success = False
    fail_all(system, "nightly", BAD, FAILURE)


def is_ending(system: System) -> None:
    """The job is being terminated, which takes an hour."""
    all_fail(system)
    end(system, "nightly", "terminating")


def is_disabled(system: System) -> None:
    """Somebody has disabled the job."""
    all_fail(system)
    end(system, "nightly", "disabled")


def told_in_an_hour(job: Callable[[System], None], *, each_minute: bool = False) -> list[str]:
    """The types of events that an hour with this job brings."""
    with System(Chance("stuck"), names="A") as system:
        job(system)
        for _ in range(60):
            system.poll(system.processes[0])
            system.run_for(MINUTE)
            if each_minute:
                job(system)
        return [event.type for event in system.monitor.events.values()]


def test_a_job_whose_last_node_prepares_itself_is_not_stuck() -> None:
    """Whoever prepares itself, and has not done so for half an hour, may still take the tasks."""
    assert "job.stuck" not in told_in_an_hour(one_prepares_itself, each_minute=True)


@pytest.mark.parametrize(
    "job",
    [one_is_ready, nothing_waits, tasks_run, tasks_do_not_wait, is_ending, is_disabled],
    ids=lambda job: job.__name__,
)
def test_a_job_that_can_move_is_not_stuck(job: Callable[[System], None]) -> None:
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
    with System(Chance("stuck"), names="A") as system:
        for state in ("terminating", None):
            all_fail(system)
            for _ in range(8):
                system.poll(system.processes[0])
                system.run_for(MINUTE)
            if state is not None:
                end(system, "nightly", state)
            else:
                system.world.delete_job("nightly")
            for _ in range(4):
                system.poll(system.processes[0])
                system.run_for(MINUTE)
            if system.world.job("nightly") is not None:
                system.world.delete_job("nightly")
        check_calm(system)
        types = [event.type for event in system.monitor.events.values()]
        assert (types.count("job.stuck"), types.count("job.resumed")) == (2, 2)
        resumed = [event.data["reason"] for event in system.monitor.events.values() if event.type == "job.resumed"]
        assert resumed == ["jobEnded", "jobGone"]


def test_a_node_that_takes_the_place_of_a_failed_one_may_still_move_the_job() -> None:
    """While failures of nodes that have just left stand open, a new one that prepares itself is counted on."""
    with System(Chance("replaced"), names="A") as system:
        add_job(system, "nightly", active=9)
        fail_all(system, "nightly", BAD[:2], FAILURE)
        for minute in range(9):
            system.poll(system.processes[0])
            system.run_for(MINUTE)
            if minute == 0:
                drop_nodes(system, BAD[1:2])
                set_nodes(system, ["fresh"], "idle")
                begin(system, "nightly", "fresh")
        assert "job.stuck" not in {event.type for event in system.monitor.events.values()}


def test_the_witness_knows_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a job called stuck that has a node at work, every run of the simulation and every story would say so."""
    for rules in ("suspicion_rules", "standstill_rules"):
        monkeypatch.setattr(f"shared.pools.{rules}.to_hold", lambda *_: 1)
    nothing = RunningTasks(others=False, manager=False)
    monkeypatch.setattr("shared.polling.standstills.StandstillWatcher._running", lambda *_: nothing)
    monkeypatch.setattr("shared.polling.standstills.StandstillWatcher._may_move", lambda *_: False)
    monkeypatch.setattr("shared.pools.suspicion_rules._follows_success", lambda *_: False)
    with pytest.raises(BrokenPromiseError, match="nightly is called stuck, but a node prepares itself"):
        told_in_an_hour(one_is_ready)
