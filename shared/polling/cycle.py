"""Runs the cycle of one Batch account: which jobs, what of each, how it went.

Owns the order of a cycle and what ends it early. Does not own a job's walk (`polling.job`), the choice of jobs
(`polling.cycle_rules`) or deliveries (`delivery.run`), which go on beside it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from msgspec import Struct, field

from shared.batch.model import BatchJob
from shared.delivery.run import Deliverer, DeliveryRun
from shared.digests.run import DigestRun
from shared.errors import AccountDeniedError, BatchError, PrepwatchError, StoreError, ThrottledError
from shared.journal import write_line
from shared.ledger.ledger import Ledger, LostRaceError
from shared.messages.events import Origin
from shared.moments import as_utc
from shared.patterns import JobPatterns
from shared.polling.cycle_rules import (
    JOB_SELECT,
    Choice,
    CycleResult,
    DueJob,
    KnownJob,
    choose_jobs,
    finish_cycle,
    listing_filter,
    listing_start,
)
from shared.polling.heads import HeadKeeper
from shared.polling.heartbeat import Heartbeat
from shared.polling.job import JobWatcher, Look
from shared.polling.request_counter import RequestCounter
from shared.polling.tails import StderrTails
from shared.ports import BatchService, Clock, Lanes, Row, Table
from shared.state.jobs import Cycle
from shared.state.rows import CYCLE, OWN, from_row

_COMMIT_TRIES = 3


class PollSettings(Struct, frozen=True, kw_only=True):
    """What shapes a cycle; `budget` is how long jobs are started, `first_sight` how far back a failure is news."""

    patterns: JobPatterns
    first_sight: timedelta
    budget: timedelta
    concurrency: int
    stale_after: timedelta
    max_nodes: int
    stderr_tail_bytes: int


class CycleReport(Struct, frozen=True, kw_only=True):
    """How a cycle went, for the log and for tests; `skipped` says why there was none.

    `nudge` asks for a message to the deliveries: something that is due, or only held back for its like, need not wait.
    """

    account: str
    jobs: int = 0
    not_looked_at: int = 0
    errors: int = 0
    good: bool = False
    skipped: str | None = None
    undelivered: int = 0
    nudge: bool = False


class _Progress(Struct):
    """What has happened in a cycle so far; guarded by `lock`, because jobs run beside one another."""

    deadline: datetime
    looked_at: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    errors: int = 0
    stopped_by: PrepwatchError | None = None
    doubtful: list[Look] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


class Poller(Struct, frozen=True, kw_only=True):
    """Polls one account."""

    origin: Origin
    batch: BatchService
    table: Table
    ledger: Ledger
    lanes: Lanes
    clock: Clock
    deliverer: Deliverer
    settings: PollSettings
    heartbeat: Heartbeat
    requests: RequestCounter

    @property
    def account(self) -> str:
        """The account's host, which is its partition."""
        return self.ledger.account

    def run(self, asked_at: datetime | None = None) -> CycleReport:
        """One cycle; `asked_at` is when it was asked for: one asked for before the last cycle began is done already.

        Raises:
            StoreError: The table is unavailable; nothing is known to be lost, and the next cycle sees everything again.
        """
        started = self.clock()
        row = self.table.get(self.account, CYCLE)
        cycle = from_row(row, Cycle) if row else None
        if cycle is not None and asked_at is not None and asked_at < cycle.started_at:
            return CycleReport(account=self.account, skipped="a later cycle has begun")
        with self.deliverer.start(started + self.settings.budget) as deliveries:
            deliveries.sweep(self.account)
            deliveries.sweep(OWN)
            if cycle is not None and cycle.not_before is not None and started < cycle.not_before:
                return self._only_deliver(deliveries)
            return self._cycle(row, cycle, started, deliveries)

    def _only_deliver(self, deliveries: DeliveryRun) -> CycleReport:
        digests = DigestRun(self.origin, deliveries)
        digests.start()
        undelivered = deliveries.finish()
        return CycleReport(
            account=self.account,
            skipped="Batch asks for patience",
            undelivered=undelivered,
            nudge=undelivered > 0 or digests.due_soon() is not None,
        )

    def _cycle(self, row: Row | None, cycle: Cycle | None, started: datetime, deliveries: DeliveryRun) -> CycleReport:
        # gather
        heads = HeadKeeper(
            origin=self.origin,
            table=self.table,
            ledger=self.ledger,
            clock=self.clock,
            window=self.settings.first_sight,
            offer=deliveries.offer,
        )
        known, unreadable = heads.read()
        progress = _Progress(deadline=started + self.settings.budget, errors=unreadable)
        listed_from = listing_start(cycle, self.settings.first_sight, started)
        listed = self._list_jobs(listed_from, progress)

        # decide, apply: job by job
        complete, sighted = False, frozenset[str]()
        if listed is not None:
            choice = choose_jobs(known, listed, self.settings.patterns, cycle)
            ready = heads.sight(choice, cycle.read_up_to if cycle else None)
            # A job without a stored head is news in the next cycle too, as long as this one is not taken for complete.
            complete = all(due.job_id.lower() in ready for due in choice.due)
            sighted = frozenset(key for key, one in ready.items() if as_utc(one.head.first_seen_at) >= started)
            self._watch_all(choice, ready, progress, deliveries)
            for entry in choice.untracked:
                heads.untrack(entry)
            if complete:
                heads.forget(known, listed_from, cycle.read_up_to if cycle else None)
        result = CycleResult(
            started_at=started,
            finished_at=self.clock(),
            listed=complete,
            looked_at=frozenset(progress.looked_at),
            waiting=frozenset(progress.waiting),
            sighted=sighted,
            job_errors=progress.errors,
            error=progress.stopped_by,
            requests=self.requests.take(),
        )
        written = self._finish(row, cycle, result, deliveries)
        digests = DigestRun(self.origin, deliveries)
        digests.start()
        undelivered = deliveries.finish()
        report = CycleReport(
            account=self.account,
            jobs=len(result.looked_at),
            not_looked_at=len(result.waiting),
            errors=progress.errors,
            good=result.listed and result.error is None,
            undelivered=undelivered,
            nudge=undelivered > 0 or digests.due_soon() is not None,
        )
        self._log(report, result, written)
        self.heartbeat.beat()
        return report

    def _list_jobs(self, start: datetime, progress: _Progress) -> list[BatchJob] | None:
        try:
            pages = self.batch.list_jobs(
                odata_filter=listing_filter(start), select=JOB_SELECT, deadline=progress.deadline
            )
            return [job for page in pages for job in page]
        except BatchError as error:
            progress.stopped_by = error
            return None

    def _watch_all(
        self, choice: Choice, ready: dict[str, KnownJob], progress: _Progress, deliveries: DeliveryRun
    ) -> None:
        watcher = JobWatcher(
            batch=self.batch,
            table=self.table,
            ledger=self.ledger,
            origin=self.origin,
            clock=self.clock,
            max_nodes=self.settings.max_nodes,
            tails=StderrTails(batch=self.batch, clock=self.clock, max_bytes=self.settings.stderr_tail_bytes),
            offer=deliveries.offer,
        )
        lane = f"poll:{self.account}"
        for due in choice.due:
            self.lanes.submit(lane, self.settings.concurrency, self._watching(watcher, due, ready, progress))
        self.lanes.join(lane)
        self._record_doubtful(watcher, progress)

    def _record_doubtful(self, watcher: JobWatcher, progress: _Progress) -> None:
        """Say whose the doubtful errors are: the account's when no job could be looked at, else those jobs' own."""
        if not progress.doubtful or progress.stopped_by is not None:
            return
        names = {look.head.job_id.lower() for look in progress.doubtful}
        if not progress.looked_at - names:
            progress.stopped_by = progress.doubtful[0].error
            progress.looked_at -= names
            progress.waiting |= names
            return
        for look in progress.doubtful:
            try:
                watcher.record_error(look)
            except StoreError as error:
                write_line("job-error-lost", account=self.account, job=look.head.job_id, error=str(error))

    def _watching(
        self, watcher: JobWatcher, due: DueJob, ready: dict[str, KnownJob], progress: _Progress
    ) -> Callable[[], None]:
        key = due.job_id.lower()

        def work() -> None:
            now = self.clock()
            known = ready.get(key)
            if known is None or progress.stopped_by is not None or now >= progress.deadline:
                with progress.lock:
                    progress.waiting.add(key)
                return
            error: PrepwatchError | None = None
            try:
                look = watcher.watch(due, known, now + 2 * self.settings.budget)
                error = look.error
                if look.may_concern_all:
                    with progress.lock:
                        progress.doubtful.append(look)
            except (AccountDeniedError, ThrottledError) as denied:
                with progress.lock:
                    progress.stopped_by = denied
                    progress.waiting.add(key)
                return
            except StoreError as lost:
                error = lost
                with progress.lock:
                    progress.waiting.add(key)
            with progress.lock:
                progress.looked_at |= {key} - progress.waiting
                progress.errors += error is not None
            if error is not None:
                write_line(
                    "job-error",
                    account=self.account,
                    job=due.job_id,
                    error=str(error),
                    requestId=_request_id(error),
                )

        return work

    def _finish(
        self, row: Row | None, before: Cycle | None, result: CycleResult, deliveries: DeliveryRun
    ) -> Cycle | None:
        """The account's cycle as it is written down now, None if others were faster each time."""
        for _ in range(_COMMIT_TRIES):
            cycle, events = finish_cycle(self.origin, before, result, self.settings.stale_after)
            try:
                written = self.ledger.commit_cycle(row, cycle, events, result.finished_at)
            except LostRaceError:
                # Another cycle ended meanwhile: its row is the one to go on from.
                row = self.table.get(self.account, CYCLE)
                before = from_row(row, Cycle) if row else None
                continue
            deliveries.offer(written.pending)
            return cycle
        write_line("cycle-not-recorded", account=self.account)
        return None

    def _log(self, report: CycleReport, result: CycleResult, cycle: Cycle | None) -> None:
        write_line(
            "cycle",
            account=report.account,
            jobs=report.jobs,
            notLookedAt=report.not_looked_at,
            errors=report.errors,
            good=report.good,
            readUpTo=cycle.read_up_to if cycle else None,
            seconds=(self.clock() - result.started_at).total_seconds(),
            error=str(result.error) if result.error else None,
            requestId=_request_id(result.error),
        )


def _request_id(error: PrepwatchError | None) -> str | None:
    """What to quote to Batch's support; None when Batch had no part in it."""
    return error.request_id if isinstance(error, BatchError) else None
