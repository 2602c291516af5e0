"""The rule for outcomes once more, as the table that people read: the first row that fits decides."""

from itertools import product

from shared.batch.model import ExecutionInfo, FailureInfo, Outcome

STATES = (None, "running", "completed", "Completed", "RUNNING", "paused", "")
RESULTS = (None, "success", "Success", "failure", "Failure", "failed", "cancelled")
EXIT_CODES = (None, 0, 1, -9, -1073741510)
FAILURES = (None, FailureInfo(category="UserError", code="BlobNotFound"))
RETRIES = (None, 0, 2)

EVERY_RUN = tuple(
    ExecutionInfo(state=state, result=result, exit_code=code, failure_info=failure, retry_count=retries)
    for state, result, code, failure, retries in product(STATES, RESULTS, EXIT_CODES, FAILURES, RETRIES)
)

# state, result, exit code, failure information, retries -> outcome; "*" is anything, "+" anything but None and 0.
_TABLE = (
    ("completed", "*", "*", "+", "*", Outcome.FAILED),
    ("completed", "failure", "*", "*", "*", Outcome.FAILED),
    ("completed", "failed", "*", "*", "*", Outcome.FAILED),
    ("completed", "success", "*", "*", "*", Outcome.SUCCEEDED),
    ("completed", None, 0, "*", "*", Outcome.SUCCEEDED),
    ("completed", None, "+", "*", "*", Outcome.FAILED),
    ("running", "*", "*", "*", "+", Outcome.RETRYING),
    ("running", "*", "*", "*", "*", Outcome.RUNNING),
    ("*", "*", "*", "*", "*", Outcome.UNKNOWN),
)


def expected_outcome(info: ExecutionInfo) -> Outcome:
    """What the table says of a run."""
    cells = (_lower(info.state), _lower(info.result), info.exit_code, info.failure_info, info.retry_count)
    for *row, outcome in _TABLE:
        if all(_fits(wanted, cell) for wanted, cell in zip(row, cells, strict=True)):
            return Outcome(str(outcome))
    raise AssertionError("the last row fits everything")


def _fits(wanted: object, cell: object) -> bool:
    if wanted == "*":
        return True
    if wanted == "+":
        return cell is not None and cell != 0
    return wanted == cell


def _lower(word: str | None) -> str | None:
    return word.lower() if word else None
