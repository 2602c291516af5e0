"""An account that takes longer than a cycle has: what waits, in which order, and who is told."""

from datetime import UTC, datetime, timedelta

from shared.web.http import Request
from tests.support.deployment import deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import FakeClock
from tests.whole.scale.batch_values import job, prepared

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
A_PAGE = timedelta(seconds=10)
JOBS = [f"job-{number:02d}" for number in range(10)]


class SlowAccount:
    """Ten jobs, each of which takes a quarter of the cycle's 40 seconds; a cycle begins every minute."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.batch = FakeBatch(before_page=lambda _job: self.clock.advance(A_PAGE))
        for name in JOBS:
            self.batch.add(job(name, NOW - timedelta(hours=1)), prepared("node-1", NOW - timedelta(minutes=50)))
        self.app = deploy(batches={"slow.example": self.batch}, clock=self.clock).app
        self.minute = 0

    def cycle(self) -> list[str]:
        """Run one; the jobs whose statuses it listed, in order."""
        self.clock.now = NOW + self.minute * timedelta(minutes=1)
        self.minute += 1
        self.batch.asked.clear()
        self.app.pollers["slow.example"].run()
        return self.batch.listed


def test_the_next_cycle_goes_on_where_the_last_one_stopped() -> None:
    """A cycle looks at as many jobs as its budget allows, and those left out come first in the next."""
    account = SlowAccount()

    cycles = [account.cycle() for _ in range(5)]

    assert cycles[0] + cycles[1] + cycles[2][:2] == JOBS
    assert cycles[2][2:] == cycles[0][:2]
    assert cycles[3] + cycles[4][:2] == cycles[0][2:] + cycles[1]


def test_jobs_that_are_ending_come_first() -> None:
    """A job that is terminating or being deleted is looked at in every cycle, before those that have waited longer."""
    account = SlowAccount()
    account.cycle()
    account.batch.jobs["job-08"] = job("job-08", NOW - timedelta(hours=1), "terminating")
    account.batch.jobs["job-01"] = job("job-01", NOW - timedelta(hours=1), "deleting")

    cycles = [account.cycle() for _ in range(3)]

    assert all(set(listed[:2]) == {"job-01", "job-08"} for listed in cycles)


def test_no_job_starves() -> None:
    """However many jobs are ending, as long as a cycle has time for one more, every job has its turn."""
    account = SlowAccount()
    for name in JOBS[:3]:
        account.batch.jobs[name] = job(name, NOW - timedelta(hours=1), "terminating")

    others = [name for _ in range(14) for name in account.cycle() if name not in JOBS[:3]]

    assert others == [*JOBS[3:], *JOBS[3:]]


def test_the_summary_says_how_many_were_not_looked_at() -> None:
    """What a cycle had no time for is shown with the last poll, though the cycle was a good one."""
    account = SlowAccount()
    account.cycle()

    answer = account.app.routes.summary(
        Request(url="https://site/api/summary", query={}, route={}, headers={}, body=b"")
    )

    assert b'"jobs":10,"notLookedAt":6,"errors":0' in (answer.body or b"")
    assert b'"stale":false' in (answer.body or b"")
