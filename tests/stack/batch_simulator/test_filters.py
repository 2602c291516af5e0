"""The documented $filter grammar: what is taken, what it selects, what is refused."""

import pytest

from local.batch_simulator.filters import JOB_PROPERTIES, STATUS_PROPERTIES, FilterError, parse_filter

PREPARATION, RELEASE = "jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"
ENTRY = {
    "poolId": "Pool-A",
    "nodeId": "node-1",
    PREPARATION: {
        "state": "completed",
        "result": "Failure",
        "startTime": "2026-05-01T12:00:00.5Z",
        "endTime": "2026-05-01T12:01:00Z",
        "exitCode": -9,
    },
}
JOB = {"id": "job-1", "state": "active", "creationTime": "2026-05-01T12:00:00Z", "executionInfo": {"poolId": "Pool-A"}}


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("poolId eq 'pool-a'", True),
        ("poolId ne 'pool-a'", False),
        ("nodeId eq 'node-2'", False),
        (f"{PREPARATION}/state eq 'Completed'", True),
        (f"{PREPARATION}/state ne 'completed'", False),
        (f"{PREPARATION}/result eq 'failure'", True),
        (f"{PREPARATION}/result ne 'failure'", False),
        (f"{PREPARATION}/exitCode eq -9", True),
        (f"{PREPARATION}/exitCode lt 0", True),
        (f"{PREPARATION}/exitCode ge 0", False),
        (f"{PREPARATION}/exitCode ne 0", True),
        (f"{PREPARATION}/startTime gt DateTime'2026-05-01T12:00:00Z'", True),
        (f"{PREPARATION}/startTime le DateTime'2026-05-01T12:00:00Z'", False),
        (f"{PREPARATION}/endTime eq DateTime'Fri, 01 May 2026 12:01:00 GMT'", True),
        (f"{PREPARATION}/endTime lt DateTime'2026-05-01T14:01:00+02:00'", False),
        (f"{RELEASE}/result eq 'failure'", False),
        (f"{RELEASE}/result ne 'failure'", True),
        (f"{RELEASE}/exitCode gt 0", False),
        (f"{PREPARATION}/result eq 'failure' or {RELEASE}/result eq 'failure'", True),
        (f"{PREPARATION}/result eq 'failure' and {RELEASE}/result eq 'failure'", False),
        ("nodeId eq 'x' and nodeId eq 'y' or poolId eq 'pool-a'", True),
        ("poolId eq 'pool-a' or nodeId eq 'x' and nodeId eq 'y'", True),
        ("(poolId eq 'pool-a' or nodeId eq 'x') and nodeId eq 'y'", False),
        ("((nodeId eq 'node-1'))", True),
        ("nodeId eq 'node-1' AND poolId eq 'Pool-A'", True),
        ("nodeId ne 'it''s'", True),
    ],
)
def test_documented_expressions_select(expression: str, selected: bool) -> None:  # noqa: FBT001 - a column of the table
    """An entry is selected exactly when the expression is true for it."""
    assert parse_filter(expression, STATUS_PROPERTIES)(ENTRY) is selected


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("startswith(id,'JOB')", True),
        ("startswith(executionInfo/poolId, 'x')", False),
        ("id eq 'JOB-1'", True),
        ("id gt 'job-1'", False),
        ("state ne 'completed'", True),
        ("creationTime ge DateTime'2026-05-01T12:00:00Z' and state eq 'active'", True),
        ("stateTransitionTime lt DateTime'2026-05-01T12:00:00Z'", False),
    ],
)
def test_job_expressions_select(expression: str, selected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A job is selected exactly when the expression is true for it."""
    assert parse_filter(expression, JOB_PROPERTIES)(JOB) is selected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "ends where a property"),
        ("   ", "ends where a property"),
        ("nodeid eq 'x'", "'nodeid' is unknown"),
        ("nodeUrl eq 'x'", "'nodeUrl' is unknown"),
        (f"{PREPARATION}/retryCount gt 0", "retryCount' is unknown"),
        (f"{PREPARATION}/lastRetryTime gt DateTime'2026-05-01T12:00:00Z'", "lastRetryTime' is unknown"),
        (f"{PREPARATION}/failureInfo/code eq 'DiskFull'", "failureInfo/code' is unknown"),
        ("nodeId gt 'x'", "'gt' is not allowed for the property 'nodeId'"),
        ("startswith(nodeId, 'x')", "'startswith' is not allowed"),
        (f"{PREPARATION}/result ge 'failure'", "'ge' is not allowed"),
        ("nodeId = 'x'", "Unexpected text"),
        ("nodeId EQ 'x'", "'EQ' is not allowed"),
        ("nodeId eq x", "a literal of type String"),
        ("nodeId eq 5", "a literal of type String"),
        ("nodeId eq", "ends where a literal"),
        ("nodeId", "ends where an operator"),
        (f"{PREPARATION}/exitCode eq '0'", "a literal of type Int"),
        (f"{PREPARATION}/startTime gt '2026-05-01T12:00:00Z'", "a literal of type DateTime"),
        (f"{PREPARATION}/startTime gt DateTime'yesterday'", "not a date"),
        ("(nodeId eq 'x'", "')' is missing"),
        ("nodeId eq 'x')", "after the expression"),
        ("nodeId eq 'x' poolId eq 'y'", "after the expression"),
        ("nodeId eq 'x' and", "ends where a property"),
        ("not nodeId eq 'x'", "'not' is unknown"),
        ("nodeId eq 'x", "Unexpected text"),
    ],
)
def test_other_expressions_are_refused(expression: str, reason: str) -> None:
    """What the service does not document it does not take, and the reason names the place."""
    with pytest.raises(FilterError) as caught:
        parse_filter(expression, STATUS_PROPERTIES)
    assert reason in str(caught.value)
