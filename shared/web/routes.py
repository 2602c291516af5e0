"""What each HTTP function answers: parses the request, calls the use case, forms the answer.

Owns the translation between HTTP and use cases, route by route. Does not own the platform's types (`function_app`) or
any rule.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from shared.api.job_views import HealthView, NodesView, TrackedJobsView
from shared.api.nodes import NodeFilter, NodeLister
from shared.api.summary import Summary, SummaryQuery
from shared.api.summary_rules import JobsPage
from shared.api.tracking import Tracker
from shared.batch.model import Outcome, Phase
from shared.errors import StoreError
from shared.ports import Clock, ListingOptions, ListingPage
from shared.web.errors import RequestError
from shared.web.events import EventRoutes
from shared.web.http import Answer, Request, json_answer, tagged_answer
from shared.web.job_operations import OPTIONS_OF_BATCH
from shared.web.mutes import MuteRoutes
from shared.web.operation import MAX_TOP
from shared.web.operation_table import ROUTE
from shared.web.pools import PoolRoutes
from shared.web.reading import Query, next_link, read_paging
from shared.web.system import SystemRoutes
from shared.web.webhooks import WebhookRoutes

_HEALTH_KEPT = timedelta(seconds=10)
_LIVE_ONLY = tuple(option.name for option in OPTIONS_OF_BATCH)
# Batch's own links name the operation in a second way.
_STATUS_LINK = re.compile(r"/jobs/([^/]+)/jobpreparationandrelease(?:task)?status$", re.IGNORECASE)


class _Health:
    """The last answer to whether all is well, kept for a moment, because asking is free for everybody."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: tuple[datetime, Answer] | None = None

    def answer(self, now: datetime, check: Callable[[], Answer]) -> Answer:
        """The kept answer, or a new one when it is too old."""
        with self._lock:
            if self._known is None or not now - _HEALTH_KEPT < self._known[0] <= now:
                self._known = (now, check())
            return self._known[1]


class Routes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions, by function name; those beyond jobs and nodes have siblings of their own."""

    summaries: Summary
    tracker: Tracker
    lister: NodeLister
    events: EventRoutes
    webhooks: WebhookRoutes
    mutes: MuteRoutes
    pools: PoolRoutes
    system: SystemRoutes
    clock: Clock
    _health: _Health = field(default_factory=_Health)

    def summary(self, request: Request) -> Answer:
        """GET /api/summary."""
        query = Query(request, ROUTE["summary"])
        max_age = query.number("maxAge")
        paging = read_paging(query, default=MAX_TOP)
        page = JobsPage(job=query.text("job"), account=query.host("account"), skip=paging.skip, top=paging.top)
        result = self.summaries.run(
            SummaryQuery(page=page, max_age=None if max_age is None else timedelta(seconds=max_age))
        )
        summary = result.summary
        if result.more:
            summary = replace(summary, next_link=next_link(request, skip=page.skip + page.top))
        timeless = replace(summary, generated_at=datetime.min)  # noqa: DTZ901 - never shown
        answer = tagged_answer(request, summary, timeless)
        return replace(answer, nudges=result.nudges)

    def list_jobs(self, request: Request) -> Answer:
        """GET /api/jobs."""
        paging = read_paging(Query(request, ROUTE["list_jobs"]))
        value, more = paging.cut(request, self.tracker.list_jobs())
        return tagged_answer(request, TrackedJobsView(value=value, next_link=more))

    def track_job(self, request: Request) -> Answer:
        """PUT /api/jobs/{jobId}."""
        query = Query(request, ROUTE["track_job"])
        job, new = self.tracker.track(request.route["jobId"], query.host("account"))
        return json_answer(job, status=201 if new else 200)

    def untrack_job(self, request: Request) -> Answer:
        """DELETE /api/jobs/{jobId}."""
        query = Query(request, ROUTE["untrack_job"])
        job, made_due = self.tracker.untrack(request.route["jobId"], query.host("account"))
        return replace(json_answer(job), nudges=(job.account,) if made_due else ())

    def list_nodes(self, request: Request) -> Answer:
        """GET /api/jobs/{jobId}/nodes."""
        query = Query(request, ROUTE["list_nodes"])
        job_id, account = request.route["jobId"], query.host("account")
        if query.flag("live"):
            if wrong := [name for name in ("phase", "outcome", "top", "skip") if query.text(name) is not None]:
                message = f"{wrong[0]!r} does not go with live=true; Batch's own options are {', '.join(_LIVE_ONLY)}."
                raise RequestError(400, "UnsupportedQueryParameter", message, target=wrong[0])
            return self._live_nodes(query, job_id, account)
        if wrong := [name for name in _LIVE_ONLY if query.text(name) is not None]:
            message = f"{wrong[0]!r} is an option of Batch and goes with live=true only."
            raise RequestError(400, "UnsupportedQueryParameter", message, target=wrong[0])
        wanted = NodeFilter(phase=query.choice("phase", Phase), outcome=query.choice("outcome", Outcome))
        paging = read_paging(query)
        origin, head, nodes = self.lister.list_stored(job_id, account, wanted)
        value, more = paging.cut(request, nodes)
        view = NodesView(account=origin.partition, job_id=head.job_id, value=value, next_link=more)
        return tagged_answer(request, view)

    def list_live_nodes(self, request: Request) -> Answer:
        """GET /api/jobs/{jobId}/live-nodes."""
        query = Query(request, ROUTE["list_live_nodes"])
        return self._live_nodes(query, request.route["jobId"], query.host("account"))

    def health(self, request: Request) -> Answer:  # noqa: ARG002 - every route has one signature
        """GET /api/health: 200, or 503 as the heartbeat says, and why in general: no names, because anybody may ask."""
        return self._health.answer(self.clock(), self._check_health)

    def _check_health(self) -> Answer:
        try:
            health = self.summaries.health()
        except StoreError:
            return json_answer(HealthView(reasons=("the state can't be read",)), status=503)
        return json_answer(health.view, status=200 if health.well else 503)

    def _live_nodes(self, query: Query, job_id: str, account: str | None) -> Answer:
        options = ListingOptions(
            filter=query.text("$filter"),
            select=query.text("$select"),
            max_results=query.number("maxresults"),
            timeout_seconds=query.number("timeout"),
        )
        link = query.text("link")
        if link is not None and _job_of(link) != job_id.lower():
            message = "link must be the odata.nextLink of an answer of this route for this job."
            raise RequestError(400, "InvalidQueryParameterValue", message, target="link")
        return _as_batch_answered(*self.lister.list_live(job_id, account, options, link))


def _job_of(link: str) -> str | None:
    """The job (in lower case) whose statuses a link of Batch names; None when it is no such link."""
    try:
        found = _STATUS_LINK.search(urlsplit(link).path)
    except ValueError:
        return None
    return unquote(found[1]).lower() if found else None


def _as_batch_answered(page: ListingPage, unreadable: Sequence[str]) -> Answer:
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "request-id": page.request_id,
        "client-request-id": page.client_request_id,
        "etag": page.etag,
        "last-modified": page.last_modified,
    }
    body: dict[str, object] = {"value": msgspec.Raw(page.value)}
    if page.next_link is not None:
        body["odata.nextLink"] = page.next_link
    if unreadable:
        body["unreadable"] = unreadable
    return Answer(
        headers={name: value for name, value in headers.items() if value is not None}, body=msgspec.json.encode(body)
    )
