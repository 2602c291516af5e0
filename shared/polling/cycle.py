"""Runs the cycle of one Batch account: which jobs, what of each, how it went.

Owns the order of a cycle. Does not own how jobs are looked at (`polling.due_jobs`), the choice of jobs
(`polling.cycle_rules`) or deliveries (`delivery.dispatch`), which go on beside it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct, field
from msgspec.structs import replace

from shared.delivery.dispatch import Deliverer, DeliveryRun
from shared.digests.dispatch import DigestRun
from shared.ledger.ledger import Ledger
from shared.messages.events import Event, Origin
from shared.moments import as_utc
from shared.nudges.turns import Turn, Turns, Wait
from shared.polling.account_troubles import finish_cycle, skip_cycle
from shared.polling.counters import FailureCounter, RequestCounter
from shared.polling.cycle_rules import CycleResult, DueJob, choose_jobs
from shared.polling.cycle_settings import PollSettings
from shared.polling.due_jobs import DueJobRun, Progress, write_cycle_line, write_skipped_line
from shared.polling.heartbeat import Heartbeat
from shared.polling.job_listing import list_jobs, listing_start
from shared.polling.job_watcher import JobWatcher
from shared.polling.known_jobs import JobHeadStore, MayWait, SightedJobs, jobs_that_may_wait, users_of
from shared.polling.last_cycle import CycleRow
from shared.polling.node_updates import NodeWatcher
from shared.polling.standstills import StandstillWatcher
from shared.polling.tails import Tails
from shared.pools.node_files import NodeFiles
from shared.pools.watcher import PoolWatcher
from shared.ports import BatchService, Clock, Lanes, Row, Table
from shared.state.accounts import Cycle
from shared.state.rows import OWN


class CycleReport(Struct, frozen=True, kw_only=True):
    """How a cycle went, for the log and for tests; `skipped` says why there was none, or none that counts.

    `nudge` asks for a message to the deliveries: something that is due, or only held back for its like, need not wait.
    `wake_at` is when what could not be told is to be tried again, None when nothing waits.
    """

    account: str
    jobs: int = 0
    not_looked_at: int = 0
    errors: int = 0
    good: bool = False
    skipped: str | None = None
    undelivered: int = 0
    nudge: bool = False
    wake_at: datetime | None = None


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
    turns: Turns
    failures: FailureCounter = field(default_factory=FailureCounter)

    @property
    def account(self) -> str:
        """The account's host, which is its partition."""
        return self.ledger.account

    def run(self, asked_at: datetime | None = None, wait: Wait = Wait.UNTIL_IT_LIVES) -> CycleReport:
        """One cycle, unless one runs, which is waited for.

        `asked_at` is when it was asked for: one asked for before the last cycle began is done already.

        Raises:
            StoreError: The table is unavailable; nothing is known to be lost, and the next cycle sees everything again.
        """
        now = self.clock()
        row, cycle = self._row.read()
        if cycle is not None and asked_at is not None and asked_at < cycle.started_at:
            return CycleReport(account=self.account, skipped="a later cycle has begun")
        if cycle is not None and cycle.not_before is not None and now < cycle.not_before:
            return self._skip(row, cycle)
        report = self.turns.run(partial(self._in_turn, row, cycle), wait)
        return report or CycleReport(account=self.account, skipped="another cycle was running")

    @property
    def _row(self) -> CycleRow:
        return CycleRow(table=self.table, ledger=self.ledger, turns=self.turns, clock=self.clock)

    @property
    def _files(self) -> NodeFiles:
        return NodeFiles(batch=self.batch, clock=self.clock, max_bytes=self.settings.stderr_tail_bytes)

    def _deliver(self, now: datetime) -> DeliveryRun:
        deliveries = self.deliverer.start(now + self.settings.budget)
        deliveries.sweep(self.account)
        deliveries.sweep(OWN)
        return deliveries

    def _in_turn(self, row: Row | None, cycle: Cycle | None, turn: Turn) -> CycleReport:
        started = self.clock()
        if turn.waited:
            row, cycle = self._row.read()
        with self._deliver(started) as deliveries:
            return self._cycle(row, cycle, started, turn, deliveries)

    def _skip(self, row: Row | None, cycle: Cycle) -> CycleReport:
        """While Batch wants no request, what is due is delivered, and blindness is told on time."""
        now = self.clock()
        skipped = "Batch asks for patience"
        with self._deliver(now) as deliveries:
            written = self._row.write(row, cycle, partial(self._skipped, now), now, offer=deliveries.offer)
            report = self._tell(deliveries)
        write_skipped_line(self.account, skipped, written)
        self.heartbeat.beat()
        return replace(report, skipped=skipped)

    def _tell(self, deliveries: DeliveryRun) -> CycleReport:
        """Tell chat and pager, and wait for all that is told; what could not be."""
        digests = DigestRun(self.origin, deliveries)
        digests.start()
        undelivered = deliveries.finish()
        return CycleReport(
            account=self.account,
            undelivered=undelivered,
            nudge=undelivered > 0 or digests.due_soon() is not None,
            wake_at=deliveries.wake_at,
        )

    def _skipped(self, now: datetime, before: Cycle | None) -> tuple[Cycle, Sequence[Event]]:
        known = before or Cycle(started_at=now, finished_at=now)
        return skip_cycle(self.origin, known, now, self.settings.stale_after)

    def _cycle(
        self, row: Row | None, cycle: Cycle | None, started: datetime, turn: Turn, deliveries: DeliveryRun
    ) -> CycleReport:
        # gather
        heads = self._heads(deliveries)
        known, unreadable = heads.read()
        progress = Progress(deadline=started + self.settings.budget, turn=turn, errors=unreadable)
        listed_from = listing_start(cycle, self.settings.first_sight, started)
        listing = list_jobs(self.batch, listed_from, progress.deadline)
        progress.errors += listing.nameless

        # decide, apply: job by job
        complete, found, is_whole = False, SightedJobs(), listing.error is None
        if listing.jobs or is_whole:
            choice = choose_jobs(known, listing.jobs, self.settings.patterns, cycle, is_whole=is_whole)
            found = heads.sight(choice, cycle.read_up_to if cycle else None)
            progress.looked_at |= found.refused
            progress.errors += len(found.refused)
            due = tuple(one for one in choice.due if one.job_id.lower() not in found.refused)
            # A job without a stored head is news in the next cycle too, as long as this one is not taken for complete.
            complete = is_whole and all(one.job_id.lower() in found.ready for one in due)
            nodes = self._nodes()
            self._look_at_jobs(nodes, due, found, progress, deliveries)
            heads_now = {**known, **found.ready, **progress.written}
            may_wait = jobs_that_may_wait(heads_now, listing.jobs, self.settings.patterns)
            self._look_at_standstills(nodes, may_wait, cycle, progress, deliveries)
            self._watch_pools(may_wait, cycle, progress, deliveries, is_whole=is_whole)
            for entry in choice.untracked:
                heads.untrack(entry)
            if complete:
                heads.forget(known, listed_from, cycle.read_up_to if cycle else None)

        # apply: the account's own row; then tell
        sighted = frozenset(key for key, one in found.ready.items() if as_utc(one.head.first_seen_at) >= started)
        result = CycleResult(
            started_at=started,
            finished_at=self.clock(),
            listed=complete,
            looked_at=frozenset(progress.looked_at),
            not_looked_at=frozenset(progress.not_looked_at),
            sighted=sighted,
            job_errors=progress.errors,
            error=listing.error or progress.stopped_by,
            unreadable=listing.unreadable,
            requests=self.requests.take(),
            counted=progress.counted,
            failures=self.failures.take(),
        )
        finished = partial(self._finished, result)
        written = self._row.write(row, cycle, finished, result.finished_at, turn, offer=deliveries.offer)
        report = self._tell(deliveries)
        if written is None:
            self.requests.give_back(result.requests)
            return replace(report, skipped="overtaken by another cycle")
        write_cycle_line(self.account, result, written, self.clock())
        self.heartbeat.beat()
        return replace(
            report,
            jobs=len(result.looked_at),
            not_looked_at=len(result.not_looked_at),
            errors=progress.errors,
            good=result.listed and result.error is None,
        )

    def _heads(self, deliveries: DeliveryRun) -> JobHeadStore:
        return JobHeadStore(
            origin=self.origin,
            table=self.table,
            ledger=self.ledger,
            clock=self.clock,
            first_sight=self.settings.first_sight,
            offer=deliveries.offer,
        )

    def _nodes(self) -> NodeWatcher:
        return NodeWatcher(
            batch=self.batch,
            table=self.table,
            origin=self.origin,
            max_nodes=self.settings.max_nodes,
            tails=Tails(files=self._files),
            count=self.failures.add,
        )

    def _look_at_jobs(
        self, nodes: NodeWatcher, due: Sequence[DueJob], found: SightedJobs, progress: Progress, deliveries: DeliveryRun
    ) -> None:
        watcher = JobWatcher(
            batch=self.batch,
            ledger=self.ledger,
            origin=self.origin,
            clock=self.clock,
            nodes=nodes,
            offer=deliveries.offer,
        )
        width, time = self.settings.concurrency, 2 * self.settings.budget
        DueJobRun(watcher=watcher, lanes=self.lanes, width=width, time=time).run(due, found.ready, progress)

    def _look_at_standstills(
        self,
        nodes: NodeWatcher,
        jobs: Sequence[MayWait],
        cycle: Cycle | None,
        progress: Progress,
        deliveries: DeliveryRun,
    ) -> None:
        standstills = StandstillWatcher(
            batch=self.batch,
            ledger=self.ledger,
            origin=self.origin,
            clock=self.clock,
            nodes=nodes,
            budget=self.settings.budget,
            pools=self.settings.pools,
            slow_after=self.settings.slow_after,
            offer=deliveries.offer,
        )
        standstills.run(jobs, cycle, progress)

    def _watch_pools(
        self,
        jobs: Sequence[MayWait],
        cycle: Cycle | None,
        progress: Progress,
        deliveries: DeliveryRun,
        *,
        is_whole: bool,
    ) -> None:
        """Look at the pools that were counted in this cycle, unless Batch is not to be asked any more."""
        counted = progress.counted
        # What is refused is not known: it changes nothing.
        if counted is None or not counted.is_known or counted.is_denied or progress.turn.lost:
            return
        watcher = PoolWatcher(
            batch=self.batch,
            ledger=self.ledger,
            origin=self.origin,
            clock=self.clock,
            tracked=self.settings.pools,
            first_sight=self.settings.first_sight,
            max_nodes=self.settings.max_nodes,
            files=self._files,
            offer=deliveries.offer,
        )
        read_up_to = cycle.read_up_to if cycle is not None else None
        deadline = progress.time_after_jobs(self.clock(), self.settings.budget)
        progress.counted = watcher.run(counted, users_of(jobs), read_up_to, deadline, all_jobs=is_whole)

    def _finished(self, result: CycleResult, before: Cycle | None) -> tuple[Cycle, Sequence[Event]]:
        return finish_cycle(self.origin, before, result, self.settings.stale_after)
