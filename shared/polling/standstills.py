"""Looks into the jobs of one account whose waiting tasks may not be able to run.

Owns what Batch is asked for that, within which bounds, and the writing of what follows. Does not own when a job is
suspect (`pools.suspicion_rules`) or what an answer means (`pools.standstill_rules`). What these requests are refused
makes facts unknown; it never makes the account or the job unreachable.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import BatchJob
from shared.batch.wire import state_filter
from shared.changes.slow_preparations import is_held_up
from shared.errors import (
    BatchError,
    JobNotFoundError,
    StoreError,
    ThrottledError,
    UnreadableRowError,
)
from shared.journal import write_line
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Origin
from shared.moments import as_utc
from shared.patterns import IdPatterns
from shared.polling.cycle_rules import KnownJob
from shared.polling.due_jobs import Progress
from shared.polling.job_listing import JOB_SELECT
from shared.polling.job_rules import (
    Decision,
    change_standstill,
    is_same_incarnation,
    note_missing,
    why_over,
    with_facts,
)
from shared.polling.known_jobs import MayWait, pools_of
from shared.polling.node_updates import NodeWatcher
from shared.polling.slow_and_left_nodes import Departures, SlowPreparations
from shared.pools.counts import PoolCounter
from shared.pools.facts import PoolFacts
from shared.pools.preparations import preparations_of
from shared.pools.standstill_rules import Findings, decide_standstill, must_look
from shared.pools.suspicion_rules import Suspected, Suspicion, earliest_beginning, suspect
from shared.ports import BatchService, Clock
from shared.state.accounts import Cycle
from shared.state.chunks import records_of
from shared.state.jobs import JobHead, Tracking
from shared.state.pools import PoolMemory

MOST_LOOKED_INTO = 200
"""Jobs that one cycle looks into: a broken pool may hold up a thousand, and they wait together."""

_MOST_RUNNING = 100
WAITS_SELECT = "id,jobPreparationTask,jobManagerTask"
"""What is asked of a job to know whether its tasks wait for preparation."""
RUNNING_FILTER = state_filter(["running"])
"""Which of a job's tasks are asked for."""
TASK_SELECT = "id,nodeInfo"


class _Round(Struct, frozen=True, kw_only=True):
    """What one cycle knows and may ask; `pools` is None when they could not be counted.

    Up to `read_up_to` the account was read before it, None for never.
    """

    pools: Mapping[str, PoolMemory] | None
    facts: PoolFacts
    read_up_to: datetime | None


class RunningTasks(Struct, frozen=True, kw_only=True):
    """Whether tasks of a job run, and whether its manager does."""

    others: bool
    manager: bool


class StandstillWatcher(Struct, frozen=True, kw_only=True):
    """Watches whether the jobs of one account can move; `offer` is handed every delivery that a commit made due.

    `pools` are those that are counted beside the pools of the jobs, None for no more.
    """

    batch: BatchService
    ledger: Ledger
    origin: Origin
    clock: Clock
    budget: timedelta
    pools: IdPatterns | None
    nodes: NodeWatcher
    slow_after: timedelta | None
    offer: Callable[[Sequence[Pending]], None]

    def run(self, jobs: Sequence[MayWait], cycle: Cycle | None, progress: Progress) -> None:
        """Count the pools of these jobs, and look into those that may not be able to move.

        Nothing is done when Batch is not to be asked any more in this cycle. `jobs` are the heads that are watched, or
        have no preparation task, each with what the job listing showed of it (None: it was left out).
        """
        if progress.stopped_by is not None or progress.turn.lost:
            return
        counter = PoolCounter(batch=self.batch, clock=self.clock, tracked=self.pools)
        progress.counted = counter.count(cycle, pools_of(jobs), self.budget)
        # Without the right to read pools, what the listings of the jobs say decides alone.
        deadline, may_ask = progress.time_after_jobs(self.clock(), self.budget), not progress.counted.is_denied
        facts = PoolFacts(batch=self.batch, account=self.ledger.account, deadline=deadline, may_ask=may_ask)
        slow = SlowPreparations(
            nodes=self.nodes, ledger=self.ledger, clock=self.clock, limit=self.slow_after, offer=self.offer
        )
        departures = Departures(nodes=self.nodes, ledger=self.ledger, clock=self.clock, offer=self.offer)
        read_up_to = cycle.read_up_to if cycle is not None else None
        try:
            jobs = slow.watch(jobs, facts)
            pools: Mapping[str, PoolMemory] | None = None
            if progress.counted.is_known:
                jobs, pools = departures.watch(jobs, progress.counted.pools, facts)
                progress.counted = replace(progress.counted, pools=pools)
            self._watch_all(jobs, _Round(pools=pools, facts=facts, read_up_to=read_up_to), progress)
        except ThrottledError:
            return
        finally:
            progress.counted = replace(progress.counted, unanswered=facts.unanswered)

    def _watch_all(self, jobs: Sequence[MayWait], this: _Round, progress: Progress) -> None:
        """Look into the jobs that may not be able to move, longest waiting first."""
        looked = 0
        for known, job in sorted(jobs, key=_waits_longest):
            if looked >= MOST_LOOKED_INTO or progress.turn.lost or self.clock() >= this.facts.deadline:
                return
            try:
                looked += self._watch(known, job, this)
            except (StoreError, UnreadableRowError) as error:
                write_line("job-error", account=self.ledger.account, job=known.head.job_id, error=str(error))

    def _watch(self, known: KnownJob, job: BatchJob | None, this: _Round) -> bool:
        """Look into one job if it is suspect, and write what follows; whether Batch was asked."""
        # gather
        now, facts = self.clock(), this.facts
        found = self._find(known.head, job, facts.deadline, now)
        head = found.head
        # One answer may be wrong, and after the second it is over.
        if head.missing_since is not None:
            self._write(known, found, now)
            return True
        over = why_over(head.state)
        active = over is None
        pool = this.pools.get(head.pool_key) if this.pools is not None else None
        suspected = suspect(is_active=active, preparations=preparations_of(head, now), pool=pool, now=now)
        if suspected is not None and suspected.why.is_of_preparation and head.wait_for_success is None:
            head = self._with_tasks(head, facts)
            # Batch did not say: it is asked again.
            if head.wait_for_success is None:
                return True
            suspected = suspect(is_active=active, preparations=preparations_of(head, now), pool=pool, now=now)
        asks = active and (suspected is not None or head.stuck_since is not None) and must_look(head.stuck, now)
        # What made it suspect may go on in a pool that could not be counted now.
        is_unknown = this.pools is None and head.stuck_since is None
        # Without an answer only a standstill changes: it ends with its job, or with what made the job suspect.
        if not asks and (head.stuck is None or (active and (suspected is not None or is_unknown))):
            self._write(known, Decision(head=_as_asked(known.head, head)), now)
            return False
        findings = self._look(head, suspected, facts) if asks else Findings()

        # decide
        decided = decide_standstill(
            head.stuck,
            suspected,
            findings,
            over=over,
            preparations=preparations_of(head, now),
            pool=pool,
            now=now,
            earliest=earliest_beginning(head, suspected, this.read_up_to) if suspected is not None else None,
        )
        decision = change_standstill(self.origin, head, decided, now)

        # apply
        self._write(known, decision, now)
        return asks

    def _write(self, known: KnownJob, decision: Decision, now: datetime) -> None:
        if known.row is not None and decision.head != known.head:
            step = Slice(head=decision.head, events=decision.events)
            self.offer(self.ledger.commit_job(known.row, known.head, step, now).pending)

    def _look(self, head: JobHead, suspected: Suspected | None, facts: PoolFacts) -> Findings:
        tasks = facts.answer_or_none(lambda: self.batch.count_tasks(head.job_id, deadline=facts.deadline))
        # Nobody waits: nothing else matters.
        if tasks is None or tasks.active + tasks.running == 0:
            return Findings(tasks=tasks)
        of_preparation = suspected is None or suspected.why.is_of_preparation
        running = facts.answer_or_none(lambda: self._running(head, facts)) if of_preparation else None
        moves = running.others if running is not None else None
        was_of_preparation = head.standstill is not None and not head.standstill.why.is_of_pool
        # Some of those that failed or are slow may have left the pool a moment ago, and others have come.
        is_new = suspected is not None and suspected.why is Suspicion.PREPARATION and not was_of_preparation
        if moves is False and is_new:
            moves = self._may_move(head, facts)
        return Findings(
            tasks=tasks,
            moves=moves,
            manager_runs=running is not None and running.manager,
            pool=facts.pool(head.pool_id),
            unable=() if of_preparation else facts.unable(head.pool_id) or (),
        )

    def _running(self, head: JobHead, facts: PoolFacts) -> RunningTasks:
        """What runs of the job on nodes that can work."""
        able = facts.able(head.pool_id)
        pages = self.batch.list_tasks(
            head.job_id,
            odata_filter=RUNNING_FILTER,
            select=TASK_SELECT,
            max_results=_MOST_RUNNING,
            deadline=facts.deadline,
        )
        manager = False
        for task in islice(chain.from_iterable(pages), _MOST_RUNNING):
            node = task.node_info.node_id if task.node_info is not None else None
            if head.manager is not None and task.id == head.manager:
                manager = True
            elif able is None or node is None or node.lower() in able:
                return RunningTasks(others=True, manager=manager)
        return RunningTasks(others=False, manager=manager)

    def _may_move(self, head: JobHead, facts: PoolFacts) -> bool | None:
        """Whether a node that can work, beside the job manager's, is not held from this job's tasks by preparation.

        None when Batch did not say which nodes can.

        Raises:
            StoreError: The job's nodes can't be read now.
            UnreadableRowError: They can't be read at all.
        """
        able = facts.able(head.pool_id)
        # Without the right to read pools, the job's listing decides alone; else Batch is asked again.
        if able is None:
            return None if facts.may_ask and head.pool_id is not None else False
        free = set(able)
        for chunks in self.nodes.stored(head):
            free.difference_update(
                record.node_id.lower()
                for record in chain.from_iterable(map(records_of, chunks.values()))
                if record.pool_id.lower() == head.pool_key and is_held_up(record)
            )
        return len(free) > (head.manager is not None)

    def _find(self, head: JobHead, job: BatchJob | None, deadline: datetime, now: datetime) -> Decision:
        """The head with what Batch says of the job itself, None where the listing left out one that stands still."""
        # Whoever watches its preparation has asked for it.
        if head.tracking is not Tracking.NO_PREPARATION_TASK:
            return Decision(head=head if job is None else with_facts(head, job))
        try:
            job = job or self.batch.get_job(head.job_id, select=JOB_SELECT, deadline=deadline)
        except JobNotFoundError:
            return note_missing(self.origin, head, now)
        except ThrottledError:
            raise
        except BatchError:
            return Decision(head=head)
        # Another has taken its id: once it is listed, it takes its place.
        if not is_same_incarnation(head, job):
            return Decision(head=head)
        return Decision(head=replace(with_facts(head, job), missing_since=None))

    def _with_tasks(self, head: JobHead, facts: PoolFacts) -> JobHead:
        """The head with what its job's special tasks say, which is asked for once."""
        until = facts.deadline
        job = facts.answer_or_none(lambda: self.batch.get_job(head.job_id, select=WAITS_SELECT, deadline=until))
        if job is None:
            return head
        preparation, manager = job.job_preparation_task, job.job_manager_task
        waits = preparation is None or preparation.wait_for_success is not False
        return replace(head, wait_for_success=waits, manager=manager.id if manager is not None else None)


def _as_asked(before: JobHead, head: JobHead) -> JobHead:
    """The head as it was stored, with what is asked for only once."""
    return replace(
        before, wait_for_success=head.wait_for_success, manager=head.manager, missing_since=head.missing_since
    )


def _waits_longest(job: MayWait) -> tuple[bool, datetime, str]:
    """Who was never looked into comes first, then whose look is the longest ago."""
    stuck = job[0].head.stuck
    looked_at = stuck.looked_at if stuck is not None else None
    return looked_at is not None, as_utc(looked_at), job[0].head.job_id
