"""How far accounts are read, and what of them is not seen: in the diagnostics and the summary."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import JobExecutionInfo, TaskCounts
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    JobNotFoundError,
    PoolNotFoundError,
    ThrottledError,
    WrongStateError,
)
from shared.pools.facts import PoolFacts
from shared.ports import Merge
from shared.state.rows import CYCLE
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import START

BROKEN = BatchUnavailableError("InternalError", "boom", status=500)
DENIED = AccountDeniedError("AuthorizationFailure", "You may not.", status=403)
THROTTLED = ThrottledError("TooManyRequests", "slower", status=429, retry_after=timedelta(minutes=10))


def _app() -> Deployment:
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    _poll(deployment, 3)
    return deployment


def _poll(deployment: Deployment, minutes: int) -> None:
    for _ in range(minutes):
        deployment.poll()
        deployment.clock.advance(minutes=1)


def _check(deployment: Deployment) -> dict[str, Any]:
    told = deployment.ask(lambda routes, asked: routes.system.diagnostics(asked)).body["value"]
    (check,) = (check for check in told if check["name"] == f"reading of {ACCOUNT}")
    return dict(check)


def _stopped(deployment: Deployment) -> None:
    deployment.clock.advance(hours=5)


def _fails(call: str, error: BatchError) -> Callable[[Deployment], None]:
    def fails(deployment: Deployment) -> None:
        deployment.batch.failures[call] = error
        _poll(deployment, 10)
        del deployment.batch.failures[call]  # the tries of the diagnostics find nothing

    return fails


def _not_counted(deployment: Deployment) -> None:
    deployment.batch.refused = BROKEN
    _poll(deployment, 10)


def _damage(deployment: Deployment) -> None:
    deployment.table.transact(ACCOUNT, [Merge(key=CYCLE, columns={"v": 99})])


@pytest.mark.parametrize(
    ("happens", "words", "remedy"),
    [
        pytest.param(_stopped, "nothing was polled since", "POLL_SCHEDULE", id="timer stopped"),
        pytest.param(_fails("list_statuses", BROKEN), "InternalError: boom", "Azure support", id="statuses 500"),
        pytest.param(_fails("list_statuses", DENIED), "You may not.", "right that is missing", id="statuses 403"),
        pytest.param(_fails("list_jobs", DENIED), "You may not.", "right that is missing", id="jobs 403"),
        pytest.param(_fails("list_jobs", THROTTLED), "TooManyRequests", "who else asks", id="throttled"),
        pytest.param(_damage, "Row cycle has schema version 99", "Deploy the newest version", id="row"),
        pytest.param(_not_counted, "can't be counted since", "Azure support", id="pools"),
    ],
)
def test_a_blind_account_fails_its_check(happens: Callable[[Deployment], None], words: str, remedy: str) -> None:
    """What keeps an account from being read fails a check, with what to do, though all is well when that is tried."""
    deployment = _app()
    assert _check(deployment) == {
        "name": f"reading of {ACCOUNT}",
        "ok": True,
        "message": "It is read up to 2026-11-01 12:02 UTC.",
        "remedy": None,
    }
    happens(deployment)
    check = _check(deployment)
    assert (check["ok"], words in check["message"], remedy in check["remedy"]) == (False, True, True), check


def test_an_account_that_was_never_read_fails_its_check() -> None:
    """Before the first poll nobody knows anything; the timer may never fire."""
    check = _check(deploy())
    assert (check["ok"], check["message"]) == (False, "It has never been read whole.")
    assert "POLL_SCHEDULE" in check["remedy"]


def test_pools_that_are_not_counted_are_a_reason_once_that_lasts() -> None:
    """For longer than STALE_AFTER_SECONDS the summary says since when and what is not seen; one success ends it."""
    deployment = _app()
    deployment.batch.refused = BROKEN
    _poll(deployment, 5)
    summary = deployment.ask(Routes.summary).body
    assert (summary["status"], summary["reasons"]) == ("ok", [])
    assert summary["accounts"][0]["poolsErrorSince"] == "2026-11-01T12:03:00Z"
    _poll(deployment, 2)
    summary = deployment.ask(Routes.summary).body
    words = (
        f"{ACCOUNT}: the nodes of its pools can't be counted since 2026-11-01 12:03 UTC: InternalError; "
        "standstills by the pool and broken nodes are not seen"
    )
    assert (summary["status"], summary["reasons"]) == ("degraded", [words])
    deployment.batch.refused = None
    _poll(deployment, 1)
    summary = deployment.ask(Routes.summary).body
    assert (summary["status"], summary["accounts"][0]["poolsErrorSince"]) == ("ok", None)


@pytest.mark.parametrize(
    ("method", "states"), [("count_tasks", {"unusable": 2}), ("list_nodes", {"unusable": 2}), ("get_pool", {})]
)
def test_questions_about_pools_that_are_not_answered_are_a_reason_once_that_lasts(
    method: str, states: dict[str, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The nodes are counted and none works; what else is asked fails: log, summary and diagnostics say so."""
    caplog.set_level(logging.INFO, "prepwatch")
    deployment = deploy()
    job = replace(a_job(), execution_info=JobExecutionInfo(pool_id="cpu"))
    deployment.batch.add(job, a_node(preparation=a_run()))
    deployment.batch.node_counts["cpu"], deployment.batch.tasks = states, TaskCounts(active=1)

    def fail(*_: object, **__: object) -> Iterator[object]:
        raise BROKEN

    with monkeypatch.context() as patch:
        patch.setattr(deployment.batch, method, fail)
        _poll(deployment, 14)
    words = f"{ACCOUNT}: not all that is asked about its pools and waiting jobs is answered since 2026-11-01 12:0"
    summary = deployment.ask(Routes.summary).body
    assert sum(reason.startswith(words) for reason in summary["reasons"]) == 1
    assert words in _check(deployment)["message"]
    assert any("InternalError" in line.message for line in caplog.records if line.message.startswith(("facts", "pool")))
    _poll(deployment, 1)
    assert not any(words in reason for reason in deployment.ask(Routes.summary).body["reasons"])


@pytest.mark.parametrize(
    "gone",
    [
        PoolNotFoundError("PoolNotFound", "gone", status=404),
        JobNotFoundError("JobNotFound", "gone", status=404),
        WrongStateError("JobBeingDeleted", "going", status=409),
    ],
    ids=lambda error: error.code,
)
def test_that_something_is_gone_is_an_answer(gone: BatchError) -> None:
    """What Batch says of a job or pool that is being deleted is nothing that anybody has to look into."""
    facts = PoolFacts(batch=FakeBatch(), account=ACCOUNT, deadline=START)

    def ask() -> None:
        raise gone

    assert (facts.answer_or_none(ask), facts.unanswered) == (None, None)


def test_pools_that_no_cycle_comes_to_are_a_reason_once_that_lasts() -> None:
    """Batch throttles every cycle after it has read some jobs: all are read in time, and nobody looks at the pools."""
    deployment = deploy()
    for number in range(3):
        deployment.batch.add(a_job(f"job-{number}"), a_node(preparation=a_run()))
    asked: list[str] = []

    def throttle(method: str, job: str) -> None:
        asked.extend([job] if method == "list_statuses" else [])
        if method == "list_statuses" and len(asked) % 3 == 0:
            raise ThrottledError("TooManyRequests", "slower", status=429)

    deployment.batch.before_asking = throttle
    _poll(deployment, 8)
    summary = deployment.ask(Routes.summary).body
    words = f"{ACCOUNT}: the nodes of its pools can't be counted since 2026-11-01 12:00 UTC: TooManyRequests; "
    assert not summary["accounts"][0]["stale"]
    assert [reason.startswith(words) for reason in summary["reasons"]] == [True]
    deployment.batch.before_asking = lambda _method, _job: None
    _poll(deployment, 1)
    assert deployment.ask(Routes.summary).body["reasons"] == []
