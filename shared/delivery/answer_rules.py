"""What an answer makes of a delivery.

Owns the retry schedule and the classes of answers. Does not own which answer takes a message or ends a receiver
(`messages.format`), sending (`delivery.dispatch`), recipients (`ledger.recipients`) or how healthy a webhook is
(`delivery.webhook_states`). Pure: an answer goes in, the delivery's next state comes out with its reason. Sources:
Standard Webhooks 1.0.0, CloudEvents http-webhook 1.0.2.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from shared.messages.format import Format
from shared.moments import is_to_come
from shared.redaction import clean
from shared.retry_after import parse_retry_after
from shared.state.telling import Attempt, Delivery, DeliveryState
from shared.webhook import WebhookAnswer

SCHEDULE = (
    timedelta(0),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 24)),
)
"""The wait before each attempt, counted from the one before; an attempt more than these is not made."""
ATTEMPT_LEASE = timedelta(seconds=60)
"""How long an attempt holds its delivery: the sender's deadline, and half a minute to record what came of it."""
LONGEST_WAIT = timedelta(hours=24)
GIVE_UP_AFTER = timedelta(hours=75)
"""What a failing webhook, which is only probed, has not taken for so long is dead."""
PATIENCE = timedelta(minutes=1)
"""What a receiver gets that asks for patience and does not say how much."""
MAX_KEPT_ATTEMPTS = 10
MAX_KEPT_ANSWER = 1024
REFUSED_TRIES = 3
"""A body that a receiver calls wrong is tried this often: a deployment of theirs may be under way."""

_REFUSED = frozenset({400, 413, 415, 422})
_THROTTLED = frozenset({429, 503})


class Verdict(StrEnum):
    """What an answer means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    DISABLE = "disable"


class Judgement(Struct, frozen=True, kw_only=True):
    """What an answer means, why in words, and when the receiver asks to be tried again (None: it did not)."""

    verdict: Verdict
    reason: str
    asked_wait: timedelta | None = None


class NextStep(Struct, frozen=True, kw_only=True):
    """A delivery after an attempt, and the state that its row moves to."""

    state: DeliveryState
    delivery: Delivery


def is_due(delivery: Delivery, now: datetime, recovered_at: datetime | None = None) -> bool:
    """Whether a delivery may be attempted: nobody holds it, and its time has come or its webhook has recovered."""
    # Somebody is sending it just now.
    if is_held(delivery.leased_until, now):
        return False
    # Its time has come.
    if delivery.next_attempt_at <= now:
        return True
    tried = last_tried(delivery)
    if is_to_come(tried, now):  # how long to wait nobody knows
        return True
    return recovered_at is not None and tried <= recovered_at <= now


def is_held(leased_until: datetime | None, now: datetime) -> bool:
    """Whether a lease goes on."""
    return leased_until is not None and now < leased_until and not is_to_come(leased_until - ATTEMPT_LEASE, now)


def last_tried(delivery: Delivery) -> datetime:
    """When somebody last tried it, or when it was made if nobody has."""
    return delivery.attempts[-1].at if delivery.attempts else delivery.created_at


def is_given_up(delivery: Delivery, now: datetime) -> bool:
    """Whether it has waited for so long that nobody will ask for it any more."""
    return now - delivery.created_at >= GIVE_UP_AFTER


def claim(delivery: Delivery, lease: str, now: datetime, *, probe: bool = False) -> Delivery:
    """The delivery as held by whoever swaps it in.

    An attempt counts from here on, even if it is never made; a probe counts as none.
    """
    return replace(
        delivery,
        leased_until=now + ATTEMPT_LEASE,
        lease=lease,
        tries=delivery.tries + (not probe),
        lost=has_lost_an_attempt(delivery),
    )


def judge(receiver: Format, answer: WebhookAnswer, tries: int, now: datetime) -> Judgement:
    """What an answer means for a delivery that has been tried so often, this time included."""
    status = answer.status
    # No complete answer says anything, whatever its first line was.
    if answer.failure is not None or status is None:
        return Judgement(verdict=Verdict.RETRY, reason=answer.reason)
    # Each service says in its own way that it has taken a message.
    if receiver.is_taken(status, answer.body):
        return Judgement(verdict=Verdict.DELIVERED, reason=f"accepted with status {status}")
    # Whoever says so wants to hear no more, of this message or another.
    if receiver.is_gone(status, answer.body):
        return Judgement(verdict=Verdict.DISABLE, reason=f"status {status}: the receiver is gone for good")
    # The same bytes would be refused again, unless the receiver is being deployed just now.
    if refuses_body(answer):
        verdict = Verdict.DEAD if receiver.tells_state or tries >= REFUSED_TRIES else Verdict.RETRY
        return Judgement(verdict=verdict, reason=f"status {status}: the receiver calls the message wrong")
    wait = parse_retry_after(answer.retry_after, now=now) if status in _THROTTLED else None
    # It asks for patience and does not say for how long.
    if status == 429 and wait is None:
        wait = PATIENCE
    if 300 <= status < 400:
        reason = f"status {status}: redirects are not followed"
    elif wait is not None:
        reason = f"status {status}: the receiver asks for patience"
    else:
        reason = f"status {status}"
    return Judgement(verdict=Verdict.RETRY, reason=reason, asked_wait=wait)


def refuses_body(answer: WebhookAnswer) -> bool:
    """Whether a receiver calls the body wrong."""
    return answer.failure is None and answer.status in _REFUSED


def attempt_of(judgement: Judgement, answer: WebhookAnswer, now: datetime, *, probe: bool = False) -> Attempt:
    """What is kept of an attempt that ended now."""
    return Attempt(
        at=now,
        status=answer.status,
        failure=answer.failure,
        reason=judgement.reason,
        duration_ms=round(answer.duration / timedelta(milliseconds=1)),
        answer=_printable(answer.body),
        probe=probe,
    )


def next_step(
    delivery: Delivery, judgement: Judgement, *made: Attempt, recovered_at: datetime | None = None
) -> NextStep:
    """Where a claimed delivery stands after what was made of it, the attempt that was judged last.

    It is done, dead, or due again: after a probe, which uses up no attempt, when it was to be before. Of attempts
    before `recovered_at` the waits are over: one that fails after its webhook's return waits no longer than a new one.
    """
    now = made[-1].at
    after = replace(
        delivery,
        leased_until=None,
        lease="",
        attempts=(*delivery.attempts, *made)[-MAX_KEPT_ATTEMPTS:],
        reason=judgement.reason,
    )
    # It has arrived, by whatever attempt.
    if judgement.verdict is Verdict.DELIVERED:
        return NextStep(state=DeliveryState.DONE, delivery=replace(after, ended_at=now))
    # A probe asks for the webhook, not for this message: its schedule goes on.
    if made[-1].probe and judgement.verdict is not Verdict.DISABLE:
        return NextStep(state=DeliveryState.DUE, delivery=after)
    # Sending the same again would change nothing.
    if judgement.verdict is not Verdict.RETRY:
        return NextStep(state=DeliveryState.DEAD, delivery=replace(after, ended_at=now))
    wait = wait_before(delivery.event_id, delivery.tries)
    # After three days it is for people to decide.
    if wait is None:
        tired = replace(after, ended_at=now, reason=f"given up after {delivery.tries} attempts: {judgement.reason}")
        return NextStep(state=DeliveryState.DEAD, delivery=tired)
    # A receiver that came back is as good as new.
    if recovered_at is not None:
        lately = sum(attempt.at > recovered_at for attempt in after.attempts)
        wait = min(wait, wait_before(delivery.event_id, lately) or wait)
    # The receiver knows better than the schedule, up to a day.
    if judgement.asked_wait is not None:
        wait = min(max(wait, judgement.asked_wait), LONGEST_WAIT)
    return NextStep(state=DeliveryState.DUE, delivery=replace(after, next_attempt_at=now + wait))


def give_up(delivery: Delivery, reason: str, now: datetime) -> NextStep:
    """A delivery that can't be attempted any more, with the reason."""
    dead = replace(delivery, leased_until=None, lease="", ended_at=now, reason=reason)
    return NextStep(state=DeliveryState.DEAD, delivery=dead)


def has_lost_an_attempt(delivery: Delivery) -> bool:
    """Whether somebody claimed an unclaimed delivery before and never recorded what came of it."""
    # Rows of before `lost` tell it by their numbers.
    return delivery.lost or delivery.lease != "" or delivery.tries > len(delivery.attempts)


def leave_out(delivery: Delivery, reason: str, now: datetime) -> NextStep:
    """A delivery that there is no need to attempt any more, with the reason."""
    done = replace(delivery, leased_until=None, lease="", ended_at=now, reason=reason, closed=True)
    return NextStep(state=DeliveryState.DONE, delivery=done)


def wait_before(event_id: str, tries: int) -> timedelta | None:
    """The wait after so many attempts, up to a fifth more or less by the event, or None when no more are made."""
    if tries >= len(SCHEDULE):
        return None
    share = int.from_bytes(hashlib.sha256(f"{event_id}/{tries}".encode()).digest()[:4]) / 2**32
    return SCHEDULE[tries] * (0.8 + 0.4 * share)


def _printable(body: bytes) -> str:
    text = clean(body.decode("utf-8", "replace"), limit=MAX_KEPT_ANSWER)
    return "".join(character if character.isprintable() else " " for character in text)
