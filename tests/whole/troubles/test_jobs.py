"""A job that can't be read is told after three cycles, and its end, whatever that is."""

import pytest

from tests.support.fakes import START
from tests.support.hostile_batch import error_reply, failed_node, page, says
from tests.support.whole_app import codes
from tests.whole.troubles.account import JOBS, MINUTE, Trouble


def test_a_job_that_cannot_be_looked_at_is_told_after_three_cycles(trouble: Trouble) -> None:
    """Two bad cycles may pass, the third is told once, and the first good one is told as its end."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-2"] = says(error_reply(500, "InternalError", "Sorry."))
    for expected in ([], [], ["job.unreachable"], ["job.unreachable"]):
        trouble.poll_after(app, MINUTE)
        assert [kind for kind in app.post.types() if kind.startswith("job.")] == expected
    job = app.job("job-2")
    assert (job["tracking"], job["error"]["code"], job["preparation"]["open"]) == ("unreachable", "InternalError", 1)
    assert "1 job can't be read" in app.summary()["reasons"]
    trouble.plays["job-2"] = page(failed_node("n-1", now=START))
    trouble.poll_after(app, MINUTE)
    trouble.poll_after(app, MINUTE)
    told = [event for event in app.post.events() if ".job." in event["type"]]
    assert [event["type"] for event in told] == ["prepwatch.job.unreachable", "prepwatch.job.reachable"]
    assert {event["data"]["jobId"] for event in told} == {"job-2"}
    assert app.job("job-2")["tracking"] == "watching"
    assert len(app.post.events("preparation.failed")) == len(JOBS)


def test_a_conflict_is_never_the_accounts(trouble: Trouble) -> None:
    """When every job is refused with 409, each of them is out of reach, and the account is read."""
    app = trouble.app()
    app.poll()
    trouble.statuses = error_reply(409, "OperationInvalidForCurrentState")
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    assert codes(app) == []
    assert [kind for kind in app.post.types() if kind.startswith("job.")] == ["job.unreachable"] * len(JOBS)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("active", "JobBeingDeleted"),
        ("active", "JobBeingTerminated"),
        ("deleting", "OperationInvalidForCurrentState"),
        ("terminating", "JobReleaseTaskNotSpecified"),
    ],
)
def test_a_conflict_with_the_jobs_own_end_is_no_error(trouble: Trouble, state: str, code: str) -> None:
    """A job that can't be listed because it is being deleted or terminated is in no trouble, and goes on being read."""
    app = trouble.app()
    app.poll()
    trouble.state, trouble.statuses = state, error_reply(409, code)
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    job = app.job("job-2")
    assert (set(app.post.types()), job["error"], job["tracking"]) == ({"preparation.failed"}, None, "watching")


def test_a_job_that_vanished_is_told_and_closed(trouble: Trouble) -> None:
    """A job whose own answer is JobNotFound is told as gone, its open failure ends with it, and both only once."""
    app = trouble.app()
    app.poll()
    del trouble.plays["job-3"]
    for _ in range(4):
        trouble.poll_after(app, MINUTE)
    told = [kind for kind in app.post.types() if kind != "preparation.failed"]
    assert sorted(told) == ["job.gone", "preparation.resolved"]
    assert app.post.events("preparation.resolved")[0]["data"]["reason"] == "jobGone"
    assert (app.job("job-3")["tracking"], app.job("job-3")["preparation"]["open"]) == ("gone", 0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("JobNotFound", {"reason": "jobGone"}, id="gone"),
        pytest.param("JobPreparationTaskNotSpecified", {}, id="listed, and without a preparation task"),
    ],
)
def test_a_job_that_need_not_be_looked_at_is_no_longer_told_to_be_out_of_reach(
    trouble: Trouble, code: str, told: dict[str, str]
) -> None:
    """Each job.unreachable gets its job.reachable, with the reason when the job is over."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-2"] = says(error_reply(500, "InternalError", "Sorry."))
    for _ in range(3):
        trouble.poll_after(app, MINUTE)
    trouble.plays["job-2"] = says(error_reply(404 if told else 409, code))
    for _ in range(3):
        trouble.poll_after(app, MINUTE)
    ((begun,), (ended,)) = (app.post.events(f"job.{kind}") for kind in ("unreachable", "reachable"))
    assert begun["data"]["since"] == ended["data"]["since"]
    assert {name: value for name, value in ended["data"].items() if name == "reason"} == told


@pytest.mark.parametrize("code", ["ResourceNotFound", "PoolNotFound"])
def test_a_job_is_not_given_up_for_any_other_404(trouble: Trouble, code: str) -> None:
    """Only JobNotFound closes a job; another 404 is an error of that job."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-3"] = says(error_reply(404, code))
    trouble.poll_after(app, MINUTE)
    job = app.job("job-3")
    assert (job["tracking"], job["error"]["code"], job["preparation"]["open"]) == ("watching", code, 1)
