"""Keeps the heads of one account: which jobs are known, new ones stored, old ones forgotten.

Owns when a head comes into being and when it ends. Does not own what happens to a job in between (`polling.job`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.batch.model import BatchJob
from shared.digests.rows import is_owed
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.ledger import Ledger, Pending
from shared.ledger.slice import Slice
from shared.messages.events import Origin
from shared.messages.formats import format_of
from shared.polling.cycle_rules import Choice, KnownJob
from shared.polling.job_rules import close, first_sight, is_same_incarnation, replacing, stop_listing
from shared.ports import Clock, Table
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.rows import from_row, job_key, range_of

LONGEST_KEPT_SETTLED = timedelta(days=1)
LONGEST_KEPT_UNTOLD = timedelta(days=30)
"""A head that chat or pager has still to be told of outlives the others, but not a receiver that is gone for good."""
_LEFT_ALONE = frozenset({JobEnd.UNTRACKED, JobEnd.GONE})


class HeadKeeper(Struct, frozen=True, kw_only=True):
    """Keeps one account's heads; `window` is how far back a failure is news at first sight."""

    origin: Origin
    table: Table
    ledger: Ledger
    clock: Clock
    window: timedelta
    offer: Callable[[Sequence[Pending]], None]

    def read(self) -> tuple[dict[str, KnownJob], int]:
        """Every head by lower-case job id, and how many could not be read.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        known: dict[str, KnownJob] = {}
        unreadable = 0
        for row in self.table.query(self.ledger.account, *range_of("job")):
            try:
                head = from_row(row, JobHead)
            except UnreadableRowError as error:
                # Never taken for a job not seen before: a stopped head is neither listed nor overwritten.
                write_line("head-unreadable", account=self.ledger.account, error=str(error))
                head = JobHead(job_id=row.key.removeprefix(job_key("")), tracking=Tracking.STOPPED)
                unreadable += 1
            known[head.job_id.lower()] = KnownJob(head=head, row=row)
        return known, unreadable

    def sight(self, choice: Choice, read_up_to: datetime | None) -> dict[str, KnownJob]:
        """The stored heads of the jobs to look at; new incarnations are stored now, before their nodes are listed.

        Failures that ended before `read_up_to` (None: before now) by more than the window will be history.
        """
        now = self.clock()
        ready: dict[str, KnownJob] = {}
        new: list[JobHead] = []
        for due in choice.due:
            if due.known is None and due.job is not None:
                new.append(first_sight(due.job, requested=False, read_up_to=read_up_to, window=self.window, now=now))
            elif due.known is not None and due.job is not None and _begins_anew(due.known.head, due.job):
                try:
                    ready[due.job_id.lower()] = self._replace(due.known, due.job, read_up_to, now)
                except StoreError as error:
                    write_line("job-not-replaced", account=self.ledger.account, job=due.job_id, error=str(error))
            elif due.known is not None:
                ready[due.job_id.lower()] = due.known
        for row in self.ledger.insert_jobs(new):
            head = from_row(row, JobHead)
            ready[head.job_id.lower()] = KnownJob(head=head, row=row)
        return ready

    def untrack(self, known: KnownJob) -> None:
        """Close a job that the settings no longer name."""
        now = self.clock()
        closing = close(self.origin, known.head, JobEnd.UNTRACKED, now, now)
        head = stop_listing(closing.head, Tracking.SETTLED, now)
        try:
            written = self.ledger.commit_job(known.row, known.head, Slice(head=head, events=closing.events), now)
        except StoreError as error:
            write_line("job-not-untracked", account=self.ledger.account, job=head.job_id, error=str(error))
            return
        self.offer(written.pending)

    def forget(self, known: Mapping[str, KnownJob], listed_from: datetime, read_up_to: datetime | None) -> None:
        """Drop what has been settled for long enough that no listing can bring its failures up as news.

        `listed_from` is where this cycle's listing began. It must lie behind the job's end already: the next listing
        begins there again if this cycle is not recorded, and would show the job as one never seen. Then what counts is
        `read_up_to` (None: now): later failures than the window before it would be news.
        """
        now = self.clock()
        oldest = min(listed_from, (read_up_to or now) - max(LONGEST_KEPT_SETTLED, self.window))
        for entry in known.values():
            head = entry.head
            if entry.row is None or head.settled_at is None or head.settled_at > oldest:
                continue
            keep = head.requested or head.tracking is Tracking.STOPPED
            if keep and not head.chunks:
                continue
            try:
                if head.settled_at > now - LONGEST_KEPT_UNTOLD and self._is_owed(head, now):
                    continue
                self.ledger.remove_job(entry.row, head, keep_head=keep)
            except StoreError as error:
                write_line("job-not-forgotten", account=self.ledger.account, job=head.job_id, error=str(error))

    def _is_owed(self, head: JobHead, now: datetime) -> bool:
        return any(
            is_owed(self.table, self.ledger.account, webhook, head, now)
            for webhook in self.ledger.webhooks
            if webhook.enabled and format_of(webhook).tells_state
        )

    def _replace(self, known: KnownJob, job: BatchJob, read_up_to: datetime | None, now: datetime) -> KnownJob:
        closing = close(self.origin, known.head, JobEnd.REPLACED, now, now)
        if is_same_incarnation(known.head, job):
            # It was left alone for a while: what failed before now was told then, or was not to be told.
            new = first_sight(job, requested=known.head.requested, read_up_to=now, window=timedelta(0), now=now)
        else:
            requested = known.head.requested
            new = first_sight(job, requested=requested, read_up_to=read_up_to, window=self.window, now=now)
        new = replacing(closing.head, new)
        written = self.ledger.replace_job(known.row, known.head, Slice(head=new, events=closing.events), now)
        self.offer(written.pending)
        return KnownJob(head=new, row=written.row)


def _begins_anew(head: JobHead, job: BatchJob) -> bool:
    return head.closed in _LEFT_ALONE or not is_same_incarnation(head, job)
