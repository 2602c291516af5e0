"""What GET /api/diagnostics says of TRACKED_JOBS."""

import pytest

from tests.support.deployment import ACCOUNT, a_job, deploy


@pytest.mark.parametrize(("tracked", "named"), [("nightly-*", True), ("!job*", True), ("J?b*", False), ("*", False)])
def test_a_misspelt_tracked_jobs_is_named(tracked: str, named: bool) -> None:  # noqa: FBT001 - a column of the table
    """Jobs of which TRACKED_JOBS lets none through are said to be left out, with one of them; that is no failure."""
    deployment = deploy(TRACKED_JOBS=tracked)
    deployment.batch.add(a_job())
    told = deployment.ask(lambda routes, asked: routes.system.diagnostics(asked)).body["value"]
    found = [check for check in told if check["name"] == f"tracked jobs of {ACCOUNT}"]
    assert bool(found) is named
    for check in found:
        assert check["ok"]
        assert a_job().id in check["message"]
        assert "TRACKED_JOBS" in check["remedy"]
