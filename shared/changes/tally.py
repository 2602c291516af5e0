"""How a job's counts and causes follow its nodes, without looking at the nodes that did not change.

Owns the arithmetic between a head and its records. Does not own when a node changes (`changes.node_rules`) or is
written (`changes.slicing`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.batch.model import Phase
from shared.batch.outcomes import outcome_of
from shared.changes.cause_table import CauseKey, CauseTable, causes_of
from shared.state.jobs import Change, JobHead, NodeRecord, PhaseCounts, Reason


class NodeUpdate(Struct, frozen=True, kw_only=True, gc=False):
    """A node's record before (None: not seen yet) and after, and the change that it makes worth telling, if any.

    `fingerprint` is the listing entry's; empty when another update of the same entry follows.
    """

    key: str
    fingerprint: bytes
    before: NodeRecord | None
    after: NodeRecord
    change: Change | None = None


class Tally:
    """What updates do to a job's counts and causes; tallies add up. Open marks count only while the job is open."""

    def __init__(self, *, is_open: bool, updates: Iterable[NodeUpdate] = ()) -> None:
        self._is_open = is_open
        self.nodes = 0
        self.preparation: defaultdict[str, int] = defaultdict(int)
        self.release: defaultdict[str, int] = defaultdict(int)
        self.failed_ever: defaultdict[str, int] = defaultdict(int)
        self.causes = CauseTable()
        self.announced = 0
        for update in updates:
            self.add(update)

    def add(self, update: NodeUpdate) -> None:
        """Count one node anew."""
        before, after, change = update.before, update.after, update.change
        if before is None:
            self.nodes += 1
        else:
            self._count(before, -1)
            for key, _ in causes_of(before):
                if self._is_counted(key):
                    self.causes.remove(key)
        self._count(after, 1)
        for key, moment in causes_of(after):
            if self._is_counted(key):
                self.causes.add(key, after.pool_id, after.node_id, moment)
        if change is not None:
            self.announced += 1
            if change.reason is Reason.NEWLY_FAILED:
                self.failed_ever[change.phase] += 1

    def merge(self, later: "Tally") -> None:
        """Count what later updates do as well."""
        self.nodes += later.nodes
        for mine, more in (
            (self.preparation, later.preparation),
            (self.release, later.release),
            (self.failed_ever, later.failed_ever),
        ):
            for name, number in more.items():
                mine[name] += number
        self.causes.merge(later.causes)
        self.announced += later.announced

    def applied_to(self, head: JobHead, now: datetime) -> JobHead:
        """A head with everything added; its generation grows with every change that is worth telling.

        So each of several slices is told to the webhooks that are told how things stand, also when one of them was told
        between two slices.
        """
        causes = CauseTable(head.causes)
        causes.merge(self.causes)
        return msgspec.structs.replace(
            head,
            nodes=head.nodes + self.nodes,
            preparation=_sum(head.preparation, self.preparation),
            release=_sum(head.release, self.release),
            preparation_failed_ever=head.preparation_failed_ever + self.failed_ever[Phase.PREPARATION],
            release_failed_ever=head.release_failed_ever + self.failed_ever[Phase.RELEASE],
            causes=causes.causes(),
            generation=head.generation + self.announced,
            changed_at=now,
        )

    def _count(self, record: NodeRecord, step: int) -> None:
        if record.preparation is not None:
            self.preparation[outcome_of(record.preparation.info)] += step
        if record.release is not None:
            self.release[outcome_of(record.release.info)] += step
        if record.open is not None and self._is_open:
            self.preparation["open"] += step

    def _is_counted(self, cause: CauseKey) -> bool:
        return self._is_open or cause[0] is not Phase.PREPARATION


def _sum(counts: PhaseCounts, more: Mapping[str, int]) -> PhaseCounts:
    return PhaseCounts(**{name: number + more.get(name, 0) for name, number in msgspec.structs.asdict(counts).items()})
