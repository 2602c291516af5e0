"""POST /api/dismissals: what was given up is no fault any more, and stays in the history."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared.api.events import dismissal
from shared.state.rows import OWN, range_of
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED, SLACK

SECOND = {**SIGNED, "name": "second", "url": "https://b.example/hook"}


def dismiss(routes: Any, request: Request) -> Answer:
    """The route."""
    answer: Answer = routes.events.dismiss_deliveries(request)
    return answer


def _list(routes: Any, request: Request) -> Answer:
    answer: Answer = routes.events.list_events(request)
    return answer


def _webhooks(routes: Any, request: Request) -> Answer:
    answer: Answer = routes.webhooks.list_webhooks(request)
    return answer


def _given_up(*webhooks: Mapping[str, object], jobs: int = 2, table: FakeTable | None = None) -> Deployment:
    """An app whose webhooks took nothing until the events of these jobs were given up, and take everything since."""
    deployment = deploy(*webhooks, table=table)
    deployment.sender.answer = refusal(500)
    for number in range(jobs):
        deployment.batch.add(a_job(f"job-{number}"), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.clock.advance(hours=76)
    deployment.deliver()
    deployment.sender.answer = ACCEPTED
    deployment.clock.advance(minutes=10)
    deployment.deliver()
    return deployment


def _dead(deployment: Deployment) -> int:
    return sum(len(list(deployment.table.query(at, *range_of("dead")))) for at in (ACCOUNT, OWN))


def test_it_is_no_fault_and_stays_in_the_history() -> None:
    """Dismissed, it is closed with why it was given up, the summary is silent, and it can still be sent again."""
    deployment = _given_up()
    reasons = deployment.ask(Routes.summary).body["reasons"]
    assert [reason for reason in reasons if reason.startswith("2 messages are undeliverable: POST /api/redel")]
    told = deployment.ask(dismiss, body={})
    assert (told.status, told.body) == (200, {"dismissed": 2, "more": False})
    assert not [reason for reason in deployment.ask(Routes.summary).body["reasons"] if "undeliverable" in reason]
    listed = deployment.ask(_list, {"state": "closed"}).body["value"]
    assert len(listed) == 2
    (delivery,) = listed[0]["deliveries"]
    assert delivery["reason"].startswith("dismissed by request: given up after 75 hours: status 500")
    again = deployment.ask(lambda routes, asked: routes.events.redeliver_event(asked), eventId=listed[0]["id"])
    assert again.body["value"][0]["result"] == "queued"
    assert deployment.ask(dismiss, body={}).body == {"dismissed": 0, "more": False}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        pytest.param({}, 0, id="all"),
        pytest.param({"webhook": "ops"}, 2, id="of a webhook"),
        pytest.param({"eventId": "{event}"}, 2, id="of an event"),
        pytest.param({"eventId": "{event}", "webhook": "second"}, 3, id="of both"),
    ],
)
def test_what_is_meant(body: Mapping[str, str], left: int) -> None:
    """Of a webhook, of an event, of both, or all."""
    deployment = _given_up(SIGNED, SECOND)
    assert _dead(deployment) == 4
    event = deployment.ask(_list, {"state": "dead"}).body["value"][0]["id"]
    told = deployment.ask(dismiss, body={name: value.format(event=event) for name, value in body.items()})
    assert (told.body["dismissed"], _dead(deployment)) == (4 - left, left)


@pytest.mark.parametrize(
    ("body", "status", "target"),
    [
        pytest.param({"webhook": "x"}, 404, "x", id="no such webhook"),
        pytest.param({"eventId": "x"}, 404, "x", id="no such event"),
        pytest.param({"event": "x"}, 400, "event", id="unknown field"),
        pytest.param(b"", 400, "body", id="no body"),
    ],
)
def test_refusals(body: object, status: int, target: str) -> None:
    """What can't be meant is refused by name, and nothing is dismissed."""
    deployment = _given_up(jobs=1)
    told = deployment.ask(dismiss, body=body)
    assert (told.status, told.body["error"]["target"]) == (status, target)
    assert _dead(deployment) == 1


def test_a_removed_webhook() -> None:
    """What is dead of a webhook that is not configured any more is no fault, and can be dismissed by its name."""
    before = _given_up(SIGNED, SECOND, jobs=1)
    after = deploy(SECOND, table=before.table)
    assert after.ask(Routes.summary).body["deliveries"]["dead"] == 1
    assert after.ask(dismiss, body={"webhook": "ops"}).body["dismissed"] == 1
    assert _dead(after) == 1


def _refuse_news(deployment: Deployment, body: bytes) -> None:
    deployment.sender.answer = refusal(400) if b"job-0" in body else refusal(200, b"ok")


def test_a_message_that_chat_calls_wrong() -> None:
    """Somebody knows: it is counted as refused no more, until there is more to tell and that is refused too."""
    deployment = deploy(SLACK)
    deployment.sender.during = lambda request: _refuse_news(deployment, request.body)
    deployment.batch.add(a_job("job-0"), a_node(preparation=a_run(failed=True)))
    for _ in range(3):
        deployment.poll()
        deployment.clock.advance(minutes=10)
    assert deployment.ask(_webhooks).body["value"][0]["untold"]["refused"] == 1
    assert deployment.ask(_webhooks).body["value"][0]["untold"]["since"] is not None
    assert deployment.ask(dismiss, body={"webhook": "chat"}).body["dismissed"] == 1
    assert deployment.ask(dismiss, body={"webhook": "chat"}).body["dismissed"] == 0
    waits = deployment.ask(_webhooks).body["value"][0]["untold"]
    assert (waits["refused"], waits["jobs"], waits["late"], waits["since"]) == (0, 0, 0, None)
    assert not [reason for reason in deployment.ask(Routes.summary).body["reasons"] if "webhook chat" in reason]
    deployment.batch.add(a_job("job-0"), *(a_node(node, preparation=a_run(failed=True)) for node in ("n1", "n2")))
    for _ in range(3):
        deployment.clock.advance(minutes=10)
        deployment.poll()
    assert deployment.ask(_webhooks).body["value"][0]["untold"]["refused"] == 1


def test_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call dismisses so many, in transactions that fit, and says whether more are left."""
    monkeypatch.setattr(dismissal, "MAX_AT_ONCE", 120)
    deployment = _given_up(jobs=130)
    assert deployment.ask(dismiss, body={}).body == {"dismissed": 120, "more": True}
    assert deployment.ask(dismiss, body={}).body == {"dismissed": 10, "more": False}


def test_one_that_is_sent_again_meanwhile() -> None:
    """Who asks for it again at the same moment is heard: the others are dismissed all the same."""

    class Racing(FakeTable):
        rival = False

        def transact(self, partition: str, operations: Any) -> Mapping[str, str]:
            if self.rival and operations[0].key.startswith("dead|"):
                self.rival = False
                redeliver = deployment.app.routes.events.redelivery
                redeliver.redeliver(operations[0].key.rpartition("|")[2], None)
            return super().transact(partition, operations)

    table = Racing()
    deployment = _given_up(table=table)
    table.rival = True
    assert deployment.ask(dismiss, body={}).body["dismissed"] == 1
    assert len(list(table.query(ACCOUNT, *range_of(DeliveryState.DUE.value)))) == 1


def _release_fails(deployment: Deployment, job: str, minutes_ago: float = 5) -> None:
    ended = deployment.clock.now - timedelta(minutes=minutes_ago)
    run = a_run(failed=True, ended=ended)
    deployment.batch.add(a_job(job, state="terminating"), a_node(job, preparation=a_run(), release=run))


def _reasons(deployment: Deployment) -> list[str]:
    reasons: list[str] = deployment.ask(Routes.summary).body["reasons"]
    return [reason for reason in reasons if "release" in reason]


def test_failed_releases_are_no_secret() -> None:
    """They are final and end nothing: for 24 hours the summary is degraded by them, then they are history."""
    deployment = deploy(STALE_AFTER_SECONDS="86400")
    _release_fails(deployment, "job-1")
    _release_fails(deployment, "job-2")
    deployment.poll()
    body = deployment.ask(Routes.summary).body
    words = "release failed in 2 jobs (on 2 nodes, counted job by job) within 24 hours: data may be left behind"
    assert (body["status"], body["reasons"]) == ("degraded", [words])
    deployment.clock.advance(hours=23.5)
    assert _reasons(deployment)
    deployment.clock.advance(hours=0.5)
    assert not _reasons(deployment)


def test_failed_releases_that_somebody_knows_of() -> None:
    """Dismissed by job they are no reason any more, and the next one is."""
    deployment = deploy()
    _release_fails(deployment, "job-1")
    _release_fails(deployment, "job-2")
    deployment.poll()
    assert deployment.ask(dismiss, body={"jobs": ["JOB-1"]}).body == {"dismissed": 1, "more": False}
    assert _reasons(deployment)[0].startswith("release failed on 1 node of 1 job")
    assert deployment.ask(dismiss, body={"jobs": ["*"]}).body["dismissed"] == 1
    assert not _reasons(deployment)
    assert deployment.ask(dismiss, body={"jobs": ["*"]}).body["dismissed"] == 0
    deployment.clock.advance(minutes=2)
    _release_fails(deployment, "job-1", minutes_ago=1)
    deployment.poll()
    assert _reasons(deployment)[0].startswith("release failed on 1 node of 1 job")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"jobs": ["x"]}, 404, id="no such job"),
        pytest.param({"jobs": ["*"], "webhook": "ops"}, 400, id="two things at once"),
    ],
)
def test_refused_dismissals_of_releases(body: object, status: int) -> None:
    """What can't be meant is refused."""
    deployment = deploy()
    _release_fails(deployment, "job-1")
    deployment.poll()
    assert deployment.ask(dismiss, body=body).status == status
    assert _reasons(deployment)
