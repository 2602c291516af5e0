"""Job listings and single answers about jobs as no sane service gives them."""

from datetime import timedelta

import pytest

from tests.support.fakes import FakeClock
from tests.support.hostile_batch import account, error_reply, failed_node, job_of, json_answer, page, says
from tests.support.whole_app import WholeApp, whole_app

MINUTE = timedelta(minutes=1)


def poll_after(app: WholeApp, clock: FakeClock, time: timedelta = MINUTE) -> None:
    """Poll the account after a while."""
    clock.now += time
    app.poll()


def test_one_wrong_answer_that_a_job_is_missing_loses_and_tells_nothing() -> None:
    """A JobNotFound between answers that are well leaves the job open and watched, however often that happens."""
    clock = FakeClock()
    well = page(failed_node("n-1", now=clock.now))
    plays = {"job": well}
    with account(plays) as batch:
        app = whole_app(batch.url, clock=clock)
        app.poll()
        before = app.job("job")
        for _ in range(3):
            for play in (says(error_reply(404, "JobNotFound")), well):
                plays["job"] = play
                poll_after(app, clock)
                assert app.job("job") == before

    assert app.post.types() == ["preparation.failed"]


def test_jobs_of_the_pages_before_a_refused_one_are_read() -> None:
    """What the refused pages may hold is neither asked for singly nor taken for gone, and the account is not read."""
    clock = FakeClock()
    node = failed_node("n-1", now=clock.now)
    plays = {name: page(node) for name in ("first", "second", "last")}
    pages = iter([json_answer({"value": [job_of(name) for name in plays]})])
    with account(plays, jobs=lambda: next(pages)) as batch:
        app = whole_app(batch.url, clock=clock)
        app.poll()
        asked = len(batch.log)
        clock.now += MINUTE
        plays["first"] = page(node, failed_node("n-2", now=clock.now))
        plays["new"] = page(failed_node("n-3", now=clock.now))
        link = f"{batch.url}/jobs?$skipToken=2"
        one = {"value": [job_of("first"), job_of("new")], "odata.nextLink": link}
        pages = iter([json_answer(one), error_reply(400, "InvalidInput")])
        report = app.poll()
        targets = [request.target.partition("?")[0] for request in batch.log[asked:]]
        told = {(event["data"]["jobId"], event["data"]["nodes"][0]["nodeId"]) for event in app.post.events()}
        read_up_to = app.summary()["accounts"][0]["lastGoodPoll"]

    assert told == {("first", "n-1"), ("second", "n-1"), ("last", "n-1"), ("first", "n-2"), ("new", "n-3")}
    assert (report.good, report.jobs, app.summary()["accounts"][0]["error"]["code"]) == (False, 2, "InvalidInput")
    assert not [target for target in targets if "second" in target or "last" in target]
    assert {app.job(name)["tracking"] for name in ("second", "last")} == {"watching"}
    assert read_up_to < clock.now.isoformat()


@pytest.mark.parametrize("late", [2, 9])
def test_a_release_failure_that_is_listed_late_is_told(late: int) -> None:
    """A job whose phases have all ended is looked at for ten minutes after its end, and settled then."""
    clock = FakeClock()
    ended = clock.now
    prepared = failed_node("n-1", now=ended, result="success", exitCode=0, failureInfo=None)
    release = failed_node("n-1", now=ended)["jobPreparationTaskExecutionInfo"]
    plays = {"job": page(prepared)}
    job = job_of("job")
    with account(plays, jobs=lambda: json_answer({"value": [job]})) as batch:
        app = whole_app(batch.url, clock=clock)
        app.poll()
        job |= {"state": "completed", "stateTransitionTime": clock.now.isoformat()}
        for minute in range(1, 12):
            if minute == late:
                plays["job"] = page(prepared | {"jobReleaseTaskExecutionInfo": release})
            poll_after(app, clock)
        listed = len(batch.log)
        poll_after(app, clock)
        asked = [request.target.partition("?")[0] for request in batch.log[listed:]]

    assert app.post.types() == ["release.failed"]
    assert app.job("job")["tracking"] == "settled"
    assert not [target for target in asked if target.startswith("/jobs/")]
