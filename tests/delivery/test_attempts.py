"""What an attempt makes of a delivery: who holds it, what is kept of it, and what follows."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.delivery.answer_rules import (
    ATTEMPT_LEASE,
    MAX_KEPT_ANSWER,
    Judgement,
    Verdict,
    attempt_of,
    claim,
    give_up,
    has_lost_an_attempt,
    is_due,
    judge,
    next_step,
)
from shared.ledger.recipients import new_delivery
from shared.messages.format_table import FORMATS
from shared.state.telling import DeliveryState
from tests.delivery.judged import EVENT, delivery_claimed, judge_answer, step_of
from tests.support.builders import NOW, answer


def test_a_new_delivery_is_due_and_held_while_it_is_attempted() -> None:
    """A delivery is due at once; whoever claims it has it until the lease expires, and the attempt counts."""
    delivery = new_delivery("ops", EVENT, NOW)
    held = claim(delivery, "mine", NOW)

    assert is_due(delivery, NOW)
    assert not is_due(delivery, NOW - timedelta(seconds=1))
    assert (held.tries, held.lease, held.leased_until) == (1, "mine", NOW + ATTEMPT_LEASE)
    assert not is_due(held, NOW + ATTEMPT_LEASE - timedelta(seconds=1))
    assert is_due(held, NOW + ATTEMPT_LEASE)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.DELIVERED, DeliveryState.DONE),
        (Verdict.DEAD, DeliveryState.DEAD),
        (Verdict.DISABLE, DeliveryState.DEAD),
        (Verdict.RETRY, DeliveryState.DUE),
    ],
)
def test_what_follows_from_a_verdict(verdict: Verdict, state: DeliveryState) -> None:
    """Each verdict moves the delivery to its state, frees it, and is kept with its reason and the answer."""
    judged = Judgement(verdict=verdict, reason="why")
    step = step_of(delivery_claimed(1), judged, answer(503, body=b"busy\x00\n"))
    (attempt,) = step.delivery.attempts

    assert step.state is state
    assert (step.delivery.lease, step.delivery.leased_until, step.delivery.reason) == ("", None, "why")
    assert (step.delivery.ended_at is None) is (state is DeliveryState.DUE)
    assert (attempt.at, attempt.status, attempt.reason, attempt.duration_ms) == (NOW, 503, "why", 20)
    assert attempt.answer == "busy "


@given(st.binary(max_size=3000))
def test_what_is_kept_of_an_answer(body: bytes) -> None:
    """At most 1 KiB of an answer is kept, on one line and printable, whatever its bytes."""
    step = step_of(delivery_claimed(1), judge_answer(answer(500)), answer(500, body=body))

    kept = step.delivery.attempts[0].answer
    assert len(kept) <= MAX_KEPT_ANSWER
    assert kept.isprintable()


def test_burying() -> None:
    """What can't be attempted any more is dead with its reason and held by nobody."""
    step = give_up(delivery_claimed(2), "not configured any more", NOW)

    assert (step.state, step.delivery.reason, step.delivery.ended_at) == (
        DeliveryState.DEAD,
        "not configured any more",
        NOW,
    )
    assert (step.delivery.lease, step.delivery.leased_until) == ("", None)


def test_a_probe_uses_up_no_attempt() -> None:
    """A probe leaves the schedule of a delivery where it was, also when the body is refused; taken, it is done."""
    delivery = replace(delivery_claimed(3), leased_until=None, lease="", next_attempt_at=NOW + timedelta(hours=3))
    claimed = claim(delivery, "probe", NOW, probe=True)

    for status in (500, 400):
        judged = judge(FORMATS["cloudevents"], answer(status), 3, NOW)
        step = next_step(claimed, judged, attempt_of(judged, answer(status), NOW, probe=True))
        assert (step.state, step.delivery.tries, step.delivery.next_attempt_at) == (
            DeliveryState.DUE,
            delivery.tries,
            delivery.next_attempt_at,
        )
        assert step.delivery.attempts[-1].probe
    judged = judge_answer(answer(204))
    taken = next_step(claimed, judged, attempt_of(judged, answer(204), NOW, probe=True))
    assert taken.state is DeliveryState.DONE


def test_a_lost_attempt_is_never_forgotten() -> None:
    """A claim whose end nobody recorded shows in the next claim, and in all later ones."""
    claimed = claim(new_delivery("ops", EVENT, NOW), "first", NOW)
    assert not claimed.lost
    again = claim(claimed, "second", NOW + ATTEMPT_LEASE)
    assert again.lost
    recorded = step_of(again, judge_answer(answer(500)), answer(500)).delivery
    assert has_lost_an_attempt(recorded)
