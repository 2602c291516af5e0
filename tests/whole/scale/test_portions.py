"""A job so large that its nodes are decided and written in portions, at first sight and whenever many change."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import ExecutionInfo, JobExecutionInfo, NodeStatus
from shared.batch.pool_model import ComputeNode
from shared.changes import layout, portions
from shared.changes.tally import NodeUpdate
from shared.polling import node_updates
from shared.ports import Delete, Operation, Row
from shared.state.chunks import Chunk, decode_chunk
from shared.state.jobs import JobEnd, JobHead
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


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred nodes, of two chunks, are decided at a time."""
    monkeypatch.setattr(portions, "MOST_NODES", 500)
    for module in (portions, node_updates):
        monkeypatch.setattr(module, "MOST_CHUNKS", 2)


def account(*nodes: NodeStatus) -> FakeBatch:
    """An account with one job of these nodes."""
    batch = FakeBatch()
    batch.add(job("job-1", BEFORE), *nodes)
    return batch


@pytest.fixture
def large_job() -> FakeBatch:
    """A job of two thousand nodes, one in fifty failed."""
    return account(*(prepared(f"node-{n}", BEFORE, exit_code=int(n % 50 == 0)) for n in range(NODES)))


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


def watch_decisions(monkeypatch: pytest.MonkeyPatch, table: FakeTable) -> list[tuple[int, int]]:
    """For each portion that changed something: how many nodes it decided, and the transactions before it."""
    decided: list[tuple[int, int]] = []
    plan = layout.plan_layout

    def planned(
        known: JobHead, head: JobHead, chunks: Mapping[str, Chunk], updates: Sequence[NodeUpdate]
    ) -> layout.Layout:
        decided.append((len(updates), len(table.writes)))
        assert len(chunks) <= portions.MOST_CHUNKS or not known.chunks
        return plan(known, head, chunks, updates)

    monkeypatch.setattr(node_updates, "plan_layout", planned)
    return decided


LATER = NOW - timedelta(minutes=1)
RELEASED = ExecutionInfo(start_time=LATER, end_time=LATER, state="completed", result="success", exit_code=0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NODES, lambda n: prepared(f"node-{n}", LATER, exit_code=1), NODES, id="all fail at once"),
        pytest.param(
            NODES, lambda n: replace(prepared(f"node-{n}", BEFORE), release=RELEASED), 0, id="all are released at once"
        ),
        pytest.param(1, lambda n: prepared(f"node-{n}", LATER, exit_code=1), NODES, id="one chunk grows to many"),
    ],
)
def test_what_changes_at_once_is_decided_in_portions(
    monkeypatch: pytest.MonkeyPatch, before: int, after: Callable[[int], NodeStatus], told: int
) -> None:
    """However many known nodes change, few are decided at once, each portion is written before the next is decided."""
    table = FakeTable()
    cycle(account(*(prepared(f"node-{n}", BEFORE) for n in range(before))), table)
    decided = watch_decisions(monkeypatch, table)
    table.writes.clear()

    cycle(account(*(after(n) for n in range(NODES))), table, minute=1)

    assert sum(nodes for nodes, _ in decided) == NODES
    assert max(nodes for nodes, _ in decided) <= portions.MOST_NODES
    written = [writes for _, writes in decided]
    assert written == sorted(set(written))
    assert len(told_nodes(table)) == len(set(told_nodes(table))) == told
    head = head_of(table)
    assert (head.nodes, head.preparation.open, head.page_fingerprints is not None) == (NODES, told, True)


def test_nodes_that_leave_at_once_are_decided_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every failed node has left the pool, few are read at once, and each one's leaving is told once."""
    table, batch = FakeTable(), FakeBatch()
    pool = JobExecutionInfo(pool_id="pool-1")
    failed = [prepared(f"node-{n}", LATER, exit_code=1) for n in range(NODES)]
    batch.add(replace(job("job-1", BEFORE), execution_info=pool), *failed)
    batch.node_counts["pool-1"] = {"idle": NODES}
    batch.pool_nodes["pool-1"] = [ComputeNode(id=f"node-{n}") for n in range(NODES)]
    cycle(batch, table)
    decided = watch_decisions(monkeypatch, table)

    batch.pool_nodes["pool-1"] = ()
    for minute in (6, 12):
        cycle(batch, table, minute=minute)

    # A first listing without them is noted, the second one tells.
    assert sum(nodes for nodes, _ in decided) == 2 * NODES
    events = [unpack_body(row).decode() for row in table.query(ACCOUNT, "event|", "event}")]
    left = [name for body in events if "preparation.resolved" in body for name in _names(body)]
    assert sorted(left) == sorted(f"node-{n}" for n in range(NODES))
    assert (head_of(table).nodes, head_of(table).preparation.open, head_of(table).left) == (NODES, 0, NODES)


def test_a_portion_without_changes_is_not_written(large_job: FakeBatch) -> None:
    """One node of two thousand has run again: one transaction writes its chunk, whatever else the page shows."""
    table = FakeTable()
    cycle(large_job, table)
    again = [prepared(f"node-{n}", BEFORE, exit_code=int(n % 50 == 0)) for n in range(NODES)]
    again[7] = prepared("node-7", LATER)
    table.writes.clear()

    cycle(account(*again), table, minute=1)

    chunks = [operation.key for _, operations in table.writes for operation in operations if "node|" in operation.key]
    assert len(chunks) == 1
    assert len(table.writes) <= 4  # the turn, the chunk, the listing's fingerprints, the cycle


def test_facts_wait_for_the_first_portion_that_is_written(large_job: FakeBatch) -> None:
    """A job that has ended meanwhile closes its failures once, with the portion that writes first."""
    table = FakeTable()
    cycle(large_job, table)
    large_job.add(job("job-1", BEFORE, "completed"), *(prepared(f"node-{n}", LATER) for n in range(NODES)))

    cycle(large_job, table, minute=1)

    head = head_of(table)
    assert (head.state, head.closed, head.preparation.open) == ("completed", JobEnd.ENDED, 0)
    kinds = [row.columns["type"] for row in table.query(ACCOUNT, "event|", "event}")]
    assert kinds.count("prepwatch.preparation.resolved") == 1
