"""What the states of a pool's nodes mean for the jobs that wait for it.

Owns how a pool is remembered from count to count, and why one is empty. Does not own the classes of states
(`pools.states`) or what follows for a job (`pools.standstill_rules`). Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.batch.causes import cause_of, cause_of_error
from shared.batch.pools import ComputeNode, NodeCounts, Pool, ResizeError
from shared.pools.states import classes_of
from shared.state.pools import PoolMemory, StandstillCause, StandstillReason


def remember_counts(
    before: Mapping[str, PoolMemory], counted: Iterable[NodeCounts], watched: Iterable[str], now: datetime
) -> dict[str, PoolMemory]:
    """What is known of the watched pools (ids in any case) after a count of all pools, by lower-case id.

    A watched pool that the counts leave out is not gone: what was known of it is dropped, unless Batch said itself that
    it does not exist.
    """
    shown = {counts.pool_id.lower(): counts for counts in counted}
    known: dict[str, PoolMemory] = {}
    for key in sorted({pool.lower() for pool in watched}):
        counts, memory = shown.get(key), before.get(key)
        if counts is not None:
            known[key] = _counted(memory, counts, now)
        elif memory is not None and memory.gone_since is not None:
            known[key] = memory
    return known


def remember_gone(memory: PoolMemory | None, pool_id: str, now: datetime) -> PoolMemory:
    """A pool of which Batch itself says that it does not exist."""
    since = memory.gone_since if memory is not None and memory.gone_since is not None else now
    return PoolMemory(pool_id=pool_id, gone_since=since)


def _counted(memory: PoolMemory | None, counts: NodeCounts, now: datetime) -> PoolMemory:
    memory = memory or PoolMemory(pool_id=counts.pool_id)
    return replace(
        memory,
        pool_id=counts.pool_id,
        by_state=counts.by_state,
        none_able_since=None if classes_of(counts.by_state).able else memory.none_able_since or now,
        gone_since=None,
    )


def is_resizing(pool: Pool | None) -> bool:
    """Whether the pool is getting other nodes now; one that nobody could ask is taken for steady."""
    return pool is not None and (pool.allocation_state or "steady").lower() != "steady"


def why_empty(pool: Pool | None) -> StandstillReason | None:
    """Why a pool has no node that works, is broken or comes; None when nobody asked it for more."""
    # Nobody could ask it, or the nodes that it was asked for may still come.
    if pool is None or is_resizing(pool):
        return None
    # Batch says why it could not get the nodes that somebody asked for.
    if pool.resize_errors and _wants_more(pool):
        return StandstillReason.RESIZE_FAILED
    # Without a formula that works nobody asks for nodes.
    if pool.auto_scale_run is not None and pool.auto_scale_run.error is not None:
        return StandstillReason.AUTOSCALE_FAILED
    return None


def _wants_more(pool: Pool) -> bool:
    """Whether a target is above what the pool has: the error of a resize to fewer, or long ago, is no news."""
    dedicated = (pool.target_dedicated_nodes or 0) > (pool.current_dedicated_nodes or 0)
    return dedicated or (pool.target_low_priority_nodes or 0) > (pool.current_low_priority_nodes or 0)


def cause_in_pool(reason: StandstillReason, pool: Pool | None, unable: Sequence[ComputeNode]) -> StandstillCause | None:
    """What Batch says is wrong with the pool or with its `unable` nodes, where that is the reason."""
    match reason:
        case StandstillReason.RESIZE_FAILED if pool is not None and pool.resize_errors:
            return _cause(pool.resize_errors[0])
        case StandstillReason.AUTOSCALE_FAILED if pool is not None and pool.auto_scale_run is not None:
            return _cause(pool.auto_scale_run.error)
        case StandstillReason.START_TASK_FAILED:
            return _most_common(cause_of(node.start_task_info) for node in unable if node.start_task_info is not None)
        case StandstillReason.NODES_UNABLE:
            return _most_common(cause_of_error(error) for node in unable for error in node.errors or ())
        case _:
            return None


def _cause(error: ResizeError | None) -> StandstillCause | None:
    return None if error is None else StandstillCause(code=error.code or "", message=error.message or "")


def _most_common(causes: Iterable[tuple[str, str]]) -> StandstillCause | None:
    found = Counter(causes).most_common(1)
    return StandstillCause(code=found[0][0][0], message=found[0][0][1]) if found else None
