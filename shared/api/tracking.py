"""Which jobs people asked to start or stop watching.

Owns the requests PUT and DELETE /api/jobs/{jobId}. Does not own the patterns in the settings (`patterns`) or how a
watched job goes on (`polling.job_watcher`). A request is kept in the job's head: `requested` outlives the job, a
stopped head holds the exclusion.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.api.job_views import TrackedJobView
from shared.api.refusals import AmbiguousError, InvalidError, NotFoundError, named, not_found
from shared.batch.exact_times import written_time
from shared.batch.model import BatchJob
from shared.errors import JobNotFoundError
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.messages.events import Origin
from shared.patterns import valid_job_id
from shared.polling.job_listing import JOB_SELECT
from shared.polling.job_rules import close, head_at_first_sight, replacing
from shared.ports import BatchService, Clock, Row, Table
from shared.state.accounts import Cycle
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.rows import CYCLE, from_row, job_key, range_of, read_head
from shared.state.swapping import until_written


class Tracker(Struct, frozen=True, kw_only=True):
    """Tracks jobs of all accounts; `first_sight` is how far back a failure is news when a job is first seen."""

    table: Table
    clock: Clock
    origins: Sequence[Origin]
    batch: Mapping[str, BatchService]
    ledgers: Mapping[str, Ledger]
    first_sight: timedelta

    def list_jobs(self) -> list[TrackedJobView]:
        """Every job that is known, by account and id.

        Raises:
            StoreError: The table can't be read.
        """
        now = self.clock()
        return [
            _view(origin, read_head(row, now))
            for origin in self.origins
            for row in self.table.query(origin.partition, *range_of("job"))
        ]

    def track(self, job_id: str, account: str | None) -> tuple[TrackedJobView, bool]:
        """Watch this very job from now on; the job, and whether that is new.

        Raises:
            InvalidError: No job can have that id.
            NotFoundError: No such job or account exists.
            AmbiguousError: Several accounts are watched and none was named.
            BatchError: Batch can't be asked whether the job exists.
            StoreError: The request could not be written.
        """
        origin = self._origin(job_id, account)
        job = self._find(origin, job_id)
        return until_written(lambda: self._track(origin, job), f"Job {job_id}")

    def untrack(self, job_id: str, account: str | None) -> tuple[TrackedJobView, bool]:
        """Leave this job alone until it is asked for again, whatever the patterns say.

        The job, and whether that made something due: whoever asked should nudge the deliveries then.

        Raises:
            InvalidError: No job can have that id.
            NotFoundError: The job or account is not known.
            AmbiguousError: Several accounts are watched and none was named.
            StoreError: The request could not be written.
        """
        origin = self._origin(job_id, account)
        return until_written(lambda: self._untrack(origin, job_id), f"Job {job_id}")

    def _track(self, origin: Origin, job: BatchJob) -> tuple[TrackedJobView, bool]:
        row, head = self._read(origin, job.id)
        if head is not None and head.requested:
            return _view(origin, head), False
        wanted = self._request(origin, row, head, job)
        return _view(origin, wanted), head is None or head.tracking is Tracking.STOPPED

    def _untrack(self, origin: Origin, job_id: str) -> tuple[TrackedJobView, bool]:
        row, head = self._read(origin, job_id)
        if head is None:
            raise not_found("tracked job", job_id)
        if head.tracking is Tracking.STOPPED:
            return _view(origin, head), False
        now = self.clock()
        closing = close(origin, head, JobEnd.UNTRACKED, now, now)
        stopped = replace(closing.head, tracking=Tracking.STOPPED, requested=False, settled_at=now, changed_at=now)
        step = Slice(head=stopped, events=closing.events)
        written = self.ledgers[origin.partition].commit_job(row, head, step, now)
        return _view(origin, stopped), bool(written.pending)

    def _request(self, origin: Origin, row: Row | None, head: JobHead | None, job: BatchJob) -> JobHead:
        account, now = origin.partition, self.clock()
        ledger = self.ledgers[account]
        if head is not None and head.tracking is not Tracking.STOPPED:
            wanted = replace(head, requested=True)
            ledger.commit_job(row, head, Slice(head=wanted), now)
        elif head is not None:
            # What failed while it was to be left alone is history.
            wanted = head_at_first_sight(job, requested=True, read_up_to=now, first_sight=timedelta(0), now=now)
            ledger.replace_job(row, head, Slice(head=replacing(head, wanted)), now)
        else:
            cycle_row = self.table.get(account, CYCLE)
            read_up_to = from_row(cycle_row, Cycle).read_up_to if cycle_row else None
            wanted = head_at_first_sight(
                job, requested=True, read_up_to=read_up_to, first_sight=self.first_sight, now=now
            )
            ledger.commit_job(None, None, Slice(head=wanted), now)
        return wanted

    def _origin(self, job_id: str, account: str | None) -> Origin:
        if not valid_job_id(job_id):
            raise InvalidError("A job id has 1 to 128 letters, digits, '-', '_' and ':'.", target="jobId")
        if account is None and len(self.origins) > 1:
            names = [origin.partition for origin in self.origins]
            raise AmbiguousError("Several accounts are watched", target="account", names=names)
        return named(self.origins, account)[0]

    def _find(self, origin: Origin, job_id: str) -> BatchJob:
        try:
            return self.batch[origin.partition].get_job(job_id, select=JOB_SELECT)
        except JobNotFoundError as error:
            message = f"Batch account {origin.account} has no job {job_id!r}."
            raise NotFoundError(message, target="jobId", reason="JobNotFound") from error

    def _read(self, origin: Origin, job_id: str) -> tuple[Row | None, JobHead | None]:
        row = self.table.get(origin.partition, job_key(job_id))
        return row, from_row(row, JobHead) if row else None


def _view(origin: Origin, head: JobHead) -> TrackedJobView:
    return TrackedJobView(
        account=origin.partition,
        job_id=head.job_id,
        tracking=head.tracking,
        requested=head.requested,
        state=head.state,
        creation_time=written_time(head.creation_time, head.creation_digits),
        announce_from=head.announce_from,
        changed_at=head.changed_at,
        settled_at=head.settled_at,
    )
