"""Whatever is told, the local services take it, which judge by their documentation and share no code with the app."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.events_page import closed_example, examples
from local.webhook_receiver.eventgrid import TOPIC_KEY, EventGridTopic
from local.webhook_receiver.pagerduty import ROUTING_KEY, PagerDutyService
from local.webhook_receiver.service import Request, Service, Verdict
from local.webhook_receiver.slack import SlackWebhook
from local.webhook_receiver.teams import TeamsWorkflow
from shared.digests.jobs.notices import jobs_notice
from shared.ledger.recipients import is_told_by_event
from shared.messages.events import Event
from shared.messages.format import Message
from shared.messages.format_table import FORMATS, render, render_notice
from shared.webhook import Webhook, WebhookRequest
from tests.messages.test_limits import HOSTILE, NODES, STATE_FORMATS
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, head, news, page_of


def webhook(kind: str) -> Webhook:
    """A webhook as the local stack sets it."""
    keys = {"pagerduty": ROUTING_KEY, "eventgrid": TOPIC_KEY}
    content_type = (
        "application/json" if FORMATS[kind].tells_state else "application/cloudevents-batch+json; charset=utf-8"
    )
    return Webhook(
        name=kind, format=kind, url=f"https://x.example/{kind}", key=keys.get(kind), content_type=content_type
    )


def verdict(kind: str, request: WebhookRequest) -> Verdict:
    """What the service makes of a request, its first today."""
    services: dict[str, Service] = {
        "teams": TeamsWorkflow(),
        "slack": SlackWebhook(),
        "pagerduty": PagerDutyService(ROUTING_KEY),
        "eventgrid": EventGridTopic(key=TOPIC_KEY),
    }
    path = request.url.removeprefix("https://x.example")
    return services[kind].receive(Request(path=path, headers=request.headers, body=request.body, at=NOW))


def of_jobs(kind: str, jobs: int, failed: int, text: str) -> Verdict:
    """What the service makes of the news about so many jobs."""
    heads = [head(f"{number:04}{'x' * 300}", failed=failed, text=text) for number in range(jobs)]
    if kind == "pagerduty":
        return verdict(kind, render_notice(webhook(kind), page_of(*heads, nodes=NODES)))
    several = [news(job, nodes=NODES) for job in heads]
    return verdict(kind, render_notice(webhook(kind), jobs_notice(ACCOUNT, several, LINKS)))


@pytest.mark.parametrize("text", ["no such blob", HOSTILE * 40, "&" * 5000, '"\\' * 3000], ids=range(4))
@pytest.mark.parametrize(("jobs", "failed"), [(1, 1), (1, 5000), (3, 40), (200, 5000)])
@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_news_about_jobs(kind: str, jobs: int, failed: int, text: str) -> None:
    """However many nodes and jobs fail, and whatever Batch says, the message is taken, and shows how many failed."""
    made = of_jobs(kind, jobs, failed, text)
    assert made.accepted, made.reason
    said = f"{failed} of 5000 nodes" if kind == "pagerduty" else f"{failed} newly failed"
    assert any(said in line for line in made.shows)


@settings(max_examples=20, deadline=None)
@given(text=st.text(max_size=3000), jobs=st.integers(1, 4))
@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_any_text(kind: str, text: str, jobs: int) -> None:
    """No text makes a service refuse a message."""
    made = of_jobs(kind, jobs, 7, text)
    assert made.accepted, made.reason


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        pytest.param(kind, event, id=f"{kind}-{event.type}")
        for kind in (*STATE_FORMATS, "eventgrid")
        for event in (*examples().values(), closed_example())
        if is_told_by_event(webhook(kind), event.type)
    ],
)
def test_events(kind: str, event: Event) -> None:
    """Every event that a format is sent by itself is taken."""
    made = verdict(kind, render(webhook(kind), Message(id=event.id, body=event.body), NOW))
    assert made.accepted, made.reason
