"""Several cycles at the same time: of one account, of many, and of one slow job beside others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.lanes import ThreadLanes
from tests.support.deployment import deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock, FakeSender
from tests.whole.scale.batch_values import job, prepared

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=50)
LIMIT_SECONDS = 60.0  # only so that a defect fails instead of hanging


def events(table: FakeTable, account: str) -> list[str]:
    """The events that an account's partition holds."""
    return [row.key for row in table.query(account, "event|", "event}")]


@pytest.mark.parametrize(("exit_code", "told"), [(1, 1), (0, 0)], ids=["a failure", "nothing to tell"])
def test_two_cycles_of_one_account_commit_once(exit_code: int, told: int) -> None:
    """When one cycle overtakes another and both have seen a change, one writes it, and a failure is told once.

    By this clock the lease is over as soon as somebody waits for it.
    """
    table, clock, sender = FakeTable(), FakeClock(NOW), FakeSender()
    both_have_read = threading.Barrier(2)
    batch = FakeBatch()
    batch.add(job("job-1", BEFORE), prepared("node-1", BEFORE))
    apps = [
        deploy(batches={"a.example": batch}, table=table, clock=clock, lanes=ThreadLanes(), sender=sender).app
        for _ in range(2)
    ]
    apps[0].pollers["a.example"].run()
    batch.add(job("job-1", BEFORE), prepared("node-1", NOW - timedelta(minutes=1), exit_code=exit_code))
    batch.before_page = lambda _job: (both_have_read.wait(LIMIT_SECONDS), None)[1]
    clock.advance(timedelta(minutes=1))

    with ThreadPoolExecutor(2) as pool:
        reports = [run.result(LIMIT_SECONDS) for run in [pool.submit(app.pollers["a.example"].run) for app in apps]]

    assert len(events(table, "a.example")) == told
    assert len(sender.ids) == told
    assert sorted(str(report.skipped) for report in reports) == ["None", "overtaken by another cycle"]


def test_ten_accounts_are_handled_by_several_workers_at_once() -> None:
    """Cycles of ten accounts, taken from messages by four threads, each tell their own account's failure once."""
    table, clock, sender = FakeTable(), FakeClock(NOW), FakeSender()
    names = [f"account{number}" for number in range(10)]
    at_once = threading.Barrier(2)  # passed only when two cycles are under way together
    batches = {
        f"{name}.example": FakeBatch(before_page=lambda _job: (at_once.wait(LIMIT_SECONDS), None)[1]) for name in names
    }
    for batch in batches.values():
        batch.add(job("job-1", BEFORE), prepared("node-1", NOW - timedelta(minutes=5), exit_code=1))
    app = deploy(batches=batches, table=table, clock=clock, lanes=ThreadLanes(), sender=sender).app

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(app.pollers[f"{name}.example"].run, NOW) for name in names]
        reports = [run.result(LIMIT_SECONDS) for run in runs]

    assert all(report.good and report.jobs == 1 for report in reports)
    assert [len(events(table, f"{name}.example")) for name in names] == [1] * 10
    assert len(set(sender.ids)) == 10


def test_a_message_of_before_the_last_cycle_is_dropped() -> None:
    """Of two messages made for one account in the same minute the second asks Batch nothing."""
    clock, batch = FakeClock(NOW), FakeBatch()
    app = deploy(batches={"a.example": batch}, clock=clock, lanes=ThreadLanes()).app
    app.pollers["a.example"].run(NOW - timedelta(seconds=5))
    asked = len(batch.asked)

    report = app.pollers["a.example"].run(NOW - timedelta(seconds=4))

    assert report.skipped is not None
    assert len(batch.asked) == asked


@pytest.mark.parametrize("slow", ["job-0", "job-9"], ids=["listed first", "listed last"])
def test_one_slow_job_does_not_hold_the_others(slow: str) -> None:
    """While one job of 100 pages is still being listed, all others are looked at to their end."""
    clock, batch = FakeClock(NOW), FakeBatch(page_nodes=1)
    others_done = threading.Event()

    def before_page(name: str) -> None:
        if name == slow:
            assert others_done.wait(LIMIT_SECONDS), "the others waited for the slow job"

    for name in (f"job-{number}" for number in range(10)):
        batch.add(job(name, BEFORE), prepared("node-1", BEFORE))
    batch.nodes[slow] = [prepared(f"node-{number}", BEFORE) for number in range(100)]
    table = FakeTable()
    app = deploy(batches={"a.example": batch}, table=table, clock=clock, lanes=ThreadLanes()).app
    batch.before_page = before_page

    def wait_for_others() -> None:
        while len({key for _, operations in list(table.writes) for key in _chunk_jobs(operations)} - {slow}) < 9:
            threading.Event().wait(0.01)
        others_done.set()

    watcher = threading.Thread(target=wait_for_others, daemon=True)
    watcher.start()
    report = app.pollers["a.example"].run()

    assert report.jobs == 10
    assert batch.listed.count(slow) == 100


def _chunk_jobs(operations: object) -> set[str]:
    """The jobs whose chunks a transaction writes."""
    keys = [operation.key for operation in operations]  # type: ignore[attr-defined]  # what the fake was handed
    return {key.split("|")[1] for key in keys if key.startswith("node|")}
