"""What the HTTP functions answer: the bodies, field by field.

Owns the shapes that callers rely on; the OpenAPI document is made from them. Does not own how they are filled
(`api.summary_rules`, `api.shown_jobs`, `api.nodes`, `api.tracking`). Names are camelCase on the wire, times RFC 3339 in
UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from shared.api.pools.views import PoolView
from shared.batch.model import ExecutionInfo, Outcome, Phase
from shared.state.jobs import PhaseCounts, Tracking
from shared.state.nodes import Reason
from shared.state.pools import StandstillReason


class KeyValue(Struct, frozen=True, kw_only=True, rename="camel"):
    """An additional detail of an error, as Batch gives it."""

    key: str
    value: str


class TroubleView(Struct, frozen=True, kw_only=True, rename="camel"):
    """An error of an account or a job: Batch's code and words, and the request-id to quote to support."""

    code: str
    message: str
    request_id: str | None = None
    values: tuple[KeyValue, ...] = ()


class LastPollView(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the last cycle of an account went."""

    started_at: datetime
    finished_at: datetime
    jobs: int
    not_looked_at: int
    errors: int


class AccountView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A watched account; `last_good_poll` is the moment up to which it is read, `stale` when that is too old.

    `portal_url` is its page in the Azure portal, null while its resource id is not known.
    `pools_error` is Batch's code when the nodes of its pools could not be counted the last time, and
    `pools_error_since` since when, null when they were.
    """

    account: str
    url: str
    portal_url: str | None
    last_good_poll: datetime | None
    last_poll: LastPollView | None
    stale: bool
    error: TroubleView | None
    pools_error: str | None
    pools_error_since: datetime | None


class CauseView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Why nodes fail, and how many have that cause now.

    `command` is a command of the Azure CLI that shows more of it, or mends it; null when there is none.
    """

    phase: Phase
    code: str
    message: str
    nodes: int
    command: str | None


class TotalsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Sums over all jobs of the answer, also those on later pages."""

    jobs: int
    nodes: int
    preparation: PhaseCounts
    release: PhaseCounts
    pools: int


class CauseTextView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What Batch says is behind a failure or a standstill, in words that are the same for all that fail alike."""

    code: str
    message: str


class StuckView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Why no task of a job can run, and since when.

    `reason` is null when a version said so that knew of failed preparation only, `why` is the same in words. `nodes`
    are the pool's by state and in words (`standing`), as they were when it was told; `tasks` are those that wait.
    `remedy` says what to do, `command` is a command of the Azure CLI to begin with, and `afterwards` one for when what
    it shows is mended: it removes the nodes that Batch tries no more. Null where there is none.
    """

    since: datetime
    reason: StandstillReason | None
    why: str
    pool_id: str | None
    nodes: Mapping[str, int]
    standing: str
    cause: CauseTextView | None
    tasks: int
    remedy: str
    command: str | None
    afterwards: str | None


class JobView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as the summary shows it; `error` is why it could not be looked at, null when it could.

    `stuck` is null while nothing says that its tasks can't run. `since` is when the worst of this began: stuck, open
    failures, `error`, failed releases; null when there is none of it, or nobody knows.
    """

    account: str
    job_id: str
    pool_id: str | None
    state: str | None
    tracking: Tracking
    nodes: int
    preparation: PhaseCounts
    release: PhaseCounts
    stuck: StuckView | None
    since: datetime | None
    causes: tuple[CauseView, ...]
    changed_at: datetime | None
    error: TroubleView | None


class DeliveriesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Deliveries that are waiting, and that are undeliverable.

    `oldestDueSince` is how long the oldest waits of all that a webhook should have been told, null when nothing does.
    """

    due: int
    dead: int
    oldest_due_since: datetime | None = None


class WebhooksView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Names of the webhooks that are failing or disabled."""

    failing: tuple[str, ...]
    disabled: tuple[str, ...]


class HealthView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/health: what is wrong in general, for anybody; no names."""

    reasons: tuple[str, ...] = ()


class Status(StrEnum):
    """How things stand in one word, the first that holds."""

    FAILING = "failing"
    """Preparation has failed on nodes that are still kept from a job's tasks, or a pool is in trouble."""
    STALE = "stale"
    """An account was not read for too long: nobody knows how things stand there now."""
    DEGRADED = "degraded"
    """Something may not be seen, or not reach everybody."""
    OK = "ok"


class SummaryView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/summary; `nextPollAt` is when POLL_SCHEDULE lets the timer poll next.

    Of `pools` it has the `top` worst ones; GET /api/pools lists all.
    """

    status: Status
    reasons: tuple[str, ...]
    generated_at: datetime
    next_poll_at: datetime | None = None
    accounts: tuple[AccountView, ...]
    totals: TotalsView
    value: tuple[JobView, ...]
    pools: tuple[PoolView, ...]
    deliveries: DeliveriesView
    webhooks: WebhooksView
    next_link: str | None = None


class TrackedJobView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A job as GET /api/jobs shows it; `requested` when somebody asked for it by PUT."""

    account: str
    job_id: str
    tracking: Tracking
    requested: bool
    state: str | None
    creation_time: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None
    announce_from: datetime | None
    changed_at: datetime | None
    settled_at: datetime | None


class TrackedJobsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/jobs."""

    value: tuple[TrackedJobView, ...]
    next_link: str | None = None


class PhaseView(Struct, frozen=True, kw_only=True, rename="camel"):
    """One phase on one node: what it has come to, why it was (not) announced, and every field that Batch gave.

    `cause` is null unless it failed.
    """

    outcome: Outcome
    reason: Reason
    event_id: str | None
    cause: CauseTextView | None
    execution: ExecutionInfo


class NodeView(Struct, frozen=True, kw_only=True, rename="camel"):
    """One node of a job; `open` while a preparation failure keeps it from the job's tasks."""

    pool_id: str
    node_id: str
    node_url: str | None
    open: bool
    preparation: PhaseView | None
    release: PhaseView | None


class NodesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/jobs/{jobId}/nodes."""

    account: str
    job_id: str
    value: tuple[NodeView, ...]
    next_link: str | None = None
