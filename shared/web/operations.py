"""The table of the HTTP routes: what each takes and answers.

Owns the description that the OpenAPI document is made of; tests hold it against what is served. Does not own what the
routes do (`web.routes` and its siblings).
"""

from msgspec import Struct, field

from shared.api.diagnostics import DiagnosticsView
from shared.api.event_views import (
    DismissalsRequest,
    DismissalsView,
    EventHistoryView,
    EventsView,
    ExplanationView,
    RedeliveredView,
    RedeliveriesRequest,
    RedeliveriesView,
    ShownState,
)
from shared.api.job_views import HealthView, NodesView, SummaryView, TrackedJobsView, TrackedJobView
from shared.api.mutes import MutesView, MuteView
from shared.api.webhook_views import PingView, WebhooksListView, WebhookView
from shared.batch.model import NodeStatus, Outcome, Phase
from shared.digests.mutes import Mute
from shared.web.operation import (
    BODILESS,
    HTML,
    MAX_TOP,
    METRICS,
    NOT_MODIFIED,
    Parameter,
    Reply,
    Route,
    answers,
    choice,
    moment,
    path,
    tagged_replies,
    text,
    whole,
)


class LiveNodesView(Struct, frozen=True, kw_only=True):
    """What GET /api/jobs/{jobId}/nodes?live=true answers: Batch's own words, page by page."""

    value: tuple[NodeStatus, ...]
    next_link: str | None = field(name="odata.nextLink", default=None)


_ACCOUNT = text("account", "The account's host, in any case. Needed when several accounts have a job of that id.")
_ONE_ACCOUNT = text("account", "The account's host, in any case: only what is of this account.")
_JOB = path("jobId", "The job's id, in any case.")
_WEBHOOK = path("name", "The webhook's name in the settings.")
_MUTE = path("name", "The mute's name: 1 to 64 letters, digits, '.', '-' and '_'.")
_EVENT = path("eventId", "The event's id.")
_TOP = whole("top", "How many at most.", 1, MAX_TOP)
_SKIP = whole("skip", "What a nextLink holds.", 0, 1_000_000)
_TRYING_BATCH = (400, 401, 404, 409, 429, 500, 503)

ROUTES = (
    Route(
        function="summary",
        method="GET",
        template="summary",
        summary="How things stand, polled first when what is known is too old",
        parameters=(
            whole(
                "maxAge", "Seconds: accounts that are read up to an older moment are polled first; 0 = all.", 0, 86_400
            ),
            text("job", "Only this job."),
            _ONE_ACCOUNT,
            _TOP,
            _SKIP,
        ),
        replies=tagged_replies(SummaryView, description="How things stand, worst jobs first."),
    ),
    Route(
        function="list_jobs",
        method="GET",
        template="jobs",
        summary="The jobs that are known",
        parameters=(_TOP, _SKIP),
        replies=tagged_replies(TrackedJobsView, description="A page of jobs."),
    ),
    Route(
        function="track_job",
        method="PUT",
        template="jobs/{jobId}",
        summary="Watch a job",
        parameters=(_JOB, _ACCOUNT),
        replies=(answers(TrackedJobView, "It was known."), answers(TrackedJobView, "It is watched from now on.", 201)),
        errors=_TRYING_BATCH,
    ),
    Route(
        function="untrack_job",
        method="DELETE",
        template="jobs/{jobId}",
        summary="Leave a job alone until it is put again",
        parameters=(_JOB, _ACCOUNT),
        replies=(answers(TrackedJobView, "It is left alone; its open failures are closed."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="list_nodes",
        method="GET",
        template="jobs/{jobId}/nodes",
        summary="The nodes of a job, as stored or as Batch answers now",
        parameters=(
            _JOB,
            _ACCOUNT,
            choice("phase", "Only nodes on which this phase has run.", Phase),
            choice("outcome", "Only nodes with this outcome.", Outcome),
            _TOP,
            _SKIP,
            Parameter(name="live", description="Ask Batch now, with its own options.", schema={"type": "boolean"}),
            text("link", "With live: the odata.nextLink of the page before."),
            text("$filter", "With live: Batch's own $filter."),
            text("$select", "With live: Batch's own $select."),
            whole("maxresults", "With live: Batch's own page size.", 1, 1000),
            whole("timeout", "With live: seconds that Batch may take.", 1, 30),
        ),
        replies=tagged_replies(NodesView, LiveNodesView, description="A page of nodes; with live as Batch gives it."),
        errors=_TRYING_BATCH,
    ),
    Route(
        function="explain_node",
        method="GET",
        template="jobs/{jobId}/nodes/{nodeId}",
        summary="Why somebody was, or was not, told about a node",
        parameters=(
            _JOB,
            path("nodeId", "The node's id."),
            _ACCOUNT,
            text("pool", "The node's pool. Needed when several pools have a node of that id."),
        ),
        replies=tagged_replies(ExplanationView, description="What Batch said, what was decided, and who was told."),
    ),
    Route(
        function="list_events",
        method="GET",
        template="events",
        summary="What was told, newest first",
        parameters=(
            choice("state", "Only events with a delivery in this state.", ShownState),
            text("job", "Only events of this job."),
            _ONE_ACCOUNT,
            moment("since", "Only events recorded then or later."),
            moment("until", "Only events recorded before."),
            _TOP,
            text("skip-token", "What a nextLink holds."),
        ),
        replies=tagged_replies(EventsView, description="A page of events."),
    ),
    Route(
        function="get_event",
        method="GET",
        template="events/{eventId}",
        summary="An event as it is sent, and how each delivery went",
        parameters=(_EVENT,),
        replies=tagged_replies(EventHistoryView, description="The event."),
    ),
    Route(
        function="redeliver_event",
        method="POST",
        template="events/{eventId}/redeliver",
        summary="Send an event again",
        parameters=(_EVENT, text("webhook", "Only to this webhook.")),
        replies=(answers(RedeliveredView, "It will be sent again: same id, same bytes.", 202),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="redeliver_events",
        method="POST",
        template="redeliveries",
        summary="Send a range of events, or all that were given up, again",
        body=RedeliveriesRequest,
        replies=(answers(RedeliveriesView, "They will be sent again, up to 1,000 in a call.", 202),),
    ),
    Route(
        function="dismiss_deliveries",
        method="POST",
        template="dismissals",
        summary="Take what was given up off the list of what is wrong",
        body=DismissalsRequest,
        replies=(answers(DismissalsView, "It is no fault any more, and stays in the history; 1,000 in a call."),),
        errors=(400, 401, 404, 500, 503),
    ),
    Route(
        function="list_webhooks",
        method="GET",
        template="webhooks",
        summary="The webhooks and how they fare",
        parameters=(_TOP, _SKIP),
        replies=tagged_replies(WebhooksListView, description="A page of webhooks; never a secret."),
    ),
    Route(
        function="ping_webhook",
        method="POST",
        template="webhooks/{name}/ping",
        summary="Send a ping and say what came of it",
        parameters=(_WEBHOOK,),
        replies=(answers(PingView, "What the receiver answered."),),
        errors=(400, 401, 404, 409, 429, 500, 503),
    ),
    Route(
        function="enable_webhook",
        method="POST",
        template="webhooks/{name}/enable",
        summary="Send to a webhook again",
        parameters=(_WEBHOOK,),
        replies=(answers(WebhookView, "How it fares now."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="disable_webhook",
        method="POST",
        template="webhooks/{name}/disable",
        summary="Send nothing more to a webhook",
        parameters=(_WEBHOOK,),
        replies=(answers(WebhookView, "How it fares now."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="list_mutes",
        method="GET",
        template="mutes",
        summary="What chat and pager are not told",
        parameters=(_TOP, _SKIP),
        replies=tagged_replies(MutesView, description="A page of mutes."),
    ),
    Route(
        function="put_mute",
        method="PUT",
        template="mutes/{name}",
        summary="Keep chat and pager quiet about jobs for a while",
        parameters=(_MUTE,),
        body=Mute,
        replies=(answers(MuteView, "The mute as it is now."),),
    ),
    Route(
        function="delete_mute",
        method="DELETE",
        template="mutes/{name}",
        summary="End a mute: what it held back is told",
        parameters=(_MUTE,),
        replies=(Reply(status=204, description="It is gone.", media=BODILESS),),
    ),
    Route(
        function="metrics",
        method="GET",
        template="metrics",
        summary="How things stand in numbers, as OpenMetrics",
        replies=(Reply(description="Metrics.", media=METRICS),),
    ),
    Route(
        function="openapi",
        method="GET",
        template="openapi.json",
        summary="This document",
        replies=(Reply(description="OpenAPI 3.1.", headers=("etag",)), NOT_MODIFIED),
    ),
    Route(
        function="diagnostics",
        method="GET",
        template="diagnostics",
        summary="Tries every permission and dependency with the app's own identity",
        replies=(answers(DiagnosticsView, "What was tried, and the remedy for what failed."),),
    ),
    Route(
        function="health",
        method="GET",
        template="health",
        summary="Whether the state is fresh",
        replies=(
            answers(HealthView, "It is; reasons name what is wrong beside that."),
            answers(HealthView, "It is not, or it is not known.", status=503),
        ),
        errors=(500,),
        anonymous=True,
        head=True,
    ),
    Route(
        function="dashboard",
        method="GET",
        template="dashboard",
        summary="The page for people",
        replies=(Reply(description="A page without data.", media=HTML, headers=("etag",)), NOT_MODIFIED),
        errors=(),
        anonymous=True,
        head=True,
    ),
)

ROUTE = {route.function: route for route in ROUTES}
"""The routes by the name of their function."""
