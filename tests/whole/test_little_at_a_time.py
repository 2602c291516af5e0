"""A receiver that is back from an outage, and takes no more at a time than the chat services do."""

from datetime import datetime

import pytest

from shared.webhook import WebhookRequest
from tests.support.deployment import deploy
from tests.support.fakes import refusal
from tests.whole.test_receivers import FORMATS, OTHER, Receivers, fail, let_pass, webhooks_of


@pytest.mark.parametrize("kind", ["teams", "slack", "pagerduty"])
def test_who_is_back_and_takes_little_at_a_time_is_not_failing_again(kind: str) -> None:
    """Of much that waited only one message is taken in a minute: what is too much is sent soon, and nobody alarmed."""
    hook = FORMATS[kind]
    deployment = deploy(hook, OTHER)
    receivers = Receivers(deployment)
    receivers.answers = {str(hook["name"]): refusal(503), "b.example": refusal(503)}
    fail(deployment, "job-1")
    let_pass(deployment, 30)
    assert {one["state"] for one in webhooks_of(deployment)} == {"failing"}
    receivers.answers.clear()
    receivers.sent.clear()
    take, taken = deployment.sender.during, set[datetime]()

    def take_one(request: WebhookRequest) -> None:
        take(request)
        if "b.example" not in request.url:
            if deployment.clock.now in taken:
                deployment.sender.answer = refusal(429, headers={"retry-after": "1"})
            taken.add(deployment.clock.now)

    deployment.sender.during = take_one
    for _ in range(12):
        let_pass(deployment, 1)
        failing_again = taken and webhooks_of(deployment, str(hook["name"]))["state"] != "ok"
        assert not failing_again
    assert not webhooks_of(deployment, str(hook["name"]))["untold"]["jobs"]
    assert not webhooks_of(deployment, str(hook["name"]))["due"]
