"""GET /api/webhooks and POST .../ping, .../enable, .../disable: shown without secrets, tried, switched."""

from datetime import timedelta
from typing import Any

import pytest

from shared.state.rows import range_of
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from shared.webhook import SendFailure, WebhookAnswer, WebhookRequest
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import CANARY, PAGER, SIGNED, SLACK

WATCHER = {**SIGNED, "name": "watcher", "url": "https://b.example/hook", "events": ["webhook.*"]}


def _ask(deployment: Deployment, method: str, name: str | None = None, **query: str) -> Any:
    def handler(routes: Routes, request: Request) -> Answer:
        answer: Answer = getattr(routes.webhooks, f"{method}_webhook{'' if name else 's'}")(request)
        return answer

    return deployment.ask(handler, query, name=name or "")


def _fail(deployment: Deployment, number: int) -> None:
    """Let a node fail in a job of its own, and tell it."""
    node = a_node(f"n{number}", preparation=a_run(failed=True, ended=deployment.clock.now))
    deployment.batch.add(a_job(f"job-{number}"), node)
    deployment.poll()


def _types(deployment: Deployment) -> list[str]:
    """The types of what the watcher was sent."""
    return [
        request.headers["webhook-id"] and request.body.decode().partition('"type":"prepwatch.')[2].partition('"')[0]
        for request in deployment.sender.sent
        if "b.example" in request.url
    ]


def test_list_shows_no_secret() -> None:
    """A webhook is shown by its host and the last four characters of its URL, and no key or secret."""
    secret_url = f"https://hooks.example/services/{CANARY}/last"
    deployment = deploy({**SIGNED, "url": secret_url, "jobs": ["train-*"]}, SLACK, PAGER, {**WATCHER, "enabled": False})
    told = _ask(deployment, "list")
    assert told.status == 200
    text = str(told.body)
    assert CANARY not in text
    assert "whsec_" not in text
    assert "0123456789abcdef" not in text
    first = told.body["value"][0]
    assert (first["name"], first["format"], first["host"], first["urlEndsWith"]) == (
        "ops",
        "cloudevents",
        "hooks.example",
        "last",
    )
    assert (first["jobs"], first["pools"], first["state"]) == (["train-*"], ["*"], "ok")
    assert [webhook["state"] for webhook in told.body["value"]] == ["ok", "ok", "ok", "off"]


def test_list_shows_how_they_fare() -> None:
    """Failing and disabled webhooks say since when and why, with what waits for them and what was given up."""
    deployment = deploy(accounts=2)
    deployment.sender.answer = refusal(500)
    for number in range(3):
        _fail(deployment, number)
    (webhook,) = _ask(deployment, "list").body["value"]
    assert (webhook["state"], webhook["due"], webhook["dead"]) == ("failing", 3, 0)
    assert (webhook["failingSince"], webhook["reason"]) == ("2026-11-01T12:00:00Z", "status 500")
    deployment.sender.answer = refusal(410)
    deployment.clock.advance(hours=1)
    deployment.poll()
    (webhook,) = _ask(deployment, "list").body["value"]
    assert (webhook["state"], webhook["disabledSince"]) == ("disabled", "2026-11-01T13:00:00Z")
    assert webhook["dead"] >= 1


# --- ping -----------------------------------------------------------------------------------------------------


def test_ping_is_sent_at_once() -> None:
    """A ping is a signed event of its own, its answer is shown, and nothing is left to be delivered."""
    deployment = deploy()
    told = _ask(deployment, "ping", "ops")
    (sent,) = deployment.sender.sent
    assert b'"type":"prepwatch.ping"' in sent.body
    assert sent.headers["webhook-id"] == told.body["eventId"]
    assert sent.headers["webhook-signature"].startswith("v1,")
    assert (told.body["delivered"], told.body["status"], told.body["advice"]) == (True, 204, None)
    deployment.clock.advance(hours=1)
    deployment.deliver()
    assert len(deployment.sender.sent) == 1


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        pytest.param(refusal(401), "secret or key", id="401"),
        pytest.param(refusal(403), "secret or key", id="403"),
        pytest.param(refusal(404), "path or the token", id="404"),
        pytest.param(refusal(405), "POST", id="405"),
        pytest.param(refusal(410), "create it anew", id="410"),
        pytest.param(refusal(413), "EVENT_MAX_NODES", id="413"),
        pytest.param(refusal(415), "contentType", id="415"),
        pytest.param(refusal(418), "format", id="another 4xx"),
        pytest.param(refusal(429), "Wait", id="429"),
        pytest.param(refusal(302), "redirects are not followed", id="redirect"),
        pytest.param(refusal(503), "own log", id="5xx"),
        pytest.param(refusal(101), "as this format's receivers", id="no answer at all of the kind"),
    ],
)
def test_ping_says_what_to_do(answer: WebhookAnswer, advice: str) -> None:
    """A refused ping comes with what the receiver said and with what to do about it."""
    deployment = deploy()
    deployment.sender.answer = answer
    told = _ask(deployment, "ping", "ops")
    assert (told.status, told.body["delivered"], told.body["status"]) == (200, False, answer.status)
    assert advice in told.body["advice"]


@pytest.mark.parametrize("failure", list(SendFailure))
def test_ping_without_an_answer(failure: SendFailure) -> None:
    """Each way to get no answer has its own advice."""
    deployment = deploy()
    deployment.sender.answer = WebhookAnswer(
        status=None, failure=failure, reason="no answer", retry_after=None, body=b"", duration=timedelta(seconds=1)
    )
    told = _ask(deployment, "ping", "ops").body
    assert (told["delivered"], told["status"], told["reason"], told["durationMs"]) == (False, None, "no answer", 1000)
    assert told["advice"]


@pytest.mark.defects
def test_ping_that_trips_a_defect() -> None:
    """Whoever pings is told that Prepwatch is to blame, and where to look; the webhook is none the worse."""
    deployment = deploy()

    def trip(_request: WebhookRequest) -> None:
        raise KeyError("password=hunter2")

    deployment.sender.during = trip
    told = _ask(deployment, "ping", "ops").body
    assert (told["delivered"], told["status"]) == (False, None)
    assert told["reason"].startswith("Prepwatch met a defect (KeyError)")
    assert "delivery-defect" in told["advice"]
    assert "hunter2" not in str(told)


def test_ping_shows_no_secret_of_the_answer() -> None:
    """What a receiver says is stripped of secrets and cut before it is shown."""
    deployment = deploy()
    deployment.sender.answer = refusal(400, f"no: password={CANARY}\x1b[31m".encode() + b"x" * 8000)
    answer = _ask(deployment, "ping", "ops").body["answer"]
    assert CANARY not in answer
    assert "\x1b" not in answer
    assert len(answer) <= 1024


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param(f"Cannot POST /services/{CANARY}/x?code={CANARY}2&a=b", id="path and query"),
        pytest.param(f"no such token: {CANARY}", id="a part"),
    ],
)
def test_a_receiver_that_repeats_the_url(echo: str) -> None:
    """The credential in a webhook's URL is shown by no answer and kept in no row, even if the receiver repeats it."""
    deployment = deploy({**SIGNED, "url": f"https://hooks.example/services/{CANARY}/x?code={CANARY}2&a=b"})
    deployment.sender.answer = refusal(404, echo.encode())
    told = _ask(deployment, "ping", "ops")
    assert CANARY not in str(told.body)
    assert "[redacted]" in told.body["answer"]
    _fail(deployment, 1)
    rows = [row for kind in ("due", "webhook", "ping") for row in deployment.table.query(ACCOUNT, *range_of(kind))]
    assert len(rows) == 1
    assert CANARY not in str(rows)


def test_pings_are_rare() -> None:
    """Within ten seconds a webhook is pinged once; the refusal says when to come again."""
    deployment = deploy(SIGNED, WATCHER)
    assert _ask(deployment, "ping", "ops").status == 200
    deployment.clock.advance(seconds=4)
    told = _ask(deployment, "ping", "ops")
    assert (told.status, told.headers["retry-after"], told.body["error"]["code"]) == (429, "6", "TooManyRequests")
    assert _ask(deployment, "ping", "watcher").status == 200
    deployment.clock.advance(seconds=6)
    assert _ask(deployment, "ping", "ops").status == 200
    assert len(deployment.sender.sent) == 3
    assert len({request.headers["webhook-id"] for request in deployment.sender.sent}) == 3


def test_two_instances_ping_once() -> None:
    """A ping that another instance makes between reading and writing is the only one."""
    deployment = deploy()
    get = deployment.table.get
    inner: list[int] = []

    def meanwhile(partition: str, key: str) -> object:
        row = get(partition, key)
        if key.startswith("ping|") and not inner:
            inner.append(0)
            inner.append(_ask(deployment, "ping", "ops").status)
        return row

    deployment.table.get = meanwhile  # type: ignore[method-assign, assignment]  # for once
    assert (_ask(deployment, "ping", "ops").status, inner[1]) == (429, 200)
    assert len(deployment.sender.sent) == 1


def test_a_webhook_that_is_off_can_be_pinged() -> None:
    """Whoever sets a webhook up can try it before it is switched on."""
    assert _ask(deploy({**SIGNED, "enabled": False}), "ping", "ops").body["delivered"]


# --- the switch -----------------------------------------------------------------------------------------------


def test_disable_and_enable() -> None:
    """A disabled webhook is sent nothing, and that is no death; enabled again it is sent what is asked for again."""
    deployment = deploy(SIGNED, WATCHER)
    told = _ask(deployment, "disable", "ops")
    assert (told.status, told.body["state"], told.body["reason"]) == (200, "disabled", "switched off by request")
    assert told.nudges == (ACCOUNT,)
    assert deployment.ask(Routes.summary).body["webhooks"]["disabled"] == ["ops"]
    _fail(deployment, 1)
    assert not [request for request in deployment.sender.sent if "a.example" in request.url]
    listed = _ask(deployment, "list").body["value"][0]
    assert (listed["due"], listed["dead"]) == (0, 0)

    told = _ask(deployment, "enable", "ops")
    assert (told.status, told.body["state"], told.body["disabledSince"]) == (200, "ok", None)
    listed = deployment.ask(lambda routes, asked: routes.events.list_events(asked), {"job": "job-1"}).body["value"]
    (event,) = (one for one in listed if one["deliveries"])
    assert (event["deliveries"][0]["state"], event["deliveries"][0]["reason"]) == (
        "closed",
        "the webhook is disabled: switched off by request",
    )
    deployment.ask(lambda routes, asked: routes.events.redeliver_event(asked), {"webhook": "ops"}, eventId=event["id"])
    deployment.deliver()
    assert len([request for request in deployment.sender.sent if "a.example" in request.url]) == 1
    assert _types(deployment) == ["webhook.disabled", "webhook.enabled"]


def test_switching_twice_changes_nothing() -> None:
    """A second disable or enable answers as the first, and tells nobody again."""
    deployment = deploy(SIGNED, WATCHER)
    for method in ("disable", "enable"):
        first = _ask(deployment, method, "ops")
        deployment.clock.advance(minutes=1)
        assert _ask(deployment, method, "ops").body == first.body
    deployment.deliver()
    assert sorted(_types(deployment)) == ["webhook.disabled", "webhook.enabled"]


def test_enable_ends_the_pause_of_a_failing_webhook() -> None:
    """A webhook that was mended is tried at once, and only its own success makes it recovered."""
    deployment = deploy(SIGNED, WATCHER, accounts=2)
    deployment.sender.answer = refusal(500)
    for number in range(3):
        _fail(deployment, number)
    deployment.sender.answer = ACCEPTED
    deployment.clock.advance(hours=1)
    told = _ask(deployment, "enable", "ops")
    assert (told.body["state"], told.body["notBefore"], told.nudges) == ("failing", None, (ACCOUNT, OTHER_ACCOUNT))
    deployment.deliver()
    assert _ask(deployment, "list").body["value"][0]["state"] == "ok"


def test_what_the_settings_switch_off() -> None:
    """A webhook that the settings switch off can't be enabled by request."""
    told = _ask(deploy({**SIGNED, "enabled": False}), "enable", "ops")
    assert (told.status, told.body["error"]["target"]) == (409, "name")


@pytest.mark.parametrize("method", ["ping", "enable", "disable"])
def test_unknown(method: str) -> None:
    """A webhook that is not configured is 404, a parameter that is not known 400."""
    assert _ask(deploy(), method, "x").status == 404
    assert _ask(deploy(), method, "ops", force="true").status == 400
