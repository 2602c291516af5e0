"""What goes wrong within Prepwatch itself stays where it is, and is said."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest
from msgspec.structs import replace

from shared.adapters.lanes import ThreadLanes
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.ports import Column, Delete, Lanes, ListingOptions, ListingPage, Merge
from shared.state.rows import CYCLE, OWN, to_columns, webhook_key
from shared.state.telling import WebhookState
from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.deployment import ACCOUNT, DecodedAnswer, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, InlineLanes
from tests.support.webhook_settings import SIGNED

FAILED = a_node(preparation=a_run(failed=True))
NEWER: Mapping[str, Column] = {"v": 99}
DAMAGED: Mapping[str, Column] = {"data0": b"\xc1"}


def _odd_deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Three jobs, one of which trips us up."""
    deployment = deploy()
    for name in ("a", "odd", "z"):
        deployment.batch.add(a_job(name), FAILED)
    list_statuses = deployment.batch.list_statuses

    def trip(job_id: str, options: ListingOptions, *, deadline: datetime | None = None) -> Iterator[ListingPage]:
        if job_id == "odd":
            raise KeyError("password=hunter2-and-more")
        return list_statuses(job_id, options, deadline=deadline)

    monkeypatch.setattr(deployment.batch, "list_statuses", trip)
    return deployment


def _told(deployment: Deployment, kind: str) -> list[str]:
    events = (json.loads(request.body) for request in deployment.sender.sent)
    return sorted(event["data"]["jobId"] for event in events if event["type"] == f"prepwatch.{kind}")


@pytest.mark.defects
def test_a_defect_in_one_job_is_that_jobs_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The other jobs are told, the job's head says what happened, the log has the traceback without secrets."""
    caplog.set_level(logging.INFO, logger="prepwatch")
    deployment = _odd_deployment(monkeypatch)
    for _ in range(3):
        deployment.poll()
        deployment.clock.advance(minutes=1)
    assert _told(deployment, "preparation.failed") == ["a", "z"]
    assert _told(deployment, "job.unreachable") == ["odd"]
    summary = deployment.ask(Routes.summary).body
    error = next(job["error"] for job in summary["value"] if job["jobId"] == "odd")
    assert error["code"] == "Defect"
    assert error["message"].startswith("Prepwatch met a defect in this job (KeyError)")
    assert summary["accounts"][0]["lastPoll"]["errors"] == 1
    traces = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(traces) == 3
    assert "in trip" in traces[0].getMessage()
    assert "hunter2" not in caplog.text


@pytest.mark.defects
def test_a_defect_in_the_writing_of_one_job_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the job's error can't be written down, the others are told and the cycle counts the error."""
    commit_job = Ledger.commit_job

    def trip(ledger: Ledger, row: object, before: object, step: Slice, *rest: object) -> object:
        if step.head.job_id == "odd":
            raise ZeroDivisionError
        return commit_job(ledger, row, before, step, *rest)  # type: ignore[arg-type]  # as it was called

    deployment = _odd_deployment(monkeypatch)
    monkeypatch.setattr(Ledger, "commit_job", trip)
    deployment.poll()
    assert _told(deployment, "preparation.failed") == ["a", "z"]
    assert deployment.ask(Routes.summary).body["accounts"][0]["lastPoll"]["errors"] == 1


ODD = "https://odd.example/a-secret-path"
HEART = "https://heart.example/beat"
SIGNED_URL = str(SIGNED["url"])


@pytest.mark.defects
@pytest.mark.parametrize("lanes", [InlineLanes, ThreadLanes], ids=["inline", "threads"])
@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({**SIGNED, "name": "odd", "url": ODD}, id="delivery"),
        pytest.param({"name": "odd", "format": "slack", "url": ODD}, id="digest"),
    ],
)
def test_a_defect_in_a_message_harms_no_other(
    odd: Mapping[str, object], lanes: type[Lanes], caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told, and that it fails; the log has the trace without secrets; mended, it is told all once."""

    def trip(request: WebhookRequest) -> None:
        if request.url == ODD:
            raise KeyError(f"{request.url} password=hunter2-and-more")

    def cycles(number: int) -> list[str]:
        deployment.sender.sent.clear()
        deployment.sender.called.clear()
        for _ in range(number):
            deployment.poll()
            deployment.clock.advance(seconds=61)
        return [*(request.url for request in deployment.sender.sent), *deployment.sender.called]

    deployment = deploy(odd, SIGNED, lanes=lanes(), HEARTBEAT_URL=HEART)
    deployment.sender.answer = replace(ACCEPTED, status=200, body=b"ok")
    deployment.batch.add(a_job(), FAILED)
    deployment.sender.during = trip
    told = Counter(cycles(240))
    tries = told.pop(ODD)
    # The failure, and that the other webhook fails; from a quarter of an hour on nobody says that all is well.
    assert (told[SIGNED_URL], told[HEART] + told[f"{HEART}/fail"]) == (2, 240)
    assert 14 <= told[HEART] <= 16
    assert 45 <= tries <= 50
    traces = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(traces) == tries
    assert traces[0].startswith("delivery-defect ")
    assert '"webhook":"odd"' in traces[0]
    assert "in trip" in traces[0]
    assert "hunter2" not in caplog.text
    assert "a-secret-path" not in caplog.text
    health = deployment.ask(Routes.summary).body["webhooks"]
    assert health == {"failing": ["odd"], "disabled": []}
    deployment.sender.during = lambda _request: None
    again = Counter(cycles(240))
    assert (again.pop(ODD), again.pop(SIGNED_URL)) == (1, 1)
    assert again[f"{HEART}/fail"] <= 6


def _break(deployment: Deployment, partition: str, key: str, columns: Mapping[str, Column]) -> None:
    deployment.table.transact(partition, [Merge(key=key, columns=columns)])


@pytest.mark.parametrize("columns", [NEWER, DAMAGED], ids=["newer", "damaged"])
def test_a_cycle_row_that_cannot_be_read_is_said_and_mended(columns: Mapping[str, Column]) -> None:
    """The summary names the row and the mend; after it the next cycle goes on and tells nothing a second time."""
    deployment = deploy()
    deployment.batch.add(a_job(), FAILED)
    deployment.poll()
    _break(deployment, ACCOUNT, CYCLE, columns)
    before = deployment.table.get(ACCOUNT, CYCLE)
    told = deployment.ask(Routes.summary)
    assert (told.status, told.body["status"]) == (200, "failing")
    account = told.body["accounts"][0]
    assert (account["stale"], account["error"]["code"]) == (True, "UnreadableRow")
    assert "Row cycle" in account["error"]["message"]
    assert f"delete that row from partition {ACCOUNT}" in account["error"]["message"]
    assert any("Row cycle" in reason for reason in told.body["reasons"])
    assert deployment.table.get(ACCOUNT, CYCLE) == before
    deployment.table.transact(ACCOUNT, [Delete(key=CYCLE)])
    deployment.poll()
    assert deployment.ask(Routes.summary).body["status"] == "failing"
    assert _told(deployment, "preparation.failed") == ["job-1"]


@pytest.mark.parametrize("columns", [NEWER, DAMAGED], ids=["newer", "damaged"])
def test_a_webhooks_row_that_cannot_be_read_holds_that_webhook_only(columns: Mapping[str, Column]) -> None:
    """Jobs are watched, others told; the webhook is sent nothing, and the summary says why, until it is mended."""
    other = {**SIGNED, "name": "other", "url": "https://other.example/hook"}
    deployment = deploy(SIGNED, other)
    row = to_columns(WebhookState(name="ops"))
    _break(deployment, OWN, webhook_key("ops"), {**row, **columns})
    before = deployment.table.get(OWN, webhook_key("ops"))
    deployment.batch.add(a_job(), FAILED)
    deployment.poll()
    assert [request.url for request in deployment.sender.sent] == ["https://other.example/hook"]
    told = deployment.ask(Routes.summary).body
    assert (told["status"], told["webhooks"]["failing"]) == ("failing", ["ops"])
    (reason,) = (reason for reason in told["reasons"] if "ops" in reason)
    assert reason.startswith("webhook ops is sent nothing: Row webhook|ops ")
    assert f"delete that row from partition {OWN}" in reason
    assert deployment.table.get(OWN, webhook_key("ops")) == before
    deployment.table.transact(OWN, [Delete(key=webhook_key("ops"))])
    deployment.poll()
    assert _told(deployment, "preparation.failed") == ["job-1", "job-1"]
    assert deployment.ask(Routes.summary).body["webhooks"]["failing"] == []


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(lambda told: told.ask(lambda routes, request: routes.webhooks.list_webhooks(request)), id="list"),
        pytest.param(
            lambda told: told.ask(lambda routes, request: routes.webhooks.enable_webhook(request), name="ops"),
            id="enable",
        ),
    ],
)
def test_a_request_that_needs_an_unreadable_row_says_which(asked: Callable[[Deployment], DecodedAnswer]) -> None:
    """The answer names the row instead of asking to try again."""
    deployment = deploy()
    _break(deployment, OWN, webhook_key("ops"), NEWER)
    told = asked(deployment)
    assert (told.status, told.body["error"]["code"]) == (503, "UnreadableRow")
    assert "webhook|ops" in told.body["error"]["message"]
