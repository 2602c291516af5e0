"""Answers why somebody was, or was not, told about a node.

Owns what is gathered for that: the node's record, the events that name it, their deliveries, what chat was told. Does
not own the reasons in words (`api.reasons`).
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct

from shared.api.events.history import MAX_LOOKED_AT, delivery_history
from shared.api.events.views import (
    ExplainedEventView,
    ExplanationView,
    NodeCommandView,
    PhaseExplanationView,
    WebhookMatchView,
)
from shared.api.nodes import NodeLister, node_view
from shared.api.reasons import explain_phase, explain_tracking, match, match_as_state
from shared.batch.model import STDERR, Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.digests.mutes import Mute, last_mute, read_mutes
from shared.digests.rows import Owed, owed_of, read_incidents, read_known_job
from shared.ledger.archive import Archive, StoredDelivery, StoredEvent
from shared.ledger.newest_events import order_of
from shared.ledger.recipients import is_told_by_event
from shared.messages.commands import PoolReference, download_file, remove_nodes, stderr_path
from shared.ports import Clock
from shared.state.jobs import JobHead, Tracking
from shared.state.nodes import NodeRecord
from shared.webhook import Webhook

MAX_EVENTS = 20


class Explainer(Struct, frozen=True, kw_only=True):
    """Explains nodes of all accounts."""

    lister: NodeLister
    archive: Archive
    webhooks: Mapping[str, Webhook]
    clock: Clock

    def explain(self, job_id: str, node_id: str, account: str | None, pool: str | None) -> ExplanationView:
        """What is known of a node, what was decided about it and why, and who was told what.

        Shows up to MAX_EVENTS events that name the node, newest recorded first, among the MAX_LOOKED_AT that happened
        last in its account.

        Raises:
            NotFoundError: The job or node is not known.
            AmbiguousError: Several have that id; the account or pool must be named.
            StoreError: The table can't be read.
        """
        origin, head, record = self.lister.find_node(job_id, node_id, account, pool)
        partition = origin.partition
        return ExplanationView(
            account=partition,
            job_id=head.job_id,
            tracking=head.tracking,
            tracking_explanation=explain_tracking(head),
            announce_from=head.announce_from,
            node=node_view(record),
            phases=tuple(_phases(head, record)),
            commands=tuple(_commands(partition, head, record)),
            events=tuple(self._event_view(head, stored) for stored in self._events(partition, head, record)),
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
        return sorted(found.values(), key=lambda stored: order_of(stored.event.recorded_at, stored.event.id))

    def _event_view(self, head: JobHead, stored: StoredEvent) -> ExplainedEventView:
        return ExplainedEventView(
            id=stored.event.id,
            type=stored.event.type.value,
            reason=stored.reason,
            time=stored.time,
            recorded_at=stored.event.recorded_at,
            webhooks=tuple(self._matches(head, stored, self.archive.of_event(stored))),
        )

    def _matches(
        self, head: JobHead, stored: StoredEvent, owed: Mapping[str, StoredDelivery]
    ) -> Iterator[WebhookMatchView]:
        mutes = read_mutes(self.archive.table)
        for name, webhook in self.webhooks.items():
            delivery = owed.get(name)
            if delivery is None and not is_told_by_event(webhook, stored.event.type):
                yield self._state_match(webhook, head, stored, mutes)
                continue
            matching, explanation = match(webhook, stored.event, owed=delivery.delivery if delivery else None)
            yield WebhookMatchView(
                webhook=name,
                matching=matching,
                explanation=explanation,
                told_at=None,
                delivery=delivery_history(delivery) if delivery else None,
            )

    def _state_match(
        self, webhook: Webhook, head: JobHead, stored: StoredEvent, mutes: Mapping[str, Mute]
    ) -> WebhookMatchView:
        account, now = stored.partition, self.clock()
        known = read_known_job(self.archive.table, account, webhook.name, head, now)
        incidents = read_incidents(self.archive.table, account, webhook)
        owed = owed_of(webhook, account, known, incidents, now) if known else Owed.NOTHING
        name = last_mute(mutes, head.job_id, head.pools, now)
        mute = None if name is None else (name, mutes[name])
        matching, explanation = match_as_state(webhook, stored.event, known, owed, mute)
        told_at = known.told.at if known else None
        return WebhookMatchView(
            webhook=webhook.name, matching=matching, explanation=explanation, told_at=told_at, delivery=None
        )


def _phases(head: JobHead, record: NodeRecord) -> Iterator[PhaseExplanationView]:
    for phase in Phase:
        run = record.record_of(phase)
        if run is not None:
            yield PhaseExplanationView(
                phase=phase,
                outcome=outcome_of(run.info),
                reason=run.reason,
                explanation=explain_phase(head, record, phase, run),
                event_id=run.event_id,
            )


def _commands(account: str, head: JobHead, record: NodeRecord) -> Iterator[NodeCommandView]:
    pool = PoolReference(account=account, pool_id=record.pool_id)
    for phase in Phase:
        run = record.record_of(phase)
        if run is None or outcome_of(run.info) is not Outcome.FAILED:
            continue
        if run.info.failure_info is not None and run.info.exit_code is None:
            continue  # its command was never started, so it wrote nothing
        folder = run.info.task_root_directory
        path = f"{folder}/{STDERR}" if folder else stderr_path(head.job_id, phase)
        yield NodeCommandView(
            does=f"Fetch what the {phase.value} task wrote to {STDERR}",
            command=download_file(pool, record.node_id, path),
        )
    # Once the job is over the node works for others as before.
    if record.open and head.tracking not in {Tracking.SETTLED, Tracking.GONE}:
        yield NodeCommandView(
            does="Remove the node from its pool, once the cause is mended",
            command=remove_nodes(pool, [record.node_id]),
        )


def _names(stored: StoredEvent, record: NodeRecord) -> bool:
    place = (record.pool_id.lower(), record.node_id.lower())
    return any((pool.lower(), node.lower()) == place for pool, node in stored.nodes)
