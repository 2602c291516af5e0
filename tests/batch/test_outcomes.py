"""What an execution has come to."""

from collections import Counter

import pytest

from shared.batch.model import ExecutionInfo, FailureInfo, Outcome
from shared.batch.outcomes import has_failed, is_completed, outcome_of
from tests.polling.oracle import EVERY_RUN, expected_outcome


def test_every_combination() -> None:
    """Every combination of state, result, exit code, failure information and retries has the table's outcome."""
    wrong = [run for run in EVERY_RUN if outcome_of(run) is not expected_outcome(run)]

    assert wrong == []
    assert Counter(map(outcome_of, EVERY_RUN)).keys() == set(Outcome)


def test_failed_is_an_outcome_of_completed_runs() -> None:
    """A run has failed exactly when its outcome is failed, and then it is completed."""
    for run in EVERY_RUN:
        assert has_failed(run) is (outcome_of(run) is Outcome.FAILED)
        assert is_completed(run) or not has_failed(run)


@pytest.mark.parametrize(
    ("info", "outcome"),
    [
        pytest.param(
            ExecutionInfo(state="completed", exit_code=0, result="success", failure_info=FailureInfo(code="Upload")),
            Outcome.FAILED,
            id="files not uploaded: exit code 0 beside failure information",
        ),
        pytest.param(
            ExecutionInfo(state="completed", failure_info=FailureInfo(code="BlobNotFound")),
            Outcome.FAILED,
            id="never started: no exit code, no result",
        ),
        pytest.param(
            ExecutionInfo(state="completed", exit_code=-1073741510), Outcome.FAILED, id="killed on Windows: negative"
        ),
        pytest.param(ExecutionInfo(state="completed", exit_code=0), Outcome.SUCCEEDED, id="Batch's own example"),
        pytest.param(
            ExecutionInfo(state="completed", exit_code=1, result="success"), Outcome.SUCCEEDED, id="the result decides"
        ),
        pytest.param(ExecutionInfo(state="completed"), Outcome.UNKNOWN, id="nothing said"),
        pytest.param(
            ExecutionInfo(state="completed", exit_code=1, result="skipped"),
            Outcome.UNKNOWN,
            id="FORWARD COMPATIBILITY: a result that is not known yet",
        ),
        pytest.param(
            ExecutionInfo(state="suspended", exit_code=1, failure_info=FailureInfo()),
            Outcome.UNKNOWN,
            id="FORWARD COMPATIBILITY: a state that is not known yet",
        ),
        pytest.param(ExecutionInfo(), Outcome.UNKNOWN, id="an empty object"),
    ],
)
def test_what_the_service_was_seen_to_say(info: ExecutionInfo, outcome: Outcome) -> None:
    """Forms that Batch documents, or was seen to answer, have the outcome that people expect."""
    assert outcome_of(info) is outcome
