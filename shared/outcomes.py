"""What an execution has come to: the one place that reads Batch's states, results and exit codes.

Owns the rule for failed, retrying and succeeded. Does not own what follows from it (`diff`). Enumerations are compared
without regard to case, because the service's own clients have met both spellings; values that this version does not
know give Outcome.UNKNOWN and nothing breaks.
"""

from shared.model import ExecutionInfo, Outcome

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
    if not is_completed(info):
        return False
    result = (info.result or "").lower()
    exited_badly = not result and info.exit_code is not None and info.exit_code != 0
    return result in _FAILURES or info.failure_info is not None or exited_badly


def outcome_of(info: ExecutionInfo) -> Outcome:
    """The outcome that this run counts under."""
    if has_failed(info):
        return Outcome.FAILED
    if is_completed(info):
        result = (info.result or "").lower()
        succeeded = result == _SUCCESS or (not result and info.exit_code == 0)
        return Outcome.SUCCEEDED if succeeded else Outcome.UNKNOWN
    if (info.state or "").lower() == _RUNNING:
        return Outcome.RETRYING if (info.retry_count or 0) > 0 else Outcome.RUNNING
    return Outcome.UNKNOWN
