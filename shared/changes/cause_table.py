"""A job's causes while its nodes change theirs.

Owns which causes a node counts towards and how a job's table of causes follows its nodes. Does not own what a cause is
(`batch.causes`).
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.batch.causes import cause_of
from shared.batch.model import Phase
from shared.batch.outcomes import ended_at, has_failed
from shared.state.jobs import Cause
from shared.state.nodes import NodeRecord

MAX_CAUSES = 20
MAX_POOLS = 5
NO_NODE = ("", "")
"""The example of a cause of which none is known: the one that was has it no more."""


CauseKey = tuple[Phase, str, str]
"""What makes failures one cause: their phase, code and normalised message."""


def causes_of(record: NodeRecord) -> tuple[tuple[CauseKey, datetime | None], ...]:
    """The causes that one node counts towards, each with its time: its open preparation failure, its failed release."""
    found: tuple[tuple[CauseKey, datetime | None], ...] = ()
    if (mark := record.open) is not None:
        found = (((Phase.PREPARATION, mark.code, mark.message), mark.since),)
    if record.release is not None and has_failed(info := record.release.info):
        found = (*found, ((Phase.RELEASE, *cause_of(info)), ended_at(info)))
    return found


class CauseTable:
    """A job's causes while its nodes change theirs, one node after the other.

    With more than MAX_CAUSES different causes the rarest are dropped and counted anew if they come again, so that the
    size of a head is bounded; the counts of outcomes stay exact.
    """

    def __init__(self, causes: Iterable[Cause] = ()) -> None:
        self.standings: dict[CauseKey, _CauseCount] = {_key(cause): _CauseCount(cause) for cause in causes}

    def remove(self, key: CauseKey, pool_id: str, node_id: str) -> None:
        """A node no longer has this cause; one that is not known here is owed to whatever this is merged into."""
        known = self._standing(key)
        known.lose(pool_id, node_id)
        if known.nodes > 0:
            known.nodes -= 1
        else:
            known.left += 1

    def add(self, key: CauseKey, pool_id: str, node_id: str, moment: datetime | None) -> None:
        """A node has this cause now."""
        known = self._standing(key)
        if known.nodes == 0 or known.example == NO_NODE:
            known.example = (pool_id, node_id)
        known.lost.discard((pool_id, node_id))
        known.nodes += 1
        if pool_id not in known.pools or not known.spans(moment):
            known.join((pool_id,), moment, moment)

    def merge(self, later: "CauseTable") -> None:
        """Take in what happened later; of a cause that was dropped before no node is counted that leaves it."""
        for key, other in later.standings.items():
            known = self._standing(key)
            known.left += max(other.left - known.nodes, 0)
            known.nodes = max(known.nodes - other.left, 0)
            for node in other.lost:
                known.lose(*node)
            if known.nodes == 0 or known.example == NO_NODE:
                known.example = other.example
            known.nodes += other.nodes
            known.join(other.pools, other.first_seen, other.last_seen)

    def _standing(self, key: CauseKey) -> "_CauseCount":
        known = self.standings.get(key)
        if known is None:
            phase, code, message = key
            known = self.standings[key] = _CauseCount(Cause(phase=phase, code=code, message=message))
        return known

    def causes(self) -> tuple[Cause, ...]:
        """The causes that some node has, most nodes first, at most MAX_CAUSES."""
        standing = [cause.value() for cause in self.standings.values() if cause.nodes > 0]
        standing.sort(key=lambda cause: (-cause.nodes, *_key(cause)))
        return tuple(standing[:MAX_CAUSES])


class _CauseCount:
    """A cause while nodes take it up and leave it; `left` counts those that left it and were not counted here.

    `lost` are all that left it: none of them is an example of it any more.
    """

    __slots__ = ("_cause", "example", "first_seen", "last_seen", "left", "lost", "nodes", "pools")

    def __init__(self, cause: Cause) -> None:
        self._cause = cause
        self.nodes = cause.nodes
        self.left = 0
        self.lost: set[tuple[str, str]] = set()
        self.pools = list(cause.pools)
        self.example = cause.example
        self.first_seen = cause.first_seen
        self.last_seen = cause.last_seen

    def lose(self, pool_id: str, node_id: str) -> None:
        """A node has the cause no more; who is told of the cause is not to look there."""
        self.lost.add((pool_id, node_id))
        if self.example == (pool_id, node_id):
            self.example = NO_NODE

    def spans(self, moment: datetime | None) -> bool:
        """Whether a moment lies between the first and the last time that it was seen."""
        if moment is None or self.first_seen is None or self.last_seen is None:
            return moment is None
        return self.first_seen <= moment <= self.last_seen

    def join(self, pools: Iterable[str], first: datetime | None, last: datetime | None) -> None:
        """Take in where and when some more nodes had it."""
        for pool in pools:
            if pool not in self.pools and len(self.pools) < MAX_POOLS:
                self.pools.append(pool)
        if first is not None and (self.first_seen is None or first < self.first_seen):
            self.first_seen = first
        if last is not None and (self.last_seen is None or last > self.last_seen):
            self.last_seen = last

    def value(self) -> Cause:
        """The cause as it stands."""
        return msgspec.structs.replace(
            self._cause,
            nodes=self.nodes,
            pools=tuple(self.pools),
            example=self.example,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
        )


def _key(cause: Cause) -> CauseKey:
    return cause.phase, cause.code, cause.message
