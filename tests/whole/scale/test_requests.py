"""What a cycle asks Batch and the table when nothing has changed: counts that do not grow with what is settled."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from shared.adapters.lanes import ThreadLanes
from shared.batch.model import JobExecutionInfo
from tests.support.deployment import deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock
from tests.whole.scale.batch_values import job, prepared

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=2)
ACCOUNT = "a.example"


def asked_in_an_unchanged_cycle(batch: FakeBatch) -> tuple[Counter[str], list[tuple[str, str, str]], int, int]:
    """What the third cycle over an account asks Batch and reads, how many rows exist, and how often it writes."""
    table, clock = FakeTable(), FakeClock(NOW)
    app = deploy(batches={"a.example": batch}, table=table, clock=clock, lanes=ThreadLanes()).app
    for _ in range(2):
        assert app.pollers[ACCOUNT].run().good
        clock.advance(timedelta(minutes=1))
    batch.asked.clear()
    batch.pools_asked.clear()
    table.reads.clear()
    table.writes.clear()
    assert app.pollers[ACCOUNT].run().good
    reads, writes = list(table.reads), len(table.writes)
    return batch.requests, reads, sum(1 for _ in table.query(ACCOUNT, "job|", "job}")), writes


def test_a_thousand_unchanged_jobs_read_no_row_of_their_own() -> None:
    """The reads are the cycle's row, the ranges of heads, pools and what is due, and the webhooks' states; two writes.

    They take the turn, and give it back with the cycle's row. Of a hundred healthy pools the nodes are counted.
    """
    batch = FakeBatch(node_counts={f"pool-{number}": {"idle": 3, "running": 7} for number in range(100)})
    for number in range(1000):
        in_pool = replace(job(f"job-{number}", BEFORE), execution_info=JobExecutionInfo(pool_id=f"pool-{number % 100}"))
        batch.add(in_pool, prepared("node-1", BEFORE))

    asked, reads, heads, writes = asked_in_an_unchanged_cycle(batch)

    assert heads == 1000
    assert sorted(reads) == [
        ("get", ACCOUNT, "cycle"),
        ("query", "_", "due|"),
        ("query", "_", "webhook|"),
        ("query", ACCOUNT, "due|"),
        ("query", ACCOUNT, "job|"),
        ("query", ACCOUNT, "pool|"),
    ]
    assert writes == 2
    assert asked == {"list_jobs": 1, "list_statuses": 1000}
    assert batch.pools_asked == [("list_node_counts", "")]


def test_completed_jobs_cost_nothing() -> None:
    """50,000 jobs that completed long ago beside 10 active ones cost as many requests and rows as the 10 alone."""
    alone, beside = FakeBatch(), FakeBatch()
    for batch in (alone, beside):
        for number in range(10):
            batch.add(job(f"job-{number}", BEFORE), prepared("node-1", BEFORE))
    for number in range(50_000):
        beside.jobs[f"old-{number}"] = job(f"old-{number}", BEFORE, "completed")

    assert asked_in_an_unchanged_cycle(beside) == asked_in_an_unchanged_cycle(alone)


def test_a_job_that_the_listing_leaves_out_is_asked_for_by_itself() -> None:
    """A watched job whose completion was so long ago that the filter hides it is asked for singly, and settles."""
    batch, clock = FakeBatch(), FakeClock(NOW)
    batch.add(job("job-1", BEFORE), prepared("node-1", BEFORE))
    app = deploy(batches={"a.example": batch}, clock=clock, lanes=ThreadLanes()).app
    app.pollers[ACCOUNT].run()
    batch.jobs["job-1"] = job("job-1", BEFORE, "completed")
    batch.asked.clear()

    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        assert app.pollers[ACCOUNT].run().good

    assert batch.requests == {"list_jobs": 2, "get_job": 1, "list_statuses": 1}


def test_the_listing_reaches_back_to_the_last_complete_one() -> None:
    """The filter's moment follows the last complete job listing, with ten minutes of overlap."""
    batch, clock = FakeBatch(), FakeClock(NOW)
    app = deploy(batches={"a.example": batch}, clock=clock, lanes=ThreadLanes(), FIRST_SIGHT_SECONDS="3600").app
    for _ in range(2):
        app.pollers[ACCOUNT].run()
        clock.advance(timedelta(minutes=30))

    tails = [text.rpartition(" or ")[2] for text in batch.filters]

    assert tails == [
        "stateTransitionTime ge DateTime'2026-11-05T11:00:00Z'",
        "stateTransitionTime ge DateTime'2026-11-05T11:50:00Z'",
    ]
