"""Who is owed an event as a delivery of its own.

Owns recipients and the first state of a delivery. Does not own attempts (`delivery.attempts`). Pure.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.messages.events import Event
from shared.messages.formats import format_of
from shared.state.telling import Delivery
from shared.webhook import EVENT_TYPE_PREFIX, Webhook

_AS_THEY_COME = tuple(EVENT_TYPE_PREFIX + kind for kind in ("account.", "webhook.", "ping"))


def recipients(webhooks: Iterable[Webhook], event: Event) -> tuple[str, ...]:
    """The webhooks that get this event as a delivery of its own.

    Chat and pager are told how a job stands (see `digests`) and get only what concerns no job event by event.
    """
    return tuple(
        webhook.name
        for webhook in webhooks
        if webhook.enabled
        and is_told_by_event(webhook, event)
        and webhook.wants(event.type, job_id=event.job_id, account=event.account, pools=event.pools)
    )


def is_told_by_event(webhook: Webhook, event: Event) -> bool:
    """Whether a webhook is sent events such as this one by themselves, its filters left aside."""
    return not format_of(webhook).tells_state or event.type.startswith(_AS_THEY_COME)


def new_delivery(webhook: str, event: Event, now: datetime) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(webhook=webhook, event_id=event.id, created_at=now, next_attempt_at=now)
