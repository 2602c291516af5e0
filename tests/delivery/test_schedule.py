"""How long a delivery waits for its next attempt, and when it ends."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.delivery.answer_rules import (
    GIVE_UP_AFTER,
    LONGEST_WAIT,
    MAX_KEPT_ATTEMPTS,
    REFUSED_TRIES,
    SCHEDULE,
    NextStep,
    claim,
    is_due,
    is_given_up,
    judge,
    wait_before,
)
from shared.ledger.recipients import new_delivery
from shared.messages.format_table import FORMATS
from shared.state.telling import DeliveryState
from shared.webhook import SendFailure, WebhookAnswer
from tests.delivery.judged import EVENT, delivery_claimed, judge_answer, step_of
from tests.support.builders import NOW, answer

MACHINES = ("cloudevents", "eventgrid")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "wait"),
    [
        pytest.param("120", timedelta(minutes=2), id="seconds"),
        pytest.param("Tue, 03 Nov 2026 12:10:00 GMT", timedelta(minutes=10), id="a date"),
        pytest.param("Tue, 03 Nov 2020 12:10:00 GMT", timedelta(0), id="a date in the past"),
        pytest.param("-5", timedelta(0), id="negative"),
        pytest.param("9" * 5000, LONGEST_WAIT, id="huge"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT, id="a date in the far future"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="garbage"),
        pytest.param("1e3", None, id="no whole number"),
        pytest.param("٣", None, id="digits of another script"),
    ],
)
def test_retry_after(status: int, header: str | None, wait: timedelta | None) -> None:
    """What a throttling receiver asks for is honoured, between our schedule and a day; garbage is passed over."""
    answered = answer(status, retry_after=header)
    judged = judge_answer(answered)
    step = step_of(delivery_claimed(1), judged, answered)
    ours = wait_before(EVENT.id, 1)

    assert ours is not None
    # One that does not say how much patience it wants gets a minute.
    minute = timedelta(minutes=1) if status == 429 else None
    assert (judged.asked_wait if wait is None else min(judged.asked_wait or wait, LONGEST_WAIT)) == (
        minute if wait is None else wait
    )
    assert step.state is DeliveryState.DUE
    assert step.delivery.next_attempt_at == NOW + max(ours, min(wait or ours, LONGEST_WAIT))


def _delivered_by(answers: list[WebhookAnswer], webhook_format: str) -> tuple[NextStep, list[timedelta]]:
    """Where a delivery ends with these answers, the last one again and again, and how long it waited each time."""
    delivery, now = new_delivery("ops", EVENT, NOW), NOW
    waits: list[timedelta] = []
    for number in range(100):
        answered = answers[min(number, len(answers) - 1)]
        claimed = claim(delivery, "lease", now)
        step = step_of(claimed, judge(FORMATS[webhook_format], answered, claimed.tries, now), answered, now)
        delivery = step.delivery
        if step.state is not DeliveryState.DUE:
            return step, waits
        waits.append(delivery.next_attempt_at - now)
        now = delivery.next_attempt_at
    raise AssertionError("the delivery never ends")


_answers = st.builds(
    answer,
    st.one_of(st.none(), st.integers(100, 599)),
    failure=st.one_of(st.none(), st.sampled_from(SendFailure)),
    retry_after=st.one_of(st.none(), st.text(max_size=5), st.integers(-1, 10**9).map(str)),
)


@given(st.lists(_answers, min_size=1, max_size=15), st.sampled_from(sorted(FORMATS)))
def test_every_delivery_ends(answers: list[WebhookAnswer], webhook_format: str) -> None:
    """Whatever a receiver answers, a delivery is done or dead after at most eleven attempts and bounded waits."""
    step, waits = _delivered_by(answers, webhook_format)

    assert step.state in {DeliveryState.DONE, DeliveryState.DEAD}
    assert step.delivery.ended_at is not None
    assert step.delivery.tries <= len(SCHEDULE)
    assert len(step.delivery.attempts) == min(step.delivery.tries, MAX_KEPT_ATTEMPTS)
    assert all(timedelta(0) < wait <= LONGEST_WAIT * 1.2 for wait in waits)


def test_the_schedule() -> None:
    """A receiver that is down is tried eleven times within three days, each wait within a fifth of the schedule's."""
    step, waits = _delivered_by([answer(500)], "cloudevents")

    assert [round(wait.total_seconds() / 60) for wait in SCHEDULE] == [0, 1, 2, 5, 15, 60, 180, 360, 720, 1440, 1440]
    assert all(0.8 * plan <= wait <= 1.2 * plan for plan, wait in zip(SCHEDULE[1:], waits, strict=True))
    assert step.delivery.reason == "given up after 11 attempts: status 500"


def test_jitter() -> None:
    """The waits of many events spread over the whole fifth on either side, and are the same at every telling."""
    waits = [wait_before(f"event-{number}", 1) for number in range(500)]
    shares = sorted(wait / SCHEDULE[1] for wait in waits if wait is not None)

    assert len(shares) == 500
    assert 0.8 <= shares[0] < 0.83
    assert 1.17 < shares[-1] <= 1.2
    assert waits == [wait_before(f"event-{number}", 1) for number in range(500)]
    assert wait_before("event-1", len(SCHEDULE)) is None


@pytest.mark.parametrize("webhook_format", FORMATS)
def test_a_refused_body_ends_soon(webhook_format: str) -> None:
    """What the receiver calls wrong is tried three times by machines, once by chat and pager."""
    step, _ = _delivered_by([answer(422)], webhook_format)

    assert (step.state, step.delivery.tries) == (DeliveryState.DEAD, REFUSED_TRIES if webhook_format in MACHINES else 1)


@pytest.mark.parametrize(
    ("recovered", "due"),
    [
        pytest.param(None, False, id="it has not"),
        pytest.param(timedelta(seconds=-1), False, id="before the last attempt"),
        pytest.param(timedelta(minutes=10), True, id="after it"),
        pytest.param(timedelta(hours=5), False, id="by a clock that has jumped back since"),
    ],
)
def test_recovery_makes_due(recovered: timedelta | None, *, due: bool) -> None:
    """What was last tried before its webhook recovered is due, without its row being written."""
    failed = step_of(delivery_claimed(4), judge_answer(answer(500)), answer(500)).delivery
    failed = replace(failed, next_attempt_at=NOW + timedelta(hours=1))
    now = NOW + timedelta(minutes=20)

    assert is_due(failed, now, None if recovered is None else NOW + recovered) is due
    assert not is_due(claim(failed, "lease", now), now, now)


def test_a_clock_that_jumps_back_delays_nothing() -> None:
    """What a clock that was five hours ahead tried, made or held is due at once, and waits as ever after that."""
    ahead = NOW + timedelta(hours=5)
    failed = step_of(delivery_claimed(3), judge_answer(answer(500)), answer(500), ahead).delivery
    made = new_delivery("ops", EVENT, ahead)
    again = step_of(claim(failed, "lease", NOW), judge_answer(answer(500)), answer(500)).delivery

    assert all(is_due(each, NOW) for each in (failed, made, claim(made, "lease", ahead)))
    assert NOW < again.next_attempt_at < NOW + timedelta(minutes=20)


def test_what_waits_is_given_up_after_75_hours() -> None:
    """A delivery that nobody takes, because its webhook is only probed, is given up after 75 hours, and not before."""
    delivery = new_delivery("ops", EVENT, NOW)

    assert not is_given_up(delivery, NOW + GIVE_UP_AFTER - timedelta(seconds=1))
    assert is_given_up(delivery, NOW + GIVE_UP_AFTER)
    assert timedelta(hours=75) == GIVE_UP_AFTER
