"""What redelivery does when a delivery ends, or is under way, at the same moment."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.lanes import ThreadLanes
from shared.adapters.table_store import open_table
from shared.ports import Table
from tests.api.events.redelivering import SECOND, deliveries, event_ids, redeliver_event, told_one
from tests.support.deployment import DecodedAnswer, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED


def test_redelivered_while_its_attempt_is_under_way() -> None:
    """A redelivery asked for while an attempt is under way adds nothing: one delivery, which ends."""
    deployment = deploy()
    results: list[Any] = []

    def ask(_request: object) -> None:
        if not results:
            results.append(None)
            results.append(deployment.ask(redeliver_event, eventId=event_ids(deployment)[0]).body)

    deployment.sender.during = ask
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    assert results[1]["value"][0]["result"] == "alreadyPending"
    assert deliveries(deployment) == ["done|ops"]
    assert len(deployment.sender.sent) == 1


def test_ended_between_reading_and_moving() -> None:
    """Who reads a delivery that another redelivery has moved meanwhile reads again, and leaves the pending one."""
    table = FakeTable()
    deployment = told_one(table=table)
    (event_id,) = event_ids(deployment)
    inner: list[DecodedAnswer] = []
    table.before_next_write = lambda: inner.append(deployment.ask(redeliver_event, eventId=event_id))
    outer = deployment.ask(redeliver_event, eventId=event_id)
    results = [told.body["value"][0]["result"] for told in (outer, *inner)]
    assert results == ["alreadyPending", "queued"]
    assert deliveries(deployment) == ["due|ops"]


def test_owed_for_the_first_time_twice() -> None:
    """Of two that queue an event for a webhook which never got it one does; what was tried meanwhile is not undone."""
    table = FakeTable()
    (event_id,) = event_ids(told_one(SIGNED, table=table))
    deployment = deploy(SECOND, table=table)
    deployment.sender.answer = refusal(500)

    def meanwhile() -> None:
        deployment.ask(redeliver_event, eventId=event_id)
        deployment.deliver()

    table.before_next_write = meanwhile
    outer = deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"]
    assert outer == "alreadyPending"
    body = deployment.ask(lambda routes, asked: routes.events.get_event(asked), eventId=event_id).body
    assert [(one["webhook"], one["tries"]) for one in body["deliveries"]] == [("ops", 1), ("second", 1)]


def test_delivered_again_between_reading_and_moving() -> None:
    """If a moved delivery has ended again before the loser reads, it moves that one: still one at a time."""
    table = FakeTable()
    deployment = told_one(table=table)
    (event_id,) = event_ids(deployment)

    def meanwhile() -> None:
        deployment.ask(redeliver_event, eventId=event_id)
        deployment.deliver()

    table.before_next_write = meanwhile
    assert deployment.ask(redeliver_event, eventId=event_id).body["value"][0]["result"] == "queued"
    assert deliveries(deployment) == ["due|ops"]


@pytest.fixture(params=["fake", pytest.param("azurite", marks=pytest.mark.azurite)])
def table(request: pytest.FixtureRequest) -> Table:
    """A table of this test's own: in memory, or in Azurite."""
    if request.param == "fake":
        return FakeTable()
    return open_table(request.getfixturevalue("azurite").connection_string, f"t{uuid4().hex}")


@pytest.mark.parametrize("status", [204, 410], ids=["delivered", "dead"])
def test_many_at_once(table: Table, status: int) -> None:
    """Four redeliveries and two deliverers at once leave one delivery at a time, which ends."""
    before = told_one(status=status, table=table)
    (event_id,) = event_ids(before)
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
            most.append(sum(row.startswith("due") for row in deliveries(deployment)))

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
    assert deliveries(deployment) == ["done|ops"]
    sent = [*before.sender.sent, *deployment.sender.sent, *other.sender.sent]
    assert len({(request.headers["webhook-id"], request.body) for request in sent}) == 1


def _kept(failures: list[BaseException], work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)

    return run
