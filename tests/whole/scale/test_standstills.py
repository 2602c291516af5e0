"""What looking for standstills costs, and how soon many jobs of one broken pool are told."""

import json
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from shared.adapters.lanes import ThreadLanes
from shared.batch.model import JobExecutionInfo, TaskCounts
from shared.errors import AccountDeniedError
from shared.state.jobs import JobHead
from shared.state.pools import StandstillReason
from shared.state.rows import from_row, range_of
from tests.support.deployment import deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock
from tests.support.webhook_settings import PAGER
from tests.whole.scale.batch_values import job, prepared

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=2)
ACCOUNT = "a.example"
MINUTE = timedelta(minutes=1)


def of_pool(batch: FakeBatch, number: int, by_state: dict[str, int], pool: str = "pool") -> None:
    """Let an account have this many jobs of one pool, each with a node that succeeded and tasks that wait."""
    batch.node_counts[pool] = by_state
    for index in range(number):
        name = f"job-{index}"
        batch.add(replace(job(name, BEFORE), execution_info=JobExecutionInfo(pool_id=pool)), prepared("node-1", BEFORE))
        batch.counts[name] = TaskCounts(active=3)


def test_an_unchanged_cycle_asks_for_node_counts_alone() -> None:
    """While nothing is suspicious, the pages of the node counts are all that is asked beside the jobs."""
    batch, clock = FakeBatch(), FakeClock(NOW)
    of_pool(batch, 20, {"idle": 3, "starttaskfailed": 1})
    app = deploy(batches={ACCOUNT: batch}, clock=clock, lanes=ThreadLanes()).app
    for _ in range(3):
        batch.asked.clear()
        batch.pools_asked.clear()
        assert app.pollers[ACCOUNT].run().good
        clock.advance(MINUTE)

    assert batch.pools_asked == [("list_node_counts", "")]
    assert batch.requests == {"list_jobs": 1, "list_statuses": 20}


def test_a_thousand_jobs_of_one_broken_pool() -> None:
    """All of them are told within twelve minutes, in one incident, and the pool is asked once a cycle for all."""
    batch, clock, table = FakeBatch(), FakeClock(NOW), FakeTable()
    of_pool(batch, 1000, {"starttaskfailed": 12})
    deployed = deploy(PAGER, batches={ACCOUNT: batch}, table=table, clock=clock, lanes=ThreadLanes())
    for wait in (5, 1, 1, 1, 1, 1, 1, 0):
        batch.pools_asked.clear()
        deployed.app.pollers[ACCOUNT].run()
        clock.advance(wait * MINUTE)

    heads = [from_row(row, JobHead) for row in table.query(ACCOUNT, *range_of("job"))]
    reasons = [head.stuck.reason for head in heads if head.stuck is not None and head.stuck.confirmed]
    assert clock() - NOW <= timedelta(minutes=12)
    assert reasons == [StandstillReason.START_TASK_FAILED] * 1000
    assert len(batch.pools_asked) <= 3
    pages = [json.loads(request.body) for request in deployed.sender.sent]
    assert len({page["dedup_key"] for page in pages}) == 1
    assert "1000 jobs" in pages[-1]["payload"]["summary"]


def test_a_pool_that_nobody_may_read_costs_one_refusal() -> None:
    """Without the right to read pools each cycle asks once, and what the listings say decides alone."""
    batch, clock, table = FakeBatch(), FakeClock(NOW), FakeTable()
    of_pool(batch, 3, {"starttaskfailed": 12})
    batch.refused = refusal()
    app = deploy(batches={ACCOUNT: batch}, table=table, clock=clock, lanes=ThreadLanes()).app
    for _ in range(12):
        batch.pools_asked.clear()
        assert app.pollers[ACCOUNT].run().good
        clock.advance(MINUTE)

    assert batch.pools_asked == [("list_node_counts", "")]


def refusal() -> AccountDeniedError:
    """What Batch says to whom a right is missing."""
    return AccountDeniedError("InsufficientAccountPermissions", "No role.", status=403)
