"""POST /api/events/{eventId}/redeliver and /api/redeliveries: the same event again, and never twice at once."""

from collections.abc import Callable, Mapping
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.lanes import ThreadLanes
from shared.adapters.table_store import open_table
from shared.api import redelivery
from shared.ports import Operation, Table
from shared.state.rows import delivery_key, range_of
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED, SLACK

SECOND = {**SIGNED, "name": "second", "url": "https://b.example/hook"}


def redeliver_event(routes: Any, request: Request) -> Answer:
    """The route."""
    answer: Answer = routes.events.redeliver_event(request)
    return answer


def redeliver_events(routes: Any, request: Request) -> Answer:
    """The route."""
    answer: Answer = routes.events.redeliver_events(request)
    return answer


def _event_ids(deployment: Deployment) -> list[str]:
    listed = deployment.ask(lambda routes, asked: routes.events.list_events(asked)).body["value"]
    return [event["id"] for event in listed if event["jobId"]]


def _rows(deployment: Deployment, partition: str = ACCOUNT) -> list[str]:
    """The deliveries' states and webhooks, without the events' ids."""
    return [
        row.key.rpartition("|")[0]
        for state in DeliveryState
        for row in deployment.table.query(partition, *range_of(state.value))
    ]


def _told(*webhooks: Mapping[str, object], status: int = 204, table: Table | None = None) -> Deployment:
    """An app that has told one failure, and what came of it is settled."""
    deployment = deploy(*webhooks, table=table)
    deployment.sender.answer = ACCEPTED if status == 204 else refusal(status)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    for _ in range(4):
        deployment.clock.advance(minutes=10)
        deployment.deliver()
    if status == 410:
        deployment.ask(lambda routes, asked: routes.webhooks.enable_webhook(asked), name="ops")
    return deployment


@pytest.mark.parametrize("status", [204, 410], ids=["delivered", "dead"])
def test_the_same_bytes_again(status: int) -> None:
    """An ended delivery is sent again with its id and bytes, all its attempts before it, and ends."""
    deployment = _told(status=status)
    before = list(deployment.sender.sent)
    assert _rows(deployment) == ["done|ops" if status == 204 else "dead|ops"]
    (event_id,) = _event_ids(deployment)
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert (told.status, told.nudges) == (202, (ACCOUNT,))
    assert told.body["value"][0]["result"] == "queued"
    assert _rows(deployment) == ["due|ops"]

    deployment.deliver()
    for _ in range(4):
        deployment.clock.advance(minutes=10)
        deployment.deliver()
    again = deployment.sender.sent[len(before) :]
    assert len(again) == len(before)
    assert {(sent.headers["webhook-id"], sent.body) for sent in again} == {
        (sent.headers["webhook-id"], sent.body) for sent in before
    }
    assert _rows(deployment) == ["done|ops" if status == 204 else "dead|ops"]
    body = deployment.ask(lambda routes, asked: routes.events.get_event(asked), eventId=event_id).body
    assert len(body["deliveries"][0]["attempts"]) == 2 * len(before)


def test_pending_is_due_now() -> None:
    """What waits for its next attempt anyway is not touched, and is attempted at once."""
    deployment = deploy()
    deployment.sender.answer = refusal(500)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    (event_id,) = _event_ids(deployment)
    before = deployment.table.get(ACCOUNT, delivery_key(DeliveryState.DUE, "ops", event_id))
    told = deployment.ask(redeliver_event, eventId=event_id)
    assert (told.status, told.body["value"][0]["result"], told.nudges) == (202, "alreadyPending", (ACCOUNT,))
    assert deployment.table.get(ACCOUNT, delivery_key(DeliveryState.DUE, "ops", event_id)) == before
    deployment.sender.answer = ACCEPTED
    deployment.clock.advance(seconds=1)
    deployment.deliver()
    assert _rows(deployment) == ["done|ops"]


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
    before = _told(SIGNED)
    (event_id,) = _event_ids(before)
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
    before = _told(SIGNED)
    (event_id,) = _event_ids(before)
    after = deploy(*webhooks, table=before.table)
    told = after.ask(redeliver_event, query, eventId=event_id)
    assert (told.status, told.body["error"]["target"]) == (status, target)
    assert _rows(after) == ["done|ops"]


def test_unknown_event() -> None:
    """An event that is not stored is 404."""
    assert deploy().ask(redeliver_event, eventId="x").status == 404


def test_disabled_webhook() -> None:
    """To a disabled webhook nothing is sent until it is enabled: not when named, and not in passing."""
    deployment = _told(SIGNED, SECOND)
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")
    event_id = _event_ids(deployment)[-1]
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
    return sum(_rows(deployment, account).count("due|ops") for account in (ACCOUNT, OTHER_ACCOUNT))


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
    before = _told(SIGNED, status=410)
    after = deploy(SECOND, table=before.table)
    assert after.ask(redeliver_events, body={"state": "dead"}).body["skipped"] == 1
    assert _rows(after) == ["dead|ops"]


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


# --- races ----------------------------------------------------------------------------------------------------


def test_redelivered_while_its_attempt_is_under_way() -> None:
    """A redelivery asked for while an attempt is under way adds nothing: one delivery, which ends."""
    deployment = deploy()
    results: list[Any] = []

    def ask(_request: object) -> None:
        if not results:
            results.append(None)
            results.append(deployment.ask(redeliver_event, eventId=_event_ids(deployment)[0]).body)

    deployment.sender.during = ask
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    assert results[1]["value"][0]["result"] == "alreadyPending"
    assert _rows(deployment) == ["done|ops"]
    assert len(deployment.sender.sent) == 1


def test_ended_between_reading_and_moving() -> None:
    """Who reads a delivery that another redelivery has moved meanwhile reads again, and leaves the pending one."""
    table = FakeTable()
    deployment = _told(table=table)
    (event_id,) = _event_ids(deployment)
    transact = table.transact
    inner: list[str] = []

    def meanwhile(partition: str, operations: list[Operation]) -> Mapping[str, str]:
        if not inner:
            inner.append("")
            inner.append(deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"])
        return transact(partition, operations)

    table.transact = meanwhile  # type: ignore[method-assign, assignment]
    outer = deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"]
    assert (outer, inner[1]) == ("alreadyPending", "queued")
    assert _rows(deployment) == ["due|ops"]


def test_owed_for_the_first_time_twice() -> None:
    """Of two that queue an event for a webhook which never got it one does; what was tried meanwhile is not undone."""
    table = FakeTable()
    (event_id,) = _event_ids(_told(SIGNED, table=table))
    deployment = deploy(SECOND, table=table)
    deployment.sender.answer = refusal(500)
    transact = table.transact
    inner: list[str] = []

    def meanwhile(partition: str, operations: list[Operation]) -> Mapping[str, str]:
        if not inner:
            inner.append("")
            deployment.ask(redeliver_event, eventId=event_id)
            deployment.deliver()
        return transact(partition, operations)

    table.transact = meanwhile  # type: ignore[method-assign, assignment]
    outer = deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"]
    assert outer == "alreadyPending"
    body = deployment.ask(lambda routes, asked: routes.events.get_event(asked), eventId=event_id).body
    assert [(one["webhook"], one["tries"]) for one in body["deliveries"]] == [("ops", 1), ("second", 1)]


def test_delivered_again_between_reading_and_moving() -> None:
    """If a moved delivery has ended again before the loser reads, it moves that one: still one at a time."""
    table = FakeTable()
    deployment = _told(table=table)
    (event_id,) = _event_ids(deployment)
    transact = table.transact
    inner: list[str] = []

    def meanwhile(partition: str, operations: list[Operation]) -> Mapping[str, str]:
        if not inner:
            inner.append("")
            deployment.ask(redeliver_event, eventId=event_id)
            deployment.deliver()
        return transact(partition, operations)

    table.transact = meanwhile  # type: ignore[method-assign, assignment]
    assert deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"] == "queued"
    assert _rows(deployment) == ["due|ops"]


@pytest.fixture(params=["fake", pytest.param("azurite", marks=pytest.mark.azurite)])
def table(request: pytest.FixtureRequest) -> Table:
    """A table of this test's own: in memory, or in Azurite."""
    if request.param == "fake":
        return FakeTable()
    return open_table(request.getfixturevalue("azurite").connection_string, f"t{uuid4().hex}")


@pytest.mark.parametrize("status", [204, 410], ids=["delivered", "dead"])
def test_many_at_once(table: Table, status: int) -> None:
    """Four redeliveries and two deliverers at once leave one delivery at a time, which ends."""
    before = _told(status=status, table=table)
    (event_id,) = _event_ids(before)
    deployment = deploy(table=table, lanes=ThreadLanes())
    deployment.clock.advance(hours=2)
    other = deploy(table=table, lanes=ThreadLanes())
    other.clock.advance(hours=2)
    start = Barrier(6)
    most: list[int] = []

    def redeliver() -> None:
        start.wait()
        for _ in range(4):
            told = deployment.ask(redeliver_event, eventId=event_id)
            assert told.status == 202
            most.append(sum(row.startswith("due") for row in _rows(deployment)))

    def deliver(instance: Deployment) -> None:
        start.wait()
        for _ in range(4):
            instance.deliver()

    work: list[Callable[[], None]] = [redeliver] * 4
    work += [lambda: deliver(deployment), lambda: deliver(other)]
    failures: list[BaseException] = []
    threads = [Thread(target=_kept(failures, piece)) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert max(most) <= 1

    for _ in range(3):
        deployment.clock.advance(minutes=10)
        deployment.deliver()
    assert _rows(deployment) == ["done|ops"]
    sent = [*before.sender.sent, *deployment.sender.sent, *other.sender.sent]
    assert len({(request.headers["webhook-id"], request.body) for request in sent}) == 1


def _kept(failures: list[BaseException], work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)

    return run
