"""GET /api/summary: what is wrong, the worst first, and since when."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.batch.model import TaskCounts
from shared.delivery.advice import advice_on
from shared.errors import AccountDeniedError, HostileAnswerError
from shared.ports import Merge
from shared.state.rows import job_key
from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.builders import webhook
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal

GONE = "status 410: the receiver is gone for good. Mend the receiver, then POST /api/webhooks/ops/enable"
DEAD = "POST /api/redeliveries with state dead sends it again, POST /api/dismissals takes it off this list"


def _nothing(deployment: Deployment) -> None:
    deployment.poll()


def _well(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    deployment.poll()


def _open_failures(deployment: Deployment) -> None:
    deployment.batch.add(a_job("a"), *(a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(2)))
    deployment.batch.add(a_job("b"), a_node("n", preparation=a_run(failed=True)))
    deployment.poll()


def _stuck(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.batch.counts["job-1"] = TaskCounts(active=3)
    for _ in range(4):
        deployment.poll()
        deployment.clock.advance(minutes=2)
    deployment.poll()


def _denied(deployment: Deployment) -> None:
    deployment.poll()
    deployment.clock.advance(seconds=60)
    deployment.batch.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "No role.", status=403)
    deployment.poll()


def _unreachable(deployment: Deployment) -> None:
    deployment.batch.add(a_job())
    deployment.batch.failures["list_statuses"] = HostileAnswerError("InvalidAnswer", "Not JSON.")
    for _ in range(3):
        deployment.poll()
        deployment.clock.advance(seconds=60)


def _failing_webhook(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(500)
    deployment.batch.add(a_job(), *(a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(3)))
    for _ in range(6):
        deployment.poll()
        deployment.clock.advance(minutes=10)
    deployment.poll()


def _late(deployment: Deployment) -> None:
    """One job's event is never taken, and others' in between are."""

    def answer(request: WebhookRequest) -> None:
        deployment.sender.answer = refusal(503) if b"job-1" in request.body else ACCEPTED

    deployment.sender.during = answer
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    for number in range(18):
        deployment.batch.add(a_job(f"other-{number}"), a_node(preparation=a_run(failed=True)))
        deployment.poll()
        deployment.batch.add(a_job(f"other-{number}"), a_node(preparation=a_run()))
        deployment.clock.advance(minutes=1)
    deployment.poll()


def _disabled_webhook(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(410)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()


def _unreadable(deployment: Deployment) -> None:
    deployment.batch.add(a_job())
    deployment.poll()
    newer = Merge(key=job_key("job-1"), columns={"v": 99})
    deployment.table.transact(ACCOUNT, [newer])


def _stale(deployment: Deployment) -> None:
    deployment.poll()
    deployment.clock.advance(seconds=301)
    deployment.batch.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "No role.", status=403)


@pytest.mark.parametrize(
    ("arrange", "status", "reasons"),
    [
        pytest.param(_nothing, "ok", [], id="ok"),
        pytest.param(
            _open_failures, "failing", ["preparation failed in 2 jobs (on 3 nodes, counted job by job)"], id="failing"
        ),
        pytest.param(
            _stuck,
            "failing",
            [
                "1 job stands still: preparation failed on every node that could work",
                "preparation failed on 1 node of 1 job",
            ],
            id="stuck",
        ),
        pytest.param(_denied, "degraded", [f"{ACCOUNT}: AuthenticationFailed: No role."], id="account denied"),
        pytest.param(_unreachable, "degraded", ["1 job can't be read"], id="job unreachable"),
        pytest.param(
            _failing_webhook,
            "failing",
            [
                "preparation failed on 3 nodes of 1 job",
                "webhook ops has accepted nothing since 2026-11-01 12:00 UTC: status 500. "
                + advice_on(webhook(), None, 500)
                + " 6 messages wait, the oldest since 2026-11-01 12:00 UTC",
            ],
            id="webhook failing",
        ),
        pytest.param(
            _late,
            "failing",
            [
                "preparation failed in 19 jobs (on 19 nodes, counted job by job)",
                "webhook ops has not taken everything: 1 message waits, the oldest since 2026-11-01 12:00 UTC",
            ],
            id="one event that is not taken",
        ),
        pytest.param(
            _disabled_webhook,
            "failing",
            [
                "preparation failed on 1 node of 1 job",
                f"webhook ops is disabled since 2026-11-01 12:00 UTC: {GONE}",
                f"1 message is undeliverable: {DEAD}",
            ],
            id="webhook disabled",
        ),
        pytest.param(
            _unreadable,
            "degraded",
            ["1 job can't be read"],
            id="row of a newer version",
        ),
        pytest.param(
            _stale,
            "stale",
            [
                f"{ACCOUNT} has not been read since 2026-11-01 12:00 UTC",
                f"{ACCOUNT}: AuthenticationFailed: No role.",
            ],
            id="stale",
        ),
    ],
)
def test_status_and_reasons(arrange: Callable[[Deployment], None], status: str, reasons: list[str]) -> None:
    """The summary says at once what is wrong, the worst first, in words."""
    deployment = deploy(EVENT_MAX_NODES="1")
    arrange(deployment)
    told = deployment.ask(Routes.summary)
    assert (told.status, told.body["status"], told.body["reasons"]) == (200, status, reasons)


def test_what_fails_is_not_hidden_behind_a_blind_account() -> None:
    """Beside an account that can't be read the summary still says first that preparation fails, and then the rest."""
    deployment = deploy(accounts=2)
    deployment.poll(OTHER_ACCOUNT)
    deployment.clock.advance(seconds=301)
    denied = AccountDeniedError("AuthenticationFailed", "No role.", status=403)
    deployment.batches[OTHER_ACCOUNT].failures["list_jobs"] = denied
    run = a_run(failed=True, ended=deployment.clock.now)
    deployment.batch.add(a_job(), a_node(preparation=run))
    deployment.poll()
    told = deployment.ask(Routes.summary)
    assert told.body["status"] == "failing"
    first, second, _ = told.body["reasons"]
    assert first == "preparation failed on 1 node of 1 job"
    assert second == f"{OTHER_ACCOUNT} has not been read since 2026-11-01 12:00 UTC"


def _release_failed(deployment: Deployment) -> None:
    released = a_run(failed=True, ended=NOW - timedelta(minutes=3))
    deployment.batch.add(a_job(), a_node(preparation=a_run(), release=released))
    deployment.poll()


def _failed_one_after_the_other(deployment: Deployment) -> None:
    runs = [a_run(failed=True, ended=NOW - timedelta(minutes=minutes)) for minutes in (9, 20)]
    runs.append(a_run(failed=True, ended=NOW - timedelta(minutes=15), code="Other"))
    released = a_run(failed=True, ended=NOW - timedelta(minutes=30))
    nodes = [a_node(f"n{number}", preparation=run) for number, run in enumerate(runs)]
    deployment.batch.add(a_job(), *nodes, a_node("n9", preparation=a_run(), release=released))
    deployment.poll()


@pytest.mark.parametrize(
    ("arrange", "since"),
    [
        pytest.param(_well, None, id="nothing is wrong"),
        pytest.param(_failed_one_after_the_other, -20, id="the first of the failures that are open"),
        pytest.param(_stuck, -5, id="stuck, since its last node failed"),
        pytest.param(_unreachable, 0, id="its first cycle with an error"),
        pytest.param(_release_failed, -3, id="its first failed release"),
        pytest.param(_unreadable, None, id="nobody knows"),
    ],
)
def test_since_when(arrange: Callable[[Deployment], None], since: int | None) -> None:
    """A job says since when the worst of what is wrong with it goes on, in minutes here, and goes on saying it."""
    deployment = deploy()
    arrange(deployment)
    first = deployment.ask(Routes.summary)
    (job,) = first.body["value"]
    wanted = None if since is None else f"{NOW + timedelta(minutes=since):%Y-%m-%dT%H:%M:%SZ}"
    assert job["since"] == wanted
    deployment.clock.advance(seconds=1)
    assert deployment.ask(Routes.summary).headers["etag"] == first.headers["etag"]
