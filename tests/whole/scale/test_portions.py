"""The first sight of a job so large that its nodes are decided and written in portions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.polling import job as watching
from shared.ports import Delete, Operation, Row
from shared.state.chunks import decode_chunk
from shared.state.jobs import JobHead
from shared.state.rows import from_row, job_key, unpack, unpack_body
from tests.support.deployment import deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable, Fault
from tests.support.fakes import FakeClock, FakeSender
from tests.whole.scale.batch_values import job, prepared

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=50)
ACCOUNT = "a.example"
NODES = 2_000
FAILED = NODES // 50
HEAD = job_key("job-1")


@pytest.fixture
def large_job(monkeypatch: pytest.MonkeyPatch) -> FakeBatch:
    """A job of two thousand nodes, one in fifty failed, of which five hundred are decided at a time."""
    monkeypatch.setattr(watching, "_MOST_DECODED", 500)
    batch = FakeBatch()
    batch.add(job("job-1", BEFORE), *(prepared(f"node-{n}", BEFORE, exit_code=int(n % 50 == 0)) for n in range(NODES)))
    return batch


def cycle(batch: FakeBatch, table: FakeTable, minute: int = 0) -> FakeSender:
    """One cycle of the account, so many minutes later."""
    sender = FakeSender()
    clock = FakeClock(NOW + timedelta(minutes=minute))
    deploy(batches={"a.example": batch}, table=table, clock=clock, sender=sender).app.pollers[ACCOUNT].run()
    return sender


def writes_head(_partition: str, operations: Sequence[Operation]) -> bool:
    """Whether a transaction writes nodes of the job."""
    return any(operation.key.startswith("node|") for operation in operations)


def head_of(table: FakeTable) -> JobHead:
    """The stored head."""
    row = table.get(ACCOUNT, HEAD)
    assert row is not None
    return from_row(row, JobHead)


def told_nodes(table: FakeTable) -> list[str]:
    """Every node that some event tells, as often as it is told."""
    events = [unpack_body(row).decode() for row in table.query(ACCOUNT, "event|", "event}")]
    return sorted(name for body in events for name in _names(body))


def _names(body: str) -> list[str]:
    return [part.partition('"')[0] for part in body.split('"nodeId":"')[1:]]


EXPECTED = sorted(f"node-{n}" for n in range(0, NODES, 50))


def test_every_portion_leaves_a_true_picture(large_job: FakeBatch) -> None:
    """After each portion the head counts the nodes that are stored, and only the last says that all are."""
    table = FakeTable()
    cycle(large_job, table)

    rows: dict[str, Row] = {}
    portions = 0
    for _, operations in table.writes:
        for operation in operations:
            if not isinstance(operation, Delete):
                rows[operation.key] = Row(key=operation.key, columns=operation.columns, etag="")
        if not writes_head(ACCOUNT, operations):
            continue
        portions += 1
        head = from_row(rows[HEAD], JobHead)
        stored = [decode_chunk(unpack(row)) for key, row in rows.items() if key.startswith("node|")]
        assert (head.nodes, len(head.chunks)) == (sum(map(len, stored)), len(stored))
        assert (head.page_fingerprints is not None) == (head.nodes == NODES)
    assert portions > 3
    assert told_nodes(table) == EXPECTED
    assert (head_of(table).nodes, head_of(table).preparation.open) == (NODES, FAILED)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
@pytest.mark.parametrize("portion", [1, 2, 3])
def test_a_portion_that_is_lost_is_made_good(large_job: FakeBatch, portion: int, fault: Fault) -> None:
    """When a portion is not written, or its answer is lost, every failure is told once by the end of the next cycle."""
    table = FakeTable()
    seen = 0

    def at_portion(partition: str, operations: Sequence[Operation]) -> bool:
        nonlocal seen
        seen += writes_head(partition, operations)
        return seen == portion and writes_head(partition, operations)

    table.fail_next(fault, at_portion)
    first, second = cycle(large_job, table), cycle(large_job, table, minute=1)

    assert told_nodes(table) == EXPECTED
    head = head_of(table)
    assert (head.nodes, head.preparation.open, head.page_fingerprints is not None) == (NODES, FAILED, True)
    assert len(first.ids + second.ids) == len(set(first.ids + second.ids))
