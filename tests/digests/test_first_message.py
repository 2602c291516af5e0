"""The first message leaves ten seconds after what it tells was seen, not with the next cycle."""

from datetime import datetime, timedelta

import azure.functions as func
import pytest

import function_app
from shared.digests.message_intervals import HOLD
from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE
from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK

MINUTE = timedelta(minutes=1)
TEAMS = {**SLACK, "name": "team", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"}


class Platform:
    """Fires the timer each minute and runs what the queues are told, at once, in virtual time."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deployment = deployment
        self.sent: list[tuple[str, datetime]] = []
        deployment.sender.answer = refusal(200, b"ok")
        deployment.sender.during = self._take
        monkeypatch.setattr(function_app, "prepwatch", lambda: deployment.app)

    def _take(self, request: WebhookRequest) -> None:
        self.sent.append((request.url, self.deployment.clock.now))
        self.deployment.sender.answer = refusal(202 if "pagerduty" in request.url else 200, b"ok")

    def minute(self) -> None:
        """One firing of the timer, what follows from it, and the rest of the minute."""
        started = self.deployment.clock.now
        queues = self.deployment.queues
        function_app.poll(func.timer.TimerRequest())
        for text in queues.take(POLLS_QUEUE):
            function_app.poll_account(_message(text))
        for text in queues.take(DELIVERIES_QUEUE):
            function_app.deliver(_message(text))
        self.deployment.clock.now = max(started + MINUTE, self.deployment.clock.now)


def _message(text: str) -> func.QueueMessage:
    return func.QueueMessage(body=text.encode())


def _fail(deployment: Deployment, account: str = ACCOUNT, nodes: int = 1) -> None:
    runs = (a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(nodes))
    deployment.batches[account].add(a_job(), *runs)


@pytest.mark.parametrize("chat", [SLACK, TEAMS], ids=["slack", "teams"])
@pytest.mark.parametrize("accounts", [1, 2])
def test_ten_seconds_after_it_was_seen(chat: dict[str, object], accounts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chat and pager hear of a failure ten seconds after the cycle that saw it, whoever ran that."""
    deployment = deploy(chat, PAGER, accounts=accounts)
    platform = Platform(deployment, monkeypatch)
    platform.minute()
    account = (ACCOUNT, OTHER_ACCOUNT)[accounts - 1]
    _fail(deployment, account)
    for _ in range(5):
        platform.minute()
    seen = NOW + MINUTE
    told = sorted((url, at - seen) for url, at in platform.sent)
    assert told == sorted([(chat["url"], HOLD), ("https://events.pagerduty.com/v2/enqueue", HOLD)])


def test_nobody_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of deliveries in which nothing is held back, or only by a longer pause, ends at once."""
    deployment = deploy(SLACK)
    platform = Platform(deployment, monkeypatch)
    deployment.deliver()
    assert deployment.clock.now == NOW
    _fail(deployment)
    platform.minute()
    assert len(platform.sent) == 1
    _fail(deployment, nodes=2)
    before = deployment.clock.now
    assert not deployment.app.pollers[ACCOUNT].run().nudge
    deployment.deliver()
    assert (deployment.clock.now, len(platform.sent)) == (before, 1)


def test_a_run_does_not_wait_beyond_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What will be due only after a run's end is left to the next one."""
    deployment = deploy(SLACK)
    platform = Platform(deployment, monkeypatch)
    _fail(deployment)
    deployment.poll()
    deployment.app.deliveries.run(ACCOUNT, timedelta(seconds=10))
    assert (deployment.clock.now, platform.sent) == (NOW, [])
    deployment.app.deliveries.run(ACCOUNT, timedelta(seconds=11))
    assert [at for _, at in platform.sent] == [NOW + HOLD]


def test_the_summary_nudges_after_its_own_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks while the timer is dead sets the first message going."""
    deployment = deploy(SLACK)
    Platform(deployment, monkeypatch)
    _fail(deployment)
    assert deployment.ask(Routes.summary).nudges == (ACCOUNT,)


def test_attempts_that_no_time_was_left_for_are_nudged() -> None:
    """Deliveries that a cycle had no time to attempt do not wait for the next one."""
    deployment = deploy(SIGNED, EVENT_MAX_NODES="1")
    deployment.sender.during = lambda _request: deployment.clock.advance(seconds=50)
    _fail(deployment, nodes=3)
    report = deployment.app.pollers[ACCOUNT].run()
    assert (report.undelivered, report.nudge) == (2, True)
