"""GET /api/summary: the fields of the answer, and which jobs are in it."""

import pytest
from msgspec.structs import replace

from shared.batch.model import JobExecutionInfo, TaskCounts
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, a_job, a_node, a_run, deploy


def test_body() -> None:
    """Every field of the contract is there, counts spelled out, times in RFC 3339."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("n2", preparation=a_run()))
    deployment.poll()
    body = deployment.ask(Routes.summary).body
    counts = {"running": 0, "retrying": 0, "succeeded": 0, "failed": 0, "unknown": 0, "slow": 0, "open": 0}
    assert body["generatedAt"] == "2026-11-01T12:00:00Z"
    assert body["nextPollAt"] == "2026-11-01T12:01:00Z"
    assert body["totals"] == {
        "jobs": 1,
        "nodes": 2,
        "preparation": {**counts, "succeeded": 1, "failed": 1, "open": 1},
        "release": counts,
        "pools": 0,
    }
    (account,) = body["accounts"]
    assert (account["account"], account["url"], account["stale"]) == (ACCOUNT, f"https://{ACCOUNT}", False)
    assert account["portalUrl"] is None
    assert account["lastPoll"]["jobs"] == 1
    (job,) = body["value"]
    assert (job["jobId"], job["tracking"], job["state"], job["error"]) == ("job-1", "watching", "active", None)
    assert job["since"] == "2026-11-01T11:55:00Z"
    cause = {"phase": "preparation", "code": "Oops", "message": "It went wrong: Oops", "nodes": 1, "command": None}
    assert job["causes"] == [cause]
    assert body["deliveries"] == {"due": 0, "dead": 0, "oldestDueSince": None}
    assert body["webhooks"] == {"failing": [], "disabled": []}


def test_a_standstill_is_shown_with_its_reason() -> None:
    """Since when, why, what the pool's nodes are doing, and how many tasks wait; nothing while nothing stands still."""
    deployment = deploy()
    deployment.batch.node_counts["pool"] = {"starttaskfailed": 2, "unusable": 1}
    job = replace(a_job(), execution_info=JobExecutionInfo(pool_id="pool"))
    deployment.batch.add(job, a_node(preparation=a_run()))
    deployment.batch.counts["job-1"] = TaskCounts(active=3)
    deployment.poll()
    assert deployment.ask(Routes.summary).body["value"][0]["stuck"] is None
    for _ in range(3):
        deployment.clock.advance(minutes=3)
        deployment.poll()
    body = deployment.ask(Routes.summary).body
    stuck = body["value"][0]["stuck"]
    assert "reboot these nodes" in stuck.pop("remedy")
    assert "| xargs -n1 az batch node reboot" in stuck.pop("command")
    assert stuck == {
        "since": "2026-11-01T12:00:00Z",
        "reason": "startTaskFailed",
        "poolId": "pool",
        "nodes": {"starttaskfailed": 2, "unusable": 1},
        "why": "the start task failed on the pool's nodes",
        "standing": "2 start task failed, 1 unusable",
        "cause": None,
        "tasks": 3,
        "afterwards": None,
    }
    assert body["reasons"] == ["1 job stands still: the start task failed on the pool's nodes"]


def test_pages_worst_first() -> None:
    """Jobs come worst first, page by page, while the totals are those of all."""
    deployment = deploy()
    for number in range(5):
        nodes = [a_node(f"n{index}", preparation=a_run(failed=index < number)) for index in range(5)]
        deployment.batch.add(a_job(f"job-{number}"), *nodes)
    deployment.poll()
    first = deployment.ask(Routes.summary, {"top": "3", "code": "key"}).body
    rest = deployment.ask(Routes.summary, {"top": "3", "skip": "3"}).body
    assert [job["jobId"] for job in first["value"] + rest["value"]] == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert first["nextLink"] == "https://app.example/api/x?top=3&skip=3"
    assert rest["nextLink"] is None
    assert first["totals"] == rest["totals"]
    one = deployment.ask(Routes.summary, {"job": "JOB-3"}).body
    assert ([job["jobId"] for job in one["value"]], one["totals"]["jobs"]) == (["job-3"], 1)


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param({"maxAge": "-1"}, "maxAge", id="negative age"),
        pytest.param({"maxAge": "1.5"}, "maxAge", id="age in parts"),
        pytest.param({"maxAge": "86401"}, "maxAge", id="age beyond a day"),
        pytest.param({"top": "x"}, "top", id="top"),
        pytest.param({"skip": "x"}, "skip", id="skip"),
        pytest.param({"maxage": "1"}, "maxage", id="another spelling"),
    ],
)
def test_bad_input(query: dict[str, str], target: str) -> None:
    """A parameter that can't be used is named."""
    told = deploy().ask(Routes.summary, query)
    assert (told.status, told.body["error"]["target"]) == (400, target)


@pytest.mark.parametrize("query", [{"job": "x"}, {"account": "x"}], ids=["job", "account"])
def test_not_found(query: dict[str, str]) -> None:
    """An unknown job or account is 404."""
    assert deploy().ask(Routes.summary, query).status == 404
