"""A clock that jumps back by hours delays nothing by hours: what was noted to come is void."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.errors import AccountDeniedError, ThrottledError
from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE, Nudge
from shared.nudges.turns import Running
from shared.ports import Put
from shared.state.rows import OWN, RUNNING, to_columns
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal

BACK = timedelta(hours=3)


def _jumped(arrange: Callable[[Deployment], None] = lambda _deployment: None) -> Deployment:
    """An app that has run for a while by a clock that was three hours fast, and is right now."""
    deployment = deploy(accounts=2)
    deployment.clock.advance(BACK)
    deployment.poll()
    arrange(deployment)
    deployment.clock.advance(minutes=1)
    deployment.poll()
    deployment.clock.advance(-BACK)
    return deployment


def _fails(deployment: Deployment, job: str = "job-1") -> None:
    now = deployment.clock.now
    deployment.batch.add(a_job(job, created=now), a_node(preparation=a_run(failed=True, ended=now)))


def _throttled(deployment: Deployment) -> None:
    deployment.batch.failures["list_jobs"] = ThrottledError("TooManyRequests", "Wait.", status=429)


def _told(deployment: Deployment) -> list[str]:
    return [request.url for request in deployment.sender.sent]


@pytest.mark.parametrize("arrange", [lambda _deployment: None, _throttled], ids=["well", "throttled before"])
def test_the_next_poll_sees_and_tells(arrange: Callable[[Deployment], None]) -> None:
    """Whatever was noted, Batch is asked, and what fails is told."""
    deployment = _jumped(arrange)
    deployment.batch.failures.clear()
    _fails(deployment)
    deployment.poll()
    assert len(_told(deployment)) >= 1
    assert deployment.ask(Routes.summary).body["totals"]["preparation"]["open"] == 1


def test_a_job_that_comes_and_completes_is_seen() -> None:
    """The listing asks for what completed since the clock is right, not for what will."""
    deployment = _jumped()
    deployment.poll()
    now = deployment.clock.now
    job = a_job("short", state="completed", created=now)
    deployment.batch.add(job, a_node(preparation=a_run(failed=True, ended=now)))
    deployment.poll()
    since = deployment.batch.filters[-1]
    assert "T15:" not in since
    assert "T14:" not in since


def test_an_account_that_gets_blind_is_told_on_time() -> None:
    """Read up to a moment to come is read up to now: five minutes later it is stale."""
    deployment = _jumped()
    deployment.batch.failures["list_jobs"] = AccountDeniedError("Forbidden", "No.", status=403)
    for _ in range(8):
        deployment.poll()
        deployment.clock.advance(minutes=1)
    account = deployment.ask(Routes.summary, {"account": ACCOUNT, "maxAge": "86400"}).body["accounts"][0]
    assert account["stale"]


def test_what_was_read_in_the_future_is_not_called_fresh() -> None:
    """When nothing polls after the jump, health says so at once, not hours later, until the next poll."""
    deployment = deploy()
    deployment.clock.advance(hours=5)
    deployment.poll()
    deployment.clock.advance(hours=-5)
    assert deployment.ask(Routes.health).status == 503
    deployment.clock.advance(minutes=1)
    deployment.poll()
    assert deployment.ask(Routes.health).status == 200


def test_a_poll_that_is_asked_for_begins() -> None:
    """A nudge made now is not older than a cycle that began, by the clock of before, in three hours."""
    deployment = _jumped()
    asked = len(deployment.batch.asked)
    deployment.app.polls.take(Nudge(account=ACCOUNT, created_at=deployment.clock.now))
    assert len(deployment.batch.asked) > asked
    deployment.app.polls.run()
    assert deployment.queues.take(POLLS_QUEUE)


def test_a_turn_that_ends_in_hours_is_over() -> None:
    """Whoever held it died, or has noticed by now."""
    deployment = _jumped()
    held = Running(lease="x", leased_until=deployment.clock.now + BACK)
    deployment.table.transact(ACCOUNT, [Put(key=RUNNING, columns=to_columns(held))])
    asked = len(deployment.batch.asked)
    deployment.poll()
    assert len(deployment.batch.asked) > asked


def test_nudges_and_pings_go_on() -> None:
    """What waits is nudged, and a webhook can be pinged."""

    def arrange(deployment: Deployment) -> None:
        deployment.sender.answer = refusal(500)
        _fails(deployment)
        deployment.poll()
        deployment.ask(Routes.summary)
        deployment.ask(lambda routes, asked: routes.webhooks.ping_webhook(asked), name="ops")

    deployment = _jumped(arrange)
    deployment.queues.take(DELIVERIES_QUEUE)
    nudges = deployment.ask(Routes.summary).nudges
    assert ACCOUNT in nudges
    assert OWN not in nudges
    assert deployment.ask(lambda routes, asked: routes.webhooks.ping_webhook(asked), name="ops").status == 200
