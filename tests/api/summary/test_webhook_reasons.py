"""GET /api/summary: what it says of webhooks that are not told, or not all of it."""

from typing import Any

import pytest

from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.deployment import a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED, SLACK


def test_who_switched_a_webhook_off_is_said() -> None:
    """By a person's wish is something else than a receiver that is gone, and both say how it is told again."""
    deployment = deploy()
    deployment.poll()
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")
    assert deployment.ask(Routes.summary).body["reasons"] == [
        "webhook ops is disabled, switched off by request: POST /api/webhooks/ops/enable has it told again"
    ]


def test_what_chat_calls_wrong_is_not_said_to_wait() -> None:
    """A failing chat of which nothing waits is said to fail, without a number of messages."""
    deployment = deploy({"name": "ops", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"})
    deployment.sender.answer = refusal(400)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True, ended=deployment.clock.now)))
    for _ in range(8):
        deployment.clock.advance(minutes=1)
        deployment.poll()
    reasons = deployment.ask(Routes.summary).body["reasons"]
    assert [reason for reason in reasons if reason.startswith("webhook ops has accepted nothing since ")]
    assert [reason for reason in reasons if "messages wait" in reason] == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"WEBHOOKS": "[]"}, "no webhook is configured"), ({}, "every webhook is switched off in the settings")],
    ids=["none", "switched off"],
)
def test_no_webhook(settings: dict[str, Any], words: str) -> None:
    """An app that would tell nobody is degraded, and says whether there is nobody or somebody who is switched off."""
    deployment = deploy({**SIGNED, "enabled": False}, **settings)
    deployment.poll()
    told = deployment.ask(Routes.summary)
    assert told.body["status"] == "degraded"
    assert told.body["reasons"] == [f"{words}, so nobody is notified of failures"]


def test_a_message_that_chat_calls_wrong() -> None:
    """It could not be told: the summary is degraded, with the answer and what can be done, until somebody knows."""
    deployment = deploy(SLACK)

    def answer(request: WebhookRequest) -> None:
        deployment.sender.answer = refusal(400, b"invalid_blocks") if b"job-1" in request.body else refusal(200, b"ok")

    deployment.sender.during = answer
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.clock.advance(minutes=1)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    (reason,) = [one for one in deployment.ask(Routes.summary).body["reasons"] if "chat" in one]
    assert "webhook chat calls the message about 1 job or pool wrong" in reason
    assert "status 400: the receiver calls the message wrong: invalid_blocks" in reason
    deployment.ask(lambda routes, asked: routes.events.dismiss_deliveries(asked), body={})
    assert not [one for one in deployment.ask(Routes.summary).body["reasons"] if "chat" in one]


def test_a_filter_that_matches_no_event() -> None:
    """Somebody waits for what never comes: the summary is degraded, and names the types that there are."""
    deployment = deploy({**SIGNED, "events": ["preparation.faild", "job.*"]})
    deployment.poll()
    told = deployment.ask(Routes.summary).body
    assert told["status"] == "degraded"
    assert told["reasons"][0].startswith("events of webhook ops: preparation.faild matches no event type; there are ")
    assert "preparation.failed" in told["reasons"][0]
