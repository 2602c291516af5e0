"""When somebody is asked to look again before the next poll does."""

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from shared.errors import StoreUnavailableError
from shared.nudges.delayed import DelayedNudges
from shared.nudges.nudge import DELIVERIES_QUEUE
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED, SLACK

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEXT_POLL = NOW + 10 * MINUTE


def _hourly(webhook: Mapping[str, object]) -> Deployment:
    return deploy(webhook, POLL_SCHEDULE="0 0 * * * *")


def _delayed(deployment: Deployment) -> DelayedNudges:
    return DelayedNudges(deployment.app.nudger, deployment.clock, lambda _now: NEXT_POLL)


def _delays(deployment: Deployment) -> list[timedelta]:
    assert {queue for queue, _, _ in deployment.queues.put_texts} <= {DELIVERIES_QUEUE}
    return [delay for _, _, delay in deployment.queues.put_texts]


@pytest.mark.parametrize(
    ("at", "delays"),
    [
        pytest.param(None, [], id="nothing waits"),
        pytest.param(NOW + 3 * MINUTE, [3 * MINUTE], id="before the next poll"),
        pytest.param(NEXT_POLL, [], id="with the next poll"),
        pytest.param(NEXT_POLL + MINUTE, [], id="after the next poll"),
        pytest.param(NOW - MINUTE, [timedelta(seconds=5)], id="due while others were told"),
    ],
)
def test_which_moments_are_worth_a_nudge(at: datetime | None, delays: list[timedelta]) -> None:
    """What is due before the next poll is nudged for then, and nothing is nudged for without a pause."""
    deployment = deploy()
    _delayed(deployment).ask(ACCOUNT, at)
    assert _delays(deployment) == delays


@pytest.mark.parametrize(
    ("later", "again", "sent"),
    [
        pytest.param(MINUTE, 3 * MINUTE, 1, id="the same moment"),
        pytest.param(MINUTE, 4 * MINUTE, 1, id="a later one: whoever comes first asks for it"),
        pytest.param(MINUTE, 2 * MINUTE, 2, id="an earlier one"),
        pytest.param(3 * MINUTE, 5 * MINUTE, 2, id="the first has come"),
    ],
)
def test_one_nudge_for_one_moment(later: timedelta, again: timedelta, sent: int) -> None:
    """However often people look meanwhile, one instance asks once for what is due next."""
    deployment = deploy()
    delayed = _delayed(deployment)
    delayed.ask(ACCOUNT, NOW + 3 * MINUTE)
    deployment.clock.advance(later)
    delayed.ask(ACCOUNT, NOW + again)
    assert len(_delays(deployment)) == sent
    delayed.ask(OTHER_ACCOUNT, NOW + 9 * MINUTE)
    assert len(_delays(deployment)) == sent + 1


def test_a_refused_nudge_is_asked_for_again() -> None:
    """What the queue did not take counts for nothing."""
    deployment = deploy()
    delayed = _delayed(deployment)
    deployment.queues.refusal = StoreUnavailableError("the queue service answered 503")
    delayed.ask(ACCOUNT, NOW + 3 * MINUTE)
    deployment.queues.refusal = None
    delayed.ask(ACCOUNT, NOW + 3 * MINUTE)
    assert _delays(deployment) == [3 * MINUTE]


class Platform:
    """Shows each nudge when its delay is over."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._hidden: list[datetime] = []

    def run_until(self, moment: datetime) -> int:
        """Let time pass; how many nudges were answered."""
        self._take()
        answered = 0
        while self._hidden and min(self._hidden) < moment:
            self._hidden.sort()
            self._deployment.clock.now = max(self._hidden.pop(0), self._deployment.clock.now)
            self._deployment.deliver()
            answered += 1
            self._take()
        self._deployment.clock.now = moment
        return answered

    def _take(self) -> None:
        sent, self._deployment.queues.put_texts = self._deployment.queues.put_texts, []
        self._hidden += [self._deployment.clock.now + delay for _, _, delay in sent]


def _times(deployment: Deployment) -> list[datetime]:
    times: list[datetime] = []
    deployment.sender.during = lambda _request: times.append(deployment.clock.now)
    return times


def test_a_refused_delivery_keeps_its_own_time() -> None:
    """Polled each hour, a delivery that is refused is tried again after a minute, then after two, and then taken."""
    deployment = _hourly(SIGNED)
    times, platform = _times(deployment), Platform(deployment)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.sender.answer = refusal(503)
    deployment.app.polls.run()
    assert platform.run_until(NOW + 2 * MINUTE) == 1
    deployment.sender.answer = ACCEPTED
    deployment.deliver()  # somebody looks meanwhile
    assert platform.run_until(NOW + HOUR) == 1
    waits = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert [round(wait / MINUTE) for wait in waits] == [1, 2]


@pytest.mark.parametrize("webhook", [SIGNED, SLACK], ids=["signed", "chat"])
def test_a_failing_webhook_is_probed_on_its_own_clock(webhook: dict[str, object]) -> None:
    """Polled each hour, a webhook that takes nothing is probed each five minutes, and told all once it takes something.

    Afterwards nobody is nudged any more.
    """
    deployment = _hourly(webhook)
    times, platform = _times(deployment), Platform(deployment)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.sender.answer = refusal(500)
    deployment.app.polls.run()
    assert platform.run_until(NOW + 30 * MINUTE) >= 7
    assert all(later - sooner <= 6 * MINUTE for sooner, later in itertools.pairwise(times))
    deployment.sender.answer = refusal(200, b"ok")
    deployment.deliver()
    platform.run_until(NOW + 40 * MINUTE)
    assert platform.run_until(NOW + HOUR) == 0
    assert times[-1] < NOW + 40 * MINUTE


def test_chat_hears_after_its_pause() -> None:
    """Polled each hour, what chat is to be told after its pause of five minutes is told then."""
    deployment = _hourly(SLACK)
    deployment.sender.answer = refusal(200, b"ok")
    times, platform = _times(deployment), Platform(deployment)
    deployment.batch.add(a_job(), a_node("n1", preparation=a_run(failed=True)))
    deployment.app.polls.run()
    platform.run_until(NOW + MINUTE)
    deployment.batch.add(
        a_job(), a_node("n1", preparation=a_run(failed=True)), a_node("n2", preparation=a_run(failed=True))
    )
    deployment.app.polls.run()  # somebody looks
    platform.run_until(NOW + HOUR)
    first, second = times
    assert timedelta(0) <= second - first - 5 * MINUTE <= timedelta(seconds=1)


def test_polls_each_minute_find_what_is_due_themselves() -> None:
    """Nothing is nudged for that the next poll finds in time: an account that is well costs no message."""
    deployment = deploy(SIGNED)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.app.polls.run()
    deployment.app.polls.run()
    assert deployment.queues.put_texts == []
