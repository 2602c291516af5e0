"""GET /api/events and /api/events/{eventId}: what was told, and how each delivery went."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.api.events import history
from shared.ledger.newest_events import order_of
from shared.ports import Delete, Merge
from shared.state.rows import event_key
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED

OTHER = {**SIGNED, "name": "a", "url": "https://b.example/hook"}


def list_events(routes: Routes, request: Request) -> Answer:
    """The route."""
    return routes.events.list_events(request)


def get_event(routes: Routes, request: Request) -> Answer:
    """The route."""
    return routes.events.get_event(request)


@pytest.fixture
def told() -> Deployment:
    """An app of two accounts that has told five failures, a minute after each other; one reached nobody yet."""
    deployment = deploy(accounts=2)
    for number in range(5):
        account = OTHER_ACCOUNT if number == 2 else ACCOUNT
        deployment.sender.answer = refusal(500) if number == 3 else refusal(413) if number == 4 else ACCEPTED
        job = a_job(f"job-{number % 2}")
        deployment.batches[account].add(job, _failed(number, deployment))
        deployment.poll(account)
        deployment.clock.advance(minutes=1)
    for _ in range(2):
        deployment.clock.advance(minutes=10)
    return deployment


def _failed(number: int, deployment: Deployment) -> Any:
    ended = deployment.clock.now - timedelta(seconds=30)
    return a_node(f"node-{number}", preparation=a_run(failed=True, ended=ended))


def _nodes(deployment: Deployment, **query: str) -> list[int]:
    """The numbers of the nodes that the listed events tell, in their order."""
    numbers = []
    for event in deployment.ask(list_events, query).body["value"]:
        if not event["jobId"]:  # of a webhook
            continue
        full = deployment.ask(get_event, eventId=event["id"]).body["event"]
        numbers.append(int(full["data"]["nodes"][0]["nodeId"].removeprefix("node-")))
    return numbers


def _text(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("query", "nodes"),
    [
        pytest.param({}, [4, 3, 2, 1, 0], id="all, newest recorded first"),
        pytest.param({"account": ACCOUNT}, [4, 3, 1, 0], id="of an account"),
        pytest.param({"node": "NODE-3"}, [3], id="that name a node, in any case"),
        pytest.param({"job": "JOB-1"}, [3, 1], id="of a job, whatever the case"),
        pytest.param({"job": "job-0", "account": OTHER_ACCOUNT}, [2], id="of an account's job"),
        pytest.param({"since": _text(2)}, [4, 3, 2], id="since, included"),
        pytest.param({"until": _text(2)}, [1, 0], id="until, not included"),
        pytest.param({"since": "2026-11-01T13:01:00+01:00", "until": _text(3)}, [2, 1], id="a range, in another zone"),
        pytest.param({"state": "delivered"}, [2, 1, 0], id="delivered"),
        pytest.param({"state": "PENDING"}, [4, 3], id="pending"),
        pytest.param({"state": "dead"}, [], id="dead"),
        pytest.param({"state": "pending", "job": "job-1"}, [3], id="pending of a job"),
    ],
)
def test_filters(told: Deployment, query: dict[str, str], nodes: list[int]) -> None:
    """Events are listed newest recorded first, those that every filter lets pass."""
    assert _nodes(told, **query) == nodes


@pytest.mark.parametrize("state", [None, "delivered"])
def test_pages(told: Deployment, state: str | None) -> None:
    """Following nextLink shows every event once; its token is the place behind the last that was looked at."""
    query = {"top": "2", "code": "key", **({"state": state} if state else {})}
    first = told.ask(list_events, query).body
    token = f"{order_of(datetime.fromisoformat(first['value'][-1]['recordedAt']), first['value'][-1]['id'])}."
    expected = f"&state={state}" if state else ""
    assert first["nextLink"] == f"https://app.example/api/x?top=2{expected}&skip-token={token}"
    second = told.ask(list_events, {**query, "skip-token": token}).body
    ids = [event["id"] for event in first["value"] + second["value"]]
    assert ids == sorted(set(ids))
    assert len(ids) == (3 if state else 4)
    assert (second["nextLink"] is None) == (state is not None)


def test_an_answer_looks_at_so_many(told: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that lets nothing pass ends after a bounded number of events, with a link to go on."""
    monkeypatch.setattr(history, "MAX_LOOKED_AT", 3)
    first = told.ask(list_events, {"job": "job-x"}).body
    assert first["value"] == []
    token = first["nextLink"].partition("skip-token=")[2]
    assert told.ask(list_events, {"job": "job-x", "skip-token": token}).body == {"value": [], "nextLink": None}


def test_entry(told: Deployment) -> None:
    """An entry says what was told of what, and where each delivery stands."""
    event = told.ask(list_events, {"state": "pending", "top": "1"}).body["value"][0]
    assert event["type"] == "prepwatch.preparation.failed"
    assert (event["account"], event["jobId"], event["phase"], event["nodes"]) == (ACCOUNT, "job-0", "preparation", 1)
    assert event["subject"] == "jobs/job-0"
    assert (event["time"], event["recordedAt"]) == ("2026-11-01T12:03:30Z", "2026-11-01T12:04:00Z")
    (delivery,) = event["deliveries"]
    assert (delivery["webhook"], delivery["state"], delivery["tries"], delivery["endedAt"]) == (
        "ops",
        "pending",
        1,
        None,
    )
    assert delivery["nextAttemptAt"] > "2026-11-01T12:04:00Z"


def test_event_with_attempts() -> None:
    """One event shows its very bytes, and each attempt with what the receiver said."""
    deployment = deploy(SIGNED, OTHER)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.sender.answer = refusal(503, b"later, password=canary")
    deployment.poll()
    deployment.clock.advance(minutes=4)
    deployment.sender.answer = ACCEPTED
    deployment.poll()
    event_id = deployment.ask(list_events).body["value"][0]["id"]
    body = deployment.ask(get_event, eventId=event_id).body
    assert body["event"]["id"] == event_id
    first, second = body["deliveries"]
    assert (first["webhook"], second["webhook"]) == ("a", "ops")
    assert (first["state"], first["tries"]) == ("delivered", 2)
    assert [attempt["status"] for attempt in first["attempts"]] == [503, 204]
    assert first["attempts"][0]["answer"] == "later, password=[redacted]"


def test_deliveries_of_removed_webhooks() -> None:
    """What a webhook got that is configured no more is still shown."""
    before = deploy(SIGNED, OTHER)
    before.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    before.poll()
    after = deploy({**SIGNED, "name": "m"}, table=before.table)
    (event,) = after.ask(list_events).body["value"]
    assert [delivery["webhook"] for delivery in event["deliveries"]] == ["a", "ops"]
    assert len(after.ask(list_events, {"state": "delivered"}).body["value"]) == 1


def test_rows_that_cannot_be_read_are_passed_over(told: Deployment) -> None:
    """An event of a newer version hides no other."""
    ids = [event["id"] for event in told.ask(list_events, {"account": ACCOUNT}).body["value"]]
    told.table.transact(ACCOUNT, [Merge(key=event_key(ids[1]), columns={"v": 99})])
    told.table.transact(ACCOUNT, [Delete(key=event_key(ids[0]))])
    assert _nodes(told) == [2, 1, 0]
    assert _nodes(told, state="pending") == []
    assert told.ask(get_event, eventId=ids[1]).status == 404


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param({"state": "due"}, "state", id="state"),
        pytest.param({"since": "yesterday"}, "since", id="no time"),
        pytest.param({"since": "2026-11-01T12:00:00"}, "since", id="no zone"),
        pytest.param({"until": "2026-13-01T12:00:00Z"}, "until", id="no such month"),
        pytest.param({"since": _text(2), "until": _text(2)}, "until", id="nothing between"),
        pytest.param({"until": "0001-01-01T00:00:00+14:00"}, "until", id="before all time"),
        pytest.param({"top": "1001"}, "top", id="top"),
        pytest.param({"skip-token": "x"}, "skip-token", id="token"),
        pytest.param({"skip-token": "8206465899999-rvrcrzq3g4c5wp4cc47mifie' or 1"}, "skip-token", id="query in token"),
        pytest.param({"skip": "1"}, "skip", id="unknown"),
    ],
)
def test_bad_input(told: Deployment, query: dict[str, str], target: str) -> None:
    """A parameter that can't be used is named."""
    answer = told.ask(list_events, query)
    assert (answer.status, answer.body["error"]["target"]) == (400, target)


def test_unknown_account(told: Deployment) -> None:
    """An account that is not watched is 404."""
    assert told.ask(list_events, {"account": "_"}).status == 404


@pytest.mark.parametrize("event", ["x", "8206465899999-" + "a" * 24, "a/b", "'"])
def test_unknown_event(told: Deployment, event: str) -> None:
    """An event that is not stored, or can't be, is 404."""
    assert told.ask(get_event, eventId=event).status == 404
