"""The table of the HTTP routes: what each takes and answers.

Owns the whole of the description that the OpenAPI document is made of, and the routes about webhooks, mutes and the app
itself; tests hold it against what is served. Does not own what the routes do (`web.routes` and its siblings).
"""

from shared.api.diagnostics import DiagnosticsView
from shared.api.job_views import HealthView
from shared.api.mutes import MuteRequest, MutesView, MuteView
from shared.api.webhook_views import MessagesView, PingView, WebhooksListView, WebhookView
from shared.web.event_operations import EVENTS
from shared.web.job_operations import JOBS
from shared.web.operation import (
    BODILESS,
    HTML,
    METRICS,
    NOT_MODIFIED,
    ONE_ACCOUNT,
    SKIP,
    SKIP_TOKEN,
    TOP,
    DocumentedAnswer,
    Route,
    answer_with,
    path,
    tagged_answers,
)
from shared.web.pool_operations import POOLS

_WEBHOOK = path("name", "The webhook's name in the settings.")
_MUTE = path("name", "The mute's name: 1 to 64 letters, digits, '.', '-' and '_'.")

WEBHOOKS = (
    Route(
        function="list_webhooks",
        method="GET",
        template="webhooks",
        summary="The webhooks and their health",
        parameters=(TOP, SKIP),
        answers=tagged_answers(WebhooksListView, description="A page of webhooks; never a secret."),
    ),
    Route(
        function="list_messages",
        method="GET",
        template="webhooks/{name}/messages",
        summary="What a chat or pager webhook was sent about how jobs and pools stand, the newest first",
        parameters=(_WEBHOOK, ONE_ACCOUNT, TOP, SKIP_TOKEN),
        answers=tagged_answers(MessagesView, description="A page of messages; none of other formats."),
    ),
    Route(
        function="ping_webhook",
        method="POST",
        template="webhooks/{name}/ping",
        summary="Send a ping and say what came of it",
        parameters=(_WEBHOOK,),
        answers=(answer_with(PingView, "What the receiver answered."),),
        errors=(400, 401, 404, 409, 429, 500, 503),
    ),
    Route(
        function="enable_webhook",
        method="POST",
        template="webhooks/{name}/enable",
        summary="Send to a webhook again",
        parameters=(_WEBHOOK,),
        answers=(answer_with(WebhookView, "Its state now."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="disable_webhook",
        method="POST",
        template="webhooks/{name}/disable",
        summary="Send nothing more to a webhook",
        parameters=(_WEBHOOK,),
        answers=(answer_with(WebhookView, "Its state now."),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
)

MUTES = (
    Route(
        function="list_mutes",
        method="GET",
        template="mutes",
        summary="The mutes of chat and pager",
        parameters=(TOP, SKIP),
        answers=tagged_answers(MutesView, description="A page of mutes."),
    ),
    Route(
        function="put_mute",
        method="PUT",
        template="mutes/{name}",
        summary="Keep chat and pager quiet about jobs for a while",
        parameters=(_MUTE,),
        body=MuteRequest,
        answers=(answer_with(MuteView, "The mute as it is now."),),
    ),
    Route(
        function="delete_mute",
        method="DELETE",
        template="mutes/{name}",
        summary="End a mute: what it held back is told",
        parameters=(_MUTE,),
        answers=(DocumentedAnswer(status=204, description="It is gone.", media=BODILESS),),
    ),
)

SYSTEM = (
    Route(
        function="metrics",
        method="GET",
        template="metrics",
        summary="The status in numbers, as OpenMetrics",
        answers=(DocumentedAnswer(description="Metrics.", media=METRICS),),
    ),
    Route(
        function="openapi",
        method="GET",
        template="openapi.json",
        summary="This document",
        answers=(DocumentedAnswer(description="OpenAPI 3.1.", headers=("etag",)), NOT_MODIFIED),
    ),
    Route(
        function="diagnostics",
        method="GET",
        template="diagnostics",
        summary="Tries every permission and dependency with the app's own identity",
        answers=(answer_with(DiagnosticsView, "What was tried, and the remedy for what failed."),),
    ),
    Route(
        function="health",
        method="GET",
        template="health",
        summary="Whether every account is read in time",
        answers=(
            answer_with(HealthView, "It is; reasons name what is wrong beside that."),
            answer_with(HealthView, "It is not, or it is not known.", status=503),
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
        answers=(DocumentedAnswer(description="A page without data.", media=HTML, headers=("etag",)), NOT_MODIFIED),
        errors=(),
        anonymous=True,
        head=True,
    ),
)

TAGGED = {"Jobs": JOBS, "Pools": POOLS, "Events": EVENTS, "Webhooks": WEBHOOKS, "Mutes": MUTES, "System": SYSTEM}
"""The routes by the subject under which generated clients and viewers list them."""

ROUTES = tuple(route for routes in TAGGED.values() for route in routes)
ROUTE = {route.function: route for route in ROUTES}
"""The routes by the name of their function."""
