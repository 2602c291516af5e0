"""One cycle of an account runs at a time: whoever comes second joins it, and shows nobody any numbers of its own."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.adapters.lanes import ThreadLanes
from shared.nudges.turns import CYCLE_LEASE, KEEP_EVERY, Running
from shared.ports import Put
from shared.state.rows import RUNNING, from_row, to_columns
from shared.web.http import Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, DecodedAnswer, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock

LIMIT_SECONDS = 60  # only so that a defect fails instead of hanging


class PatientClock(FakeClock):
    """A clock by which no time passes while somebody waits."""

    def pause(self, duration: timedelta) -> None:
        """Let others go on."""
        time.sleep(0.002)


class Stage:
    """Two instances of the app over one table, and a Batch account that can be made to answer late."""

    def __init__(self) -> None:
        self.clock, self.table = PatientClock(), FakeTable()
        self.first, self.second = (deploy(table=self.table, clock=self.clock, lanes=ThreadLanes()) for _ in range(2))
        self.listing, self.go_on = threading.Event(), threading.Event()
        for deployment in (self.first, self.second):
            deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
        self.pool = ThreadPoolExecutor(8)

    def begin(self) -> "Future[Any]":
        """Let the first instance begin a cycle, up to its answer from Batch."""

        def late(method: str, _job_id: str) -> None:
            if method == "list_jobs" and not self.go_on.is_set():
                self.listing.set()
                assert self.go_on.wait(LIMIT_SECONDS)

        self.first.batch.before_asking = late
        running = self.pool.submit(self.first.app.pollers[ACCOUNT].run)
        assert self.listing.wait(LIMIT_SECONDS)
        return running

    def ask(self, deployment: Deployment, max_age: str = "0") -> "Future[DecodedAnswer]":
        """Ask an instance for the summary."""
        return self.pool.submit(lambda: deployment.ask(Routes.summary, {"maxAge": max_age}))


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Nobody waits for ever, whatever a test forgets."""
    stage = Stage()
    yield stage
    stage.go_on.set()
    stage.pool.shutdown()


def _polls(deployment: Deployment) -> int:
    return sum(method == "list_jobs" for method, _ in deployment.batch.asked)


def test_who_asks_meanwhile_waits_for_the_cycle_that_runs(stage: Stage) -> None:
    """On the same instance and on another the answer comes with that cycle's numbers, and Batch is asked once."""
    running = stage.begin()
    asking = [stage.ask(stage.first), stage.ask(stage.second), stage.ask(stage.second)]
    time.sleep(0.1)
    assert not any(one.done() for one in asking)
    stage.go_on.set()
    assert running.result(LIMIT_SECONDS).good
    for one in asking:
        (account,) = one.result(LIMIT_SECONDS).body["accounts"]
        assert (account["lastPoll"]["jobs"], account["lastPoll"]["errors"], account["stale"]) == (1, 0, False)
    assert (_polls(stage.first), _polls(stage.second)) == (1, 0)


def test_the_timer_leaves_it_to_a_cycle_that_lives(stage: Stage) -> None:
    """A timer that fires meanwhile waits until it knows that the other is alive, and polls nothing."""
    running = stage.begin()
    firing = stage.pool.submit(stage.second.app.pollers[ACCOUNT].run)
    time.sleep(0.1)
    assert not firing.done()
    stage.clock.advance(KEEP_EVERY)
    row = stage.table.get(ACCOUNT, RUNNING)
    assert row is not None
    alive = replace(from_row(row, Running), leased_until=stage.clock.now + CYCLE_LEASE)
    stage.table.transact(ACCOUNT, [Put(key=RUNNING, columns=to_columns(alive))])
    report = firing.result(LIMIT_SECONDS)
    assert (report.skipped, report.good, _polls(stage.second)) == ("another cycle was running", False, 0)
    stage.go_on.set()
    running.result(LIMIT_SECONDS)


def test_a_cycle_that_was_overtaken_says_so(stage: Stage) -> None:
    """A holder that gives no sign of life is taken over; what it then comes back with is nobody's numbers."""
    running = stage.begin()
    stage.clock.advance(CYCLE_LEASE)
    after = stage.second.app.pollers[ACCOUNT].run()
    assert (after.good, after.jobs) == (True, 1)
    shown = stage.second.ask(Routes.summary).body["accounts"]
    stage.clock.advance(seconds=1)
    stage.go_on.set()
    report = running.result(LIMIT_SECONDS)
    assert (report.skipped, report.good, report.jobs, report.errors) == ("overtaken by another cycle", False, 0, 0)
    assert stage.second.ask(Routes.summary).body["accounts"] == shown
    told = {request.headers["webhook-id"] for each in (stage.first, stage.second) for request in each.sender.sent}
    assert len(told) == 1


def test_what_an_overtaken_cycle_asked_of_batch_is_counted_by_the_next(stage: Stage) -> None:
    """Requests are counted for ever, whoever made them."""
    stage.first.requests[ACCOUNT].add(429)
    running = stage.begin()
    stage.clock.advance(CYCLE_LEASE)
    stage.second.app.pollers[ACCOUNT].run()
    stage.go_on.set()
    running.result(LIMIT_SECONDS)
    stage.clock.advance(seconds=60)
    stage.first.poll()
    counted = stage.first.app.routes.system.metrics(Request()).body.decode()
    assert f'prepwatch_batch_requests_total{{account="{ACCOUNT}",code="429"}} 1' in counted


def test_a_cycle_that_fails_holds_nobody_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect, or a table that goes away, ends the turn: the next cycle begins at once."""

    def fail(*_: object) -> None:
        raise RuntimeError("defect")

    with monkeypatch.context() as patched:
        patched.setattr("shared.polling.known_jobs.JobHeadStore.read", fail)
        with pytest.raises(RuntimeError):
            stage.first.poll()
    stage.go_on.set()
    assert stage.second.app.pollers[ACCOUNT].run().good


def test_many_who_ask_at_once_cost_two_cycles_at_most(stage: Stage) -> None:
    """One that runs and one for those who asked after it began: never one for each."""
    stage.go_on.set()
    asking = [stage.ask(deployment) for deployment in (stage.first, stage.second) for _ in range(4)]
    for one in asking:
        assert one.result(LIMIT_SECONDS).status == 200
    assert 1 <= _polls(stage.first) + _polls(stage.second) <= 8
