"""Whether a job's waiting tasks can run, and if not, why.

Owns what an answer of Batch means for a suspicion, the reasons, and when a standstill ends. Does not own what makes a
job suspect (`pools.suspicion_rules`), the requests, what the states of nodes mean (`pools.states`,
`pools.no_able_nodes`) or the words that people read (`state.standstill_words`). Pure: what is known goes in, the next
standstill and what is to be told come out.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.batch.pool_model import ComputeNode, Pool
from shared.moments import unless_to_come
from shared.pools.no_able_nodes import cause_in_pool, is_resizing, why_empty
from shared.pools.preparations import Preparations
from shared.pools.states import BEGINNING, START_TASK_FAILED, NodeClasses, classes_of
from shared.pools.suspicion_rules import Suspected, Suspicion, to_hold
from shared.state.pools import PoolMemory, Standstill, StandstillEnd, StandstillReason

AGREES_AFTER = timedelta(minutes=2)
"""Two answers at least this far apart must agree: Batch's counts may be old, and a task may be between two nodes."""
PUT_OFF_FOR = timedelta(minutes=30)
"""How long nodes on the way, or a resize under way, may still bring a standstill to its end by themselves."""
LOOKED_INTO_AGAIN_AFTER = timedelta(minutes=5)


class Findings(Struct, frozen=True, kw_only=True):
    """What Batch answered about a suspect job; None is what it was not asked, or did not answer.

    `moves` says whether a task, other than the job manager's, runs on a node that can work, or may yet run on one, and
    `manager_runs` whether the job manager's does; `unable` are nodes of the pool that can't, of those on the way the
    ones that show errors.
    """

    tasks: TaskCounts | None = None
    moves: bool | None = None
    manager_runs: bool = False
    pool: Pool | None = None
    unable: tuple[ComputeNode, ...] = ()

    @property
    def waiting(self) -> int:
        """How many tasks wait: those that prepare are counted as running, and the job manager waits for nothing."""
        return 0 if self.tasks is None else self.tasks.active + self.tasks.running - self.manager_runs


class StandstillChange(StrEnum):
    """What a look makes of a standstill."""

    BEGINS = "begins"
    GOES_ON = "goesOn"
    """For another reason than the one that was told."""
    ENDS = "ends"


class StandstillDecision(Struct, frozen=True, kw_only=True):
    """The standstill after a look, None when the job is not suspected any more, and the change that is told.

    `why` is why it ends although nothing moves; None when the job moves, or can.
    """

    standstill: Standstill | None
    change: StandstillChange | None = None
    why: StandstillEnd | None = None


def believable_standstill(standstill: Standstill, now: datetime) -> Standstill:
    """The standstill with no answer that is still to come: a clock that has jumped back since noted them.

    What was told keeps its beginning, which names its event.
    """
    since, looked, still, free, confirmed_at = (
        unless_to_come(moment, now)
        for moment in (
            standstill.since,
            standstill.looked_at,
            standstill.still_since,
            standstill.free_since,
            standstill.confirmed_at,
        )
    )
    return replace(
        standstill,
        since=standstill.since if standstill.confirmed else since or now,
        looked_at=looked,
        still_since=still,
        free_since=free,
        confirmed_at=confirmed_at if standstill.confirmed_at is None else confirmed_at or now,
    )


def must_look(standstill: Standstill | None, now: datetime) -> bool:
    """Whether Batch is to be asked about a suspect job now."""
    # Nobody has asked yet.
    if standstill is None or standstill.looked_at is None:
        return True
    still = standstill.still_since
    # One answer said that nothing moves: the next decides.
    if not standstill.confirmed and still is not None and standstill.looked_at - still < AGREES_AFTER:
        return True
    # So it does where it may stand still for another reason than people know.
    again_after = LOOKED_INTO_AGAIN_AFTER if standstill.other_reason is None else AGREES_AFTER
    return now - standstill.looked_at >= again_after


def decide_standstill(
    before: Standstill | None,
    suspected: Suspected | None,
    findings: Findings,
    *,
    over: StandstillEnd | None,
    preparations: Preparations,
    pool: PoolMemory | None,
    now: datetime,
    earliest: datetime | None = None,
) -> StandstillDecision:
    """What a look makes of a job's standstill.

    `over` is why the job's tasks are not to run at all, None if they are; until `earliest` it did not stand still,
    None when nobody knows.
    """
    # Whoever disabled or ended the job knows that its tasks wait.
    if over is not None:
        ends = before is not None and before.confirmed
        return _ends(over) if ends else StandstillDecision(standstill=None)
    # What was told ends by rules of its own.
    if before is not None and before.confirmed:
        return _judge_confirmed(before, suspected, findings, preparations=preparations, pool=pool, now=now)
    # Nothing was told yet, and nothing need be.
    if suspected is None:
        return StandstillDecision(standstill=None)
    # One that begins before the last one ended would be taken for the same, and told nobody.
    standing = before or Standstill(since=min(max(suspected.since, earliest or suspected.since), now))
    of_preparation = suspected.why.is_of_preparation
    # Batch did not say whether anybody waits, or whether tasks run: neither a reason to tell nor one to forget.
    if findings.tasks is None or (findings.waiting and of_preparation and findings.moves is None):
        return StandstillDecision(standstill=standing)
    # Whatever made it suspect, up to now it does not stand still. Where no node is able none can run.
    if not findings.waiting or (of_preparation and findings.moves):
        return StandstillDecision(standstill=replace(standing, since=now, still_since=None, looked_at=now))
    # Of a pool the counts have answered more than once by now, but not before there was anybody to wait for it.
    first = now if of_preparation else max(suspected.since, standing.since)
    still = standing.still_since or first
    standing = replace(standing, still_since=still, looked_at=now, tasks=findings.waiting)
    # One answer may be old; the next has to say the same.
    if now - still < AGREES_AFTER:
        return StandstillDecision(standstill=standing)
    # What is on its way may still end it; nobody need get up for that.
    if _is_put_off(standing, findings, pool, now):
        return StandstillDecision(standstill=standing)
    reason = reason_of(suspected, findings, preparations=preparations, pool=pool)
    # Only what the pool was asked for would tell, and Batch did not say: it is asked again.
    if reason is None and findings.pool is None and not of_preparation:
        looked_at = before.looked_at if before is not None else None
        return StandstillDecision(standstill=replace(standing, looked_at=looked_at))
    # How Batch works: empty pools without an error, nodes busy with other jobs, dependencies, slots.
    if reason is None:
        return StandstillDecision(standstill=standing)
    confirmed = _with_reason(standing, reason, findings, preparations=preparations, pool=pool)
    confirmed = replace(confirmed, confirmed=True, confirmed_at=now)
    return StandstillDecision(standstill=confirmed, change=StandstillChange.BEGINS)


def reason_of(
    suspected: Suspected, findings: Findings, *, preparations: Preparations, pool: PoolMemory | None
) -> StandstillReason | None:
    """Why nothing moves: the first that holds; None when it is how Batch works."""
    # Without a pool there are no nodes to look at.
    if suspected.why is Suspicion.POOL_GONE:
        return StandstillReason.POOL_GONE
    nodes = _classes(pool, findings) if pool is not None else NodeClasses()
    # Nodes are there and none works: they have to be mended or replaced, whatever made the pool so.
    if pool is not None and nodes.able == 0 and nodes.unable > 0:
        most = pool.by_state.get(START_TASK_FAILED, 0) * 2 > nodes.unable
        return StandstillReason.START_TASK_FAILED if most else StandstillReason.NODES_UNABLE
    # No node is there: only what the pool was asked for tells whether that is meant.
    if pool is not None and nodes.able == 0:
        return why_empty(findings.pool) if nodes.on_the_way == 0 else None
    # Every node that tasks could run on has failed, or each next one does.
    if suspected.why is Suspicion.REPEATED or preparations.open >= to_hold(preparations, pool):
        return StandstillReason.PREPARATION_FAILED
    # Some may still come through, and none has.
    held = preparations.open + preparations.slow
    return StandstillReason.PREPARATION_SLOW if held >= to_hold(preparations, pool) else None


def _judge_confirmed(
    before: Standstill,
    suspected: Suspected | None,
    findings: Findings,
    *,
    preparations: Preparations,
    pool: PoolMemory | None,
    now: datetime,
) -> StandstillDecision:
    """When a standstill that was told is over; a preparation that merely begins ends nothing."""
    of_pool = before.why.is_of_pool
    has_able = pool is not None and pool.gone_since is None and classes_of(pool.by_state).able > 0
    # What the pool lacked is there, and nothing else is known to keep the job from it.
    if of_pool and has_able and suspected is None:
        return _ends(None)
    # The node that succeeded takes tasks; whichever had when it was told has left, and that of a dead pool takes none.
    known_at = before.confirmed_at or before.since
    if not of_pool and preparations.last_success is not None and preparations.last_success > known_at:
        return _ends(None)
    # A task runs, whatever became of the reason.
    if findings.moves:
        return _ends(None)
    # No answer ends nothing.
    if findings.tasks is None:
        return StandstillDecision(standstill=before)
    # Somebody deleted the tasks: one answer may come from between two of them.
    if not findings.waiting:
        free = before.free_since or now
        if now - free >= AGREES_AFTER:
            return _ends(StandstillEnd.NOBODY_WAITS)
        return StandstillDecision(standstill=replace(before, free_since=free))
    standing = replace(before, free_since=None, looked_at=now, tasks=findings.waiting, other_reason=None)
    reason = None
    if suspected is not None and pool is not None and (findings.moves is False or not suspected.why.is_of_preparation):
        reason = reason_of(suspected, findings, preparations=preparations, pool=pool)
    # It is still what was told, or nobody knows better.
    if reason is None or reason is before.why:
        return StandstillDecision(standstill=standing)
    # One answer may be old; the next has to say the same.
    if before.other_reason is not reason:
        return StandstillDecision(standstill=replace(standing, other_reason=reason))
    other = _with_reason(standing, reason, findings, preparations=preparations, pool=pool)
    return StandstillDecision(standstill=other, change=StandstillChange.GOES_ON)


def _ends(why: StandstillEnd | None) -> StandstillDecision:
    return StandstillDecision(standstill=None, change=StandstillChange.ENDS, why=why)


def _with_reason(
    standing: Standstill,
    reason: StandstillReason,
    findings: Findings,
    *,
    preparations: Preparations,
    pool: PoolMemory | None,
) -> Standstill:
    return replace(
        standing,
        reason=reason,
        by_state=dict(pool.by_state) if pool is not None else {},
        cause=cause_in_pool(reason, findings.pool, findings.unable) if reason.is_of_pool else preparations.cause,
    )


def _classes(pool: PoolMemory, findings: Findings) -> NodeClasses:
    """The classes of a pool's nodes; those on the way that show errors do not arrive by themselves."""
    nodes = classes_of(pool.by_state)
    broken = sum((node.state or "").lower() in BEGINNING for node in findings.unable)
    broken = min(broken, nodes.on_the_way)
    return replace(nodes, unable=nodes.unable + broken, on_the_way=nodes.on_the_way - broken)


def _is_put_off(standing: Standstill, findings: Findings, pool: PoolMemory | None, now: datetime) -> bool:
    # It has had its time.
    if now - standing.since >= PUT_OFF_FOR:
        return False
    on_the_way = pool is not None and _classes(pool, findings).on_the_way > 0
    return on_the_way or is_resizing(findings.pool)
