"""Why a pool has no node that can take tasks: what its nodes, its resize and its autoscale formula say.

Owns the reason of an empty pool, and the error behind a reason. Does not own the classes of states (`pools.states`) or
what follows for a job (`pools.standstill_rules`). Pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.batch.causes import cause_of, cause_of_error
from shared.batch.pool_model import ComputeNode, Pool, ResizeError
from shared.state.pools import StandstillCause, StandstillReason


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
