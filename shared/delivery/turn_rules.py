"""What becomes of a delivery when its turn has come.

Owns that decision. Does not own when it is due (`delivery.answer_rules`), how healthy its webhook is
(`delivery.failing_rules`) or the doing (`delivery.dispatch`). Pure.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from shared.delivery.answer_rules import GIVE_UP_AFTER, SCHEDULE, is_given_up
from shared.delivery.failing_rules import in_words, waits
from shared.state.telling import Delivery, WebhookState
from shared.webhook import Webhook


class DeliveryStep(StrEnum):
    """What to do with a delivery now."""

    LEAVE = "leave"
    CLOSE = "close"
    GIVE_UP = "give up"
    KEEP = "keep"
    PUT_OFF = "put off"
    WAIT = "wait"
    ATTEMPT = "attempt"


class DeliveryTurn(Struct, frozen=True):
    """What to do with a delivery, and the reason for whoever reads of its end; empty where nothing ends."""

    step: DeliveryStep
    reason: str = ""


def decide_delivery(
    delivery: Delivery, webhook: Webhook | None, state: WebhookState | None, now: datetime, deadline: datetime
) -> DeliveryTurn:
    """What to do with a delivery at its turn; `webhook` and `state` are None where it is not configured any more."""
    # The next run goes on where this one has to end.
    if now >= deadline:
        return DeliveryTurn(DeliveryStep.LEAVE)
    # Nobody is there to take it any more.
    if webhook is None or state is None or state.disabled_since is not None:
        return DeliveryTurn(DeliveryStep.CLOSE)
    # Every attempt was claimed and none came to an end: whoever made it died.
    if delivery.tries >= len(SCHEDULE):
        return DeliveryTurn(DeliveryStep.GIVE_UP, f"given up after {delivery.tries} attempts without an end")
    # It is sent when the settings switch the webhook on again.
    if not webhook.enabled:
        return DeliveryTurn(DeliveryStep.KEEP)
    # It has waited for so long that nobody needs it any more.
    if is_given_up(delivery, now):
        why = in_words(state.last) or delivery.reason
        return DeliveryTurn(DeliveryStep.GIVE_UP, f"given up after {GIVE_UP_AFTER // timedelta(hours=1)} hours: {why}")
    # A webhook that takes nothing is only probed.
    if state.failing_since is not None:
        return DeliveryTurn(DeliveryStep.PUT_OFF)
    # It has asked to be left alone for a while.
    if waits(state, now):
        return DeliveryTurn(DeliveryStep.WAIT)
    return DeliveryTurn(DeliveryStep.ATTEMPT)
