"""What the HTTP functions about events and explanations answer: parses, calls the use case, forms the answer.

Owns the translation between HTTP and use cases, route by route. Does not own the other routes (`web.routes`,
`web.webhooks`) or any rule.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.api.events.dismissal import Dismissal
from shared.api.events.explanation import Explainer
from shared.api.events.history import EventFilter, History
from shared.api.events.redelivery import Range, Redelivery
from shared.api.events.trends import DEFAULT_DAYS, TrendFilter, Trends
from shared.api.events.views import (
    DismissalsRequest,
    EventsView,
    RedeliveredView,
    RedeliveriesRequest,
    RedeliveriesView,
    RedeliveryResult,
    RedeliveryState,
    ShownState,
    TrendBy,
)
from shared.ledger.archive import EVENT_ID
from shared.ledger.newest_events import NEWEST, read_list_position
from shared.state.rows import OWN
from shared.web.errors import RequestError
from shared.web.http import Answer, Request, json_answer, tagged_answer
from shared.web.operation import SKIP_TOKEN
from shared.web.operation_table import ROUTE
from shared.web.reading import DEFAULT_TOP, Query, next_token_link, read_body, wrong_token


class EventRoutes(Struct, frozen=True, kw_only=True):
    """The handlers of the HTTP functions about events, by function name."""

    history: History
    redelivery: Redelivery
    dismissal: Dismissal
    explainer: Explainer
    trends_source: Trends
    accounts: Sequence[str]

    def explain_node(self, request: Request) -> Answer:
        """GET /api/jobs/{jobId}/nodes/{nodeId}."""
        query = Query(request, ROUTE["explain_node"])
        job_id, node_id = request.route["jobId"], request.route["nodeId"]
        explained = self.explainer.explain(job_id, node_id, query.host("account"), query.text("pool"))
        return tagged_answer(request, explained)

    def list_events(self, request: Request) -> Answer:
        """GET /api/events."""
        query = Query(request, ROUTE["list_events"])
        since, until = query.period()
        wanted = EventFilter(
            state=query.choice("state", ShownState),
            job=query.text("job"),
            account=query.host("account"),
            node=query.text("node"),
            since=since,
            until=until,
        )
        top = query.number("top") or DEFAULT_TOP
        token = query.text(SKIP_TOKEN.name)
        after = read_list_position(token) if token else NEWEST
        if after is None:
            raise wrong_token()
        value, more = self.history.list_events(wanted, top=top, after=after)
        view = EventsView(value=value, next_link=next_token_link(request, more.token) if more else None)
        return tagged_answer(request, view)

    def trends(self, request: Request) -> Answer:
        """GET /api/trends."""
        query = Query(request, ROUTE["trends"])
        wanted = TrendFilter(account=query.host("account"), job=query.text("job"), pool=query.text("pool"))
        by, days = query.choice("by", TrendBy) or TrendBy.CODE, query.number("days") or DEFAULT_DAYS
        return tagged_answer(request, self.trends_source.count(by, days, wanted))

    def get_event(self, request: Request) -> Answer:
        """GET /api/events/{eventId}."""
        Query(request, ROUTE["get_event"])
        return tagged_answer(request, self.history.get_event(request.route["eventId"]))

    def redeliver_event(self, request: Request) -> Answer:
        """POST /api/events/{eventId}/redeliver."""
        query = Query(request, ROUTE["redeliver_event"])
        event_id = request.route["eventId"]
        done = self.redelivery.redeliver(event_id, query.text("webhook"))
        queued = [one.partition for one in done if one.view.result is not RedeliveryResult.SKIPPED]
        return self._accepted(RedeliveredView(event_id=event_id, value=tuple(one.view for one in done)), queued)

    def redeliver_events(self, request: Request) -> Answer:
        """POST /api/redeliveries."""
        Query(request, ROUTE["redeliver_events"])
        asked = read_body(request, RedeliveriesRequest)
        if asked.state is RedeliveryState.ALL and asked.since is None:
            raise _wrong("since", "must be given with state all, so that not the whole history is sent again")
        if asked.since is not None and asked.until is not None and asked.since >= asked.until:
            raise _wrong("until", "must be later than since")
        if not _is_token(asked.skip_token):
            raise _wrong("skipToken", "must be that of an answer before, or null")
        wanted = Range(
            state=asked.state,
            events=EventFilter(since=asked.since, until=asked.until),
            webhook=asked.webhook,
            after=asked.skip_token,
        )
        view, queued = self.redelivery.redeliver_range(wanted)
        return self._accepted(view, queued)

    def dismiss_deliveries(self, request: Request) -> Answer:
        """POST /api/dismissals."""
        Query(request, ROUTE["dismiss_deliveries"])
        asked = read_body(request, DismissalsRequest)
        if asked.jobs and (asked.webhook or asked.event_id):
            raise _wrong("jobs", "can't be combined: it means failed releases, the others undeliverable messages")
        done = (
            self.dismissal.dismiss_releases(asked.jobs)
            if asked.jobs
            else self.dismissal.dismiss(asked.webhook, asked.event_id)
        )
        return json_answer(done)

    def _accepted(self, body: RedeliveredView | RedeliveriesView, queued: Iterable[str]) -> Answer:
        # What belongs to no account is delivered with any of them.
        nudges = {self.accounts[0] if partition == OWN else partition for partition in queued}
        return replace(json_answer(body, status=202), nudges=tuple(sorted(nudges)))


def _is_token(text: str | None) -> bool:
    return text is None or EVENT_ID.fullmatch(text) is not None


def _wrong(name: str, mend: str) -> RequestError:
    return RequestError(400, "InvalidRequestBody", f"The body's {name!r} {mend}.", target=name)
