"""How a job's counts and causes follow its nodes, without looking at the nodes that did not change.

Owns the arithmetic between a head and its records. Does not own when a node changes (`diff`) or is written (`plan`).
"""

from collections import Counter
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.causes import CauseKey, CauseTable, causes_of
from shared.diff import Change
from shared.model import Phase
from shared.outcomes import outcome_of
from shared.state import JobHead, NodeRecord, PhaseCounts, Reason


class NodeUpdate(Struct, frozen=True, kw_only=True, gc=False):
    """A node's record before (None: not seen yet) and after, and the change that it makes worth telling, if any.

    `digest` is the listing entry's; empty when another update of the same entry follows.
    """

    key: str
    digest: bytes
    before: NodeRecord | None
    after: NodeRecord
    change: Change | None = None


class Tally:
    """Adds updates to a head's counts; open marks count only while the head is open."""

    def __init__(self, head: JobHead) -> None:
        self._head = head
        self._is_open = head.closed is None
        self._nodes = head.nodes
        self._preparation = msgspec.structs.asdict(head.preparation)
        self._release = msgspec.structs.asdict(head.release)
        self._causes = CauseTable(head.causes)
        self._failed_ever: Counter[Phase] = Counter()
        self._told = 0

    def add(self, update: NodeUpdate) -> None:
        """Count one node anew."""
        before, after, change = update.before, update.after, update.change
        if before is None:
            self._nodes += 1
        else:
            self._count(before, -1)
            for key, _ in causes_of(before):
                if self._is_counted(key):
                    self._causes.remove(key)
        self._count(after, 1)
        for key, moment in causes_of(after):
            if self._is_counted(key):
                self._causes.add(key, after.pool_id, after.node_id, moment)
        if change is not None:
            self._told += 1
            if change.reason is Reason.NEWLY_FAILED:
                self._failed_ever[change.phase] += 1

    def head(self, now: datetime) -> JobHead:
        """The head with everything added so far; its generation grows with every change that is worth telling.

        So each of several slices is told to the webhooks that are told how things stand, also when one of them was told
        between two slices.
        """
        head = self._head
        return msgspec.structs.replace(
            head,
            nodes=self._nodes,
            preparation=PhaseCounts(**self._preparation),
            release=PhaseCounts(**self._release),
            preparation_failed_ever=head.preparation_failed_ever + self._failed_ever[Phase.PREPARATION],
            release_failed_ever=head.release_failed_ever + self._failed_ever[Phase.RELEASE],
            causes=self._causes.causes(),
            generation=head.generation + self._told,
            changed_at=now,
        )

    def _count(self, record: NodeRecord, step: int) -> None:
        if record.preparation is not None:
            self._preparation[outcome_of(record.preparation.info)] += step
        if record.release is not None:
            self._release[outcome_of(record.release.info)] += step
        if record.open is not None and self._is_open:
            self._preparation["open"] += step

    def _is_counted(self, cause: CauseKey) -> bool:
        return self._is_open or cause[0] is not Phase.PREPARATION
