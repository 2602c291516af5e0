"""Takes in what a listing says of a job's nodes: in portions, each written before the next is decided.

Owns reading the chunks that a portion needs, and the walk of one portion through gather, decide, apply. Does not own
the size of portions (`changes.portions`), any rule, or the job as a whole (`polling.job_watcher`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.changes.diff import Item, by_chunk, decide_updates, known_fingerprints, read_items
from shared.changes.event_grouping import Step, group_updates
from shared.changes.layout import plan_layout
from shared.changes.node_rules import Watch
from shared.changes.portions import MOST_CHUNKS, portions_of
from shared.changes.slicing import Capacity, plan_slices
from shared.changes.tally import NodeUpdate
from shared.errors import HostileAnswerError, JobNotFoundError, UnreadableRowError
from shared.ledger.job_transaction import Slice
from shared.ledger.job_writer import JobWriter
from shared.messages.events import Event, Origin
from shared.moments import NODES_DIFFER
from shared.polling.job_listing import JOB_SELECT
from shared.polling.job_rules import is_same_incarnation, settle
from shared.polling.tails import Tails
from shared.pools.node_files import Allowance
from shared.ports import BatchService, Row, Table
from shared.reprs import repr_without
from shared.state.chunks import Chunk, Cover, decode_chunk, first_prefixes
from shared.state.jobs import JobHead
from shared.state.nodes import Change
from shared.state.rows import chunk_key, unpack

_POINT_READS = 4  # up to so many chunks are read one by one, more with one range query
_MANY = 8  # nodes a chunk; when so many may be new all chunks are read first, to tell which are known, and where


class Listing(Struct, frozen=True):
    """A whole listing: the fingerprints of its pages, and those pages that were not known."""

    fingerprints: tuple[bytes, ...]
    fresh: tuple[bytes, ...]

    __repr__ = repr_without("fresh")


class Facts(Struct, frozen=True, kw_only=True):
    """What a look has found out about the job itself and nobody has written yet.

    Until `deadline` Batch may be asked; `tails` is what may still be fetched of what tasks wrote. `confirmed` says that
    the listing is of the incarnation that the head is about; `odd` gets why an entry can't be read, for each.
    """

    head: JobHead
    events: tuple[Event, ...]
    now: datetime
    deadline: datetime
    tails: Allowance
    odd: list[HostileAnswerError]
    confirmed: bool = False


class NodeWatcher(Struct, frozen=True, kw_only=True):
    """Takes in the nodes of one account's jobs; an event has at most `max_nodes`.

    `count` hears of the changes whose events were recorded, and of none that was recorded before.
    """

    batch: BatchService
    table: Table
    origin: Origin
    max_nodes: int
    tails: Tails
    count: Callable[[Iterable[Change]], None]

    def take_in(self, listing: Listing, facts: Facts, writer: JobWriter) -> bool:
        """Write what a listing changed, with the facts; whether all of it was written.

        If not, the job was created again while it was listed: the next cycle lists the one that is there now.

        Raises:
            HostileAnswerError: The listing has the wrong shape.
            UnreadableRowError: What is stored of the nodes can't be read.
            StoreError: The table is unavailable, or somebody else wrote the job meanwhile.
        """
        head = facts.head
        shown = head.nodes * len(listing.fresh) // len(listing.fingerprints)
        may_hold = 0 < len(head.chunks) <= MOST_CHUNKS and shown > _MANY * len(head.chunks)
        chunks = self.read_chunks(head, head.chunks) if may_hold else {}
        items = read_items(listing.fresh, known_fingerprints(chunks), facts.odd.append)
        if items and not head.chunks:
            head = replace(head, chunks=first_prefixes(len(items)))
            chunks = {prefix: {} for prefix in head.chunks}
        facts = replace(facts, head=head)
        portions = portions_of(items, Cover(head.chunks, chunks))
        items.clear()
        for number, portion in enumerate(portions, start=1):
            whole = listing.fingerprints if number == len(portions) else None
            left = self._take_portion(portion, chunks, whole, facts, writer)
            if left is None:
                return False
            facts, chunks = left, {}  # those that were held may have been written
        return True

    def _take_portion(
        self,
        portion: Mapping[str, Item],
        chunks: Mapping[str, Chunk],
        whole: tuple[bytes, ...] | None,
        facts: Facts,
        writer: JobWriter,
    ) -> Facts | None:
        """Write what a portion changed and give what is left to be written with the next, None if there is none.

        `chunks` are those that are read already (none: all have to be), `whole` the fingerprints of the listing if this
        portion is its last.
        """
        # gather
        known, head, now = writer.head, facts.head, facts.now
        grouped = by_chunk(portion, Cover(head.chunks, chunks))
        chunks = chunks or self.read_chunks(head, sorted(grouped))

        # decide
        watch = Watch(announce_from=head.announce_from, open=head.closed is None, latest=now + NODES_DIFFER)
        updates = [
            update
            for prefix, some in grouped.items()
            for update in decide_updates(some, chunks[prefix], watch, facts.odd.append)
        ]
        if not updates and whole is None:
            return facts
        # With something odd in it every page is read again, so that it is seen whether that stays.
        fingerprints = () if facts.odd and whole is not None else whole
        # Not even what tells nothing is written of another incarnation.
        if not facts.confirmed and (updates or fingerprints != known.page_fingerprints):
            if self._was_created_again(head, facts.deadline):
                return None
            facts = replace(facts, confirmed=True)
        updates = self.tails.add(updates, facts.tails)
        steps, (*slices, last) = self._plan(head, chunks, updates, fingerprints, facts.events, writer, now)
        if whole is not None:
            last = replace(last, head=settle(last.head, now))

        # apply
        for one in (*slices, last):
            if one != Slice(head=writer.head):
                self._count(steps, writer.write(one, now))
        return replace(facts, head=writer.head, events=())

    def write(
        self, updates: Sequence[NodeUpdate], chunks: Mapping[str, Chunk], writer: JobWriter, now: datetime
    ) -> None:
        """Write what became of nodes without a new listing; `chunks` are those that hold them.

        Raises:
            StoreError: The table is unavailable, or somebody else wrote the job meanwhile.
        """
        known = writer.head
        _, slices = self._plan(known, chunks, updates, known.page_fingerprints, (), writer, now)
        for one in slices:
            writer.write(one, now)

    def _count(self, steps: Sequence[Step], recorded: frozenset[str]) -> None:
        """Have the changes counted whose events were recorded: what was told before was counted then."""
        if not recorded:
            return
        new = (step for step in steps if step.event is not None and step.event.id in recorded)
        updates = (update for step in new for some in step.updates.values() for update in some)
        self.count(update.change for update in updates if update.change is not None)

    def _plan(
        self,
        head: JobHead,
        chunks: Mapping[str, Chunk],
        updates: Sequence[NodeUpdate],
        whole: tuple[bytes, ...] | None,
        events: Sequence[Event],
        writer: JobWriter,
        now: datetime,
    ) -> tuple[Sequence[Step], tuple[Slice, ...]]:
        layout = plan_layout(writer.head, head, chunks, updates)
        cover, sizes = layout.cover, layout.sizes
        steps = group_updates(self.origin, layout.head, updates, cover, sizes, max_nodes=self.max_nodes, now=now)
        capacity = Capacity(rows_of=writer.ledger.rows_of, spare_rows=writer.ledger.spare_rows, now=now)
        return steps, plan_slices(layout, steps, whole, events, capacity)

    def _was_created_again(self, head: JobHead, deadline: datetime) -> bool:
        """Whether another job has taken the id since the cycle listed the jobs.

        A listing of statuses does not name the incarnation, so once before any of it is written the job is asked for
        again.
        """
        try:
            job = self.batch.get_job(head.job_id, select=JOB_SELECT, deadline=deadline)
        except JobNotFoundError:
            return False
        return not is_same_incarnation(head, job)

    def stored(self, head: JobHead) -> Iterator[dict[str, Chunk]]:
        """All stored chunks of a job, at most MOST_CHUNKS of them at once; what is read may be written before the next.

        Raises:
            UnreadableRowError: One is missing, or can't be read.
            StoreError: The table is unavailable.
        """
        prefixes = sorted(head.chunks)
        for start in range(0, len(prefixes), MOST_CHUNKS):
            yield self.read_chunks(head, prefixes[start : start + MOST_CHUNKS])

    def read_chunks(self, head: JobHead, prefixes: Sequence[str]) -> dict[str, Chunk]:
        """The stored chunks of a job with these prefixes.

        Raises:
            UnreadableRowError: One is missing, or can't be read.
            StoreError: The table is unavailable.
        """
        keys = {chunk_key(head.job_id, head.filed_under, prefix): prefix for prefix in prefixes}
        rows: list[Row] = []
        if len(keys) <= _POINT_READS:
            rows.extend(row for key in keys if (row := self.table.get(self.origin.partition, key)))
        else:
            first, last = min(keys), max(keys)
            rows.extend(self.table.query(self.origin.partition, first, last + "\0"))
        chunks = {keys[row.key]: decode_chunk(unpack(row)) for row in rows if row.key in keys}
        if missing := sorted(set(prefixes) - set(chunks)):
            raise UnreadableRowError(f"Node chunks {missing} of job {head.job_id} are missing from the table.")
        return chunks
