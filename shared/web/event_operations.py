"""The HTTP routes about events and their deliveries: what each takes and answers.

Owns their description. Does not own what they do (`web.events`) or the other routes (`web.operation_table`).
"""

from shared.api.events.trends import DEFAULT_DAYS, MAX_DAYS
from shared.api.events.views import (
    DismissalsRequest,
    DismissalsView,
    EventHistoryView,
    EventsView,
    RedeliveredView,
    RedeliveriesRequest,
    RedeliveriesView,
    ShownState,
    TrendBy,
    TrendsView,
)
from shared.web.operation import (
    ONE_ACCOUNT,
    SKIP_TOKEN,
    TOP,
    Route,
    answer_with,
    choice,
    moment,
    path,
    tagged_answers,
    text,
    whole,
)

_EVENT = path("eventId", "The event's id.")

EVENTS = (
    Route(
        function="list_events",
        method="GET",
        template="events",
        summary="Events, newest recorded first",
        parameters=(
            choice("state", "Only events with a delivery in this state.", ShownState),
            text("job", "Only events of this job."),
            text("node", "Only events that name this node, in any case."),
            ONE_ACCOUNT,
            moment("since", "Only events recorded then or later."),
            moment("until", "Only events recorded before."),
            TOP,
            SKIP_TOKEN,
        ),
        answers=tagged_answers(EventsView, description="A page of events."),
    ),
    Route(
        function="trends",
        method="GET",
        template="trends",
        summary="How many nodes failed on which day, by code, pool or job",
        parameters=(
            choice("by", "What the rows are: codes (as without it), pools or jobs.", TrendBy),
            whole("days", f"How many days, today among them; {DEFAULT_DAYS} without it.", 1, MAX_DAYS),
            ONE_ACCOUNT,
            text("job", "Only failures of this job, in any case."),
            text("pool", "Only failures in this pool, in any case."),
        ),
        answers=tagged_answers(TrendsView, description="The failures, most first; days are those of UTC."),
    ),
    Route(
        function="get_event",
        method="GET",
        template="events/{eventId}",
        summary="An event as it is sent, and how each delivery went",
        parameters=(_EVENT,),
        answers=tagged_answers(EventHistoryView, description="The event."),
    ),
    Route(
        function="redeliver_event",
        method="POST",
        template="events/{eventId}/redeliver",
        summary="Send an event again",
        parameters=(_EVENT, text("webhook", "Only to this webhook.")),
        answers=(answer_with(RedeliveredView, "It will be sent again: same id, same bytes.", 202),),
        errors=(400, 401, 404, 409, 500, 503),
    ),
    Route(
        function="redeliver_events",
        method="POST",
        template="redeliveries",
        summary="Send a range of events, or all that are undeliverable, again",
        body=RedeliveriesRequest,
        answers=(answer_with(RedeliveriesView, "They will be sent again, up to 1,000 in a call.", 202),),
    ),
    Route(
        function="dismiss_deliveries",
        method="POST",
        template="dismissals",
        summary="Take undeliverable messages, or failed releases, off the list of what is wrong",
        body=DismissalsRequest,
        answers=(answer_with(DismissalsView, "It is no fault any more, and stays in the history; 1,000 in a call."),),
        errors=(400, 401, 404, 500, 503),
    ),
)
