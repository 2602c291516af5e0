"""Keeps the heads of one account: which jobs are known, new ones stored, old ones forgotten.

Owns when a head comes into being and when it ends, and which jobs may wait for the nodes of which pools. Does not own
what happens to a job in between (`polling.job_watcher`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.model import BatchJob, UnreadableJob
from shared.batch.outcomes import is_active
from shared.errors import LostRaceError, RowConflictError, StoreError, StoreUnavailableError, UnreadableRowError
from shared.journal import write_line
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.moments import is_to_come, unless_to_come
from shared.patterns import IdPatterns
from shared.polling.cycle_rules import Choice, KnownJob, is_tracked
from shared.polling.job_rules import (
    Decision,
    close,
    fail,
    head_at_first_sight,
    is_same_incarnation,
    replacing,
    stop_listing,
)
from shared.pools.standstill_rules import believable_standstill
from shared.ports import MAX_ROWS, Clock, Table
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.rows import from_row, job_key, range_of

LONGEST_KEPT_SETTLED = timedelta(days=1)
LONGEST_KEPT_UNTOLD = timedelta(days=30)
"""A head that chat or pager has still to be told of outlives the others, but not a receiver that is gone for good."""
_LEFT_ALONE = frozenset({JobEnd.UNTRACKED, JobEnd.GONE})

_MAY_WAIT = frozenset({Tracking.WATCHING, Tracking.UNREACHABLE, Tracking.NO_PREPARATION_TASK})

MayWait = tuple[KnownJob, BatchJob | None]
"""A job whose tasks may wait for nodes, and what the job listing showed of it, None when it was left out."""


class SightedJobs(Struct):
    """The jobs to look at, by lower-case id: those with a stored head, and those whose head the table refuses.

    Of all others nothing is known, not even whether they are stored.
    """

    ready: dict[str, KnownJob] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


class JobHeadStore(Struct, frozen=True, kw_only=True):
    """Keeps one account's heads; `first_sight` is how far back a failure is news at first sight."""

    origin: Origin
    table: Table
    ledger: Ledger
    clock: Clock
    first_sight: timedelta
    offer: Callable[[Sequence[Pending]], None]

    def read(self) -> tuple[dict[str, KnownJob], int]:
        """Every head by lower-case job id, and how many could not be read.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        known: dict[str, KnownJob] = {}
        unreadable, now = 0, self.clock()
        for row in self.table.query(self.ledger.account, *range_of("job")):
            try:
                head = believable_head(from_row(row, JobHead), self.first_sight, now)
            except UnreadableRowError as error:
                # Never taken for a job not seen before: a stopped head is neither listed nor overwritten.
                write_line("head-unreadable", account=self.ledger.account, error=str(error))
                head = JobHead(job_id=row.key.removeprefix(job_key("")), tracking=Tracking.STOPPED)
                unreadable += 1
            known[head.job_id.lower()] = KnownJob(head=head, row=row)
        return known, unreadable

    def sight(self, choice: Choice, read_up_to: datetime | None) -> SightedJobs:
        """The stored heads of the jobs to look at; new incarnations are stored now, before their nodes are listed.

        Failures that ended before `read_up_to` (None: before now) by more than `first_sight` will be history.

        Raises:
            StoreUnavailableError: The table gave no answer.
        """
        now = self.clock()
        sighted = SightedJobs()
        new: list[JobHead] = []
        for due in choice.due:
            if due.known is None and due.job is not None:
                new.append(
                    head_at_first_sight(
                        due.job, requested=False, read_up_to=read_up_to, first_sight=self.first_sight, now=now
                    )
                )
            elif due.known is not None and due.job is not None and _begins_anew(due.known.head, due.job):
                self._begin_anew(due.known, due.job, read_up_to, now, sighted)
            elif due.known is not None:
                sighted.ready[due.job_id.lower()] = due.known
        for start in range(0, len(new), MAX_ROWS):
            self._insert(new[start : start + MAX_ROWS], sighted)
        return sighted

    def _insert(self, new: Sequence[JobHead], sighted: SightedJobs) -> None:
        try:
            rows = self.ledger.insert_jobs(new)
        except RowConflictError:
            return
        except StoreUnavailableError:
            raise
        except StoreError as refused:
            if len(new) > 1:  # one of them costs only itself
                for head in new:
                    self._insert((head,), sighted)
                return
            sighted.refused.add(new[0].job_id.lower())
            write_line("job-not-stored", logging.ERROR, **self._about(new[0]), error=str(refused))
            return
        for row in rows:
            head = from_row(row, JobHead)
            sighted.ready[head.job_id.lower()] = KnownJob(head=head, row=row)

    def _begin_anew(
        self, known: KnownJob, job: BatchJob, read_up_to: datetime | None, now: datetime, sighted: SightedJobs
    ) -> None:
        head = known.head
        try:
            sighted.ready[head.job_id.lower()] = self._replace(known, job, read_up_to, now)
        except (StoreUnavailableError, LostRaceError) as error:
            write_line("job-not-replaced", **self._about(head), error=str(error))
        except StoreError as refused:
            sighted.refused.add(head.job_id.lower())
            write_line("job-not-replaced", logging.ERROR, **self._about(head), error=str(refused))
            self._commit(known, fail(self.origin, head, refused, now), "job-error-lost")

    def _commit(self, known: KnownJob, decision: Decision, lost: str) -> None:
        """Write a decision about a job that is not looked at; `lost` names the line in the log if that fails."""
        try:
            step = Slice(head=decision.head, events=decision.events)
            written = self.ledger.commit_job(known.row, known.head, step, self.clock())
        except StoreError as error:
            write_line(lost, **self._about(known.head), error=str(error))
            return
        self.offer(written.pending)

    def _about(self, head: JobHead) -> dict[str, str]:
        return {"account": self.ledger.account, "job": head.job_id}

    def untrack(self, known: KnownJob) -> None:
        """Close a job that the settings no longer name."""
        now = self.clock()
        closing = close(self.origin, known.head, JobEnd.UNTRACKED, now, now)
        head = stop_listing(closing.head, Tracking.SETTLED, now)
        self._commit(known, Decision(head=head, events=closing.events), "job-not-untracked")

    def forget(self, known: Mapping[str, KnownJob], listed_from: datetime, read_up_to: datetime | None) -> None:
        """Drop what has been settled for long enough that no listing can bring its failures up as news.

        `listed_from` is where this cycle's listing began. It must lie behind the job's end already: the next listing
        begins there again if this cycle is not recorded, and would show the job as one never seen. Then what counts is
        `read_up_to` (None: now): later failures than `first_sight` before it would be news.
        """
        now = self.clock()
        oldest = min(listed_from, (read_up_to or now) - max(LONGEST_KEPT_SETTLED, self.first_sight))
        for entry in known.values():
            head = entry.head
            # A standstill that was told is owed its end.
            is_standing = head.stuck_since is not None
            if entry.row is None or is_standing or head.settled_at is None or head.settled_at > oldest:
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
        # Read when a job is forgotten, which most cycles do not do.
        from shared.digests.rows import is_owed

        return any(
            is_owed(self.table, self.ledger.account, webhook, head, now)
            for webhook in self.ledger.webhooks
            if webhook.enabled and format_of(webhook).tells_state
        )

    def _replace(self, known: KnownJob, job: BatchJob, read_up_to: datetime | None, now: datetime) -> KnownJob:
        closing = close(self.origin, known.head, JobEnd.REPLACED, now, now)
        if is_same_incarnation(known.head, job):
            # It was left alone for a while: what failed before now was told then, or was not to be told.
            new = head_at_first_sight(
                job, requested=known.head.requested, read_up_to=now, first_sight=timedelta(0), now=now
            )
        else:
            trouble, requested = known.head.trouble, known.head.requested
            # A job in trouble was not read since that began, however far its account is.
            moments = (read_up_to, trouble.since if trouble else None)
            read = min((moment for moment in moments if moment is not None), default=None)
            new = head_at_first_sight(job, requested=requested, read_up_to=read, first_sight=self.first_sight, now=now)
        new = replacing(closing.head, new)
        written = self.ledger.replace_job(known.row, known.head, Slice(head=new, events=closing.events), now)
        self.offer(written.pending)
        return KnownJob(head=new, row=written.row)


def believable_head(head: JobHead, first_sight: timedelta, now: datetime) -> JobHead:
    """The head with nothing that is still to come: a clock that has jumped back since wrote that down.

    What fails from now on is news, what was said or seen to come was never said.
    """
    news_from = head.announce_from
    return replace(
        head,
        announce_from=now - first_sight if news_from is not None and is_to_come(news_from, now) else news_from,
        missing_since=unless_to_come(head.missing_since, now),
        stuck=None if head.stuck is None else believable_standstill(head.stuck, now),
    )


def jobs_that_may_wait(
    known: Mapping[str, KnownJob], listed: Sequence[BatchJob], patterns: IdPatterns
) -> list[MayWait]:
    """The jobs whose tasks may wait for nodes, with or without a preparation task, as the job listing shows them.

    One of which a standstill was told is among them also when the listing leaves it out (None): its end is owed. What
    is known of a job whose id another has taken, and could not be replaced, says nothing about that one.
    """
    shown = {job.id.lower(): job for job in listed}
    return [
        (one, shown.get(key))
        for key, one in known.items()
        if one.row is not None
        and one.head.tracking in _MAY_WAIT
        and (key not in shown or is_same_incarnation(one.head, shown[key]))
        and (one.head.stuck_since is not None or (key in shown and is_tracked(one.head, one.head.job_id, patterns)))
    ]


def pools_of(jobs: Iterable[MayWait]) -> list[str]:
    """The pools of those of these jobs that are active, or of which a standstill was told, as Batch spells them."""
    return list({pool_id.lower(): pool_id for pool_id, _ in _uses(jobs)}.values())


def users_of(jobs: Iterable[MayWait]) -> dict[str, frozenset[str]]:
    """Those of these jobs that use a pool, by its lower-case id."""
    users: dict[str, set[str]] = {}
    for pool_id, job_id in _uses(jobs):
        users.setdefault(pool_id.lower(), set()).add(job_id)
    return {key: frozenset(names) for key, names in users.items()}


def _uses(jobs: Iterable[MayWait]) -> Iterator[tuple[str, str]]:
    """The pool of each job that may want its nodes, and the job."""
    for known, listed in jobs:
        # What can't be read now is as it was.
        job = None if isinstance(listed, UnreadableJob) else listed
        if known.head.stuck_since is None and not is_active(job.state if job is not None else known.head.state):
            continue
        execution = job.execution_info if job is not None else None
        pool_id = execution.pool_id if execution is not None else known.head.pool_id
        if pool_id is not None:
            yield pool_id, known.head.job_id


def _begins_anew(head: JobHead, job: BatchJob) -> bool:
    return head.closed in _LEFT_ALONE or not is_same_incarnation(head, job)
