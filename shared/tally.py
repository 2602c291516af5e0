"""How a job's counts and causes follow its nodes, without looking at the nodes that did not change.

Owns the arithmetic between a head and its records. Does not own when a node changes (`diff`) or is written (`plan`).
"""

from collections import Counter
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.causes import CauseTable, causes_of
from shared.diff import Change
from shared.model import Phase
from shared.outcomes import outcome_of
from shared.state import Cause, JobHead, NodeRecord, PhaseCounts, Reason


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
        self._nodes = head.nodes
        self._preparation = Counter(msgspec.structs.asdict(head.preparation))
        self._release = Counter(msgspec.structs.asdict(head.release))
        self._causes = CauseTable(head.causes)
        self._failed_ever: Counter[Phase] = Counter()
        self._told = 0

    def add(self, update: NodeUpdate) -> None:
        """Count one node anew."""
        if update.before is None:
            self._nodes += 1
        else:
            self._count(update.before, -1)
            for cause in self._causes_of(update.before):
                self._causes.remove(cause)
        self._count(update.after, 1)
        for cause in self._causes_of(update.after):
            self._causes.add(cause)
        if update.change is not None:
            self._told += 1
            if update.change.reason is Reason.NEWLY_FAILED:
                self._failed_ever[update.change.phase] += 1

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
        if record.open is not None and self._head.closed is None:
            self._preparation["open"] += step

    def _causes_of(self, record: NodeRecord) -> tuple[Cause, ...]:
        causes = causes_of(record)
        if self._head.closed is None:
            return causes
        return tuple(cause for cause in causes if cause.phase is not Phase.PREPARATION)
