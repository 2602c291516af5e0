"""What an execution has come to: the one place that reads Batch's states, results and exit codes.

Owns the rule for failed, retrying and succeeded. Does not own what follows from it (`changes.node_rules`).
Enumerations are compared without regard to case, because the service's own clients have met both spellings; values
that this version does not know give Outcome.UNKNOWN and nothing breaks.
"""

from datetime import datetime
from functools import lru_cache

from shared.batch.model import ExecutionInfo, Outcome


def ended_at(info: ExecutionInfo) -> datetime | None:
    """When a run ended, or started when Batch gave no end."""
    return info.end_time or info.start_time


_COMPLETED = "completed"
_RUNNING = "running"
_FAILURES = frozenset({"failure", "failed"})  # the enumeration says failure, the operation's prose says failed
_SUCCESS = "success"


def is_completed(info: ExecutionInfo) -> bool:
    """Whether this run has ended."""
    return (info.state or "").lower() == _COMPLETED


def has_failed(info: ExecutionInfo) -> bool:
    """Whether this run has ended in failure.

    A run that never started has failure information and no exit code; one that failed to upload its files may have
    exit code 0 beside it; some answers have neither result nor failure information, and the exit code decides.
    """
    return outcome_of(info) is Outcome.FAILED


def outcome_of(info: ExecutionInfo) -> Outcome:
    """The outcome that this run counts under."""
    return _outcome(info.state, info.result, info.exit_code, info.failure_info is not None, (info.retry_count or 0) > 0)


@lru_cache(maxsize=1024)  # a job's nodes say few different things, thousands of times
def _outcome(
    state: str | None,
    result: str | None,
    exit_code: int | None,
    explained: bool,  # noqa: FBT001 - a cache takes positions faster
    retried: bool,  # noqa: FBT001 - same
) -> Outcome:
    state, result = (state or "").lower(), (result or "").lower()
    # What still runs has come to nothing yet, whatever stands beside it.
    if state == _RUNNING:
        return Outcome.RETRYING if retried else Outcome.RUNNING
    # Only what has ended has an outcome.
    if state != _COMPLETED:
        return Outcome.UNKNOWN
    # A task that never ran has no exit code, only the words for why.
    if result in _FAILURES or explained or (not result and exit_code not in {None, 0}):
        return Outcome.FAILED
    return Outcome.SUCCEEDED if result == _SUCCESS or (not result and exit_code == 0) else Outcome.UNKNOWN


def is_active(state: str | None) -> bool:
    """Whether the tasks of a job in this state may run."""
    return (state or "").lower() == "active"
