"""How a job's counts and causes follow its nodes, without looking at the nodes that did not change.

Owns the arithmetic between a head and its records. Does not own when a node changes (`changes.node_rules`) or is
written (`changes.slicing`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from shared.batch.model import ExecutionInfo, Outcome, Phase
from shared.batch.outcomes import ended_at, outcome_of
from shared.changes.cause_table import CauseKey, CauseTable, causes_of
from shared.changes.slow_preparations import chain_of, interval_of, is_often_retried
from shared.state.chains import Chain
from shared.state.jobs import JobHead, PhaseCounts
from shared.state.nodes import Change, NodeRecord, Reason

MOST_FAILURES = 3
"""Ends of failed preparations that a head keeps."""


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
        self.failed_at: tuple[datetime, ...] = ()
        self.first_failed_at: datetime | None = None
        self.succeeded_at: datetime | None = None
        self.longest: timedelta | None = None
        self.unfinished: defaultdict[int, int] = defaultdict(int)
        self.often_retried = 0
        self.left = 0
        self.slow_at: datetime | None = None
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
                    self.causes.remove(key, before.pool_id, before.node_id)
        self._count(after, 1)
        for key, moment in causes_of(after):
            if self._is_counted(key):
                self.causes.add(key, after.pool_id, after.node_id, moment)
        self._note_end(before, after)
        if change is not None:
            self.announced += 1
            if change.reason is Reason.NEWLY_FAILED:
                self.failed_ever[change.phase] += 1
            self.slow_at = _later(self.slow_at, change.at if change.reason is Reason.SLOW else None)

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
        self.failed_at = latest_failures(self.failed_at, later.failed_at)
        self.first_failed_at = _earlier(self.first_failed_at, later.first_failed_at)
        self.succeeded_at = _later(self.succeeded_at, later.succeeded_at)
        self.longest = _longer(self.longest, later.longest)
        for number, many in later.unfinished.items():
            self.unfinished[number] += many
        self.often_retried += later.often_retried
        self.left += later.left
        self.slow_at = _later(self.slow_at, later.slow_at)
        self.announced += later.announced

    def applied_to(self, head: JobHead, now: datetime) -> JobHead:
        """A head with everything added; its generation grows with every change that is worth telling.

        So each of several slices is told to the webhooks that are told how things stand, also when one of them was told
        between two slices.
        """
        causes = CauseTable(head.causes)
        causes.merge(self.causes)
        if head.failed_at is not None:
            head = self.with_ends(head)
        preparation = _sum(head.preparation, self.preparation)
        turns = bool(preparation.slow) != bool(head.preparation.slow)
        return msgspec.structs.replace(
            head,
            nodes=head.nodes + self.nodes,
            preparation=preparation,
            slow_turned_at=now if turns else head.slow_turned_at,
            release=_sum(head.release, self.release),
            preparation_failed_ever=head.preparation_failed_ever + self.failed_ever[Phase.PREPARATION],
            release_failed_ever=head.release_failed_ever + self.failed_ever[Phase.RELEASE],
            causes=causes.causes(),
            left=head.left + self.left,
            generation=head.generation + self.announced,
            changed_at=now,
        )

    def with_ends(self, head: JobHead) -> JobHead:
        """A head with the ends of preparations added, and with those that have not ended."""
        succeeded_at = _later(head.succeeded_at, self.succeeded_at)
        unfinished = Counter(head.unfinished)
        unfinished.update(self.unfinished)
        return msgspec.structs.replace(
            head,
            failed_at=latest_failures(head.failed_at or (), self.failed_at),
            failing_since=self.failing_since(head.failing_since, succeeded_at),
            succeeded_at=succeeded_at,
            longest=_longer(head.longest, self.longest),
            unfinished={number: many for number, many in sorted(unfinished.items()) if many > 0},
            often_retried=head.often_retried + self.often_retried,
            slow_at=_later(head.slow_at, self.slow_at),
        )

    def _count(self, record: NodeRecord, step: int) -> None:
        chain = chain_of(record)
        if record.preparation is not None:
            is_lost = chain is not None and chain.lost
            self.preparation[Outcome.UNKNOWN if is_lost else outcome_of(record.preparation.info)] += step
            if chain is not None and self._is_open and not is_lost:
                self._count_chain(chain, record.preparation.info, step)
        if record.release is not None:
            self.release[outcome_of(record.release.info)] += step
        if record.open is not None and self._is_open:
            self.preparation["open"] += step
        if record.left is not None and self._is_open:
            self.left += step

    def _count_chain(self, chain: Chain, info: ExecutionInfo, step: int) -> None:
        if chain.slow:
            self.preparation["slow"] += step
            return
        if (number := interval_of(chain)) is not None:
            self.unfinished[number] += step
        self.often_retried += step * is_often_retried(info)

    def _note_end(self, before: NodeRecord | None, after: NodeRecord) -> None:
        """Keep when a preparation ended; another look at the same end is none."""
        known = before.preparation if before is not None else None
        run = after.preparation
        # Nothing has ended on this node since.
        if run is None or run is known:
            return
        outcome = outcome_of(run.info)
        # The same end, seen with more detail: it was counted.
        if known is not None and known.info.start_time == run.info.start_time and outcome_of(known.info) is outcome:
            return
        moment = ended_at(run.info)
        if moment is not None and outcome is Outcome.FAILED:
            self.failed_at = latest_failures(self.failed_at, (moment,))
            self.first_failed_at = _earlier(self.first_failed_at, moment)
        if moment is not None and outcome is Outcome.SUCCEEDED:
            self.succeeded_at = _later(self.succeeded_at, moment)
            chain = chain_of(before) if before is not None else None
            begun = chain.since if chain is not None else run.info.start_time
            self.longest = _longer(self.longest, moment - begun if begun is not None else None)

    def failing_since(self, before: datetime | None, succeeded_at: datetime | None) -> datetime | None:
        """The first failure that no success has followed, as far as three moments tell it."""
        after = [
            moment
            for moment in (before, self.first_failed_at, *self.failed_at)
            if moment is not None and (succeeded_at is None or moment > succeeded_at)
        ]
        return min(after, default=None)

    def _is_counted(self, cause: CauseKey) -> bool:
        return self._is_open or cause[0] is not Phase.PREPARATION


def complete_ends(head: JobHead, records: Iterable[NodeRecord]) -> JobHead:
    """A head from before the ends of preparations were kept, with what its node records say of them."""
    tally = Tally(is_open=head.closed is None)
    for record in records:
        tally.add(NodeUpdate(key="", fingerprint=b"", before=None, after=record))
    return tally.with_ends(msgspec.structs.replace(head, failed_at=()))


def latest_failures(known: tuple[datetime, ...], more: tuple[datetime, ...]) -> tuple[datetime, ...]:
    """The latest of these moments, the newest last: as many as tell that preparations fail again and again."""
    return tuple(sorted((*known, *more))[-MOST_FAILURES:])


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    return min((moment for moment in (first, second) if moment is not None), default=None)


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max((moment for moment in (first, second) if moment is not None), default=None)


def _longer(first: timedelta | None, second: timedelta | None) -> timedelta | None:
    return max((duration for duration in (first, second) if duration is not None), default=None)


def _sum(counts: PhaseCounts, more: Mapping[str, int]) -> PhaseCounts:
    return PhaseCounts(**{name: number + more.get(name, 0) for name, number in msgspec.structs.asdict(counts).items()})
