"""GET /api/jobs, PUT and DELETE /api/jobs/{jobId}: what people ask to be watched, or left alone."""

from datetime import timedelta

import pytest

from shared.errors import BatchUnavailableError
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable, Fault


def _types(deployment: Deployment) -> list[str]:
    """The types of all events told, the oldest first."""
    told = deployment.ask(lambda routes, asked: routes.events.list_events(asked))
    return [event["type"].removeprefix("prepwatch.") for event in reversed(told.body["value"])]


def test_track_is_idempotent() -> None:
    """PUT answers 201 with the job as Batch spells it, then 200."""
    deployment = deploy(TRACKED_JOBS="none")
    deployment.batch.add(a_job("Job-1"))
    first = deployment.ask(Routes.track_job, jobId="JOB-1")
    again = deployment.ask(Routes.track_job, jobId="job-1")
    assert (first.status, first.body["jobId"], first.body["requested"]) == (201, "Job-1", True)
    assert (again.status, again.body) == (200, first.body)


def test_tracked_job_is_watched_beside_the_patterns() -> None:
    """A job that no pattern names is watched once it was asked for."""
    deployment = deploy(TRACKED_JOBS="none")
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    assert _types(deployment) == []
    deployment.ask(Routes.track_job, jobId="job-1")
    deployment.poll()
    assert _types(deployment) == ["preparation.failed"]


def test_untracked_job_stays_excluded_until_it_is_asked_for() -> None:
    """DELETE closes what is open, and no pattern brings the job back; PUT does, without telling what is past."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    told = deployment.ask(Routes.untrack_job, jobId="JOB-1")
    assert (told.status, told.body["tracking"], told.body["requested"]) == (200, "stopped", False)
    deployment.clock.advance(minutes=1)
    late = a_run(failed=True, ended=deployment.clock.now)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("node-2", preparation=late))
    deployment.clock.advance(minutes=1)
    deployment.poll()
    assert deployment.ask(Routes.list_jobs).body["value"][0]["tracking"] == "stopped"
    assert sorted(_types(deployment)) == ["preparation.failed", "preparation.resolved"]

    told = deployment.ask(Routes.track_job, jobId="job-1")
    assert (told.status, told.body["tracking"]) == (201, "watching")
    deployment.poll()
    assert len(_types(deployment)) == 2
    fresh = a_run(failed=True, ended=deployment.clock.now)
    deployment.batch.add(a_job(), a_node("node-3", preparation=fresh))
    deployment.clock.advance(minutes=1)
    deployment.poll()
    assert len(_types(deployment)) == 3


def test_untrack_twice() -> None:
    """A second DELETE changes nothing."""
    deployment = deploy()
    deployment.batch.add(a_job())
    deployment.poll()
    first = deployment.ask(Routes.untrack_job, jobId="job-1")
    deployment.clock.advance(minutes=1)
    assert deployment.ask(Routes.untrack_job, jobId="job-1").body == first.body


@pytest.mark.parametrize(
    "job", ["", "a b", "a/b", "a" * 129, "jöb", "*", "a?b"], ids=["empty", "space", "slash", "long", "umlaut", "*", "?"]
)
@pytest.mark.parametrize("method", ["track_job", "untrack_job"])
def test_impossible_id(method: str, job: str) -> None:
    """An id that no job can have is refused, and Batch is not asked."""
    deployment = deploy()
    told = deployment.ask(getattr(Routes, method), jobId=job)
    assert (told.status, told.body["error"]["code"], told.body["error"]["target"]) == (400, "InvalidInput", "jobId")
    assert deployment.batch.asked == []


def test_unknown_job() -> None:
    """A job that Batch does not have can't be tracked, one that is not known can't be untracked."""
    deployment = deploy()
    told = deployment.ask(Routes.track_job, jobId="job-9")
    assert (told.status, told.body["error"]["code"]) == (404, "JobNotFound")
    assert deployment.ask(Routes.untrack_job, jobId="job-9").status == 404


def test_batch_away() -> None:
    """When Batch can't be asked, nothing is promised."""
    deployment = deploy()
    deployment.batch.failures["get_job"] = BatchUnavailableError("Timeout", "No answer.")
    told = deployment.ask(Routes.track_job, jobId="job-1")
    assert (told.status, told.body["error"]["code"]) == (503, "Timeout")
    assert deployment.ask(Routes.list_jobs).body["value"] == []


def test_account_must_be_named_among_several() -> None:
    """With several accounts ?account= says which; an unknown one is 404."""
    deployment = deploy(accounts=2)
    deployment.batches[OTHER_ACCOUNT].add(a_job())
    assert deployment.ask(Routes.track_job, jobId="job-1").body["error"]["target"] == "account"
    assert deployment.ask(Routes.track_job, {"account": "x"}, jobId="job-1").status == 404
    told = deployment.ask(Routes.track_job, {"account": OTHER_ACCOUNT}, jobId="job-1")
    assert (told.status, told.body["account"]) == (201, OTHER_ACCOUNT)


def test_list_pages() -> None:
    """Jobs are listed by account and id, page by page."""
    deployment = deploy(accounts=2)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        for number in (2, 1):
            deployment.batches[account].add(a_job(f"job-{number}"))
        deployment.poll(account)
    first = deployment.ask(Routes.list_jobs, {"top": "3"}).body
    rest = deployment.ask(Routes.list_jobs, {"top": "3", "skip": "3"}).body
    assert [(job["account"], job["jobId"]) for job in first["value"] + rest["value"]] == [
        (account, job) for account in (ACCOUNT, OTHER_ACCOUNT) for job in ("job-1", "job-2")
    ]
    assert first["nextLink"] == "https://app.example/api/x?top=3&skip=3"
    assert rest["nextLink"] is None


def test_a_race_with_a_cycle_is_settled() -> None:
    """A PUT that loses against another writer reads again; the request is kept and nothing of the cycle is lost."""
    table = FakeTable()
    deployment = deploy(table=table)
    deployment.batch.add(a_job())
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.clock.advance(minutes=1)
    table.before_next_write = deployment.poll
    assert deployment.ask(Routes.track_job, jobId="job-1").status == 200
    (job,) = deployment.ask(Routes.list_jobs).body["value"]
    assert job["requested"]
    assert deployment.ask(Routes.summary).body["totals"]["preparation"]["open"] == 1


def test_a_lost_reply_is_settled() -> None:
    """A write whose reply was lost is found by reading, and not repeated."""
    table = FakeTable()
    deployment = deploy(table=table)
    deployment.batch.add(a_job(created=deployment.clock.now - timedelta(minutes=1)))
    table.fail_next(Fault.AFTER)
    assert deployment.ask(Routes.track_job, jobId="job-1").status == 201
    assert len(table.writes) == 1
