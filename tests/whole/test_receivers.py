"""What becomes of messages that a receiver does not take, seen from outside: when they arrive, and who is told."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from shared.web.http import Answer, Request
from shared.web.routes import Routes
from shared.webhook import SendFailure, WebhookAnswer, WebhookRequest
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import GRID, PAGER, SIGNED, SLACK

MINUTE = timedelta(minutes=1)
TEAMS = {"name": "team", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"}
OTHER = {**SIGNED, "name": "other", "url": "https://b.example/other"}
FORMATS: Mapping[str, Mapping[str, object]] = {
    str(hook["format"]): hook for hook in (SIGNED, {**GRID, "keySetting": "PAGER_KEY"}, TEAMS, SLACK, PAGER)
}
TAKEN = {"teams": refusal(202), "slack": refusal(200, b"ok"), "pagerduty": refusal(202)}


class Receivers:
    """Everybody takes what he is sent, but for those who answer otherwise; what reached whom, and when."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.answers: dict[str, WebhookAnswer] = {}
        self.sent: list[tuple[str, datetime, WebhookRequest]] = []
        deployment.sender.during = self._take

    def _take(self, request: WebhookRequest) -> None:
        host = request.url.split("/")[2]
        kind = next((kind for kind, hook in FORMATS.items() if host in str(hook.get("url", "pagerduty.com"))), "")
        if "pagerduty" in host:
            kind = "pagerduty"
        name = str(FORMATS[kind]["name"]) if kind else host
        self.sent.append((name, self.deployment.clock.now, request))
        self.deployment.sender.answer = self.answers.get(name) or TAKEN.get(kind) or refusal(204)

    def told(self, name: str) -> list[dict[str, Any]]:
        """The bodies that reached a webhook."""
        return [json.loads(request.body) for to, _, request in self.sent if to == name]


def fail(deployment: Deployment, job: str, account: str = ACCOUNT, node: str = "n1") -> None:
    """A job fails now."""
    run = a_run(failed=True, ended=deployment.clock.now)
    deployment.batches[account].add(a_job(job), a_node(node, preparation=run))


def let_pass(deployment: Deployment, minutes: int, every: int = 1) -> None:
    """Let time pass with polls."""
    for _ in range(0, minutes, every):
        for account in deployment.batches:
            deployment.poll(account)
        deployment.clock.advance(minutes=every)


def webhooks_of(deployment: Deployment, name: str = "") -> Any:
    """A webhook as the API lists it, or all of them."""
    listed = deployment.ask(lambda routes, asked: routes.webhooks.list_webhooks(asked)).body["value"]
    return next((one for one in listed if one["name"] == name), listed)


def _switch(deployment: Deployment, method: str, name: str) -> Any:
    def handler(routes: Routes, request: Request) -> Answer:
        answer: Answer = getattr(routes.webhooks, f"{method}_webhook")(request)
        return answer

    return deployment.ask(handler, name=name)


@pytest.mark.slow
@pytest.mark.parametrize("accounts", [1, 2])
@pytest.mark.parametrize("hours", [0.5, 12, 80])
@pytest.mark.parametrize("kind", FORMATS)
def test_what_waited_arrives_soon_after_the_receiver_is_back(kind: str, hours: float, accounts: int) -> None:
    """Within six minutes of its return a receiver has all that waits; what waited for 75 hours was given up."""
    hook = FORMATS[kind]
    deployment = deploy(hook, accounts=accounts, STALE_AFTER_SECONDS="3600")
    receivers = Receivers(deployment)
    receivers.answers[str(hook["name"])] = refusal(503)
    minutes, every = int(hours * 60), {0.5: 1, 12: 11, 80: 31}[hours]  # the longer, the rarer are attempts
    failing_at = [0, 7, minutes // 2, minutes - 2]
    for minute, until in pairwise([*failing_at, minutes]):
        fail(deployment, f"job-{minute}", (ACCOUNT, OTHER_ACCOUNT)[minute % accounts])
        let_pass(deployment, 1)
        let_pass(deployment, until - minute - 1, every)
    # The worst that can be: it is back right after it was tried.
    receivers.sent.clear()
    while not receivers.told(str(hook["name"])):
        let_pass(deployment, 1)
    back = receivers.sent[-1][1]
    receivers.answers.clear()
    receivers.sent.clear()
    let_pass(deployment, 7)
    named = {
        (job, at - back)
        for name, at, request in receivers.sent
        for job in (f"job-{minute}" for minute in failing_at)
        if f'"{job}' in request.body.decode() or re.search(rf"(?<![0-9-]){job}[:,]", request.body.decode())
    }
    is_of_events = kind in {"cloudevents", "eventgrid"}
    old = {f"job-{minute}" for minute in failing_at if is_of_events and minutes - minute > 75 * 60}
    assert {job for job, _ in named} == {f"job-{minute}" for minute in failing_at} - old
    delays = [delay / MINUTE for _, delay in named]
    print(f"{kind} away for {hours} h: median {median(delays)} min, worst {max(delays)} min")
    assert max(delays) <= 6
    assert (webhooks_of(deployment)[0]["state"], webhooks_of(deployment)[0]["dead"]) == ("ok", len(old))


@pytest.mark.parametrize("kind", ["teams", "slack", "pagerduty"])
def test_one_refused_message_stops_no_other(kind: str) -> None:
    """It is sent once more in a single line, then shown as not told with the answer; the others and the ping go on."""
    hook = FORMATS[kind]
    name = str(hook["name"])
    deployment = deploy(hook, OTHER)
    receivers = Receivers(deployment)

    def refuse_poison(request: WebhookRequest) -> None:
        take(request)
        if b"poison" in request.body:
            deployment.sender.answer = refusal(400, b"invalid field")

    take = deployment.sender.during
    deployment.sender.during = refuse_poison
    fail(deployment, "poison")
    let_pass(deployment, 3)
    fail(deployment, "good")
    let_pass(deployment, 30)
    about = [body for body in receivers.told(name) if "poison" in json.dumps(body)]
    assert len(about) == 2
    assert len(json.dumps(about[1])) < len(json.dumps(about[0]))
    assert any("good" in json.dumps(body) for body in receivers.told(name))
    shown = webhooks_of(deployment, name)
    assert (shown["state"], shown["untold"]["refused"]) == ("ok", 1)
    assert "status 400" in shown["untold"]["refusal"]
    assert "invalid field" in shown["untold"]["refusal"]
    assert not [body for body in receivers.told("b.example") if "webhook.failing" in str(body.get("type"))]


def test_a_pager_that_refuses_its_only_page_is_failing() -> None:
    """A wrong key is found out by a ping that opens nothing, and once it is right the page is sent."""
    deployment = deploy(PAGER, OTHER)
    receivers = Receivers(deployment)
    receivers.answers["pager"] = refusal(400, b"invalid routing key")
    fail(deployment, "job-1")
    let_pass(deployment, 20)
    assert webhooks_of(deployment, "pager")["state"] == "failing"
    assert [body["type"] for body in receivers.told("b.example")][-1] == "prepwatch.webhook.failing"
    assert {body["event_action"] for body in receivers.told("pager") if "ping" in body["dedup_key"]} <= {"resolve"}
    receivers.answers.clear()
    receivers.sent.clear()
    let_pass(deployment, 6)
    assert ("trigger", True) in [
        (body["event_action"], "job-1" in body["payload"]["summary"])
        for body in receivers.told("pager")
        if "payload" in body
    ]
    assert webhooks_of(deployment, "pager")["untold"]["refused"] == 0


@pytest.mark.parametrize("kind", ["teams", "slack", "pagerduty"])
def test_what_is_due_much_later_does_not_hide_a_broken_receiver(kind: str) -> None:
    """Who refused twice, and is to be told next when a mute ends, is pinged meanwhile, and found to be failing."""
    hook = FORMATS[kind]
    deployment = deploy(hook, OTHER)
    receivers = Receivers(deployment)
    fail(deployment, "job-1")
    let_pass(deployment, 7)
    receivers.answers[str(hook["name"])] = refusal(401)
    fail(deployment, "job-1", node="n2")
    let_pass(deployment, 2)
    quiet = {"jobs": ["*"], "startsAt": "2026-11-01T12:00:00Z", "endsAt": "2026-11-02T12:00:00Z"}
    quiet |= {"createdBy": "x", "comment": "maintenance"}
    assert deployment.ask(lambda routes, asked: routes.mutes.put_mute(asked), body=quiet, name="x").status < 300
    let_pass(deployment, 7)
    assert webhooks_of(deployment, str(hook["name"]))["state"] == "failing"


def test_a_mended_receiver_with_nothing_waiting_is_found_by_a_ping() -> None:
    """What a program calls wrong is dead after three attempts; then a ping shows that it takes messages again."""
    deployment = deploy(SIGNED, OTHER)
    receivers = Receivers(deployment)
    receivers.answers["ops"] = refusal(400)
    fail(deployment, "job-1")
    let_pass(deployment, 10)
    assert (webhooks_of(deployment, "ops")["state"], webhooks_of(deployment, "ops")["dead"]) == ("failing", 1)
    receivers.answers.clear()
    let_pass(deployment, 6)
    assert webhooks_of(deployment, "ops")["state"] == "ok"
    assert [body["type"] for body in receivers.told("b.example")][-1] == "prepwatch.webhook.recovered"


@pytest.mark.parametrize("mend", ["ping", "enable"])
def test_somebody_who_mends_it_need_not_wait(mend: str) -> None:
    """A ping that is taken, or enabling, makes all that waits due at once, whatever pause was asked for."""
    deployment = deploy(SIGNED, SLACK)
    receivers = Receivers(deployment)
    for name in ("ops", "chat"):
        receivers.answers[name] = refusal(429, headers={"retry-after": "86400"})
    for number in range(3):
        fail(deployment, f"job-{number}")
        let_pass(deployment, 2)
    let_pass(deployment, 30)
    assert [hook["state"] for hook in webhooks_of(deployment)] == ["failing", "failing"]
    receivers.answers.clear()
    receivers.sent.clear()
    for name in ("ops", "chat"):
        _switch(deployment, mend, name)
    deployment.deliver()
    assert {name for name, _, request in receivers.sent if b"job-2" in request.body} == {"ops", "chat"}
    assert [hook["state"] for hook in webhooks_of(deployment)] == ["ok", "ok"]


def test_switched_off_by_request() -> None:
    """Nobody is paged, chat reads who did it, what waits is closed at once, and both ends are told."""
    deployment = deploy(SIGNED, SLACK, PAGER, OTHER)
    receivers = Receivers(deployment)
    receivers.answers["ops"] = refusal(500)
    fail(deployment, "job-1")
    let_pass(deployment, 8)
    assert any(body["event_action"] == "trigger" and "ops" in body["dedup_key"] for body in receivers.told("pager"))
    receivers.sent.clear()
    shown = _switch(deployment, "disable", "ops").body
    assert (shown["state"], shown["due"], shown["dead"]) == ("disabled", 0, 0)
    let_pass(deployment, 20)
    pages = [body["event_action"] for body in receivers.told("pager") if "webhook:ops" in body["dedup_key"]]
    assert pages == ["resolve"]
    assert "was switched off by request" in str(receivers.told("chat"))
    assert deployment.ask(Routes.health).status == 200
    _switch(deployment, "enable", "ops")
    let_pass(deployment, 2)
    types = [body["type"].removeprefix("prepwatch.webhook.") for body in receivers.told("b.example")]
    assert sorted(types) == ["disabled", "enabled", "recovered"]


def test_a_ping_leaves_no_incident() -> None:
    """A pager that is pinged rings once and is told at once that it is over."""
    deployment = deploy(PAGER)
    receivers = Receivers(deployment)
    assert _switch(deployment, "ping", "pager").body["delivered"]
    assert [body["event_action"] for body in receivers.told("pager")] == ["trigger", "resolve"]
    assert len({body["dedup_key"] for body in receivers.told("pager")}) == 1


@pytest.mark.parametrize("failure", [SendFailure.BLOCKED_ADDRESS, SendFailure.DNS, SendFailure.TLS])
def test_an_address_that_may_be_wrong_for_a_moment(failure: SendFailure) -> None:
    """A blocked address is tried again by the schedule, counts, and once it is right everything arrives."""
    deployment = deploy(SIGNED)
    receivers = Receivers(deployment)
    receivers.answers["ops"] = WebhookAnswer(
        status=None, failure=failure, reason="no", retry_after=None, body=b"", duration=timedelta(0)
    )
    fail(deployment, "job-1")
    let_pass(deployment, 10)
    shown = webhooks_of(deployment, "ops")
    assert (shown["state"], shown["due"], shown["dead"], bool(shown["lastAnswer"]["advice"])) == ("failing", 1, 0, True)
    receivers.answers.clear()
    let_pass(deployment, 6)
    assert webhooks_of(deployment, "ops")["due"] == 0


def test_a_removed_webhook_is_no_fault() -> None:
    """What it was owed is closed an hour later, not given up."""
    before = deploy(SIGNED, OTHER)
    receivers = Receivers(before)
    receivers.answers["ops"] = refusal(500)
    fail(before, "job-1")
    let_pass(before, 2)
    after = deploy(OTHER, table=before.table)
    after.clock.now = before.clock.now
    let_pass(after, 62)
    rows = [row.key.split("|")[:2] for row in after.table.query(ACCOUNT, "d", "e") if "|ops|" in row.key]
    assert rows == [["done", "ops"]]


def test_a_clock_that_jumps_back_holds_up_nothing() -> None:
    """After five hours ahead, retries, chat, pages and probes are as soon as ever."""
    deployment = deploy(SIGNED, SLACK, PAGER)
    receivers = Receivers(deployment)
    deployment.clock.advance(hours=5)
    for name in ("ops", "chat", "pager"):
        receivers.answers[name] = refusal(500)
    fail(deployment, "job-1")
    let_pass(deployment, 10)
    deployment.clock.advance(hours=-5)
    receivers.answers.clear()
    receivers.sent.clear()
    let_pass(deployment, 2)
    assert {name for name, _, request in receivers.sent if b"job-1" in request.body} == {"ops", "chat", "pager"}
