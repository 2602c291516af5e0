"""Deliveries on their way, and what comes of them with an answer."""

from datetime import datetime

from msgspec.structs import replace

from shared.delivery.answer_rules import Judgement, NextStep, attempt_of, claim, judge, next_step
from shared.ledger.recipients import new_delivery
from shared.messages.events import EventType
from shared.messages.format_table import FORMATS
from shared.messages.job_events import job_event
from shared.state.telling import Delivery
from shared.webhook import WebhookAnswer
from tests.support.builders import NOW, ORIGIN, head

EVENT = job_event(ORIGIN, head(), EventType.JOB_STUCK, NOW, NOW)


def judge_answer(answered: WebhookAnswer, webhook_format: str = "cloudevents", tries: int = 1) -> Judgement:
    """What an answer is taken for."""
    return judge(FORMATS[webhook_format], answered, tries, NOW)


def step_of(delivery: Delivery, judgement: Judgement, answered: WebhookAnswer, now: datetime = NOW) -> NextStep:
    """What becomes of a delivery whose answer was judged."""
    return next_step(delivery, judgement, attempt_of(judgement, answered, now))


def delivery_claimed(tries: int) -> Delivery:
    """A delivery that is being attempted for the n-th time."""
    delivery = replace(new_delivery("ops", EVENT, NOW), tries=tries - 1)
    return claim(delivery, "lease", NOW)
