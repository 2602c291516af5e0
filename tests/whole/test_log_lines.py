"""Every line of the log is written on the thread that the platform called: it drops all others."""

import logging
import threading
from collections.abc import Iterator

import pytest

from shared.adapters.lanes import ThreadLanes
from shared.errors import BatchError, StoreUnavailableError
from shared.ports import Row
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED, SLACK


class Log(logging.Handler):
    """Keeps the names of lines, and of the threads that wrote them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.threads: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.names.append(record.getMessage().partition(" ")[0])
        self.threads.add(threading.get_ident())


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    """What the app logs."""
    caplog.set_level(logging.INFO, logger="prepwatch")
    handler = Log()
    logging.getLogger("prepwatch").addHandler(handler)
    yield handler
    logging.getLogger("prepwatch").removeHandler(handler)


def _troubled() -> Deployment:
    """A failure to tell to a receiver that is gone, and a job that can't be listed, on the real lanes."""
    deployment = deploy(SIGNED, SLACK, lanes=ThreadLanes())
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.batch.add(a_job("broken"))

    def refuse(method: str, job_id: str) -> None:
        if method == "list_statuses" and job_id == "broken":
            raise BatchError("Odd", "It does not go.", status=400)

    deployment.batch.before_asking = refuse
    deployment.sender.answer = refusal(410)
    return deployment


def test_a_cycle_of_the_timer(log: Log) -> None:
    """Attempts, deaths, errors of jobs and the cycle are all in the log."""
    _troubled().poll()
    assert {"attempt", "delivery-dead", "job-error", "cycle"} <= set(log.names)
    assert log.threads == {threading.get_ident()}


def test_a_poll_on_demand(log: Log) -> None:
    """The cycle that a summary asks for runs on threads of its own, and says as much."""
    _troubled().ask(Routes.summary, {"maxAge": "0"})
    assert {"attempt", "delivery-dead", "job-error", "cycle"} <= set(log.names)
    assert log.threads == {threading.get_ident()}


def test_a_run_of_deliveries(log: Log) -> None:
    """What a nudge leads to is in the log."""
    deployment = _troubled()
    deployment.sender.answer = refusal(500)
    deployment.poll()
    log.names.clear()
    deployment.clock.advance(minutes=30)
    deployment.deliver()
    assert "attempt" in log.names
    assert log.threads == {threading.get_ident()}


def test_a_cycle_that_fails(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the table goes away in the middle, what was said until then is in the log all the same."""
    deployment = _troubled()
    deployment.sender.answer = refusal(500)
    deployment.poll()
    log.names.clear()
    deployment.clock.advance(minutes=30)
    query = deployment.table.query

    def away(partition: str, start: str, end: str) -> Iterator[Row]:
        if start.startswith("job"):
            raise StoreUnavailableError("away")
        return query(partition, start, end)

    monkeypatch.setattr(deployment.table, "query", away)
    with pytest.raises(StoreUnavailableError):
        deployment.app.pollers[ACCOUNT].run()
    assert "attempt" in log.names
    assert log.threads == {threading.get_ident()}
