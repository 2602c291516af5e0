"""What is over before chat or a pager could be told is left out as a pair, unless its beginning may be known."""

from datetime import timedelta

import pytest

from shared.errors import AccountDeniedError
from shared.webhook import SendFailure, WebhookAnswer
from tests.support.deployment import deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import PAGER, SLACK
from tests.whole.test_receivers import Receivers, let_pass

DENIED = AccountDeniedError("Forbidden", "No.", status=403)
LATE = WebhookAnswer(
    status=None,
    failure=SendFailure.TIMEOUT,
    reason="no answer within 20 seconds",
    retry_after=None,
    body=b"",
    duration=timedelta(seconds=20),
)


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        pytest.param(SLACK, refusal(503), 0, id="chat has surely not heard of it"),
        pytest.param(SLACK, LATE, 1, id="chat may have read it: it is told the end"),
        pytest.param(PAGER, refusal(503), 1, id="a pager may have opened it: it is told the end"),
    ],
)
def test_what_was_over_before_it_could_be_told(hook: dict[str, object], answer: WebhookAnswer, told: int) -> None:
    """Access to an account was refused and given back before the receiver was back: of that it hears no beginning."""
    name = str(hook["name"])
    deployment = deploy(hook)
    receivers = Receivers(deployment)
    let_pass(deployment, 1)
    receivers.answers[name] = answer
    deployment.batch.failures["list_jobs"] = DENIED
    let_pass(deployment, 5)
    assert receivers.told(name)
    deployment.batch.failures.clear()
    let_pass(deployment, 5)
    receivers.answers.clear()
    receivers.sent.clear()
    let_pass(deployment, 20)
    said = [body for body in receivers.told(name) if "account" in str(body)]
    assert len(said) == told
    assert all("unreachable" not in str(body) and body.get("event_action") != "trigger" for body in said)
