"""Asks Batch about the pools of one account: once in a cycle, whatever the number of jobs that wait for them.

Owns what is asked, and remembering the answers. Does not own what they mean (`pools.no_able_nodes`) or node counts
(`pools.counts`). What is refused makes a fact unknown, and is kept for whoever asks why.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TypeVar

from msgspec import Struct, field

from shared.batch.pool_model import ComputeNode, Pool
from shared.batch.wire import state_filter
from shared.errors import BatchError, JobNotFoundError, PoolNotFoundError, ThrottledError, WrongStateError
from shared.journal import write_line
from shared.pools.states import ABLE, BEGINNING, OUT_OF_REACH, UNABLE
from shared.ports import BatchService

POOL_SELECT = (
    "id,state,allocationState,allocationStateTransitionTime,currentDedicatedNodes,currentLowPriorityNodes,"
    "targetDedicatedNodes,targetLowPriorityNodes,enableAutoScale,autoScaleRun,resizeErrors"
)
"""What is asked of a pool."""
_UNABLE_SELECT = "id,state,stateTransitionTime,lastBootTime,allocationTime,errors,startTaskInfo"
_T = TypeVar("_T")


class PoolFacts(Struct, kw_only=True):
    """What is known of pools in this cycle; Batch is asked until `deadline`.

    `may_ask` is False when the right to read pools is missing: then only the listings of jobs say something.
    `unanswered` is Batch's code of the last question that it did not answer, None while it answers.
    """

    batch: BatchService
    account: str
    deadline: datetime
    may_ask: bool = True
    unanswered: str | None = None
    _pools: dict[str, Pool | None] = field(default_factory=dict)
    _able: dict[str, Mapping[str, datetime | None] | None] = field(default_factory=dict)
    _unable: dict[str, tuple[ComputeNode, ...] | None] = field(default_factory=dict)
    _out_of_reach: dict[str, frozenset[str] | None] = field(default_factory=dict)
    _ids: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def pool(self, pool_id: str | None) -> Pool | None:
        """The pool; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        return self._known(self._pools, pool_id, self._get_pool)

    def able(self, pool_id: str | None) -> Mapping[str, datetime | None] | None:
        """The pool's nodes that can take tasks, by lower-case id; None when Batch did not say.

        With each is when it was booted, or came if it never was; None when Batch did not say that. Nothing else is
        kept: a pool may have a hundred thousand.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        return self._known(self._able, pool_id, self._list_able)

    def unable(self, pool_id: str | None) -> tuple[ComputeNode, ...] | None:
        """The pool's nodes that can't take tasks, with why; None when Batch did not say.

        One that shows errors is not on its way, though it seems to be starting.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        return self._known(self._unable, pool_id, self._list_unable)

    def out_of_reach(self, pool_id: str | None) -> frozenset[str] | None:
        """The ids (lower case) of the pool's nodes that nobody can look into; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        return self._known(self._out_of_reach, pool_id, self._list_out_of_reach)

    def ids(self, pool_id: str | None) -> frozenset[str] | None:
        """The ids (lower case) of all nodes that the pool has, in whatever state; None when Batch did not say.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        return self._known(self._ids, pool_id, self._list_ids)

    def answer_or_none(self, ask: Callable[[], _T]) -> _T | None:
        """What Batch answers; None when it refuses or can't be asked, which only makes this fact unknown.

        Raises:
            ThrottledError: The whole account is to be left alone.
        """
        try:
            return ask()
        except ThrottledError:
            raise
        except BatchError as error:
            if is_failure(error):
                write_line("facts-unread", account=self.account, error=str(error))
                self.unanswered = error.code
            return None

    def _known(self, known: dict[str, _T | None], pool_id: str | None, ask: Callable[[str], _T]) -> _T | None:
        if pool_id is None or not self.may_ask:
            return None
        if (key := pool_id.lower()) not in known:
            known[key] = self.answer_or_none(partial(ask, pool_id))
        return known[key]

    def _get_pool(self, pool_id: str) -> Pool:
        return self.batch.get_pool(pool_id, select=POOL_SELECT, deadline=self.deadline)

    def _list_able(self, pool_id: str) -> Mapping[str, datetime | None]:
        nodes = self._list(pool_id, ABLE, "id,lastBootTime,allocationTime")
        return {node.id.lower(): node.last_boot_time or node.allocation_time for node in nodes}

    def _list_unable(self, pool_id: str) -> tuple[ComputeNode, ...]:
        nodes = self._list(pool_id, UNABLE | BEGINNING, _UNABLE_SELECT)
        return tuple(node for node in nodes if node.errors or (node.state or "").lower() in UNABLE)

    def _list_out_of_reach(self, pool_id: str) -> frozenset[str]:
        return frozenset(node.id.lower() for node in self._list(pool_id, OUT_OF_REACH, "id"))

    def _list_ids(self, pool_id: str) -> frozenset[str]:
        return frozenset(node.id.lower() for node in self._list(pool_id, frozenset(), "id"))

    def _list(self, pool_id: str, states: frozenset[str], select: str) -> Iterator[ComputeNode]:
        wanted = state_filter(sorted(states)) if states else None
        pages = self.batch.list_nodes(pool_id, odata_filter=wanted, select=select, deadline=self.deadline)
        return chain.from_iterable(pages)


def is_failure(error: BatchError) -> bool:
    """Whether Batch failed to answer: that something is gone, or in no state for a question, is an answer."""
    return not isinstance(error, JobNotFoundError | PoolNotFoundError | WrongStateError)
