"""The real app under the production worker library: what it indexes, and what every function does when it is called."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from local.azurite import Azurite
from local.batch_simulator.statuses import Cause, Phase, failed
from tests.stack.worker import Result, WorkerRun, http, queue, run_worker, timer
from tests.support.stack import app_environment, running_account, running_receiver

ROOT = Path(__file__).resolve().parents[2]
JOB = "sched:job-1"

TIMERS = {"poll": "%POLL_SCHEDULE%", "purge": "0 17 3 * * *"}
QUEUES = {"poll_account": "prepwatch-polls", "deliver": "prepwatch-deliveries"}
ROUTES = {
    "summary": ("GET", "summary", "FUNCTION"),
    "list_jobs": ("GET", "jobs", "FUNCTION"),
    "track_job": ("PUT", "jobs/{jobId}", "FUNCTION"),
    "untrack_job": ("DELETE", "jobs/{jobId}", "FUNCTION"),
    "list_nodes": ("GET", "jobs/{jobId}/nodes", "FUNCTION"),
    "list_live_nodes": ("GET", "jobs/{jobId}/live-nodes", "FUNCTION"),
    "explain_node": ("GET", "jobs/{jobId}/nodes/{nodeId}", "FUNCTION"),
    "list_pools": ("GET", "pools", "FUNCTION"),
    "list_pool_nodes": ("GET", "pools/{poolId}/nodes", "FUNCTION"),
    "list_events": ("GET", "events", "FUNCTION"),
    "trends": ("GET", "trends", "FUNCTION"),
    "get_event": ("GET", "events/{eventId}", "FUNCTION"),
    "redeliver_event": ("POST", "events/{eventId}/redeliver", "FUNCTION"),
    "redeliver_events": ("POST", "redeliveries", "FUNCTION"),
    "dismiss_deliveries": ("POST", "dismissals", "FUNCTION"),
    "list_webhooks": ("GET", "webhooks", "FUNCTION"),
    "list_messages": ("GET", "webhooks/{name}/messages", "FUNCTION"),
    "ping_webhook": ("POST", "webhooks/{name}/ping", "FUNCTION"),
    "enable_webhook": ("POST", "webhooks/{name}/enable", "FUNCTION"),
    "disable_webhook": ("POST", "webhooks/{name}/disable", "FUNCTION"),
    "list_mutes": ("GET", "mutes", "FUNCTION"),
    "put_mute": ("PUT", "mutes/{name}", "FUNCTION"),
    "delete_mute": ("DELETE", "mutes/{name}", "FUNCTION"),
    "metrics": ("GET", "metrics", "FUNCTION"),
    "openapi": ("GET", "openapi.json", "FUNCTION"),
    "diagnostics": ("GET", "diagnostics", "FUNCTION"),
    "health": ("GET", "HEAD", "health", "ANONYMOUS"),
    "dashboard": ("GET", "HEAD", "dashboard", "ANONYMOUS"),
}

ANYTHING = {"jobId": JOB, "nodeId": "node-1", "poolId": "none", "eventId": "none", "name": "none"}
CALLED_ONE_BY_ONE = {"summary", "list_jobs", "track_job", "list_nodes", "untrack_job", "health"}
LATER = {
    "list_live_nodes": 200,
    "explain_node": 200,
    "list_pools": 200,
    "list_pool_nodes": 404,
    "list_events": 200,
    "trends": 200,
    "get_event": 404,
    "redeliver_event": 404,
    "redeliver_events": 400,
    "dismiss_deliveries": 400,
    "list_webhooks": 200,
    "list_messages": 404,
    "ping_webhook": 404,
    "enable_webhook": 404,
    "disable_webhook": 404,
    "list_mutes": 200,
    "put_mute": 400,
    "delete_mute": 404,
    "metrics": 200,
    "openapi": 200,
    "diagnostics": 200,
    "dashboard": 200,
}
"""What the other HTTP functions answer to a call without a body, about things that are not there."""


@pytest.fixture(scope="module")
def run(azurite: Azurite) -> Iterator[WorkerRun]:
    """One run of the worker that calls every function once, the polls first."""
    with running_account() as (world, account), running_receiver() as receiver:
        began = datetime.now(UTC) - timedelta(minutes=5)
        world.add_job(JOB, creation_time=began, pool="pool-1")
        cause = Cause(code="BlobNotFound", message="The specified blob does not exist.", category="UserError")
        broken = failed(JOB, Phase.PREPARATION, cause, start=began, end=began + timedelta(seconds=9))
        world.set_status(JOB, "pool-1", "node-1", preparation=broken)
        host = account.url.removeprefix("http://")
        message = json.dumps({"account": host, "createdAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
        environment = app_environment(account.url, receiver.url, azurite.connection_string)
        yield run_worker(
            ROOT,
            [
                timer("poll"),
                timer("poll", past_due=True),
                queue("poll_account", message),
                queue("poll_account", "not a message", dequeue_count=5),
                queue("deliver", message),
                timer("purge"),
                http("summary", query={"maxAge": "0"}),
                http("list_jobs"),
                http("track_job", method="PUT", route={"jobId": JOB}),
                http("list_nodes", route={"jobId": JOB}, query={"outcome": "failed"}),
                http("untrack_job", method="DELETE", route={"jobId": JOB}),
                http("health"),
                *(http(name, method=ROUTES[name][0], route=ANYTHING) for name in LATER),
            ],
            environment=environment,
        )
        assert receiver.nodes("prepwatch.preparation.failed") == [(JOB, "node-1")]


def test_exactly_the_functions_that_are_promised_are_indexed(run: WorkerRun) -> None:
    """The worker finds every function, and none that nobody knows of."""
    assert run.error is None
    assert set(run.functions) == {*TIMERS, *QUEUES, *ROUTES}


def test_triggers_are_as_promised(run: WorkerRun) -> None:
    """Schedules, queues, routes, methods and auth levels are those that users and the infrastructure rely on."""
    triggers = {name: function.trigger for name, function in run.functions.items()}
    assert {name: triggers[name]["schedule"] for name in TIMERS} == TIMERS
    assert {name: triggers[name]["queueName"] for name in QUEUES} == QUEUES
    routes = {
        name: (*triggers[name]["methods"], triggers[name]["route"], triggers[name]["authLevel"]) for name in ROUTES
    }
    assert routes == ROUTES


def test_nothing_goes_out_through_bindings(run: WorkerRun) -> None:
    """No function has an output but its answer: the host throws the answer away when it can't write another."""
    outputs = {
        (name, binding["type"])
        for name, function in run.functions.items()
        for binding in function.bindings
        if str(binding["direction"]).upper() == "OUT" and binding["type"] != "http"
    }
    assert outputs == set()


def test_no_two_routes_overlap(run: WorkerRun) -> None:
    """No request could be meant for two functions: of one method no two templates match the same path."""
    shapes = [
        (binding["methods"][0], tuple("*" if part.startswith("{") else part for part in binding["route"].split("/")))
        for function in run.functions.values()
        if (binding := function.trigger)["type"] == "httpTrigger"
    ]
    overlapping = [
        (one, other)
        for number, one in enumerate(shapes)
        for other in shapes[number + 1 :]
        if one[0] == other[0]
        and len(one[1]) == len(other[1])
        and all("*" in {a, b} or a == b for a, b in zip(one[1], other[1], strict=True))
    ]
    assert overlapping == []


def _result(run: WorkerRun, number: int) -> Result:
    result = run.results[number]
    assert result.error is None, result.trace
    return result


def test_every_function_succeeds_with_the_data_of_the_host(run: WorkerRun) -> None:
    """Timers, past due ones too, queue messages and requests are taken as the host hands them over."""
    errors = [result.error for number, result in enumerate(run.results) if number != 3]
    assert errors == [None] * (11 + len(LATER))


def test_a_message_that_is_none_goes_to_the_poison_queue(run: WorkerRun) -> None:
    """A message that nobody understands fails its function, so that the host sets it aside."""
    assert "UnusableNudgeError" in (run.results[3].error or "")


def test_what_a_request_makes_due_is_nudged(run: WorkerRun, azurite: Azurite) -> None:
    """Leaving a job alone closes its open failure and nudges for its account; a queue too slow for that is counted."""
    tracked = _result(run, 8).answer
    assert tracked is not None
    with QueueClient.from_connection_string(
        azurite.connection_string, QUEUES["deliver"], message_decode_policy=TextBase64DecodePolicy()
    ) as client:
        messages = [json.loads(message.content) for message in client.peek_messages(32)]
    metrics = _result(run, 12 + list(LATER).index("metrics")).answer
    assert metrics is not None
    refused = re.search(r"^prepwatch_nudges_refused_total\{\} (\d+)", metrics.body.decode(), re.MULTILINE)
    assert refused is not None, metrics.body
    assert messages or int(refused[1])
    assert [message for message in messages if {"account", "createdAt"} != set(message)] == []
    assert {message["account"] for message in messages} <= {json.loads(tracked.body)["account"]}


def test_answers_come_back_as_the_host_reads_them(run: WorkerRun) -> None:
    """Status, headers and body of every HTTP function survive the way through the worker."""
    summary = _result(run, 6).answer
    assert summary is not None
    body = json.loads(summary.body)
    assert (summary.status, body["status"], body["totals"]["preparation"]["open"]) == (200, "failing", 1)
    assert summary.headers["content-type"] == "application/json"
    nodes = _result(run, 9).answer
    assert nodes is not None
    assert [node["nodeId"] for node in json.loads(nodes.body)["value"]] == ["node-1"]
    tracked = _result(run, 8).answer
    assert tracked is not None
    assert json.loads(tracked.body)["requested"] is True
    health = _result(run, 11).answer
    assert health is not None
    assert (health.status, json.loads(health.body)) == (200, {"reasons": []})


def test_every_other_function_answers(run: WorkerRun) -> None:
    """Each HTTP function reaches its route: what is missing is said to be so, the rest is there."""
    assert set(LATER) | CALLED_ONE_BY_ONE == set(ROUTES)
    answers = {name: _result(run, number).answer for number, name in enumerate(LATER, start=12)}
    assert {name: answer.status if answer else None for name, answer in answers.items()} == LATER
    checks = json.loads(answers["diagnostics"].body)["value"] if answers["diagnostics"] else []
    assert [check["name"] for check in checks if not check["ok"]] == []


def test_diagnostics_tries_the_queue(run: WorkerRun) -> None:
    """The right to write is proven by a message on the queue itself, before the answer is made."""
    answer = _result(run, 12 + list(LATER).index("diagnostics")).answer
    assert answer is not None
    (check,) = [check for check in json.loads(answer.body)["value"] if check["name"] == "queue write"]
    assert (check["ok"], "prepwatch-deliveries" in check["message"]) == (True, True)
