"""Looks at one job: lists its statuses, decides what is new, writes it down.

Owns the walk of one job through gather, decide, apply. Does not own which jobs are looked at (`polling.cycle`), any
rule, or the delivery of what became due.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import BatchJob, TaskCounts
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    DefectError,
    JobNotFoundError,
    NoPreparationTaskError,
    PrepwatchError,
    ThrottledError,
    UnreadableRowError,
)
from shared.journal import write_defect, write_line
from shared.ledger.ledger import Ledger, Pending
from shared.ledger.slice import Slice
from shared.messages.events import Event, Origin
from shared.polling.cycle_rules import JOB_SELECT, DueJob, KnownJob
from shared.polling.grouping import group_updates
from shared.polling.job_rules import (
    Decision,
    fail,
    is_same_incarnation,
    judge_stuck,
    lose,
    must_count_tasks,
    recover,
    settle,
    stop_listing,
    suspect,
    take_facts,
)
from shared.polling.listing import by_chunk, decide_updates, known_fingerprints, page_fingerprint, read_items
from shared.polling.node_rules import Watch, has_run_since
from shared.polling.slicing import Layout, Room, plan_layout, plan_slices
from shared.polling.tails import StderrTails
from shared.polling.tally import NodeUpdate
from shared.ports import BatchService, Clock, ListingOptions, Row, Table
from shared.reprs import repr_without
from shared.state.chunks import Chunk, Cover, decode_chunk, first_prefixes
from shared.state.jobs import JobHead, Tracking
from shared.state.rows import chunk_key, unpack

_POINT_READS = 4  # up to so many chunks are read one by one, more with one range query
_MANY = 8  # nodes a chunk; when so many may be new all chunks are read first, to tell which are known, and where
_MOST_DECODED = 15_000  # nodes; about 3 KiB of memory each while they are decided
_WAIT_FOR_SUCCESS = "id,jobPreparationTask"
_OF_ONE_LISTING = frozenset({"OperationTimedOut", "DeadlineExceeded"})  # a listing too long for the time it had


class _Progress(Struct):
    """A job's head as last written, with its row; None before the first transaction."""

    row: Row | None
    head: JobHead


class Look(Struct, frozen=True, kw_only=True):
    """How a look at a job ended: its head and row as they now stand, and the error that ended it, or None."""

    head: JobHead
    row: Row | None
    error: PrepwatchError | None = None

    @property
    def may_concern_all(self) -> bool:
        """Whether the error may be the account's: the service or the way to it failed, not this job's listing."""
        return isinstance(self.error, BatchUnavailableError) and self.error.code not in _OF_ONE_LISTING


class _Listing(Struct, frozen=True):
    fingerprints: tuple[bytes, ...]
    fresh: tuple[bytes, ...]

    __repr__ = repr_without("fresh")


class JobWatcher(Struct, frozen=True, kw_only=True):
    """Watches the jobs of one account; `offer` is handed every delivery that a commit made due."""

    batch: BatchService
    table: Table
    ledger: Ledger
    origin: Origin
    clock: Clock
    max_nodes: int
    tails: StderrTails
    offer: Callable[[Sequence[Pending]], None]

    def watch(self, due: DueJob, known: KnownJob, deadline: datetime) -> Look:
        """Look at a job whose incarnation has a stored head.

        Raises:
            AccountDeniedError, ThrottledError: The whole account is concerned; nothing was decided about the job.
            StoreError: The table is unavailable, or somebody else wrote the job meanwhile; look again next time.
        """
        progress = _Progress(known.row, known.head)
        try:
            return self._watch(progress, due, deadline)
        except PrepwatchError:
            raise
        except Exception as defect:  # noqa: BLE001 - the other jobs of the account are looked at all the same
            return self._record_defect(progress, defect)

    def _watch(self, progress: _Progress, due: DueJob, deadline: datetime) -> Look:
        try:
            job = due.job or self.batch.get_job(due.job_id, select=JOB_SELECT, deadline=deadline)
            self._look(progress, job, deadline)
        except (AccountDeniedError, ThrottledError):
            raise
        except JobNotFoundError:
            self._apply(progress, lose(self.origin, progress.head, self.clock()))
        except NoPreparationTaskError:
            now = self.clock()
            well = recover(self.origin, progress.head, now)
            head = stop_listing(well.head, Tracking.NO_PREPARATION_TASK, now)
            self._apply(progress, Decision(head=head, events=well.events))
        except (BatchError, UnreadableRowError) as error:
            look = Look(head=progress.head, row=progress.row, error=error)
            if not look.may_concern_all:
                self.record_error(look)
            return look
        return Look(head=progress.head, row=progress.row)

    def _record_defect(self, progress: _Progress, defect: Exception) -> Look:
        """Make a defect the error of the job that it was met in."""
        job, account = progress.head.job_id, self.origin.account
        write_defect("job-defect", defect, account=account, job=job)
        look = Look(head=progress.head, row=progress.row, error=DefectError(type(defect).__name__))
        try:
            self.record_error(look)
        except PrepwatchError:
            raise
        except Exception as again:  # noqa: BLE001 - met in the writing itself: the log and the cycle's count have it
            write_line("job-error-lost", logging.ERROR, account=account, job=job, error=type(again).__name__)
        return look

    def record_error(self, look: Look) -> None:
        """Write the error of a look down as the job's own.

        Raises:
            StoreError: It could not be written; the next cycle meets it again.
        """
        if look.error is not None:
            progress = _Progress(look.row, look.head)
            self._apply(progress, fail(self.origin, look.head, look.error, self.clock()))

    def _look(self, progress: _Progress, job: BatchJob, deadline: datetime) -> None:
        # gather
        listing = self._list(progress.head, deadline)
        now = self.clock()
        wait_for_success, tasks = self._count_tasks(progress.head, now, deadline)

        # decide
        well = recover(self.origin, _watched(progress.head), now)
        facts = take_facts(self.origin, replace(well.head, wait_for_success=wait_for_success), job, now)
        events = (*well.events, *facts.events)
        if not listing.fresh:
            head = settle(suspect(replace(facts.head, page_fingerprints=listing.fingerprints), now), now)
            slices: Iterable[Slice] = (Slice(head=head, events=events),) if head != progress.head else ()
        else:
            slices = self._decide_nodes(progress.head, facts.head, listing, events, now, deadline)

        # apply
        for step in slices:
            self._write(progress, step, now)
        self._apply(progress, judge_stuck(self.origin, progress.head, tasks, now))

    def _list(self, head: JobHead, deadline: datetime) -> _Listing:
        known = frozenset(head.page_fingerprints or ())
        fingerprints, fresh = [], []
        for page in self.batch.list_statuses(head.job_id, ListingOptions(), deadline=deadline):
            fingerprint = page_fingerprint(page.value)
            fingerprints.append(fingerprint)
            if fingerprint not in known:
                fresh.append(page.value)
        return _Listing(tuple(fingerprints), tuple(fresh))

    def _decide_nodes(
        self,
        known: JobHead,
        head: JobHead,
        listing: _Listing,
        events: tuple[Event, ...],
        now: datetime,
        deadline: datetime,
    ) -> Iterator[Slice]:
        """The slices that write what the listing changed, each batch decided when the one before is written."""
        # gather
        stored = frozenset(head.chunks)
        shown = head.nodes * len(listing.fresh) // len(listing.fingerprints)
        chunks = self._read_chunks(head, head.chunks) if stored and shown > _MANY * len(stored) else {}
        items = read_items(listing.fresh, known_fingerprints(chunks))
        if items and not stored:
            head = replace(head, chunks=first_prefixes(len(items)))
        grouped = by_chunk(items, Cover(head.chunks, chunks))
        batches = [sorted(grouped)] if stored else _batches(grouped)
        items.clear()
        if not chunks:
            chunks = self._read_chunks(head, batches[0]) if stored else {prefix: {} for prefix in head.chunks}
        room = Room(rows_of=self.ledger.rows_of, spare_rows=self.ledger.spare_rows, now=now)
        watch = Watch(announce_from=head.announce_from, open=head.closed is None)
        for number, prefixes in enumerate(batches, start=1):
            last = number == len(batches)

            # decide
            updates = [
                update for prefix in prefixes for update in decide_updates(grouped.pop(prefix), chunks[prefix], watch)
            ]
            updates = self.tails.add(self._without_next_incarnation(head, updates, deadline))
            layout = plan_layout(Layout(known=known, head=head, chunks=chunks, stored=stored), updates)
            cover, sizes = layout.cover, layout.sizes
            steps = group_updates(self.origin, layout.head, updates, cover, sizes, max_nodes=self.max_nodes, now=now)
            slices = plan_slices(layout, steps, listing.fingerprints if last else None, events, room)
            head = settle(suspect(slices[-1].head, now), now) if last else slices[-1].head

            # apply
            yield from (*slices[:-1], replace(slices[-1], head=head))
            known, stored, events = head, frozenset(head.chunks), ()
            chunks = {prefix: {} for prefix in (batches[number] if not last else ())}

    def _without_next_incarnation(
        self, head: JobHead, updates: list[NodeUpdate], deadline: datetime
    ) -> list[NodeUpdate]:
        """The updates without those of a job created again under the same id since the cycle listed the jobs.

        A listing of statuses does not name the incarnation, so before anything is told the job is asked for once more.
        """
        if not any(update.change for update in updates):
            return updates
        try:
            job = self.batch.get_job(head.job_id, select=JOB_SELECT, deadline=deadline)
        except JobNotFoundError:
            return updates
        if is_same_incarnation(head, job):
            return updates
        return [update for update in updates if not has_run_since(update.after, job.creation_time)]

    def _read_chunks(self, head: JobHead, prefixes: Sequence[str]) -> dict[str, Chunk]:
        keys = {chunk_key(head.job_id, head.creation_time, prefix): prefix for prefix in prefixes}
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

    def _count_tasks(self, head: JobHead, now: datetime, deadline: datetime) -> tuple[bool | None, TaskCounts | None]:
        """What an old suspicion makes worth asking: whether tasks wait for preparation, and how many do."""
        waits = head.wait_for_success
        if not must_count_tasks(head, now):
            return waits, None
        if waits is None:
            task = self.batch.get_job(head.job_id, select=_WAIT_FOR_SUCCESS, deadline=deadline).job_preparation_task
            waits = task is None or task.wait_for_success is not False
        return waits, self.batch.count_tasks(head.job_id, deadline=deadline) if waits else None

    def _apply(self, progress: _Progress, decision: Decision) -> None:
        if decision.head != progress.head or decision.events:
            self._write(progress, Slice(head=decision.head, events=decision.events), self.clock())

    def _write(self, progress: _Progress, step: Slice, now: datetime) -> None:
        written = self.ledger.commit_job(progress.row, progress.head, step, now)
        progress.row = written.row
        progress.head = step.head
        self.offer(written.pending)


def _batches(grouped: Mapping[str, Mapping[str, object]]) -> list[list[str]]:
    """The prefixes of a job seen for the first time, in portions of so many nodes as may be decoded at once."""
    batches: list[list[str]] = [[]]
    nodes = 0
    for prefix, some in sorted(grouped.items()):
        if batches[-1] and nodes + len(some) > _MOST_DECODED:
            batches.append([])
            nodes = 0
        batches[-1].append(prefix)
        nodes += len(some)
    return batches


def _watched(head: JobHead) -> JobHead:
    """The head as one that is looked at, whatever was settled before."""
    if head.tracking in {Tracking.WATCHING, Tracking.UNREACHABLE}:
        return head
    return replace(head, tracking=Tracking.WATCHING, settled_at=None)
