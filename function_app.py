"""Translates between Azure Functions and the use cases: triggers in, one call, answers out."""

import logging
import os
import typing
from collections.abc import Callable
from datetime import timedelta
from functools import cache

import azure.functions as func

from shared.composition import App, build_app
from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE, read_nudge
from shared.web.errors import error_answer, error_answer_to_anybody
from shared.web.http import Answer, Request, compressed
from shared.web.sign_in import check_sign_in, is_required

if typing.TYPE_CHECKING:
    from shared.web.routes import Routes

DELIVER_FOR = timedelta(seconds=60)

# The storage and HTTP clients log every call; what matters of them is in our own lines. Warnings of urllib3 hold
# whole URLs, and the state's may be signed.
logging.getLogger("azure").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)

# With the platform's sign-in in front, no key is asked for: `serve` looks at who has signed in.
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS if is_required(os.environ) else func.AuthLevel.FUNCTION)


@cache
def prepwatch() -> App:
    """The app, built at the first call: wrong settings fail each call with all their problems, never the indexing."""
    return build_app(os.environ)


def serve_anybody(request: func.HttpRequest, handler: Callable[["Routes", Request], Answer]) -> func.HttpResponse:
    """Let a route answer whoever asks; what is wrong with the settings is for those who have the key."""
    try:
        answer = handler(prepwatch().routes, _read(request))
    except Exception as error:
        answer = _failed(error, error_answer_to_anybody)
    return _response(request, answer)


def serve(request: func.HttpRequest, handler: Callable[["Routes", Request], Answer]) -> func.HttpResponse:
    """Let a route answer, and what it made due be delivered; every failure becomes an answer that says what to do."""
    try:
        read = _read(request)
        check_sign_in(os.environ, read.headers)
        answer = handler(prepwatch().routes, read)
        prepwatch().nudger.send(DELIVERIES_QUEUE, answer.nudges)
    except Exception as error:
        answer = _failed(error)
    return _response(request, answer)


def _failed(error: Exception, say: Callable[[Exception], Answer] = error_answer) -> Answer:
    answer = say(error)
    if answer.status >= 500:
        logging.getLogger("prepwatch").error("A request failed.", exc_info=error)
    return answer


def _response(request: func.HttpRequest, answer: Answer) -> func.HttpResponse:
    answer = compressed(answer, request.headers.get("accept-encoding", ""))
    return func.HttpResponse(answer.body, status_code=answer.status, headers=dict(answer.headers))


def _read(request: func.HttpRequest) -> Request:
    return Request(
        url=request.url,
        query=dict(request.params),
        route=dict(request.route_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.get_body(),
    )


@app.timer_trigger(arg_name="timer", schedule="%POLL_SCHEDULE%")
def poll(timer: func.TimerRequest) -> None:
    """Run the cycle of a single account here, or hand each of several to whichever instance takes it."""
    prepwatch().polls.run()


@app.queue_trigger(arg_name="message", queue_name=POLLS_QUEUE, connection="AzureWebJobsStorage")
def poll_account(message: func.QueueMessage) -> None:
    """Run the cycle of one account, unless a later one has begun since it was asked for."""
    prepwatch().polls.take(read_nudge(message.get_body()))


@app.queue_trigger(arg_name="message", queue_name=DELIVERIES_QUEUE, connection="AzureWebJobsStorage")
def deliver(message: func.QueueMessage) -> None:
    """Deliver what is due of one account; it asks for another go when the time was too short."""
    prepwatch().deliveries.run(read_nudge(message.get_body()).account, DELIVER_FOR)


@app.timer_trigger(arg_name="timer", schedule="0 17 3 * * *")
def purge(timer: func.TimerRequest) -> None:
    """Drop what is older than the retention."""
    prepwatch().purger.run()


@app.route(route="summary", methods=["GET"])
def summary(req: func.HttpRequest) -> func.HttpResponse:
    """How things stand, polled first when what is known is too old."""
    return serve(req, lambda routes, asked: routes.summary(asked))


@app.route(route="jobs", methods=["GET"])
def list_jobs(req: func.HttpRequest) -> func.HttpResponse:
    """The jobs that are known."""
    return serve(req, lambda routes, asked: routes.list_jobs(asked))


@app.route(route="jobs/{jobId}", methods=["PUT"])
def track_job(req: func.HttpRequest) -> func.HttpResponse:
    """Watch a job."""
    return serve(req, lambda routes, asked: routes.track_job(asked))


@app.route(route="jobs/{jobId}", methods=["DELETE"])
def untrack_job(req: func.HttpRequest) -> func.HttpResponse:
    """Leave a job alone."""
    return serve(req, lambda routes, asked: routes.untrack_job(asked))


@app.route(route="jobs/{jobId}/nodes", methods=["GET"])
def list_nodes(req: func.HttpRequest) -> func.HttpResponse:
    """The nodes of a job as of the last poll."""
    return serve(req, lambda routes, asked: routes.list_nodes(asked))


@app.route(route="jobs/{jobId}/live-nodes", methods=["GET"])
def list_live_nodes(req: func.HttpRequest) -> func.HttpResponse:
    """The nodes of a job as Batch answers now."""
    return serve(req, lambda routes, asked: routes.list_live_nodes(asked))


@app.route(route="jobs/{jobId}/nodes/{nodeId}", methods=["GET"])
def explain_node(req: func.HttpRequest) -> func.HttpResponse:
    """Why somebody was, or was not, told about a node."""
    return serve(req, lambda routes, asked: routes.events.explain_node(asked))


@app.route(route="pools", methods=["GET"])
def list_pools(req: func.HttpRequest) -> func.HttpResponse:
    """The watched pools, as their nodes were last counted."""
    return serve(req, lambda routes, asked: routes.pools.list_pools(asked))


@app.route(route="pools/{poolId}/nodes", methods=["GET"])
def list_pool_nodes(req: func.HttpRequest) -> func.HttpResponse:
    """The nodes of a pool that can't work, as Batch answers now."""
    return serve(req, lambda routes, asked: routes.pools.list_pool_nodes(asked))


@app.route(route="events", methods=["GET"])
def list_events(req: func.HttpRequest) -> func.HttpResponse:
    """What was told, newest first."""
    return serve(req, lambda routes, asked: routes.events.list_events(asked))


@app.route(route="trends", methods=["GET"])
def trends(req: func.HttpRequest) -> func.HttpResponse:
    """How many nodes failed on which day."""
    return serve(req, lambda routes, asked: routes.events.trends(asked))


@app.route(route="events/{eventId}", methods=["GET"])
def get_event(req: func.HttpRequest) -> func.HttpResponse:
    """One event, and how its deliveries went."""
    return serve(req, lambda routes, asked: routes.events.get_event(asked))


@app.route(route="events/{eventId}/redeliver", methods=["POST"])
def redeliver_event(req: func.HttpRequest) -> func.HttpResponse:
    """Send one event again."""
    return serve(req, lambda routes, asked: routes.events.redeliver_event(asked))


@app.route(route="redeliveries", methods=["POST"])
def redeliver_events(req: func.HttpRequest) -> func.HttpResponse:
    """Send a range of events again, or all that were given up."""
    return serve(req, lambda routes, asked: routes.events.redeliver_events(asked))


@app.route(route="dismissals", methods=["POST"])
def dismiss_deliveries(req: func.HttpRequest) -> func.HttpResponse:
    """Take what was given up off the list of what is wrong."""
    return serve(req, lambda routes, asked: routes.events.dismiss_deliveries(asked))


@app.route(route="webhooks", methods=["GET"])
def list_webhooks(req: func.HttpRequest) -> func.HttpResponse:
    """The webhooks and how they fare."""
    return serve(req, lambda routes, asked: routes.webhooks.list_webhooks(asked))


@app.route(route="webhooks/{name}/messages", methods=["GET"])
def list_messages(req: func.HttpRequest) -> func.HttpResponse:
    """What a chat or pager webhook was sent."""
    return serve(req, lambda routes, asked: routes.webhooks.list_messages(asked))


@app.route(route="webhooks/{name}/ping", methods=["POST"])
def ping_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """Send a webhook a ping, and show its answer."""
    return serve(req, lambda routes, asked: routes.webhooks.ping_webhook(asked))


@app.route(route="webhooks/{name}/enable", methods=["POST"])
def enable_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """Let a webhook be sent events again."""
    return serve(req, lambda routes, asked: routes.webhooks.enable_webhook(asked))


@app.route(route="webhooks/{name}/disable", methods=["POST"])
def disable_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """Send a webhook nothing until it is enabled."""
    return serve(req, lambda routes, asked: routes.webhooks.disable_webhook(asked))


@app.route(route="mutes", methods=["GET"])
def list_mutes(req: func.HttpRequest) -> func.HttpResponse:
    """What chat and pager are not told."""
    return serve(req, lambda routes, asked: routes.mutes.list_mutes(asked))


@app.route(route="mutes/{name}", methods=["PUT"])
def put_mute(req: func.HttpRequest) -> func.HttpResponse:
    """Keep chat and pager quiet for a while."""
    return serve(req, lambda routes, asked: routes.mutes.put_mute(asked))


@app.route(route="mutes/{name}", methods=["DELETE"])
def delete_mute(req: func.HttpRequest) -> func.HttpResponse:
    """Let chat and pager be told again."""
    return serve(req, lambda routes, asked: routes.mutes.delete_mute(asked))


@app.route(route="metrics", methods=["GET"])
def metrics(req: func.HttpRequest) -> func.HttpResponse:
    """How things stand in numbers."""
    return serve(req, lambda routes, asked: routes.system.metrics(asked))


@app.route(route="openapi.json", methods=["GET"])
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """What can be asked, for programs."""
    return serve(req, lambda routes, asked: routes.system.openapi(asked))


@app.route(route="diagnostics", methods=["GET"])
def diagnostics(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app may do what it needs to do."""
    return serve(req, lambda routes, asked: routes.system.diagnostics(asked))


@app.route(route="health", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the state is fresh."""
    return serve_anybody(req, lambda routes, asked: routes.health(asked))


@app.route(route="dashboard", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def dashboard(req: func.HttpRequest) -> func.HttpResponse:
    """The page for people; it holds no data, so anybody may have it, even while the settings are wrong."""
    from shared.web import dashboard_page  # reads and hashes ten files: no cycle needs them

    return _response(req, dashboard_page.page_answer(_read(req)))
