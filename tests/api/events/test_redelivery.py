"""POST /api/events/{eventId}/redeliver and /api/redeliveries: the same event again, and never twice at once."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from shared.api.events import redelivery
from shared.batch.model import JobExecutionInfo
from shared.batch.pool_model import ComputeNode
from shared.state.rows import delivery_key
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from tests.api.events.redelivering import SECOND, deliveries, event_ids, redeliver_event, told_one
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED, SLACK


def redeliver_events(routes: Any, request: Request) -> Answer:
    """The route."""
    answer: Answer = routes.events.redeliver_events(request)
    return answer


@pytest.mark.parametrize("status", [204, 410], ids=["delivered", "dead"])
def test_the_same_bytes_again(status: int) -> None:
    """An ended delivery is sent again with its id and bytes, all its attempts before it, and ends."""
    deployment = told_one(status=status)
    before = list(deployment.sender.sent)
    assert deliveries(deployment) == ["done|ops" if status == 204 else "dead|ops"]
    (event_id,) = event_ids(deployment)
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert (told.status, told.nudges) == (202, (ACCOUNT,))
    assert told.body["value"][0]["result"] == "queued"
    assert deliveries(deployment) == ["due|ops"]

    deployment.deliver()
    for _ in range(4):
        deployment.clock.advance(minutes=10)
        deployment.deliver()
    again = deployment.sender.sent[len(before) :]
    assert len(again) == len(before)
    assert {(sent.headers["webhook-id"], sent.body) for sent in again} == {
        (sent.headers["webhook-id"], sent.body) for sent in before
    }
    assert deliveries(deployment) == ["done|ops" if status == 204 else "dead|ops"]
    body = deployment.ask(lambda routes, asked: routes.events.get_event(asked), eventId=event_id).body
    assert len(body["deliveries"][0]["attempts"]) == 2 * len(before)


def test_pending_is_due_now() -> None:
    """What waits for its next attempt anyway is not touched, and is attempted at once."""
    deployment = deploy()
    deployment.sender.answer = refusal(500)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    (event_id,) = event_ids(deployment)
    before = deployment.table.get(ACCOUNT, delivery_key(DeliveryState.DUE, "ops", event_id))
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert (told.status, told.body["value"][0]["result"], told.nudges) == (202, "alreadyPending", (ACCOUNT,))
    assert deployment.table.get(ACCOUNT, delivery_key(DeliveryState.DUE, "ops", event_id)) == before
    deployment.sender.answer = ACCEPTED
    deployment.clock.advance(seconds=1)
    deployment.deliver()
    assert deliveries(deployment) == ["done|ops"]


@pytest.mark.parametrize(
    ("webhooks", "query", "queued"),
    [
        pytest.param([SIGNED, SECOND], {}, ["ops", "second"], id="owed, and matching now"),
        pytest.param([SIGNED, SECOND], {"webhook": "second"}, ["second"], id="one"),
        pytest.param([{**SIGNED, "jobs": ["x"]}], {}, ["ops"], id="owed, though it matches no more"),
        pytest.param([SIGNED, {**SECOND, "jobs": ["x"]}], {}, ["ops"], id="not one that never matched"),
        pytest.param([SIGNED, {**SECOND, "jobs": ["x"]}], {"webhook": "second"}, ["second"], id="any that is named"),
        pytest.param([SIGNED, SLACK], {}, ["ops"], id="not chat"),
        pytest.param([SECOND], {}, ["second"], id="not a removed one"),
    ],
)
def test_who_is_sent_it(webhooks: list[Mapping[str, object]], query: dict[str, str], queued: list[str]) -> None:
    """An event goes to the one that is named, else to all configured that it was owed to or that want it now."""
    before = told_one(SIGNED)
    (event_id,) = event_ids(before)
    after = deploy(*webhooks, table=before.table)
    told = after.ask(redeliver_event, query, eventId=event_id)
    assert [entry["webhook"] for entry in told.body["value"] if entry["result"] == "queued"] == queued


@pytest.mark.parametrize(
    ("webhooks", "query", "status", "target"),
    [
        pytest.param([SIGNED], {"webhook": "x"}, 404, "x", id="unknown webhook"),
        pytest.param([{**SIGNED, "enabled": False}], {"webhook": "ops"}, 409, "webhook", id="switched off"),
        pytest.param([SIGNED, SLACK], {"webhook": "chat"}, 409, "webhook", id="told how things stand"),
        pytest.param([{**SECOND, "jobs": ["x"]}], {}, 409, "eventId", id="nobody"),
        pytest.param([SIGNED], {"hook": "x"}, 400, "hook", id="unknown parameter"),
    ],
)
def test_refusals(webhooks: list[Mapping[str, object]], query: dict[str, str], status: int, target: str) -> None:
    """What can't be sent is refused with the reason, and nothing is queued."""
    before = told_one(SIGNED)
    (event_id,) = event_ids(before)
    after = deploy(*webhooks, table=before.table)
    told = after.ask(redeliver_event, query, eventId=event_id)
    assert (told.status, told.body["error"]["target"]) == (status, target)
    assert deliveries(after) == ["done|ops"]


def test_unknown_event() -> None:
    """An event that is not stored is 404."""
    assert deploy().ask(redeliver_event, eventId="x").status == 404


def test_disabled_webhook() -> None:
    """To a disabled webhook nothing is sent until it is enabled: not when named, and not in passing."""
    deployment = told_one(SIGNED, SECOND)
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")
    event_id = event_ids(deployment)[-1]
    told = deployment.ask(redeliver_event, {"webhook": "ops"}, eventId=event_id)
    assert (told.status, told.body["error"]["target"]) == (409, "webhook")
    assert "enable it first" in told.body["error"]["message"]
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert {entry["webhook"]: entry["result"] for entry in told.body["value"]} == {"ops": "skipped", "second": "queued"}


# --- ranges ---------------------------------------------------------------------------------------------------


def _told_six(status: int = 410) -> Deployment:
    """An app of two accounts that has told six failures, one a minute from 12:00 on."""
    deployment = deploy(accounts=2)
    deployment.sender.answer = ACCEPTED if status == 204 else refusal(status)
    for number in range(6):
        account = OTHER_ACCOUNT if number % 2 else ACCOUNT
        node = a_node(f"n{number}", preparation=a_run(failed=True, ended=deployment.clock.now))
        deployment.batches[account].add(a_job(f"job-{number}"), node)
        deployment.poll(account)
        deployment.clock.advance(minutes=1)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        deployment.deliver(account)
    if status != 204:
        deployment.ask(lambda routes, asked: routes.webhooks.enable_webhook(asked), name="ops")
    return deployment


def _due(deployment: Deployment) -> int:
    return sum(deliveries(deployment, account).count("due|ops") for account in (ACCOUNT, OTHER_ACCOUNT))


@pytest.mark.parametrize(
    ("status", "body", "queued"),
    [
        pytest.param(410, {"state": "dead"}, 6, id="all dead"),
        pytest.param(410, {"state": "dead", "webhook": "ops"}, 6, id="all dead of one"),
        pytest.param(410, {"state": "dead", "since": "2026-11-01T12:04:00Z"}, 2, id="dead since"),
        pytest.param(410, {"state": "dead", "until": "2026-11-01T13:01:00+01:00"}, 1, id="dead until"),
        pytest.param(204, {"state": "dead"}, 0, id="none dead"),
        pytest.param(204, {"state": "all", "since": "2026-11-01T12:02:00Z"}, 4, id="all since"),
        pytest.param(
            204,
            {"state": "all", "since": "2026-11-01T12:02:00Z", "until": "2026-11-01T12:05:00Z", "webhook": "ops"},
            3,
            id="a range of one",
        ),
    ],
)
def test_ranges(status: int, body: object, queued: int) -> None:
    """A range is queued again by when its events were recorded, across accounts, and each is nudged."""
    deployment = _told_six(status)
    told = deployment.ask(redeliver_events, body=body)
    assert told.status == 202
    assert told.body == {"queued": queued, "alreadyPending": 0, "skipped": 0, "more": False, "skipToken": None}
    assert _due(deployment) == queued
    assert len(told.nudges) == min(queued, 2)


@pytest.mark.parametrize("state", ["dead", "all"])
def test_at_most_so_many(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call queues a bounded number and says how to go on; each delivery is queued once."""
    monkeypatch.setattr(redelivery, "MAX_AT_ONCE", 4)
    deployment = _told_six(410 if state == "dead" else 204)
    body = {"state": state, "since": "2026-11-01T12:00:00Z"}
    first = deployment.ask(redeliver_events, body=body).body
    assert (first["queued"], first["more"]) == (4, True)
    second = deployment.ask(redeliver_events, body={**body, "skipToken": first["skipToken"]}).body
    assert (second["queued"], second["more"], second["skipToken"]) == (2, False, None)
    assert _due(deployment) == 6


def test_a_range_goes_on_behind_what_it_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at in vain is bounded too, and not looked at again."""
    monkeypatch.setattr(redelivery, "_MAX_LOOKED_AT", 5)
    deployment = _told_six()
    body = {"state": "dead", "until": "2026-11-01T12:01:00Z"}
    first = deployment.ask(redeliver_events, body=body).body
    assert (first["queued"], first["more"]) == (0, True)
    second = deployment.ask(redeliver_events, body={**body, "skipToken": first["skipToken"]}).body
    assert (second["queued"], second["more"]) == (1, False)


def test_dead_of_a_removed_webhook() -> None:
    """What is owed to a webhook that is configured no more is skipped: it would only die again."""
    before = told_one(SIGNED, status=410)
    after = deploy(SECOND, table=before.table)
    assert after.ask(redeliver_events, body={"state": "dead"}).body["skipped"] == 1
    assert deliveries(after) == ["dead|ops"]


@pytest.mark.parametrize(
    ("body", "target"),
    [
        pytest.param(b"", "body", id="empty"),
        pytest.param(b"{", "body", id="cut short"),
        pytest.param(b"\xff\xff", "body", id="no text"),
        pytest.param(b"[" * 100_000, "body", id="nested endlessly"),
        pytest.param([], "body", id="an array"),
        pytest.param({}, "state", id="no state"),
        pytest.param({"state": "pending"}, "state", id="state"),
        pytest.param({"state": "all"}, "since", id="the whole history"),
        pytest.param({"state": "dead", "since": "x"}, "since", id="no time"),
        pytest.param({"state": "dead", "since": 1}, "since", id="a number for a time"),
        pytest.param({"state": "dead", "until": "2026-11-01T12:00:00"}, "until", id="no zone"),
        pytest.param(
            {"state": "dead", "since": "2026-11-01T12:00:00Z", "until": "2026-11-01T12:00:00Z"}, "until", id="no range"
        ),
        pytest.param({"state": "dead", "skipToken": "x"}, "skipToken", id="token"),
        pytest.param({"state": "dead", "top": 1}, "top", id="unknown field"),
    ],
)
def test_bad_body(body: object, target: str) -> None:
    """A body that can't be used is refused, naming the field."""
    told = deploy().ask(redeliver_events, body=body)
    assert (told.status, told.body["error"]["target"]) == (400, target)
    assert told.body["error"]["code"] == "InvalidRequestBody"


def test_unknown_webhook_of_a_range() -> None:
    """A webhook that is not configured is 404."""
    assert deploy().ask(redeliver_events, body={"state": "dead", "webhook": "x"}).status == 404


def test_an_event_of_a_pool_passes_the_filter_by_jobs_again() -> None:
    """What tells of a pool goes again only to those whose `jobs` name a job that used it when it happened."""
    others = {**SECOND, "jobs": ["weekly-*"]}
    deployment = deploy(SIGNED, others)
    deployment.batch.add(replace(a_job(), execution_info=JobExecutionInfo(pool_id="cpu")))
    deployment.batch.node_counts["cpu"] = {"starttaskfailed": 1}
    deployment.batch.pool_nodes["cpu"] = [
        ComputeNode(id="n-1", state="starttaskfailed", state_transition_time=deployment.clock())
    ]
    deployment.poll()
    listed = deployment.ask(lambda routes, asked: routes.events.list_events(asked)).body["value"]
    (event_id,) = [event["id"] for event in listed if event["type"] == "prepwatch.node.failed"]
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert [each["webhook"] for each in told.body["value"]] == ["ops"]
    deployment.ask(redeliver_events, body={"state": "all"})
    assert deliveries(deployment) == ["due|ops"]
