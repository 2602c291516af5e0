"""Which webhooks get an event as a delivery of its own.

Owns recipients, the first state of a delivery, and the rows of an event with what is owed for it. Does not own attempts
(`delivery.answer_rules`). Pure.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shared.messages.events import Event
from shared.messages.format_table import format_of
from shared.ports import Column, Insert, Operation
from shared.state.rows import delivery_key, event_key, pack_body, pack_jobs, to_columns
from shared.state.telling import Delivery, DeliveryState
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
        and is_told_by_event(webhook, event.type)
        and webhook.wants(event.type, job_id=event.job_id, account=event.account, pools=event.pools, jobs=event.jobs)
    )


def is_told_by_event(webhook: Webhook, event_type: str) -> bool:
    """Whether a webhook is sent events of a type by themselves, its filters left aside."""
    return not format_of(webhook).tells_state or event_type.startswith(_AS_THEY_COME)


def new_delivery(webhook: str, event: Event, now: datetime) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(webhook=webhook, event_id=event.id, created_at=now, next_attempt_at=now)


class OwedEvent(Struct, frozen=True, kw_only=True):
    """An event with the deliveries that it is owed to."""

    event: Event
    deliveries: tuple[Delivery, ...]

    def operations(self) -> list[Operation]:
        """The rows that store both."""
        event = self.event
        columns: dict[str, Column] = {
            **pack_body(event.body),
            "type": event.type.value,
            "recordedAt": event.recorded_at,
        }
        if event.job_id is not None:
            columns["job"] = event.job_id
        if event.jobs:
            columns |= pack_jobs(event.jobs)
        rows = [Insert(key=self.key_of(delivery), columns=to_columns(delivery)) for delivery in self.deliveries]
        return [Insert(key=event_key(event.id), columns=columns), *rows]

    def key_of(self, delivery: Delivery) -> str:
        """The row key of one of the deliveries."""
        return delivery_key(DeliveryState.DUE, delivery.webhook, delivery.event_id)
