"""Looks at the jobs of a cycle side by side.

Owns until when jobs are begun, what ends that early, whose an error is, a job's or the account's, how far the cycle has
come, and its line in the log. Does not own a job's walk (`polling.job_watcher`) or which jobs are looked at
(`polling.cycle_rules`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from threading import Lock

from msgspec import Struct, field

from shared.errors import AccountDeniedError, BatchError, PrepwatchError, StoreError, ThrottledError
from shared.journal import write_line
from shared.nudges.turns import Turn
from shared.polling.cycle_rules import CycleResult, DueJob, KnownJob
from shared.polling.job_watcher import JobWatcher, LookResult
from shared.ports import Lanes
from shared.state.accounts import Cycle
from shared.state.pools import Counted


class Progress(Struct):
    """What has happened in a cycle so far; guarded by `lock`, because jobs run beside one another.

    `written` are the heads as they now lie in the table; `counted` are the pools, None before they were counted.
    """

    deadline: datetime
    turn: Turn
    looked_at: set[str] = field(default_factory=set)
    not_looked_at: set[str] = field(default_factory=set)
    errors: int = 0
    stopped_by: PrepwatchError | None = None
    doubtful: list[LookResult] = field(default_factory=list)
    written: dict[str, KnownJob] = field(default_factory=dict)
    counted: Counted | None = None
    lock: Lock = field(default_factory=Lock)

    def is_over(self, now: datetime) -> bool:
        """Whether no further job is begun."""
        return self.stopped_by is not None or self.turn.lost or now >= self.deadline

    def time_after_jobs(self, now: datetime, budget: timedelta) -> datetime:
        """Until when the pools, and the jobs that wait for them, are looked at.

        However long a listing of one job takes, half of the budget is left for that.
        """
        return max(self.deadline + budget, now + budget / 2)


class DueJobRun(Struct, frozen=True, kw_only=True):
    """Looks at jobs, at most `width` at once; none is begun after the progress' deadline, and each has `time`."""

    watcher: JobWatcher
    lanes: Lanes
    width: int
    time: timedelta

    def run(self, due: Sequence[DueJob], ready: Mapping[str, KnownJob], progress: Progress) -> None:
        """Look at each job whose head is stored, in this order, as long as nothing concerns the whole account."""
        lane = f"poll:{self.watcher.origin.account}"
        for one in due:
            self.lanes.submit(lane, self.width, partial(self._look, one, ready.get(one.job_id.lower()), progress))
        self.lanes.join(lane)
        self._record_doubtful(progress)

    def _look(self, due: DueJob, known: KnownJob | None, progress: Progress) -> None:
        key = due.job_id.lower()
        now = self.watcher.clock()
        if known is None or progress.is_over(now):
            with progress.lock:
                progress.not_looked_at.add(key)
            return
        error: PrepwatchError | None = None
        try:
            look = self.watcher.watch(due, known, now + self.time)
            error = look.error
            with progress.lock:
                progress.written[key] = KnownJob(head=look.head, row=look.row)
            if look.may_concern_all:
                with progress.lock:
                    progress.doubtful.append(look)
        except (AccountDeniedError, ThrottledError) as denied:
            with progress.lock:
                progress.stopped_by = denied
                progress.not_looked_at.add(key)
            return
        except StoreError as lost:
            error = lost
            with progress.lock:
                progress.not_looked_at.add(key)
        with progress.lock:
            progress.looked_at |= {key} - progress.not_looked_at
            progress.errors += error is not None
        if error is not None:
            write_line(
                "job-error",
                account=self.watcher.origin.account,
                job=due.job_id,
                error=str(error),
                requestId=request_id(error),
            )

    def _record_doubtful(self, progress: Progress) -> None:
        """Say whose the doubtful errors are: the account's when no job could be looked at, else those jobs' own."""
        if not progress.doubtful or progress.stopped_by is not None:
            return
        names = {look.head.job_id.lower() for look in progress.doubtful}
        if not progress.looked_at - names:
            progress.stopped_by = progress.doubtful[0].error
            progress.looked_at -= names
            progress.not_looked_at |= names
            return
        for look in progress.doubtful:
            try:
                self.watcher.record_error(look)
            except StoreError as error:
                account, job = self.watcher.origin.account, look.head.job_id
                write_line("job-error-lost", account=account, job=job, error=str(error))


def write_cycle_line(account: str, result: CycleResult, cycle: Cycle, now: datetime) -> None:
    """Say in the log how a cycle went, and up to when the account is read."""
    write_line(
        "cycle",
        account=account,
        jobs=len(result.looked_at),
        notLookedAt=len(result.not_looked_at),
        errors=result.job_errors,
        good=result.listed and result.error is None,
        readUpTo=cycle.read_up_to,
        seconds=(now - result.started_at).total_seconds(),
        error=str(result.error) if result.error else None,
        requestId=request_id(result.error),
    )


def write_skipped_line(account: str, why: str, cycle: Cycle | None) -> None:
    """Say in the log that a cycle asked Batch for nothing, and up to when the account is read, None if nobody knows."""
    write_line("cycle", account=account, good=False, skipped=why, readUpTo=cycle.read_up_to if cycle else None)


def request_id(error: PrepwatchError | None) -> str | None:
    """What to quote to Batch's support; None when Batch had no part in it."""
    return error.request_id if isinstance(error, BatchError) else None
