"""GET /api/jobs/{jobId}/nodes/{nodeId}: why was I, or was I not, told?"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.batch.model import ExecutionInfo
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED, SLACK


def _explain(deployment: Deployment, node: str = "node-1", **query: str) -> Any:
    return deployment.ask(lambda routes, asked: routes.events.explain_node(asked), query, jobId="JOB-1", nodeId=node)


def _running(deployment: Deployment) -> ExecutionInfo:
    return ExecutionInfo(start_time=deployment.clock.now, state="running", retry_count=0)


def _newly_failed(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))


def _history(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True, ended=NOW - timedelta(minutes=90))))


def _history_resolved(deployment: Deployment) -> None:
    _history(deployment)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run(ended=NOW)))


def _succeeded(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run()))


def _unknown(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=ExecutionInfo(start_time=NOW, state="dreaming")))


def _runs_again(deployment: Deployment) -> None:
    _newly_failed(deployment)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=_running(deployment)))


def _resolved(deployment: Deployment) -> None:
    _newly_failed(deployment)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run(ended=NOW)))


@pytest.mark.parametrize(
    ("arrange", "reason", "words", "events"),
    [
        pytest.param(_newly_failed, "newlyFailed", "so it was announced", ["preparation.failed"], id="newly failed"),
        pytest.param(_history, "beforeFirstSight", "failed before 2026-11-01T11:00:00Z", [], id="history"),
        pytest.param(_history_resolved, "resolved", "never announced", [], id="end of history"),
        pytest.param(_succeeded, "notFailed", "This run succeeded, so there was nothing", [], id="succeeded"),
        pytest.param(_unknown, "notFailed", "does not know", [], id="FORWARD-COMPATIBILITY: unknown state"),
        pytest.param(
            _runs_again, "notFailed", "of 2026-11-01T11:55:00Z stays open", ["preparation.failed"], id="running again"
        ),
        pytest.param(
            _resolved,
            "resolved",
            "after a failure, and that was announced",
            ["preparation.resolved", "preparation.failed"],
            id="resolved",
        ),
    ],
)
def test_why(arrange: Callable[[Deployment], None], reason: str, words: str, events: list[str]) -> None:
    """The decision is said in words, with every event that names the node, the newest first."""
    deployment = deploy()
    arrange(deployment)
    deployment.poll()
    body = _explain(deployment).body
    (phase,) = body["phases"]
    assert (phase["phase"], phase["reason"]) == ("preparation", reason)
    assert words in phase["explanation"]
    assert [event["type"].removeprefix("prepwatch.") for event in body["events"]] == events
    assert (body["jobId"], body["node"]["nodeId"], body["tracking"]) == ("job-1", "node-1", "watching")


def test_what_each_webhook_had_to_do_with_it() -> None:
    """Every configured webhook says whether it matched, was filtered, tried, and what it answered."""
    url = "https://b.example/hook"
    first = [
        SIGNED,
        SLACK,
        {**SIGNED, "name": "filtered", "url": url, "jobs": ["x-*"], "events": ["release.*"]},
        {**SIGNED, "name": "off", "url": url, "enabled": False},
    ]
    before = deploy(*first)
    before.sender.answer = refusal(503, b"later")
    before.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    before.poll()
    after = deploy(*first, {**SIGNED, "name": "new", "url": url}, table=before.table)
    (event,) = _explain(after).body["events"]
    said = {entry["webhook"]: entry for entry in event["webhooks"]}
    assert {name: entry["matching"] for name, entry in said.items()} == {
        "ops": "owed",
        "chat": "toldAsState",
        "filtered": "filtered",
        "off": "switchedOff",
        "new": "notOwed",
    }
    assert "events, jobs" in said["filtered"]["explanation"]
    delivery = said["ops"]["delivery"]
    assert (delivery["state"], delivery["tries"]) == ("pending", 1)
    assert (delivery["attempts"][0]["status"], delivery["attempts"][0]["answer"]) == (503, "later")
    assert all(entry["delivery"] is None for name, entry in said.items() if name != "ops")


def test_ambiguous() -> None:
    """A node that two pools have needs ?pool=, a job that two accounts have ?account=."""
    deployment = deploy(accounts=2)
    deployment.batch.add(a_job(), *(a_node(pool_id=pool, preparation=a_run()) for pool in ("pool-1", "pool-2")))
    deployment.poll()
    told = _explain(deployment)
    assert (told.status, told.body["error"]["target"]) == (400, "pool")
    assert _explain(deployment, pool="POOL-2").body["node"]["poolId"] == "pool-2"
    deployment.batches[OTHER_ACCOUNT].add(a_job(), a_node(preparation=a_run()))
    deployment.poll(OTHER_ACCOUNT)
    assert _explain(deployment).body["error"]["target"] == "account"
    assert _explain(deployment, account=OTHER_ACCOUNT).body["account"] == OTHER_ACCOUNT
    assert _explain(deployment, account=ACCOUNT, pool="pool-1").status == 200


@pytest.mark.parametrize(
    ("node", "query", "status"),
    [
        pytest.param("node-9", {}, 404, id="unknown node"),
        pytest.param("node-1", {"pool": "x"}, 404, id="unknown pool"),
        pytest.param("node-1", {"account": "x"}, 404, id="unknown account"),
        pytest.param("node-1", {"pools": "x"}, 400, id="unknown parameter"),
    ],
)
def test_refusals(node: str, query: dict[str, str], status: int) -> None:
    """What is not known is 404, what can't be used 400."""
    deployment = deploy()
    _newly_failed(deployment)
    deployment.poll()
    assert _explain(deployment, node, **query).status == status


def test_unknown_job() -> None:
    """A job that is not known is 404."""
    assert _explain(deploy()).status == 404


def test_stopped_job() -> None:
    """A job that is left alone says so."""
    deployment = deploy()
    _newly_failed(deployment)
    deployment.poll()
    deployment.ask(Routes.untrack_job, jobId="job-1")
    assert "until it is asked for by PUT" in _explain(deployment).body["trackingExplanation"]


def _chat(deployment: Deployment) -> Any:
    """How the chat webhook relates to the newest event."""
    event = _explain(deployment).body["events"][0]
    return next(entry for entry in event["webhooks"] if entry["webhook"] == "chat")


def _mute(deployment: Deployment, name: str, hours: int) -> None:
    ends = deployment.clock.now + timedelta(hours=hours)
    mute = {"jobs": ["job-*"], "startsAt": NOW, "endsAt": ends, "createdBy": "op", "comment": "known"}
    body = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in mute.items()}
    assert deployment.ask(lambda routes, asked: routes.mutes.put_mute(asked), body=body, name=name).status < 300


def test_chat_from_waiting_to_told() -> None:
    """Chat has not been told of a new failure, then has, at the time that is shown."""
    deployment = deploy(SLACK)
    deployment.sender.answer = refusal(200, b"ok")
    _newly_failed(deployment)
    deployment.poll()
    waiting = _chat(deployment)
    assert (waiting["matching"], waiting["toldAt"]) == ("toldAsState", None)
    assert "the next message will say it" in waiting["explanation"]
    deployment.deliver()
    told = _chat(deployment)
    assert (told["matching"], told["toldAt"]) == ("toldAsState", "2026-11-01T12:00:10Z")
    assert "last told at 2026-11-01T12:00:10Z, after this event" in told["explanation"]


def test_chat_that_is_muted() -> None:
    """A mute is named with its end, of several the last to end, until the webhook is told."""
    deployment = deploy(SLACK)
    deployment.sender.answer = refusal(200, b"ok")
    _mute(deployment, "short", 1)
    _mute(deployment, "night", 8)
    _newly_failed(deployment)
    deployment.poll()
    muted = _chat(deployment)
    assert (muted["matching"], muted["toldAt"]) == ("muted", None)
    assert "Mute night holds the job back until 2026-11-01T20:00:00Z" in muted["explanation"]
    assert "told when the mute ends" in muted["explanation"]
    deployment.clock.advance(hours=8)
    deployment.poll()
    assert _chat(deployment)["matching"] == "toldAsState"


def test_what_was_told_before_a_mute_is_not_muted() -> None:
    """A mute that began after the message does not take back what it told."""
    deployment = deploy(SLACK)
    deployment.sender.answer = refusal(200, b"ok")
    _newly_failed(deployment)
    deployment.poll()
    deployment.deliver()
    _mute(deployment, "late", 8)
    assert _chat(deployment)["matching"] == "toldAsState"


def test_chat_with_filters_or_without_a_past() -> None:
    """Filters are named for chat as for others, and a webhook that was added later was to be told nothing."""
    before = deploy(SIGNED)
    _newly_failed(before)
    before.poll()
    filtered = deploy({**SLACK, "events": ["release.*"]}, table=before.table)
    said = _chat(filtered)
    assert (said["matching"], "let the event pass: events." in said["explanation"]) == ("filtered", True)
    added = _chat(deploy(SLACK, table=before.table))
    assert (added["matching"], "added or changed later" in added["explanation"]) == ("notOwed", True)


def test_chat_that_heard_nothing_because_it_was_over() -> None:
    """A resolution after a failure that chat was never told of is told to nobody."""
    deployment = deploy({**SLACK, "events": ["preparation.resolved"]})
    deployment.sender.answer = refusal(200, b"ok")
    _resolved(deployment)
    deployment.poll()
    deployment.deliver()
    said = _chat(deployment)
    assert (said["matching"], "over before the next message" in said["explanation"]) == ("toldAsState", True)


def test_chat_that_calls_its_message_wrong() -> None:
    """The webhook's answer is told, and when the message is sent again."""
    deployment = deploy(SLACK)
    deployment.sender.answer = refusal(400, b"invalid_blocks")
    _newly_failed(deployment)
    for _ in range(2):
        deployment.poll()
        deployment.clock.advance(minutes=1)
    (event,) = _explain(deployment).body["events"]
    (match,) = event["webhooks"]
    assert match["matching"] == "refused"
    assert "refused at" in match["explanation"]
    assert "status 400" in match["explanation"]
    assert "invalid_blocks" in match["explanation"]
    assert "sent again when there is more to tell, or once the webhook has recovered" in match["explanation"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(204, "after 1 attempt: accepted with status 204.", id="taken"),
        pytest.param(503, "it has not taken it after 1 attempt, the last at", id="refused so far"),
        pytest.param(410, "the receiver is gone for good", id="gone"),
    ],
)
def test_what_came_of_what_was_owed(status: int, words: str) -> None:
    """Whether it was taken, and if not what the receiver said, stands in the explanation itself."""
    deployment = deploy(SIGNED)
    deployment.sender.answer = refusal(status, b"busy")
    _newly_failed(deployment)
    deployment.poll()
    (event,) = _explain(deployment).body["events"]
    (match,) = event["webhooks"]
    assert match["matching"] == "owed"
    assert words in match["explanation"]
    assert "busy" in match["explanation"] or status != 503
