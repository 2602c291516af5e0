"""What of a listing can't be read, while all else of it is.

Owns the errors that say so. Does not own what is read (`batch.wire`), nor when it is told: `polling.job_rules` does for
a job, `polling.cycle_rules` for the account.
"""

from collections.abc import Sequence

from shared.batch.model import UNREADABLE, BatchJob, UnreadableJob
from shared.errors import HostileAnswerError
from shared.polling.job_rules import UNREACHABLE_AFTER_CYCLES
from shared.state.jobs import Trouble


def unreadable_of_job(job: BatchJob, odd: Sequence[HostileAnswerError]) -> HostileAnswerError | None:
    """Why something of what Batch says of a job can't be read, `odd` being entries of its status listing."""
    if isinstance(job, UnreadableJob):
        return HostileAnswerError(UNREADABLE, f"What the job listing says of this job can't be read: {job.why}")
    return _some_of("the job's status listing", [error.message for error in odd])


def unreadable_of_account(listed: Sequence[BatchJob]) -> HostileAnswerError | None:
    """Why some jobs of a listing are not even known by name; those that are have it as their own error."""
    return _some_of("the job listing", [job.why for job in listed if isinstance(job, UnreadableJob) and not job.id])


def stays_unreadable(trouble: Trouble) -> bool:
    """Whether an account's trouble is that for so long something could not be read that people are told."""
    return trouble.code == UNREADABLE and trouble.times >= UNREACHABLE_AFTER_CYCLES


def _some_of(listing: str, why: Sequence[str]) -> HostileAnswerError | None:
    if not why:
        return None
    number = f"{len(why)} entries" if len(why) > 1 else "One entry"
    return HostileAnswerError(UNREADABLE, f"{number} of {listing} can't be read: {why[0]}")
