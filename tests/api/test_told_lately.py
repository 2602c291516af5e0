"""What webhooks took of what they were sent lately, filters that let nothing pass, and what is owed to nobody."""

from typing import Any

import pytest

from shared.web.http import Request
from shared.web.routes import Routes
from shared.webhook import WebhookAnswer
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import FakeSender, refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK


def _try(deployment: Deployment) -> dict[str, dict[str, Any]]:
    told = deployment.ask(lambda routes, asked: routes.system.diagnostics(asked))
    return {check["name"]: check for check in told.body["value"]}


@pytest.mark.parametrize(
    ("answer", "words", "remedy"),
    [
        pytest.param(refusal(204), "It takes what it is sent.", None, id="well"),
        pytest.param(
            refusal(404, b"no such flow"), "taken nothing since", "ping: once it takes something", id="failing"
        ),
        pytest.param(refusal(410), "It is sent nothing since", "POST /api/webhooks/ops/enable", id="gone"),
    ],
)
def test_what_was_told_lately(answer: WebhookAnswer, words: str, remedy: str | None) -> None:
    """A webhook that takes nothing fails its check, with its last answer and what to do."""
    deployment = deploy()
    deployment.sender.answer = answer
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    for _ in range(10):
        deployment.poll()
        deployment.clock.advance(minutes=2)
    check = _try(deployment)["messages to ops"]
    assert (check["ok"], words in check["message"]) == (remedy is None, True)
    assert (check["remedy"] is None) == (remedy is None)
    assert remedy is None or remedy in check["remedy"]
    assert "no such flow" in check["message"] or answer.status != 404


def test_a_message_that_was_not_taken_once() -> None:
    """A refusal or two is said, and is no fault yet: the message is sent again."""
    deployment = deploy()
    deployment.sender.answer = refusal(404, b"no such flow")
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    check = _try(deployment)["messages to ops"]
    assert check["ok"]
    assert check["message"].startswith("Its last message was not taken, and is sent again: status 404")


def test_a_webhook_that_somebody_switched_off() -> None:
    """It is no fault."""
    deployment = deploy()
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")
    assert _try(deployment)["messages to ops"]["ok"]


def test_events_that_there_are_not() -> None:
    """A filter that matches no event type fails its check and names itself and the types that there are."""
    deployment = deploy({**SIGNED, "events": ["job.stuc", "release.*"]})
    check = _try(deployment)["events of ops"]
    assert not check["ok"]
    assert "job.stuc matches no event type; there are preparation.failed, " in check["message"]
    assert "release" not in check["message"].partition("there are")[0]


@pytest.mark.parametrize("hook", [SIGNED, SLACK, PAGER], ids=lambda hook: str(hook["name"]))
def test_nothing_is_owed_to_what_a_person_switched_off(hook: dict[str, object]) -> None:
    """However long it is off, the numbers that alerts rest on stay at nothing; once it is on again it is told."""
    name = str(hook["name"])
    answer = refusal(202, b'{"status":"success"}') if hook is PAGER else refusal(200, b"ok")
    deployment = deploy(hook, sender=FakeSender(answer))
    deployment.poll()
    deployment.ask(lambda routes, request: routes.webhooks.disable_webhook(request), name=name)
    for number in range(4):
        node = a_node(f"n{number}", preparation=a_run(failed=True, ended=deployment.clock.now))
        deployment.batch.add(a_job(f"job-{number}"), node)
        deployment.poll()
        deployment.clock.advance(hours=1)
    deployment.poll()
    untold = deployment.ask(lambda routes, request: routes.webhooks.list_webhooks(request)).body["value"][0]["untold"]
    assert {word: number for word, number in untold.items() if number} == {}
    assert deployment.ask(Routes.summary).body["deliveries"]["oldestDueSince"] is None
    text = deployment.app.routes.system.metrics(Request()).body.decode()
    assert f'prepwatch_oldest_untold_age_seconds{{webhook="{name}"}} 0\n' in text
    assert deployment.sender.sent == []
    deployment.ask(lambda routes, request: routes.webhooks.enable_webhook(request), name=name)
    deployment.poll()
    assert bool(deployment.sender.sent) is (hook is not SIGNED)
