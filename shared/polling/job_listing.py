"""How the jobs of an account are listed.

Owns which jobs Batch is asked for, and what is left of a listing of which Batch refuses a page, or nobody can read an
entry. Does not own which of them are looked at (`polling.cycle_rules`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.batch.model import BatchJob
from shared.batch.wire import state_filter
from shared.errors import BatchError
from shared.moments import as_utc
from shared.polling.unreadable import unreadable_of_account
from shared.ports import BatchService
from shared.state.accounts import Cycle

JOB_SELECT = "id,state,creationTime,stateTransitionTime,executionInfo"
LISTING_OVERLAP = timedelta(minutes=10)
"""How far a job listing reaches back before the last complete one: clocks differ, and listings lag."""
_STATES_THAT_MATTER = ("active", "disabling", "disabled", "enabling", "terminating", "deleting")


class JobListing(Struct, frozen=True, kw_only=True):
    """The jobs of the pages that came; `error` kept further ones from coming, None if the listing is whole.

    `unreadable` says why `nameless` entries are left out, None if there are none.
    """

    jobs: Sequence[BatchJob]
    error: BatchError | None
    nameless: int
    unreadable: BatchError | None


def listing_start(cycle: Cycle | None, first_sight: timedelta, now: datetime) -> datetime:
    """From when on completed jobs are listed: older ones were settled before, or are history at first sight."""
    if cycle is None or cycle.listed_from is None:
        return now - first_sight
    return cycle.listed_from


def listing_filter(start: datetime) -> str:
    """The $filter that leaves out jobs completed before `start`, of which an account may have any number."""
    states = state_filter(_STATES_THAT_MATTER)
    return f"{states} or stateTransitionTime ge DateTime'{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"


def list_jobs(batch: BatchService, start: datetime, deadline: datetime) -> JobListing:
    """All jobs but those that were completed before `start`."""
    listed: list[BatchJob] = []
    refused: BatchError | None = None
    try:
        for page in batch.list_jobs(odata_filter=listing_filter(start), select=JOB_SELECT, deadline=deadline):
            listed.extend(page)
    except BatchError as error:
        refused = error
    return JobListing(
        jobs=_named(listed),
        error=refused,
        nameless=sum(not job.id for job in listed),
        unreadable=unreadable_of_account(listed),
    )


def _named(listed: Iterable[BatchJob]) -> tuple[BatchJob, ...]:
    """The jobs that have a name, once each; of one that is listed twice the incarnation created last."""
    jobs: dict[str, BatchJob] = {}
    for job in listed:
        key = job.id.lower()
        if key and (key not in jobs or as_utc(job.creation_time) >= as_utc(jobs[key].creation_time)):
            jobs[key] = job
    return tuple(jobs.values())
