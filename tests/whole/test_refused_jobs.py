"""What the table refuses of one job is that job's trouble, and nobody else's."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.batch.model import NodeStatus
from shared.errors import StoreError, TransactionTooLargeError
from shared.ports import Delete, Operation
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_run, deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable

MINUTE = timedelta(minutes=1)
REFUSALS = [
    pytest.param(TransactionTooLargeError("3145729 bytes as encoded"), id="too large"),
    pytest.param(StoreError("the table does not understand the request: no"), id="not understood"),
]


def a_node(ended: datetime, *, failed: bool = False) -> NodeStatus:
    """A node whose preparation ended then."""
    return NodeStatus(pool_id="pool", node_id="node-1", preparation=a_run(failed=failed, ended=ended))


def holds(*kinds: str) -> Callable[[str, Sequence[Operation]], bool]:
    """Whether a transaction writes rows of the job named odd that begin so."""
    return lambda _, operations: any(
        operation.key.startswith(kinds) and "|odd" in operation.key for operation in operations
    )


def two_jobs() -> tuple[Deployment, FakeTable]:
    """An account with two jobs that are known; the table takes everything."""
    table, batch = FakeTable(), FakeBatch()
    for name in ("odd", "sound"):
        batch.add(a_job(name), a_node(NOW - timedelta(minutes=50)))
    running = deploy(batches={ACCOUNT: batch}, table=table, STALE_AFTER_SECONDS="300")
    running.poll()
    return running, table


def fail_everywhere(running: Deployment) -> None:
    """A node of each job runs again, and fails."""
    for name in ("odd", "sound"):
        running.batch.add(a_job(name), a_node(running.clock.now, failed=True))


def poll_for(running: Deployment, minutes: int) -> None:
    """A cycle each minute."""
    for _ in range(minutes):
        running.clock.advance(MINUTE)
        running.poll()


def summary(running: Deployment) -> dict[str, Any]:
    """What the summary says of each job, by id, and of the account."""
    body = running.ask(lambda routes, request: routes.summary(request)).body
    return {one["jobId"]: one for one in body["value"]} | {"account": body["accounts"][0]}


def told(running: Deployment) -> list[tuple[str, str | None]]:
    """The type and subject of everything that was sent, in order."""
    return [(event["type"].removeprefix("prepwatch."), event.get("subject")) for event in running.sender.events()]


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refused_job_is_told_as_its_own_trouble(error: StoreError) -> None:
    """The other jobs go on, the account is not blind, and the job is told once, with its end when it is taken again."""
    running, table = two_jobs()
    table.refuse(error, holds("node|"))
    fail_everywhere(running)

    poll_for(running, 10)

    assert told(running) == [("preparation.failed", "jobs/sound"), ("job.unreachable", "jobs/odd")]
    shown = summary(running)
    assert str(error) in shown["odd"]["error"]["message"]
    assert (shown["account"]["stale"], shown["account"]["error"]) == (False, None)

    table.refuse(error, lambda _, __: False)
    poll_for(running, 1)
    assert sorted(told(running)[2:]) == [("job.reachable", "jobs/odd"), ("preparation.failed", "jobs/odd")]


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize("rows", [("job|", "node|"), ("job|",)])
def test_a_job_of_which_nothing_can_be_written_blinds_nobody(error: StoreError, rows: tuple[str, ...]) -> None:
    """The other jobs go on and the account is read, though not even the job's error can be stored; the log has it."""
    running, table = two_jobs()
    table.refuse(error, holds(*rows))
    fail_everywhere(running)

    poll_for(running, 10)

    assert told(running) == [("preparation.failed", "jobs/sound")]
    account = summary(running)["account"]
    assert (account["stale"], account["error"]) == (False, None)
    assert account["lastPoll"]["errors"] == 1


@pytest.mark.parametrize("error", REFUSALS)
def test_a_new_job_that_is_refused_costs_only_itself(error: StoreError) -> None:
    """Of the jobs listed for the first time the others are stored, looked at and told, in the same cycle."""
    table, batch = FakeTable(), FakeBatch()
    table.refuse(error, holds("job|"))
    for name in ("odd", *(f"sound-{number}" for number in range(150))):
        batch.add(a_job(name), a_node(NOW - timedelta(minutes=5), failed=True))
    running = deploy(batches={ACCOUNT: batch}, table=table)

    running.poll()

    assert len(told(running)) == 150
    assert summary(running)["account"]["stale"] is False
    table.refuse(error, lambda _, __: False)
    poll_for(running, 1)
    assert told(running)[150:] == [("preparation.failed", "jobs/odd")]


def test_a_job_that_can_not_begin_anew_is_told_and_loses_nothing() -> None:
    """A job created again whose head is refused for hours has its failures told when it is taken."""
    running, table = two_jobs()
    again = running.clock.now + MINUTE
    running.batch.add(a_job("odd", created=again), a_node(again + MINUTE, failed=True))
    table.refuse(
        TransactionTooLargeError("101 operations"),
        lambda _, operations: any(isinstance(one, Delete) and one.key.startswith("node|odd") for one in operations),
    )

    poll_for(running, 180)
    assert told(running) == [("job.unreachable", "jobs/odd")]
    assert summary(running)["account"]["stale"] is False

    table.refuse(TransactionTooLargeError(""), lambda _, __: False)
    poll_for(running, 1)
    assert [kind for kind, _ in told(running)][1:] == ["job.reachable", "preparation.failed"]
