"""Asks Batch about the pools of one account: once in a cycle, whatever the number of jobs that wait for them.

Owns what is asked, and remembering the answers. Does not own what they mean (`pools.no_able_nodes`) or node counts
(`pools.counts`). What is refused makes a fact unknown, nothing else.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec import Struct, field

from shared.batch.pool_model import ComputeNode, Pool
from shared.batch.wire import state_filter
from shared.errors import BatchError, ThrottledError
from shared.ports import BatchService

_POOL_SELECT = (
    "id,state,allocationState,allocationStateTransitionTime,currentDedicatedNodes,currentLowPriorityNodes,"
    "targetDedicatedNodes,targetLowPriorityNodes,enableAutoScale,autoScaleRun,resizeErrors"
)
_NODE_SELECT = "id,state,stateTransitionTime,lastBootTime,allocationTime,errors,startTaskInfo"
_ANY: frozenset[str] = frozenset()
_T = TypeVar("_T")


class PoolFacts(Struct, kw_only=True):
    """What is known of pools in this cycle; Batch is asked until `deadline`.

    `may_ask` is False when the right to read pools is missing: then only the listings of jobs say something.
    """

    batch: BatchService
    deadline: datetime
    may_ask: bool = True
    _pools: dict[str, Pool | None] = field(default_factory=dict)
    _nodes: dict[tuple[str, frozenset[str]], tuple[ComputeNode, ...] | None] = field(default_factory=dict)

    def pool(self, pool_id: str | None) -> Pool | None:
        """The pool; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        if pool_id is None or not self.may_ask:
            return None
        if (key := pool_id.lower()) not in self._pools:
            ask = partial(self.batch.get_pool, pool_id, select=_POOL_SELECT, deadline=self.deadline)
            self._pools[key] = answer_or_none(ask)
        return self._pools[key]

    def nodes(self, pool_id: str | None, states: frozenset[str]) -> tuple[ComputeNode, ...] | None:
        """The pool's nodes in these states; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        if pool_id is None or not self.may_ask:
            return None
        if (key := (pool_id.lower(), states)) not in self._nodes:
            self._nodes[key] = answer_or_none(lambda: self._list(pool_id, states))
        return self._nodes[key]

    def ids(self, pool_id: str) -> frozenset[str] | None:
        """The ids (lower case) of all nodes that the pool has, in whatever state; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        nodes = self.nodes(pool_id, _ANY)
        return None if nodes is None else frozenset(node.id.lower() for node in nodes)

    def _list(self, pool_id: str, states: frozenset[str]) -> tuple[ComputeNode, ...]:
        wanted, select = (state_filter(sorted(states)), _NODE_SELECT) if states else (None, "id")
        pages = self.batch.list_nodes(pool_id, odata_filter=wanted, select=select, deadline=self.deadline)
        return tuple(node for page in pages for node in page)


def answer_or_none(ask: Callable[[], _T]) -> _T | None:
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
