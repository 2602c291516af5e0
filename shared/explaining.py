"""Answers why somebody was, or was not, told about a node.

Owns what is gathered for that: the node's record, the events that name it, their deliveries. Does not own the reasons
in words (`reasons`).
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct

from shared.api_events import ExplainedEventView, ExplanationView, PhaseExplanationView, WebhookMatchView
from shared.archive import Archive, StoredDelivery, StoredEvent
from shared.history import MAX_LOOKED_AT, delivery_history
from shared.model import Phase
from shared.nodes import NodeLister, node_view
from shared.outcomes import outcome_of
from shared.reasons import explain_phase, explain_tracking, match
from shared.state import JobHead, NodeRecord
from shared.webhook_config import Webhook

MAX_EVENTS = 20


class Explainer(Struct, frozen=True, kw_only=True):
    """Explains nodes of all accounts."""

    lister: NodeLister
    archive: Archive
    webhooks: Mapping[str, Webhook]

    def explain(self, job_id: str, node_id: str, account: str | None, pool: str | None) -> ExplanationView:
        """What is known of a node, what was decided about it and why, and who was told what.

        Shows the newest MAX_EVENTS events that name the node, among the MAX_LOOKED_AT newest of its account.

        Raises:
            ApiError: The job or node is not known, or several have that id and the account or pool must be named.
            StoreError: The table can't be read.
        """
        origin, head, record = self.lister.find_node(job_id, node_id, account, pool)
        partition = origin.account or ""
        return ExplanationView(
            account=partition,
            job_id=head.job_id,
            tracking=head.tracking.value,
            tracking_explanation=explain_tracking(head),
            announce_from=head.announce_from,
            node=node_view(record),
            phases=tuple(_phases(head, record)),
            events=tuple(map(self._event_view, self._events(partition, head, record))),
        )

    def _events(self, partition: str, head: JobHead, record: NodeRecord) -> list[StoredEvent]:
        """The events that the record names, and the others that name the node."""
        named = {run.event_id for run in (record.preparation, record.release) if run is not None and run.event_id}
        found = {name: stored for name in named if (stored := self.archive.event(name, [partition])) is not None}
        for stored in islice(self.archive.events([partition]), MAX_LOOKED_AT):
            if len(found) >= MAX_EVENTS:
                break
            if (stored.event.job_id or "").lower() == head.job_id.lower() and _names(stored, record):
                found[stored.event.id] = stored
        return [found[name] for name in sorted(found)]

    def _event_view(self, stored: StoredEvent) -> ExplainedEventView:
        return ExplainedEventView(
            id=stored.event.id,
            type=stored.event.type.value,
            time=stored.time,
            recorded_at=stored.event.recorded_at,
            webhooks=tuple(self._matches(stored, self.archive.of_event(stored))),
        )

    def _matches(self, stored: StoredEvent, owed: Mapping[str, StoredDelivery]) -> Iterator[WebhookMatchView]:
        for name, webhook in self.webhooks.items():
            delivery = owed.get(name)
            matching, explanation = match(webhook, stored.event, owed=delivery is not None)
            yield WebhookMatchView(
                webhook=name,
                matching=matching,
                explanation=explanation,
                delivery=delivery_history(delivery) if delivery else None,
            )


def _phases(head: JobHead, record: NodeRecord) -> Iterator[PhaseExplanationView]:
    for phase in Phase:
        run = record.record_of(phase)
        if run is not None:
            yield PhaseExplanationView(
                phase=phase.value,
                outcome=outcome_of(run.info).value,
                reason=run.reason.value,
                explanation=explain_phase(head, record, phase, run),
                event_id=run.event_id,
            )


def _names(stored: StoredEvent, record: NodeRecord) -> bool:
    place = (record.pool_id.lower(), record.node_id.lower())
    return any((pool.lower(), node.lower()) == place for pool, node in stored.nodes)
