"""Looks after what lasts on a job's nodes: preparations that take too long, and failures whose node has left.

Owns when a job's nodes are read for that, what Batch is asked first, and the writing of what follows. Does not own when
a preparation is slow (`changes.slow_preparations`) or what a node's leaving means (`changes.leaving`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.changes.leaving import SEARCHED_EVERY, Listed, decide_leaving, may_have_left
from shared.changes.slow_preparations import became_slow_at, chain_of, limit_of, may_be_slow
from shared.changes.tally import NodeUpdate, complete_ends
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.job_writer import JobWriter
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.polling.cycle_rules import KnownJob
from shared.polling.known_jobs import MayWait
from shared.polling.node_updates import NodeWatcher
from shared.pools.facts import PoolFacts
from shared.ports import Clock
from shared.state.chunks import Chunk, decode_record
from shared.state.jobs import JobHead
from shared.state.nodes import Change, NodeRecord, Reason
from shared.state.pools import PoolMemory


class SlowPreparations(Struct, frozen=True, kw_only=True):
    """Watches the preparations of one account's jobs.

    `limit` is how long one may take, zero to leave that alone, None to let each job's own past decide; `offer` is
    handed every delivery that a commit made due.
    """

    nodes: NodeWatcher
    ledger: Ledger
    clock: Clock
    limit: timedelta | None
    offer: Callable[[Sequence[Pending]], None]

    def watch(self, jobs: Sequence[MayWait], facts: PoolFacts) -> list[MayWait]:
        """The jobs with what was found of their preparations.

        Raises:
            ThrottledError: The whole account is to be left alone; what was not looked at is looked at next time.
        """
        return [(self._watch(known, facts), job) for known, job in jobs]

    def _watch(self, known: KnownJob, facts: PoolFacts) -> KnownJob:
        head = known.head
        # What its listing said before it could not be read any more says nothing about now.
        if head.closed is not None or not head.is_known_now or self.clock() >= facts.deadline:
            return known
        writer = JobWriter(ledger=self.ledger, offer=self.offer, row=known.row, head=head)
        try:
            self._look(writer, facts)
        except (StoreError, UnreadableRowError) as error:
            write_line("job-error", account=self.ledger.account, job=head.job_id, error=str(error))
        return KnownJob(head=writer.head, row=writer.row)

    def _look(self, writer: JobWriter, facts: PoolFacts) -> None:
        now, head = self.clock(), writer.head
        if head.failed_at is None and head.nodes > 0:
            # A version wrote it that did not keep what is asked for here.
            records = (each.record for chunks in self.nodes.stored(head) for each in _nodes(chunks))
            writer.write_head(complete_ends(head, records), (), now)
            head = writer.head
        limit = limit_of(head, self.limit)
        if limit is None or not may_be_slow(head, limit, now):
            return
        may_ask = facts.may_ask and head.pool_id is not None
        # gather
        for chunks in self.nodes.stored(head):
            slow_at = ((each, became_slow_at(each.record, limit, now)) for each in _nodes(chunks))
            found = [(each, at) for each, at in slow_at if at is not None]
            if not found:
                continue
            able = facts.able(head.pool_id)
            # Batch did not say which nodes work: it is asked again in the next cycle.
            if able is None and may_ask:
                return

            # decide, apply
            updates = [
                _slow_update(each, at, works=_works(each.record, head, able))
                for each, at in found
                if not _is_out_of_reach(each.record, head, able, facts)
            ]
            if updates:
                self.nodes.write(updates, chunks, writer, now)


class _Stored(NamedTuple):
    """A node as it lies in its chunk."""

    key: str
    fingerprint: bytes
    record: NodeRecord

    def update(self, after: NodeRecord, change: Change | None) -> NodeUpdate:
        """What writes it anew, and tells the change."""
        return NodeUpdate(key=self.key, fingerprint=self.fingerprint, before=self.record, after=after, change=change)


def _nodes(chunks: Mapping[str, Chunk]) -> Iterator[_Stored]:
    for chunk in chunks.values():
        for key, entry in chunk.items():
            yield _Stored(key, entry.fingerprint, decode_record(entry))


def _works(record: NodeRecord, head: JobHead, able: Mapping[str, datetime | None] | None) -> bool:
    """Whether the node can still be at it: it is able, in the job's pool, and has not begun anew since.

    `able` are the pool's nodes that are; None without the right to read them, when the job's listing decides alone.
    """
    if able is None:
        return True
    node_id, run = record.node_id.lower(), record.preparation
    if node_id not in able or run is None or record.pool_id.lower() != head.pool_key:
        return False
    booted, started = able[node_id], run.info.start_time
    # Once it was booted, or another was given its id, that run is over.
    return booted is None or started is None or booted <= started


def _is_out_of_reach(
    record: NodeRecord, head: JobHead, able: Mapping[str, datetime | None] | None, facts: PoolFacts
) -> bool:
    """Whether nobody knows now what becomes of the preparation on a node: the next cycle asks again.

    Raises:
        ThrottledError: The whole account is to be left alone.
    """
    node_id = record.node_id.lower()
    # The listing decides alone, or it is known whether the node is at it.
    if able is None or node_id in able or record.pool_id.lower() != head.pool_key:
        return False
    nodes = facts.out_of_reach(head.pool_id)
    return nodes is None or node_id in nodes


def _slow_update(stored: _Stored, at: datetime, *, works: bool) -> NodeUpdate:
    record = stored.record
    chain, run = chain_of(record), record.preparation
    if chain is None or run is None or not works:
        return stored.update(replace(record, chain=replace(chain, lost=True) if chain is not None else None), None)
    chain, reason, info = replace(chain, slow=True, owed=True), Reason.SLOW, run.info
    after = replace(record, chain=chain, preparation=replace(run, reason=reason))
    change = Change(phase=Phase.PREPARATION, reason=reason, node=after, occurrence=info, chain=chain, at=at)
    return stored.update(after, change)


class Departures(Struct, frozen=True, kw_only=True):
    """Watches the pools of one account's jobs; `offer` is handed every delivery that a commit made due."""

    nodes: NodeWatcher
    ledger: Ledger
    clock: Clock
    offer: Callable[[Sequence[Pending]], None]

    def watch(
        self, jobs: Sequence[MayWait], pools: Mapping[str, PoolMemory], facts: PoolFacts
    ) -> tuple[list[MayWait], dict[str, PoolMemory]]:
        """The jobs after those nodes were closed that have left, and the pools with when they were listed.

        Raises:
            ThrottledError: The whole account is to be left alone; what was not looked at is looked at next time.
        """
        now = self.clock()
        listed = dict(pools)
        after: list[MayWait] = []
        for known, job in jobs:
            memory = pools.get(known.head.pool_key)
            looked = known
            if memory is not None and _is_due(known.head, memory, now):
                ids = facts.ids(memory.pool_id)
                if ids is not None:
                    looked = self._look(known, Listed(pool_id=memory.pool_id, nodes=ids, at=now))
                    listed[memory.pool_id.lower()] = replace(memory, searched_at=now)
            after.append((looked, job))
        return after, listed

    def _look(self, known: KnownJob, listed: Listed) -> KnownJob:
        head, now = known.head, self.clock()
        writer = JobWriter(ledger=self.ledger, offer=self.offer, row=known.row, head=head)
        try:
            # gather
            for chunks in self.nodes.stored(head):
                # decide
                looked = ((each, *decide_leaving(each.record, listed)) for each in _nodes(chunks))
                updates = [each.update(after, change) for each, after, change in looked if after != each.record]

                # apply
                if updates:
                    self.nodes.write(updates, chunks, writer, now)
        except (StoreError, UnreadableRowError) as error:
            write_line("job-error", account=self.ledger.account, job=head.job_id, error=str(error))
        return KnownJob(head=writer.head, row=writer.row)


def _is_due(head: JobHead, memory: PoolMemory, now: datetime) -> bool:
    """Whether the job's pool is to be listed now; of a pool that is gone nothing is known."""
    if not head.is_known_now or memory.gone_since is not None or not may_have_left(head):
        return False
    return memory.searched_at is None or now - memory.searched_at >= SEARCHED_EVERY
