"""What the HTTP functions about events, deliveries and explanations take and answer: the bodies, field by field.

Owns the shapes that callers rely on; the OpenAPI document is made from them. Does not own how they are filled (the
other modules of this folder). Names are camelCase on the wire, times RFC 3339 in UTC.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Raw, Struct

from shared.api.job_views import NodeView
from shared.batch.model import Outcome, Phase
from shared.state.jobs import Tracking
from shared.state.nodes import Reason

_Moment = Annotated[datetime, Meta(tz=True)]


MAX_AT_ONCE = 1000
"""Deliveries that one request sends again or dismisses; `more` in its answer says that there are others."""


class ShownState(StrEnum):
    """Where a delivery stands, in the words of the API."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    CLOSED = "closed"
    """It was not taken and need not be: over before it could be told, removed, switched off or dismissed."""


class AttemptView(Struct, frozen=True, kw_only=True, rename="camel"):
    """One try: `status` is null when no answer came, `answer` the beginning of what the receiver said."""

    at: datetime
    status: int | None
    reason: str
    duration_ms: int
    answer: str


class DeliveryView(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event on its way to one webhook; `nextAttemptAt` while it is pending, `endedAt` after."""

    webhook: str
    state: ShownState
    tries: int
    reason: str
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


class DeliveryHistoryView(DeliveryView, frozen=True, kw_only=True, rename="camel"):
    """A delivery with its last ten attempts, the oldest first."""

    attempts: tuple[AttemptView, ...]


class EventView(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event in a list; `nodes` counts those that it names, `account` and `jobId` are null when it concerns none.

    `subject` is CloudEvents': `jobs/nightly`, `pools/cpu`, `webhooks/ops`; null for an account's.
    `reason` is the one that the event gives, such as `jobEnded` for what is over without having been mended.
    """

    id: str
    type: str
    account: str | None
    subject: str | None
    job_id: str | None
    phase: Phase | None
    reason: str | None
    nodes: int
    time: datetime | None
    recorded_at: datetime
    deliveries: tuple[DeliveryView, ...]


class EventsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/events; a page may hold less than `top`, even nothing, and yet not be the last."""

    value: tuple[EventView, ...]
    next_link: str | None = None


class EventHistoryView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/events/{eventId}: the event as it is sent, and how each delivery went."""

    id: str
    recorded_at: datetime
    event: Raw
    deliveries: tuple[DeliveryHistoryView, ...]


class RedeliveryState(StrEnum):
    """Which deliveries of a range are sent again."""

    DEAD = "dead"
    ALL = "all"


class RedeliveriesRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/redeliveries: what was recorded from `since` until before `until`.

    `all` needs a `since`. `skipToken` is that of the answer before, to go on with the same range.
    """

    state: RedeliveryState
    since: _Moment | None = None
    until: _Moment | None = None
    webhook: str | None = None
    skip_token: str | None = None


class RedeliveryResult(StrEnum):
    """What became of a delivery that was asked for again."""

    QUEUED = "queued"
    ALREADY_PENDING = "alreadyPending"
    SKIPPED = "skipped"


class RedeliveryView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one webhook's delivery, and why."""

    webhook: str
    result: RedeliveryResult
    reason: str


class RedeliveredView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of POST /api/events/{eventId}/redeliver."""

    event_id: str
    value: tuple[RedeliveryView, ...]


class RedeliveriesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of POST /api/redeliveries; with `more`, send the same body with this `skipToken` to go on."""

    queued: int
    already_pending: int
    skipped: int
    more: bool
    skip_token: str | None


class DismissalsRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/dismissals: what is undeliverable of a webhook, of an event, or with neither all of it.

    With `jobs`, ids and globs, the failed releases of these jobs instead.
    """

    webhook: str | None = None
    event_id: str | None = None
    jobs: tuple[str, ...] = ()


class DismissalsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of POST /api/dismissals: how much is no fault any more; with `more`, send the same body again."""

    dismissed: int
    more: bool


class Matching(StrEnum):
    """How a webhook relates to an event."""

    OWED = "owed"
    FILTERED = "filtered"
    SWITCHED_OFF = "switchedOff"
    TOLD_AS_STATE = "toldAsState"
    MUTED = "muted"
    REFUSED = "refused"
    """The webhook calls the message that would say it wrong."""
    NOT_OWED = "notOwed"


class WebhookMatchView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a webhook was, or was not, sent an event; `delivery` when it was.

    `toldAt` is when a chat or pager webhook was last told how the job stands, null for never and for other webhooks.
    """

    webhook: str
    matching: Matching
    explanation: str
    told_at: datetime | None
    delivery: DeliveryHistoryView | None


class ExplainedEventView(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event that names the node, and what every webhook had to do with it.

    `reason` is the event's own, or that of its nodes; null when it gives none.
    """

    id: str
    type: str
    reason: str | None
    time: datetime | None
    recorded_at: datetime
    webhooks: tuple[WebhookMatchView, ...]


class PhaseExplanationView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was decided about the newest run of one phase on the node, and why."""

    phase: Phase
    outcome: Outcome
    reason: Reason
    explanation: str
    event_id: str | None


class NodeCommandView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A command of the Azure CLI that helps with a node, and what it does."""

    does: str
    command: str


class ExplanationView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/jobs/{jobId}/nodes/{nodeId}: what Batch said, what was decided, who was told.

    `commands` is empty when nothing is wrong with the node.
    """

    account: str
    job_id: str
    tracking: Tracking
    tracking_explanation: str
    announce_from: datetime | None
    node: NodeView
    phases: tuple[PhaseExplanationView, ...]
    commands: tuple[NodeCommandView, ...]
    events: tuple[ExplainedEventView, ...]


class TrendBy(StrEnum):
    """By what failures are counted."""

    CODE = "code"
    POOL = "pool"
    JOB = "job"


class TrendView(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many nodes failed for one code, in one pool or of one job: in all, and on each of the days.

    `name` is null for all that have no row of their own. `first` and `last` are when the earliest and the latest of
    these failures happened.
    """

    name: str | None
    total: int
    counts: tuple[int, ...]
    first: datetime
    last: datetime


class TrendsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/trends: one row for each code, pool or job, most failures first.

    `complete` is false when there were more events than are read for one answer; then the days before `countedFrom`
    are not counted, and its own day only in part. Failures that were not told, because they were older than
    FIRST_SIGHT_SECONDS when their job was first seen, are not counted either.
    """

    by: TrendBy
    days: tuple[date, ...]
    counted_from: datetime
    complete: bool
    value: tuple[TrendView, ...]
