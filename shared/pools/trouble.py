"""When so many nodes of a pool can't work that people are to know.

Owns the rule. Does not own which nodes can't work (`pools.nodes`). Pure. A node that fails now and then and is replaced
is how large pools live, and so is one of eight that never works: neither is trouble.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.moments import as_utc
from shared.pools.states import classes_of
from shared.state.pools import PoolRecord

TOLD_AFTER = timedelta(minutes=30)
"""How long two nodes, or all of fewer, must be unable: one by one they may be replaced before."""
_SOME, _MANY = 2, 3
"""So many nodes are trouble if they last, and so many at once: if they are a tenth of the pool."""


def in_trouble_since(record: PoolRecord | None, by_state: Mapping[str, int], now: datetime) -> datetime | None:
    """Since when the pool is in trouble, None when it is not; `by_state` counts its nodes."""
    broken = sorted(as_utc(node.counts_from) for node in (record.open if record is not None else ()))
    size = pool_size(len(broken), by_state)
    is_a_tenth = len(broken) * 10 >= size
    # So many at once have something in common: waiting would not show more.
    if len(broken) >= _MANY and is_a_tenth:
        return broken[_MANY - 1]
    # Two may be replaced one by one within that time.
    if len(broken) >= _SOME and is_a_tenth and now - broken[_SOME - 1] >= TOLD_AFTER:
        return broken[_SOME - 1] + TOLD_AFTER
    # Where no node is left that works, even one or two matter.
    if broken and len(broken) == size and now - broken[-1] >= TOLD_AFTER:
        return broken[-1] + TOLD_AFTER
    return None


def is_calm(record: PoolRecord | None, by_state: Mapping[str, int]) -> bool:
    """Whether so few nodes can't work that time alone brings no trouble: what comes and goes is not over each time."""
    broken = len(record.open) if record is not None else 0
    size = pool_size(broken, by_state)
    # Nothing that time could turn into trouble.
    if not broken:
        return True
    return broken < size and (broken < _SOME or broken * 10 < size)


def pool_size(broken: int, by_state: Mapping[str, int]) -> int:
    """How many nodes a pool has, of which so many can't work: what is away is as if absent."""
    return max(broken, sum(by_state.values()) - classes_of(by_state).away)


def why_unable(record: PoolRecord | None) -> list[tuple[str, str, int]]:
    """Why nodes can't work: code, message and how many of them, the most frequent first."""
    found = Counter((node.code, node.message) for node in (record.open if record is not None else ()))
    return [(code, message, nodes) for (code, message), nodes in found.most_common()]
