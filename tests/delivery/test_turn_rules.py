"""What becomes of a delivery when its turn has come."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.delivery.answer_rules import GIVE_UP_AFTER, SCHEDULE
from shared.delivery.turn_rules import DeliveryStep, decide_delivery
from shared.ledger.recipients import new_delivery
from shared.messages.events import EventType
from shared.messages.job_events import job_event
from shared.state.telling import Attempt, Delivery, WebhookState
from shared.webhook import Webhook
from tests.support.builders import NOW, ORIGIN, head
from tests.support.told_jobs import webhook

HOOK, WELL = webhook("cloudevents"), WebhookState(name="cloudevents")
OFF = replace(HOOK, enabled=False)
NEW = new_delivery(HOOK.name, job_event(ORIGIN, head(), EventType.JOB_STUCK, NOW, NOW), NOW)
TRIED_OUT = replace(NEW, tries=len(SCHEDULE))
OLD = replace(NEW, created_at=NOW - GIVE_UP_AFTER, reason="status 500")
DISABLED = replace(WELL, disabled_since=NOW)
FAILING = replace(WELL, failing_since=NOW)
ASKED_TO_WAIT = replace(WELL, not_before=NOW + timedelta(minutes=1))
LAST = Attempt(at=NOW, status=503, reason="status 503", duration_ms=1)


@pytest.mark.parametrize(
    ("delivery", "hook", "state", "step", "reason"),
    [
        pytest.param(NEW, HOOK, WELL, DeliveryStep.ATTEMPT, "", id="new"),
        pytest.param(NEW, None, None, DeliveryStep.CLOSE, "", id="its webhook is removed"),
        pytest.param(NEW, HOOK, DISABLED, DeliveryStep.CLOSE, "", id="its webhook is disabled"),
        pytest.param(TRIED_OUT, HOOK, DISABLED, DeliveryStep.CLOSE, "", id="disabled, whatever it was tried"),
        pytest.param(
            TRIED_OUT,
            HOOK,
            WELL,
            DeliveryStep.GIVE_UP,
            f"given up after {len(SCHEDULE)} attempts without an end",
            id="every attempt died",
        ),
        pytest.param(NEW, OFF, WELL, DeliveryStep.KEEP, "", id="switched off in the settings"),
        pytest.param(OLD, OFF, WELL, DeliveryStep.KEEP, "", id="switched off, however old"),
        pytest.param(OLD, HOOK, WELL, DeliveryStep.GIVE_UP, "given up after 75 hours: status 500", id="too old"),
        pytest.param(
            OLD,
            HOOK,
            replace(FAILING, last=LAST),
            DeliveryStep.GIVE_UP,
            "given up after 75 hours: status 503",
            id="too old, by what its webhook last said",
        ),
        pytest.param(NEW, HOOK, FAILING, DeliveryStep.PUT_OFF, "", id="its webhook is only probed"),
        pytest.param(NEW, HOOK, ASKED_TO_WAIT, DeliveryStep.WAIT, "", id="its webhook asked for patience"),
    ],
)
def test_what_becomes_of_it(
    delivery: Delivery, hook: Webhook | None, state: WebhookState | None, step: DeliveryStep, reason: str
) -> None:
    """Each rung has its step, and what ends says why; without time left all of them wait for the next run."""
    later = NOW + timedelta(minutes=1)
    turn = decide_delivery(delivery, hook, state, NOW, later)
    assert (turn.step, turn.reason) == (step, reason)
    assert decide_delivery(delivery, hook, state, later, later).step is DeliveryStep.LEAVE
