"""Looks into the jobs of one account whose waiting tasks may not be able to run.

Owns what Batch is asked for that, within which bounds, and the writing of what follows. Does not own when a job is
suspect or what an answer means (`polling.standstill_rules`). What these requests are refused makes facts unknown; it
never makes the account or the job unreachable.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.model import BatchJob
from shared.batch.pools import ComputeNode, Pool
from shared.changes.tally import complete_ends
from shared.errors import (
    BatchError,
    JobNotFoundError,
    StoreError,
    ThrottledError,
    UnreadableRowError,
)
from shared.journal import write_line
from shared.ledger.ledger import Ledger, Pending
from shared.ledger.slice import Slice
from shared.messages.events import Origin
from shared.moments import as_utc
from shared.patterns import JobPatterns
from shared.polling.cycle_rules import KnownJob
from shared.polling.heads import MayWait, pools_of
from shared.polling.job_rules import is_active, turn_standstill, with_facts
from shared.polling.standstill_rules import Looked, Suspected, Suspicion, judge, must_look, preparations_of, suspect
from shared.polling.watching import Progress
from shared.pools.counts import PoolCounter
from shared.pools.states import ABLE, UNABLE
from shared.ports import BatchService, Clock
from shared.state.chunks import decode_chunk, decode_record
from shared.state.jobs import Cycle, JobHead, NodeRecord
from shared.state.pools import Counted
from shared.state.rows import chunk_key, unpack

_T = TypeVar("_T")

MOST_LOOKED_INTO = 200
"""Jobs that one cycle looks into: a broken pool may hold up a thousand, and they wait together."""

_MOST_RUNNING = 100
_POOL_SELECT = (
    "id,state,allocationState,allocationStateTransitionTime,currentDedicatedNodes,currentLowPriorityNodes,"
    "targetDedicatedNodes,targetLowPriorityNodes,enableAutoScale,autoScaleRun,resizeErrors"
)
_NODE_SELECT = "id,state,stateTransitionTime,lastBootTime,allocationTime,errors,startTaskInfo"
_JOB_SELECT = "id,jobPreparationTask,jobManagerTask"


class _PoolFacts(Struct):
    """What is asked of pools once in a cycle, whatever the number of jobs that wait for them."""

    pools: dict[str, Pool | None] = field(default_factory=dict)
    nodes: dict[tuple[str, frozenset[str]], tuple[ComputeNode, ...] | None] = field(default_factory=dict)


class StandstillWatcher(Struct, frozen=True, kw_only=True):
    """Watches whether the jobs of one account can move; `offer` is handed every delivery that a commit made due.

    `pools` are those that are counted beside the pools of the jobs, None for no more.
    """

    batch: BatchService
    ledger: Ledger
    origin: Origin
    clock: Clock
    budget: timedelta
    pools: JobPatterns | None
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
        if progress.counted.is_known:
            self._watch_all(jobs, progress.counted, progress)

    def _watch_all(self, jobs: Sequence[MayWait], counted: Counted, progress: Progress) -> None:
        """Look into the jobs that may not be able to move, longest waiting first."""
        deadline = progress.deadline + self.budget
        facts = _PoolFacts()
        looked = 0
        for known, job in sorted(jobs, key=_waits_longest):
            head = known.head if job is None else with_facts(known.head, job)
            if looked >= MOST_LOOKED_INTO or progress.turn.lost or self.clock() >= deadline:
                return
            try:
                looked += self._watch(known, head, job, counted, facts, deadline)
            except ThrottledError:
                return
            except (StoreError, UnreadableRowError) as error:
                write_line("job-error", account=self.ledger.account, job=head.job_id, error=str(error))

    def _watch(
        self,
        known: KnownJob,
        head: JobHead,
        job: BatchJob | None,
        counted: Counted,
        facts: _PoolFacts,
        deadline: datetime,
    ) -> bool:
        """Look into one job if it is suspect, and write what follows; whether Batch was asked."""
        # gather
        now = self.clock()
        pool = counted.pools.get((head.pool_id or "").lower())
        active = is_active(head.state) and (job is not None or self._is_there(head, deadline))
        head = self._completed(head) if active else head
        suspected = suspect(is_active=active, preparations=preparations_of(head), pool=pool, now=now)
        if suspected is not None and suspected.why in _OF_PREPARATION and head.wait_for_success is None:
            head = self._with_tasks(head, deadline)
            suspected = suspect(is_active=active, preparations=preparations_of(head), pool=pool, now=now)
        asks = active and (suspected is not None or head.stuck_since is not None) and must_look(head.stuck, now)
        if not asks and (active or head.stuck is None) and (suspected is not None or head.stuck is None):
            return False
        looked = self._look(head, suspected, facts, deadline) if asks else Looked()

        # decide
        outcome = judge(
            head.stuck,
            suspected,
            looked,
            is_active=active,
            preparations=preparations_of(head),
            pool=pool,
            now=now,
        )
        decision = turn_standstill(self.origin, head, outcome, now)

        # apply
        if known.row is not None and decision.head != known.head:
            step = Slice(head=decision.head, events=decision.events)
            self.offer(self.ledger.commit_job(known.row, known.head, step, now).pending)
        return asks

    def _look(self, head: JobHead, suspected: Suspected | None, facts: _PoolFacts, deadline: datetime) -> Looked:
        tasks = _answer(lambda: self.batch.count_tasks(head.job_id, deadline=deadline))
        # Nobody waits: nothing else matters.
        if tasks is None or tasks.active + tasks.running == 0:
            return Looked(tasks=tasks)
        of_preparation = suspected is None or suspected.why in _OF_PREPARATION
        return Looked(
            tasks=tasks,
            moves=_answer(lambda: self._moves(head, facts, deadline)) if of_preparation else None,
            pool=self._pool(head.pool_id, facts, deadline),
            unable=() if of_preparation else self._nodes(head.pool_id, UNABLE, facts, deadline) or (),
        )

    def _moves(self, head: JobHead, facts: _PoolFacts, deadline: datetime) -> bool:
        """Whether a task of the job, other than its manager, runs on a node that can work."""
        nodes = self._nodes(head.pool_id, ABLE, facts, deadline)
        able = None if nodes is None else {node.id.lower() for node in nodes}
        pages = self.batch.list_tasks(
            head.job_id,
            odata_filter="state eq 'running'",
            select="id,nodeInfo",
            max_results=_MOST_RUNNING,
            deadline=deadline,
        )
        for task in islice(chain.from_iterable(pages), _MOST_RUNNING):
            node = task.node_info.node_id if task.node_info is not None else None
            if task.id != head.manager and (able is None or node is None or node.lower() in able):
                return True
        return False

    def _pool(self, pool_id: str | None, facts: _PoolFacts, deadline: datetime) -> Pool | None:
        if pool_id is None:
            return None
        if (key := pool_id.lower()) not in facts.pools:
            ask = partial(self.batch.get_pool, pool_id, select=_POOL_SELECT, deadline=deadline)
            facts.pools[key] = _answer(ask)
        return facts.pools[key]

    def _nodes(
        self, pool_id: str | None, states: frozenset[str], facts: _PoolFacts, deadline: datetime
    ) -> tuple[ComputeNode, ...] | None:
        """The pool's nodes in these states; None when Batch did not say."""
        if pool_id is None:
            return None
        if (key := (pool_id.lower(), states)) not in facts.nodes:
            facts.nodes[key] = _answer(lambda: self._list_nodes(pool_id, states, deadline))
        return facts.nodes[key]

    def _list_nodes(self, pool_id: str, states: frozenset[str], deadline: datetime) -> tuple[ComputeNode, ...]:
        wanted = " or ".join(f"state eq '{state}'" for state in sorted(states))
        pages = self.batch.list_nodes(pool_id, odata_filter=wanted, select=_NODE_SELECT, deadline=deadline)
        return tuple(node for page in pages for node in page)

    def _is_there(self, head: JobHead, deadline: datetime) -> bool:
        """Whether a job that the listing left out, and of which a standstill was told, still exists and is active."""
        if head.stuck is None:
            return True
        try:
            return is_active(self.batch.get_job(head.job_id, select="id,state", deadline=deadline).state)
        except JobNotFoundError:
            return False
        except ThrottledError:
            raise
        except BatchError:
            return True

    def _with_tasks(self, head: JobHead, deadline: datetime) -> JobHead:
        """The head with what its job's special tasks say, which is asked for once."""
        job = _answer(lambda: self.batch.get_job(head.job_id, select=_JOB_SELECT, deadline=deadline))
        if job is None:
            return head
        preparation, manager = job.job_preparation_task, job.job_manager_task
        waits = preparation is None or preparation.wait_for_success is not False
        return replace(head, wait_for_success=waits, manager=manager.id if manager is not None else None)

    def _completed(self, head: JobHead) -> JobHead:
        """A head of a version that did not keep when preparations ended, completed from its node records."""
        if head.failed_at is not None or head.preparation.failed + head.preparation.open == 0:
            return head
        return complete_ends(head, self._records(head))

    def _records(self, head: JobHead) -> Iterable[NodeRecord]:
        for prefix in head.chunks:
            row = self.ledger.table.get(self.ledger.account, chunk_key(head.job_id, head.filed_under, prefix))
            for entry in decode_chunk(unpack(row)).values() if row is not None else ():
                yield decode_record(entry)


def _answer(ask: Callable[[], _T]) -> _T | None:
    """What Batch answers; None when it refuses or can't be asked, which only makes this fact unknown.

    Raises:
        ThrottledError: The whole account is to be left alone.
    """
    try:
        return ask()
    except ThrottledError:
        raise
    except BatchError:
        return None


_OF_PREPARATION = frozenset({Suspicion.PREPARATION, Suspicion.REPEATED})


def _waits_longest(job: MayWait) -> tuple[bool, datetime, str]:
    """Who was never looked into comes first, then whose look is the longest ago."""
    stuck = job[0].head.stuck
    looked_at = stuck.looked_at if stuck is not None else None
    return looked_at is not None, as_utc(looked_at), job[0].head.job_id
