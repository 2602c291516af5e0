"""Who waits for a look, and that the cycle's row holds them, however many there are."""

from datetime import timedelta

import pytest

from shared.adapters.table_limits import check_row
from shared.patterns import IdPatterns
from shared.polling import waiting_jobs
from shared.polling.cycle_rules import CycleResult, choose_jobs, cycle_after
from shared.polling.waiting_jobs import MOST_NAMED
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, to_columns
from tests.support.builders import ACCOUNT, NOW, batch_job

MINUTE = timedelta(minutes=1)
EVERY_JOB = IdPatterns()


def finished(
    before: Cycle | None, minute: int, looked_at: list[str], waits: list[str], *, listed: bool = True
) -> Cycle:
    """The cycle's row after a cycle that did this."""
    started = NOW + minute * MINUTE
    result = CycleResult(
        started_at=started,
        finished_at=started,
        listed=listed,
        looked_at=frozenset(looked_at),
        not_looked_at=frozenset(waits),
        job_errors=0,
        error=None,
    )
    return cycle_after(before, result)


def test_the_row_holds_however_many_wait() -> None:
    """The longest waiting are named, the others counted, and the row stays within half of its limit."""
    jobs = [f"{number:064d}" for number in range(100_000)]
    cycle = finished(None, 0, jobs, [])
    cycle = finished(cycle, 1, jobs[10:], jobs[:10])
    cycle = finished(cycle, 2, [], jobs)

    columns = to_columns(cycle)

    check_row(ACCOUNT, CYCLE, columns)
    assert sum(len(value) for value in columns.values() if isinstance(value, bytes)) < 512 * 1024
    assert (len(cycle.waiting), cycle.waiting_unnamed, cycle.not_looked_at) == (MOST_NAMED, 95_000, 100_000)
    assert {job for job, since in cycle.waiting.items() if since == NOW} == set(jobs[:10])


@pytest.fixture
def few_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only three jobs are named."""
    monkeypatch.setattr(waiting_jobs, "MOST_NAMED", 3)


@pytest.mark.usefixtures("few_named")
def test_who_is_not_named_is_not_taken_for_looked_at() -> None:
    """An account is read up to the moment since when the first waits, named or not, until all were looked at."""
    jobs = list("abcdef")
    cycle = finished(None, 0, jobs, [])
    cycle = finished(cycle, 1, [], jobs)
    assert cycle.read_up_to == NOW

    named = sorted(cycle.waiting)
    others = [job for job in jobs if job not in named]
    cycle = finished(cycle, 2, named, others)
    assert (cycle.read_up_to, cycle.waiting, cycle.waiting_unnamed) == (NOW, dict.fromkeys(others, NOW), 0)

    cycle = finished(cycle, 3, others, named)
    assert (cycle.read_up_to, cycle.waiting) == (NOW + 2 * MINUTE, dict.fromkeys(named, NOW + 2 * MINUTE))


@pytest.mark.usefixtures("few_named")
def test_a_cycle_without_a_listing_keeps_who_is_not_named() -> None:
    """As long as nobody can tell which jobs there are, those that were counted go on waiting."""
    jobs = list("abcdef")
    cycle = finished(finished(None, 0, jobs, []), 1, [], jobs)
    looked_at = sorted(cycle.waiting)

    cycle = finished(cycle, 2, looked_at, [], listed=False)

    assert (cycle.waiting, cycle.waiting_unnamed, cycle.read_up_to) == ({}, 3, NOW)


@pytest.mark.usefixtures("few_named")
def test_nobody_waits_for_ever() -> None:
    """Of twenty jobs, two of which a cycle has time for and three of which are named, each has its turn."""
    jobs = [f"job-{number:02d}" for number in range(20)]
    cycle, looked_at = finished(None, 0, jobs, []), set[str]()
    for minute in range(1, 60):
        due = [one.job_id for one in choose_jobs({}, [batch_job(id=job) for job in jobs], EVERY_JOB, cycle).due]
        looked_at.update(due[:2])
        cycle = finished(cycle, minute, due[:2], due[2:])

    assert looked_at == set(jobs)
