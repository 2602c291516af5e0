"""What is known of a pool's nodes from count to count.

Owns how long a pool has had no able node, and since when it is gone. Does not own the classes of states
(`pools.states`) or the asking (`pools.counts`). Pure.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.batch.pool_model import NodeCounts
from shared.pools.states import classes_of
from shared.state.pools import PoolMemory, UnseenPool

UNSEEN_FOR = timedelta(minutes=5)
"""How long a pool may be left out of the counts, or its job of the job listing, and be the same when it is back."""


def remember_counts(
    before: Mapping[str, PoolMemory],
    counted: Iterable[NodeCounts],
    watched: Iterable[str],
    now: datetime,
    unseen: Mapping[str, UnseenPool] | None = None,
) -> dict[str, PoolMemory]:
    """What is known of the watched pools (ids in any case) after a count of all pools, by lower-case id.

    A watched pool that the counts leave out is not gone: what was known of it is dropped, unless Batch said itself that
    it does not exist. Only since when one of the `unseen` had no able node is known, if it still has none.
    """
    left = {key: one.none_able_since for key, one in (unseen or {}).items()}
    shown = {counts.pool_id.lower(): counts for counts in counted}
    known: dict[str, PoolMemory] = {}
    for key in sorted({pool.lower() for pool in watched}):
        counts, memory = shown.get(key), before.get(key)
        if counts is not None:
            memory = memory or PoolMemory(pool_id=counts.pool_id, none_able_since=left.get(key))
            known[key] = _counted(memory, counts, now)
        elif memory is not None and memory.gone_since is not None:
            known[key] = memory
    return known


def remember_gone(memory: PoolMemory | None, pool_id: str, now: datetime) -> PoolMemory:
    """A pool of which Batch itself says that it does not exist."""
    since = memory.gone_since if memory is not None and memory.gone_since is not None else now
    return PoolMemory(pool_id=pool_id, gone_since=since)


def unseen_after(
    before: Mapping[str, PoolMemory], unseen: Mapping[str, UnseenPool], pools: Mapping[str, PoolMemory], now: datetime
) -> dict[str, UnseenPool]:
    """The pools without able nodes that were counted a moment ago and are not among these now."""
    newly = {
        key: UnseenPool(none_able_since=memory.none_able_since, unseen_since=now)
        for key, memory in before.items()
        if memory.none_able_since is not None
    }
    lately = {key: one for key, one in unseen.items() if now - one.unseen_since < UNSEEN_FOR}
    return {key: one for key, one in {**lately, **newly}.items() if key not in pools}


def _counted(memory: PoolMemory, counts: NodeCounts, now: datetime) -> PoolMemory:
    return replace(
        memory,
        pool_id=counts.pool_id,
        by_state=counts.by_state,
        none_able_since=None if classes_of(counts.by_state).able else memory.none_able_since or now,
        gone_since=None,
    )
