"""When nothing of a job may be able to run, so that it is worth asking Batch whether anything moves.

Owns what makes a job suspect, and since when. Does not own what the answer means (`pools.standstill_rules`). Pure.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from shared.changes.tally import MOST_FAILURES
from shared.moments import as_utc
from shared.pools.preparations import Preparations
from shared.pools.states import classes_of
from shared.state.jobs import JobHead
from shared.state.pools import PoolMemory

NONE_ABLE_FOR = timedelta(minutes=5)
REPEATED_WITHIN = timedelta(hours=1)
NO_SUCCESS_FOR = timedelta(minutes=30)


class Suspicion(StrEnum):
    """What makes it worth asking Batch whether a job moves."""

    POOL_GONE = "poolGone"
    NONE_ABLE = "noneAble"
    PREPARATION = "preparation"
    REPEATED = "repeated"
    """Preparations keep failing, whatever became of their nodes."""

    @property
    def is_of_preparation(self) -> bool:
        """Whether the pool has nodes that could work, so that only the job's tasks tell whether it moves."""
        return self in {Suspicion.PREPARATION, Suspicion.REPEATED}


class Suspected(Struct, frozen=True, kw_only=True):
    """Why a job is looked into, and since when what makes it suspect has been so."""

    why: Suspicion
    since: datetime


def suspect(*, is_active: bool, preparations: Preparations, pool: PoolMemory | None, now: datetime) -> Suspected | None:
    """Why a job may not be able to move; None when nothing says so. `pool` is None when nothing is known of it."""
    # Whoever disabled or ended a job knows that its tasks wait.
    if not is_active:
        return None
    # Batch itself has said so: no node of it comes back.
    if pool is not None and pool.gone_since is not None:
        return Suspected(why=Suspicion.POOL_GONE, since=pool.gone_since)
    # A pool has no able node for a moment whenever its only node reboots.
    if pool is not None and pool.none_able_since is not None and now - pool.none_able_since >= NONE_ABLE_FOR:
        return Suspected(why=Suspicion.NONE_ABLE, since=pool.none_able_since)
    # Tasks run whatever becomes of their preparation.
    if not preparations.waited_for or preparations.last_trouble is None:
        return None
    is_held = preparations.open + preparations.slow >= to_hold(preparations, pool)
    # The node that succeeded after the last trouble takes tasks, as long as the pool has it.
    if _follows_success(preparations, preparations.last_trouble):
        has_able = pool is not None and classes_of(pool.by_state).able > 0
        # Those that are left have all failed; nobody saw when the good one went.
        return Suspected(why=Suspicion.PREPARATION, since=now) if is_held and has_able else None
    # Autoscale may take each node away that failed: no mark stays open, and every next node fails too.
    if _keeps_failing(preparations, now):
        return Suspected(why=Suspicion.REPEATED, since=preparations.failing_since or preparations.last_trouble)
    return Suspected(why=Suspicion.PREPARATION, since=preparations.last_trouble) if is_held else None


def earliest_beginning(head: JobHead, suspected: Suspected, read_up_to: datetime | None) -> datetime | None:
    """Until when the job certainly did not stand still; None when nobody knows.

    Up to `read_up_to` its account was read, and nothing made the job suspect; None before a first cycle.
    """
    # Before, its tasks were not to run; and what was told to be over is over.
    moments = [head.state_transition_time, head.stuck_ended.at if head.stuck_ended is not None else None]
    # What failed may have done so long ago. How long a pool has no able node, or none gets through, is counted itself.
    if suspected.why is Suspicion.PREPARATION and read_up_to is not None and as_utc(head.first_seen_at) < read_up_to:
        moments.append(read_up_to)
    return max((as_utc(moment) for moment in moments if moment is not None), default=None)


def to_hold(preparations: Preparations, pool: PoolMemory | None) -> int:
    """How many nodes must be held for none to be left: the job manager keeps the one that it is on."""
    # While nothing is known of the pool, the listing alone decides.
    if pool is None:
        return preparations.open + preparations.slow + preparations.others or 1
    able = classes_of(pool.by_state).able
    return max(1, able - preparations.has_manager)


def _follows_success(preparations: Preparations, trouble: datetime) -> bool:
    return preparations.last_success is not None and preparations.last_success >= trouble


def _keeps_failing(preparations: Preparations, now: datetime) -> bool:
    """Whether one node after the other fails: often, lately, and for so long that the next will hardly do better."""
    latest = preparations.failed_at[-MOST_FAILURES:]
    # Now and then a node fails in every pool.
    if len(latest) < MOST_FAILURES or now - latest[0] > REPEATED_WITHIN:
        return False
    # Many that failed at once, and no other since: the nodes that are left may still come through.
    if now - latest[-1] >= NO_SUCCESS_FOR:
        return False
    return preparations.failing_since is not None and now - preparations.failing_since >= NO_SUCCESS_FOR
