"""Who is owed what, and what an answer makes of it."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.delivery.answer_rules import (
    GIVE_UP_AFTER,
    LEASE,
    LONGEST_WAIT,
    MAX_KEPT_ANSWER,
    MAX_KEPT_ATTEMPTS,
    REFUSED_TRIES,
    SCHEDULE,
    Judgement,
    NextStep,
    Verdict,
    attempt_of,
    claim,
    give_up,
    has_lost_an_attempt,
    is_due,
    is_given_up,
    judge,
    next_step,
    wait_before,
)
from shared.ledger.recipients import new_delivery, recipients
from shared.messages.events import EventType, account_event, webhook_event
from shared.messages.formats import FORMATS
from shared.messages.job_events import job_event
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import SendFailure, WebhookAnswer
from tests.support.builders import NOW, ORIGIN, SITE, answer, head, webhook

MACHINES = ("cloudevents", "eventgrid")
PEOPLE = ("teams", "slack", "pagerduty")
EVENT = job_event(ORIGIN, head(), EventType.JOB_STUCK, NOW, NOW)


def _judge(answered: WebhookAnswer, webhook_format: str = "cloudevents", tries: int = 1) -> Judgement:
    return judge(FORMATS[webhook_format], answered, tries, NOW)


# --- every status -------------------------------------------------------------------------------------------------


def _expected(webhook_format: str, status: int, tries: int) -> Verdict:
    """The table of response classes, row by row, for an answer with an empty body."""
    accepted = {
        "slack": range(0),  # needs the body "ok" as well
        "pagerduty": range(202, 203),
    }.get(webhook_format, range(200, 300))
    if status in accepted:
        return Verdict.DELIVERED
    if status == 410 or (status == 404 and webhook_format == "slack"):
        return Verdict.DISABLE
    if status in {400, 413, 415, 422}:
        return Verdict.DEAD if webhook_format in PEOPLE or tries >= 3 else Verdict.RETRY
    return Verdict.RETRY


@pytest.mark.parametrize("tries", [1, 2, 3, 11])
@pytest.mark.parametrize("webhook_format", FORMATS)
def test_every_status(webhook_format: str, tries: int) -> None:
    """Every HTTP status from 100 to 599 has the table's verdict and a reason that names it; 429 gives a minute."""
    for status in range(100, 600):
        judged = _judge(answer(status), webhook_format, tries)

        assert judged.verdict is _expected(webhook_format, status, tries), status
        assert str(status) in judged.reason
        assert judged.asked_wait == (timedelta(minutes=1) if status == 429 else None)


@pytest.mark.parametrize(
    ("webhook_format", "answered", "verdict"),
    [
        ("slack", answer(200, body=b"ok"), Verdict.DELIVERED),
        ("slack", answer(200, body=b"ok\n"), Verdict.DELIVERED),
        ("slack", answer(200, body=b"<html>ok"), Verdict.RETRY),
        ("slack", answer(201, body=b"ok"), Verdict.RETRY),
        ("slack", answer(400, body=b"invalid_token"), Verdict.DISABLE),
        ("slack", answer(400, body=b"invalid_payload"), Verdict.DEAD),
        ("teams", answer(400, body=b"invalid_token"), Verdict.DEAD),
        ("teams", answer(404), Verdict.RETRY),
        ("pagerduty", answer(200), Verdict.RETRY),
        ("cloudevents", answer(204), Verdict.DELIVERED),
    ],
)
def test_what_the_services_say(webhook_format: str, answered: WebhookAnswer, verdict: Verdict) -> None:
    """Slack accepts only with `ok` in the body, PagerDuty only with 202; a dead token disables."""
    assert _judge(answered, webhook_format).verdict is verdict


@pytest.mark.parametrize("status", [None, 200, 410])
@pytest.mark.parametrize("failure", SendFailure)
def test_every_failure(failure: SendFailure, status: int | None) -> None:
    """A failed exchange is never a success, whatever status line came, and is tried again by the schedule.

    An address that may not be called, too: what a name leads to can be wrong for a moment.
    """
    judged = _judge(answer(status, failure=failure))

    assert judged == Judgement(verdict=Verdict.RETRY, reason="as the sender says")


# --- Retry-After --------------------------------------------------------------------------------------------------


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
    judged = _judge(answered)
    step = _next(_claimed(1), judged, answered)
    ours = wait_before(EVENT.id, 1)

    assert ours is not None
    # One that does not say how much patience it wants gets a minute.
    minute = timedelta(minutes=1) if status == 429 else None
    assert (judged.asked_wait if wait is None else min(judged.asked_wait or wait, LONGEST_WAIT)) == (
        minute if wait is None else wait
    )
    assert step.state is DeliveryState.DUE
    assert step.delivery.next_attempt_at == NOW + max(ours, min(wait or ours, LONGEST_WAIT))


def test_retry_after_of_others_is_not_read() -> None:
    """Only 429 and 503 speak of patience; a Retry-After beside another status changes nothing."""
    for status in (200, 301, 400, 404, 500, 502):
        assert _judge(answer(status, retry_after="500")).asked_wait is None


# --- a delivery's way ---------------------------------------------------------------------------------------------


def _next(delivery: Delivery, judged: Judgement, answered: WebhookAnswer, now: datetime = NOW) -> NextStep:
    return next_step(delivery, judged, attempt_of(judged, answered, now))


def _claimed(tries: int) -> Delivery:
    """A delivery that is being attempted for the n-th time."""
    delivery = replace(new_delivery("ops", EVENT, NOW), tries=tries - 1)
    return claim(delivery, "lease", NOW)


def test_a_new_delivery_is_due_and_held_while_it_is_attempted() -> None:
    """A delivery is due at once; whoever claims it has it until the lease expires, and the attempt counts."""
    delivery = new_delivery("ops", EVENT, NOW)
    held = claim(delivery, "mine", NOW)

    assert is_due(delivery, NOW)
    assert not is_due(delivery, NOW - timedelta(seconds=1))
    assert (held.tries, held.lease, held.leased_until) == (1, "mine", NOW + LEASE)
    assert not is_due(held, NOW + LEASE - timedelta(seconds=1))
    assert is_due(held, NOW + LEASE)


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
    step = _next(_claimed(1), judged, answer(503, body=b"busy\x00\n"))
    (attempt,) = step.delivery.attempts

    assert step.state is state
    assert (step.delivery.lease, step.delivery.leased_until, step.delivery.reason) == ("", None, "why")
    assert (step.delivery.ended_at is None) is (state is DeliveryState.DUE)
    assert (attempt.at, attempt.status, attempt.reason, attempt.duration_ms) == (NOW, 503, "why", 20)
    assert attempt.answer == "busy "


@given(st.binary(max_size=3000))
def test_what_is_kept_of_an_answer(body: bytes) -> None:
    """At most 1 KiB of an answer is kept, on one line and printable, whatever its bytes."""
    step = _next(_claimed(1), _judge(answer(500)), answer(500, body=body))

    kept = step.delivery.attempts[0].answer
    assert len(kept) <= MAX_KEPT_ANSWER
    assert kept.isprintable()


def _delivered_by(answers: list[WebhookAnswer], webhook_format: str) -> tuple[NextStep, list[timedelta]]:
    """Where a delivery ends with these answers, the last one again and again, and how long it waited each time."""
    delivery, now = new_delivery("ops", EVENT, NOW), NOW
    waits: list[timedelta] = []
    for number in range(100):
        answered = answers[min(number, len(answers) - 1)]
        claimed = claim(delivery, "lease", now)
        step = _next(claimed, judge(FORMATS[webhook_format], answered, claimed.tries, now), answered, now)
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


def test_burying() -> None:
    """What can't be attempted any more is dead with its reason and held by nobody."""
    step = give_up(_claimed(2), "not configured any more", NOW)

    assert (step.state, step.delivery.reason, step.delivery.ended_at) == (
        DeliveryState.DEAD,
        "not configured any more",
        NOW,
    )
    assert (step.delivery.lease, step.delivery.leased_until) == ("", None)


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
    failed = replace(
        _next(_claimed(4), _judge(answer(500)), answer(500)).delivery, next_attempt_at=NOW + timedelta(hours=1)
    )
    now = NOW + timedelta(minutes=20)

    assert is_due(failed, now, None if recovered is None else NOW + recovered) is due
    assert not is_due(claim(failed, "lease", now), now, now)


def test_a_clock_that_jumps_back_delays_nothing() -> None:
    """What a clock that was five hours ahead tried, made or held is due at once, and waits as ever after that."""
    ahead = NOW + timedelta(hours=5)
    failed = _next(_claimed(3), _judge(answer(500)), answer(500), ahead).delivery
    made = new_delivery("ops", EVENT, ahead)
    again = _next(claim(failed, "lease", NOW), _judge(answer(500)), answer(500)).delivery

    assert all(is_due(each, NOW) for each in (failed, made, claim(made, "lease", ahead)))
    assert NOW < again.next_attempt_at < NOW + timedelta(minutes=20)


def test_a_probe_uses_up_no_attempt() -> None:
    """A probe leaves the schedule of a delivery where it was, also when the body is refused; taken, it is done."""
    delivery = replace(_claimed(3), leased_until=None, lease="", next_attempt_at=NOW + timedelta(hours=3))
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
    taken = next_step(claimed, _judge(answer(204)), attempt_of(_judge(answer(204)), answer(204), NOW, probe=True))
    assert taken.state is DeliveryState.DONE


def test_a_lost_attempt_is_never_forgotten() -> None:
    """A claim whose end nobody recorded shows in the next claim, and in all later ones."""
    claimed = claim(new_delivery("ops", EVENT, NOW), "first", NOW)
    assert not claimed.lost
    again = claim(claimed, "second", NOW + LEASE)
    assert again.lost
    recorded = _next(again, _judge(answer(500)), answer(500)).delivery
    assert has_lost_an_attempt(recorded)


def test_what_waits_is_given_up_after_75_hours() -> None:
    """A delivery that nobody takes, because its webhook is only probed, is given up after 75 hours, and not before."""
    delivery = new_delivery("ops", EVENT, NOW)

    assert not is_given_up(delivery, NOW + GIVE_UP_AFTER - timedelta(seconds=1))
    assert is_given_up(delivery, NOW + GIVE_UP_AFTER)
    assert timedelta(hours=75) == GIVE_UP_AFTER


# --- recipients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("webhook_format", FORMATS)
@pytest.mark.parametrize("kind", EventType)
def test_who_gets_which_event(kind: EventType, webhook_format: str) -> None:
    """Machines get every event; chat and pager one by one only those that concern no job."""
    if kind.startswith("prepwatch.account."):
        event = account_event(ORIGIN, kind, NOW, NOW)
    elif kind.startswith(("prepwatch.webhook.", "prepwatch.ping")):
        event = webhook_event(SITE, kind, "other", NOW, NOW)
    else:
        event = job_event(ORIGIN, head(), kind, NOW, NOW)
    owed = webhook_format in MACHINES or event.job_id is None

    assert recipients([webhook("ops", webhook_format)], event) == ("ops",) * owed


@pytest.mark.parametrize(
    ("hook", "owed"),
    [
        (webhook(), True),
        (webhook(enabled=False), False),
        (webhook(events=("job.*",)), True),
        (webhook(events=("preparation.*",)), False),
        (webhook(jobs=("JOB-?",)), True),
        (webhook(jobs=("other",)), False),
        (webhook(accounts=("other.*",)), False),
        (webhook(pools=("other",)), True),
    ],
)
def test_filters(hook: object, *, owed: bool) -> None:
    """A webhook's filters hold back what they can judge; a job event names no pool and passes a pool's filter."""
    assert recipients([hook], EVENT) == ("ops",) * owed  # type: ignore[list-item] # parametrize knows no types
