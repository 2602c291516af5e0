"""What waits for a webhook and was given up of it, as the events say that tell of its health."""

import json
from typing import Any

import pytest

from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, FakeSender, refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK

WATCHER = {**SIGNED, "name": "watcher", "url": "https://b.example/hook", "events": ["webhook.*"]}
OPS, CHAT, PAGES = "https://a.example/hook", str(SLACK["url"]), "https://events.pagerduty.com/v2/enqueue"
TAKES = {OPS: ACCEPTED, CHAT: refusal(200, b"ok"), PAGES: refusal(202, b'{"status":"success"}')}


def _app() -> Deployment:
    ops = {**SIGNED, "events": ["preparation.*"]}
    return deploy(ops, SLACK, PAGER, WATCHER, sender=FakeSender(by_url=TAKES))


def _fail(app: Deployment, *jobs: str) -> None:
    for job in jobs:
        app.batch.add(a_job(job), a_node(preparation=a_run(failed=True, ended=app.clock.now)))


def _poll(app: Deployment, minutes: int) -> None:
    for _ in range(minutes):
        app.poll()
        app.clock.advance(minutes=1)


def _told(app: Deployment, name: str) -> list[tuple[str, dict[str, Any]]]:
    """What the watcher was told of a webhook: the type, and what waits."""
    numbers = ("status", "eventsWaiting", "jobsWaiting", "givenUp")
    bodies = dict.fromkeys(request.body for request in app.sender.sent if "b.example" in request.url)
    events = [json.loads(body) for body in bodies]
    return [
        (event["type"].rpartition(".")[2], {key: event["data"][key] for key in numbers if key in event["data"]})
        for event in events
        if event["data"]["webhook"] == name
    ]


def _switch(app: Deployment, verb: str, name: str) -> None:
    def handler(routes: Routes, request: Request) -> Answer:
        answer: Answer = getattr(routes.webhooks, f"{verb}_webhook")(request)
        return answer

    assert app.ask(handler, name=name).status == 200


@pytest.mark.parametrize(
    ("url", "name", "failing", "recovered"),
    [
        # The probe that is taken is one of them.
        (OPS, "ops", {"eventsWaiting": 3, "givenUp": 0}, {"eventsWaiting": 2, "givenUp": 0}),
        (
            CHAT,
            "chat",
            {"eventsWaiting": 0, "givenUp": 0, "jobsWaiting": 3},
            {"eventsWaiting": 0, "givenUp": 0, "jobsWaiting": 0},
        ),
        (
            PAGES,
            "pager",
            {"eventsWaiting": 0, "givenUp": 0, "jobsWaiting": 3},
            {"eventsWaiting": 0, "givenUp": 0, "jobsWaiting": 0},
        ),
    ],
)
def test_what_waits_is_counted_when_it_turns(
    url: str, name: str, failing: dict[str, int], recovered: dict[str, int]
) -> None:
    """The event of a webhook that fails or works again says what waited for it then, whatever its format."""
    app = _app()
    _poll(app, 1)
    app.sender.by_url[url] = refusal(503)
    _fail(app, "job-1", "job-2", "job-3")
    _poll(app, 25)
    app.sender.by_url[url] = TAKES[url]
    _poll(app, 25)
    assert _told(app, name) == [("failing", {"status": 503, **failing}), ("recovered", recovered)]


def test_what_was_given_up_is_counted() -> None:
    """After days nothing waits any more: the end says that its event was given up."""
    app = _app()
    app.sender.by_url[OPS] = refusal(500)
    _fail(app, "job-1")
    for _ in range(80):
        app.poll()
        app.clock.advance(hours=1)
    app.sender.by_url[OPS] = ACCEPTED
    _poll(app, 10)
    assert _told(app, "ops")[-1] == ("recovered", {"eventsWaiting": 0, "givenUp": 1})


def test_who_switches_it_says_what_waited() -> None:
    """Switched off by a person and on again: the events say what waited, and what was given up before."""
    app = _app()
    app.sender.by_url[OPS] = refusal(500)
    _fail(app, "job-1", "job-2")
    _poll(app, 1)
    _switch(app, "disable", "ops")
    _switch(app, "enable", "ops")
    _poll(app, 1)
    assert sorted(_told(app, "ops"), key=lambda told: told[0]) == [
        ("disabled", {"eventsWaiting": 2, "givenUp": 0}),
        ("enabled", {"eventsWaiting": 0, "givenUp": 0}),
    ]
