"""Looks at one job: lists its statuses, decides what is new, writes it down.

Owns the walk of one job through gather, decide, apply. Does not own which jobs are looked at (`polling.cycle`), the
walk of its nodes (`polling.node_updates`), any rule, or the delivery of what became due.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import BatchJob
from shared.changes.diff import page_fingerprint
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    DefectError,
    HostileAnswerError,
    JobNotFoundError,
    LostRaceError,
    NoPreparationTaskError,
    PrepwatchError,
    StoreError,
    StoreUnavailableError,
    ThrottledError,
    WrongStateError,
)
from shared.journal import write_defect, write_line
from shared.ledger.job_writer import JobWriter
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages.events import Origin
from shared.polling.cycle_rules import DueJob, KnownJob
from shared.polling.job_listing import JOB_SELECT
from shared.polling.job_rules import (
    Decision,
    fail,
    is_ending,
    is_same_incarnation,
    judge_reading,
    note_missing,
    recover,
    settle,
    stop_listing,
    take_facts,
)
from shared.polling.node_updates import Facts, Listing, NodeWatcher
from shared.polling.unreadable import unreadable_of_job
from shared.pools.node_files import Allowance
from shared.ports import BatchService, Clock, ListingOptions, Row
from shared.state.jobs import JobHead, Tracking

_OF_ITS_END = frozenset({"JobBeingDeleted", "JobBeingTerminated"})
_OF_ONE_LISTING = frozenset({"OperationTimedOut", "DeadlineExceeded"})  # a listing too long for the time it had


class LookResult(Struct, frozen=True, kw_only=True):
    """How a look at a job ended: its head and row as they now stand, and the error that ended it, or None."""

    head: JobHead
    row: Row | None
    error: PrepwatchError | None = None

    @property
    def may_concern_all(self) -> bool:
        """Whether the error may be the account's: the service or the way to it failed, not this job's listing."""
        return isinstance(self.error, BatchUnavailableError) and self.error.code not in _OF_ONE_LISTING


class JobWatcher(Struct, frozen=True, kw_only=True):
    """Watches the jobs of one account; `offer` is handed every delivery that a commit made due."""

    batch: BatchService
    ledger: Ledger
    origin: Origin
    clock: Clock
    nodes: NodeWatcher
    offer: Callable[[Sequence[Pending]], None]

    def watch(self, due: DueJob, known: KnownJob, deadline: datetime) -> LookResult:
        """Look at a job whose incarnation has a stored head.

        Raises:
            AccountDeniedError, ThrottledError: The whole account is concerned; nothing was decided about the job.
            StoreUnavailableError, LostRaceError: The table gave no answer, or somebody else wrote the job; look again
                next time.
        """
        writer = self._writer(known.row, known.head)
        try:
            return self._watch(writer, due, deadline)
        except PrepwatchError:
            raise
        except Exception as defect:  # noqa: BLE001 - the other jobs of the account are looked at all the same
            return self._record_defect(writer, defect)

    def _watch(self, writer: JobWriter, due: DueJob, deadline: datetime) -> LookResult:
        job = due.job
        try:
            job = job or self.batch.get_job(due.job_id, select=JOB_SELECT, deadline=deadline)
            # Another has taken its id: once it is listed, it takes its place.
            if not is_same_incarnation(writer.head, job):
                return LookResult(head=writer.head, row=writer.row)
            odd = self._look(writer, job, deadline)
        except (AccountDeniedError, ThrottledError, StoreUnavailableError, LostRaceError):
            raise
        except JobNotFoundError:
            odd, now = None, self.clock()
            _apply(note_missing(self.origin, writer.head, now), writer, now)
        except NoPreparationTaskError:
            odd, now = None, self.clock()
            well = recover(self.origin, writer.head, now)
            head = stop_listing(well.head, Tracking.NO_PREPARATION_TASK, now)
            writer.write_head(head, well.events, now)
        except (BatchError, StoreError) as error:
            if _is_of_its_end(error, job.state if job else writer.head.state):
                return LookResult(head=writer.head, row=writer.row)
            look = LookResult(head=writer.head, row=writer.row, error=error)
            if not look.may_concern_all:
                self.record_error(look)
            return look
        return LookResult(head=writer.head, row=writer.row, error=odd)

    def _record_defect(self, writer: JobWriter, defect: Exception) -> LookResult:
        """Make a defect the error of the job that it was met in."""
        job, account = writer.head.job_id, self.origin.account
        write_defect("job-defect", defect, account=account, job=job)
        look = LookResult(head=writer.head, row=writer.row, error=DefectError(type(defect).__name__))
        try:
            self.record_error(look)
        except PrepwatchError:
            raise
        except Exception as again:  # noqa: BLE001 - met in the writing itself: the log and the cycle's count have it
            write_line("job-error-lost", logging.ERROR, account=account, job=job, error=type(again).__name__)
        return look

    def record_error(self, look: LookResult) -> None:
        """Write the error of a look down as the job's own; a table that refuses that, too, leaves it to the log.

        Raises:
            StoreUnavailableError, LostRaceError: It may not be written; the next cycle meets it again.
        """
        if look.error is None:
            return
        now = self.clock()
        writer = self._writer(look.row, look.head)
        try:
            _apply(fail(self.origin, look.head, look.error, now), writer, now)
        except (StoreUnavailableError, LostRaceError):
            raise
        except StoreError as refused:
            account, job = self.origin.account, look.head.job_id
            write_line("job-error-lost", logging.ERROR, account=account, job=job, error=str(refused))

    def _look(self, writer: JobWriter, job: BatchJob, deadline: datetime) -> BatchError | None:
        """Take in what Batch says of a job, and give why some of it can't be read, None if all of it can."""
        # gather
        listing = self._list(writer.head, deadline)
        now = self.clock()

        # decide
        head = replace(_watched(writer.head), missing_since=None)
        facts = take_facts(self.origin, head, job, now)
        odd: list[HostileAnswerError] = []

        # apply
        if listing.fresh:
            found = Facts(head=facts.head, events=facts.events, now=now, deadline=deadline, tails=Allowance(), odd=odd)
            if not self.nodes.take_in(listing, found, writer):
                return None
        else:
            head = settle(replace(facts.head, page_fingerprints=listing.fingerprints), now)
            writer.write_head(head, facts.events, now)
        error = unreadable_of_job(job, odd)
        _apply(judge_reading(self.origin, writer.head, error, now), writer, now)
        return error

    def _list(self, head: JobHead, deadline: datetime) -> Listing:
        known = frozenset(head.page_fingerprints or ())
        fingerprints, fresh = [], []
        for page in self.batch.list_statuses(head.job_id, ListingOptions(), deadline=deadline):
            fingerprint = page_fingerprint(page.value)
            fingerprints.append(fingerprint)
            if fingerprint not in known:
                fresh.append(page.value)
        return Listing(tuple(fingerprints), tuple(fresh))

    def _writer(self, row: Row | None, head: JobHead) -> JobWriter:
        return JobWriter(ledger=self.ledger, offer=self.offer, row=row, head=head)


def _apply(decision: Decision, writer: JobWriter, now: datetime) -> None:
    writer.write_head(decision.head, decision.events, now)


def _is_of_its_end(error: PrepwatchError, state: str | None) -> bool:
    """Whether Batch refused something only because the job is being deleted or terminated: nobody need mend that."""
    return isinstance(error, WrongStateError) and (error.code in _OF_ITS_END or is_ending(state))


def _watched(head: JobHead) -> JobHead:
    """The head as one that is looked at, whatever was settled before."""
    if head.tracking in {Tracking.WATCHING, Tracking.UNREACHABLE}:
        return head
    return replace(head, tracking=Tracking.WATCHING, settled_at=None)
