"""function_app.py translates between the platform and the routes, and does nothing else."""

import json
from collections.abc import Mapping

import azure.functions as func
import pytest

import function_app
from shared.composition import App
from shared.errors import SettingsError, StoreUnavailableError
from shared.nudges.nudge import DELIVERIES_QUEUE
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy


def _request(
    method: str, path: str, params: Mapping[str, str] | None = None, body: bytes = b"", **route: str
) -> func.HttpRequest:
    url = f"https://app.example/api/{path}"
    return func.HttpRequest(method, url, headers={}, params=params or {}, route_params=route, body=body)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """An app that has told a failure, standing behind the functions."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    monkeypatch.setattr(function_app, "prepwatch", lambda: deployment.app)
    return deployment


def test_an_event_from_the_list_to_its_redelivery(deployment: Deployment) -> None:
    """An event is listed, read and sent again through the functions, and its account is nudged by the queue."""
    listed = function_app.list_events(_request("GET", "events", {"state": "delivered"}))
    event_id = json.loads(listed.get_body())["value"][0]["id"]
    assert function_app.get_event(_request("GET", "events/x", eventId=event_id)).status_code == 200
    explained = function_app.explain_node(_request("GET", "jobs/x/nodes/y", jobId="job-1", nodeId="node-1"))
    assert json.loads(explained.get_body())["events"][0]["id"] == event_id
    answer = function_app.redeliver_event(_request("POST", "events/x/redeliver", eventId=event_id))
    assert answer.status_code == 202
    assert [json.loads(text) for text in deployment.queues.take(DELIVERIES_QUEUE)] == [
        {"account": ACCOUNT, "createdAt": "2026-11-01T12:00:00Z"}
    ]


def test_a_nudge_that_is_refused_takes_no_answer_with_it(deployment: Deployment) -> None:
    """What was done is answered as ever; the summary says what is wrong, health says that something is."""
    deployment.queues.refusal = StoreUnavailableError("the queue service answered 403 AuthorizationFailure")
    disabled = function_app.disable_webhook(_request("POST", "webhooks/ops/disable", name="ops"))
    enabled = function_app.enable_webhook(_request("POST", "webhooks/ops/enable", name="ops"))
    assert [json.loads(answer.get_body())["state"] for answer in (disabled, enabled)] == ["disabled", "ok"]
    summary = json.loads(function_app.summary(_request("GET", "summary")).get_body())
    assert summary["status"] == "failing"
    assert any("answered 403 AuthorizationFailure" in reason for reason in summary["reasons"])
    health = function_app.health(_request("GET", "health"))
    assert (health.status_code, b"queue" in health.get_body(), b"403" in health.get_body()) == (200, True, False)
    assert "prepwatch_nudges_refused_total{} 2" in function_app.metrics(_request("GET", "metrics")).get_body().decode()
    deployment.queues.refusal = None
    function_app.disable_webhook(_request("POST", "webhooks/ops/disable", name="ops"))
    function_app.enable_webhook(_request("POST", "webhooks/ops/enable", name="ops"))
    reasons = json.loads(function_app.summary(_request("GET", "summary")).get_body())["reasons"]
    assert not any("queue" in reason for reason in reasons)


def test_a_body_reaches_its_route(deployment: Deployment) -> None:
    """A posted body is read, and a wrong one is refused with the error's header."""
    good = function_app.redeliver_events(_request("POST", "redeliveries", body=b'{"state":"dead"}'))
    bad = function_app.redeliver_events(_request("POST", "redeliveries", body=b"{}"))
    assert (good.status_code, bad.status_code) == (202, 400)
    assert bad.headers["x-ms-error-code"] == "InvalidRequestBody"
    assert deployment.queues.take(DELIVERIES_QUEUE) == []


def test_a_body_sent_in_chunks(deployment: Deployment) -> None:
    """The host drops a body that is sent in chunks: the caller is told what to send, and no empty body is blamed."""
    url, headers = "https://app.example/api/redeliveries", {"Transfer-Encoding": "chunked"}
    answer = function_app.redeliver_events(func.HttpRequest("POST", url, headers=headers, body=b""))
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"], error["target"]) == (400, "MissingContentLength", "Content-Length")
    assert "Content-Length" in error["message"]


def test_webhooks(deployment: Deployment) -> None:
    """Webhooks are listed, pinged and switched through the functions."""
    assert function_app.list_webhooks(_request("GET", "webhooks")).status_code == 200
    assert function_app.ping_webhook(_request("POST", "webhooks/ops/ping", name="ops")).status_code == 200
    assert function_app.list_messages(_request("GET", "webhooks/ops/messages", name="ops")).status_code == 200
    too_soon = function_app.ping_webhook(_request("POST", "webhooks/ops/ping", name="ops"))
    assert (too_soon.status_code, too_soon.headers["retry-after"]) == (429, "10")
    disabled = function_app.disable_webhook(_request("POST", "webhooks/ops/disable", name="ops"))
    assert json.loads(disabled.get_body())["state"] == "disabled"
    enabled = function_app.enable_webhook(_request("POST", "webhooks/ops/enable", name="ops"))
    assert json.loads(enabled.get_body())["state"] == "ok"
    assert len(deployment.queues.take(DELIVERIES_QUEUE)) == 3


def test_the_page_is_there_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page asks no app, so it can say what is wrong with its settings; who has it already is not sent it again."""
    monkeypatch.setattr(function_app, "prepwatch", None)
    page = function_app.dashboard(_request("GET", "dashboard"))
    known = func.HttpRequest(
        "GET", "https://app.example/api/dashboard", headers={"If-None-Match": page.headers["etag"]}, body=b""
    )
    again = function_app.dashboard(known)
    assert (page.status_code, b"<title>" in page.get_body()) == (200, True)
    assert (again.status_code, again.get_body()) == (304, b"")


def test_wrong_settings_fail_each_call_with_all_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that can't be used are all named in each answer."""

    def broken() -> App:
        raise SettingsError(["A is missing", "B is no number"])

    monkeypatch.setattr(function_app, "prepwatch", broken)
    answer = function_app.list_events(_request("GET", "events"))
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"]) == (500, "InvalidSettings")
    assert [detail["message"] for detail in error["details"]] == ["A is missing", "B is no number"]


def test_anybody_is_told_only_that_the_settings_are_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Health needs no key: it says that the settings can't be used and where to look, and the log has the list."""

    def broken() -> App:
        raise SettingsError(["A is missing", "B is no number"])

    monkeypatch.setattr(function_app, "prepwatch", broken)
    answer = function_app.health(_request("GET", "health"))
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"], error["details"]) == (500, "InvalidSettings", [])
    assert "A is missing" not in answer.get_body().decode()
    assert "A is missing" in caplog.text


def test_a_defect_is_not_shown(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not foreseen is a 500 without detail."""

    def defect(partition: str, key: str) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(deployment.table, "get", defect)
    answer = function_app.get_event(_request("GET", "events/x", eventId="8206465899999-" + "a" * 24))
    assert (answer.status_code, b"canary" in answer.get_body()) == (500, False)


def test_each_function_has_its_own_route() -> None:
    """No two functions answer the same method at the same path, and all names are the documented ones."""
    routes = {}
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        if trigger is not None and trigger.type == "httpTrigger":
            methods = tuple(method.value for method in trigger.methods)  # type: ignore[attr-defined]  # an HTTP trigger has them
            routes[function.get_function_name()] = (methods, trigger.route)  # type: ignore[attr-defined]  # an HTTP trigger has them
    assert len(set(routes.values())) == len(routes)
    expected = {
        "list_live_nodes": (("GET",), "jobs/{jobId}/live-nodes"),
        "explain_node": (("GET",), "jobs/{jobId}/nodes/{nodeId}"),
        "list_pools": (("GET",), "pools"),
        "list_pool_nodes": (("GET",), "pools/{poolId}/nodes"),
        "list_events": (("GET",), "events"),
        "trends": (("GET",), "trends"),
        "get_event": (("GET",), "events/{eventId}"),
        "redeliver_event": (("POST",), "events/{eventId}/redeliver"),
        "redeliver_events": (("POST",), "redeliveries"),
        "dismiss_deliveries": (("POST",), "dismissals"),
        "list_webhooks": (("GET",), "webhooks"),
        "list_messages": (("GET",), "webhooks/{name}/messages"),
        "ping_webhook": (("POST",), "webhooks/{name}/ping"),
        "enable_webhook": (("POST",), "webhooks/{name}/enable"),
        "disable_webhook": (("POST",), "webhooks/{name}/disable"),
    }
    assert {name: routes[name] for name in expected} == expected
