"""GET /api/pools and /api/pools/{poolId}/nodes: what was counted, and what Batch says of the nodes that can't work."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.batch.model import JobExecutionInfo
from shared.batch.pool_model import ComputeNode, NodeError, StartTaskInfo
from shared.batch.pool_wire import decode_nodes
from shared.errors import AccountDeniedError, PoolNotFoundError
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, deploy

EARLIER = NOW - timedelta(minutes=5)


def list_pools(routes: Routes, request: Request) -> Answer:
    """GET /api/pools."""
    return routes.pools.list_pools(request)


def list_nodes(routes: Routes, request: Request) -> Answer:
    """GET /api/pools/{poolId}/nodes."""
    return routes.pools.list_pool_nodes(request)


def uses(job_id: str, pool_id: str, *, state: str = "active") -> Any:
    """A job that runs in a pool."""
    return msgspec.structs.replace(a_job(job_id, state=state), execution_info=JobExecutionInfo(pool_id=pool_id))


def counted(tracked: str = "") -> Deployment:
    """An app that has counted four pools; `healthy` and `broken` have active jobs, `idle` one that is completed."""
    deployment = deploy(TRACKED_POOLS=tracked)
    for job in (uses("b", "Healthy"), uses("a", "healthy"), uses("c", "broken"), uses("d", "idle", state="completed")):
        deployment.batch.add(job)
    deployment.batch.node_counts = {
        "Healthy": {"idle": 1, "running": 2, "unusable": 1},
        "broken": {"starttaskfailed": 2, "creating": 1, "preempted": 4},
        "idle": {"idle": 1},
        "nobodys": {"idle": 1},
    }
    deployment.poll()
    return deployment


def test_the_pools_of_active_jobs_are_listed_worst_first() -> None:
    """A pool shows its nodes by state, how many can work, since when none can, and the jobs that use it."""
    told = counted().ask(list_pools)
    assert told.body == {
        "value": [
            {
                "account": ACCOUNT,
                "poolId": "broken",
                "nodes": {"creating": 1, "preempted": 4, "starttaskfailed": 2},
                "able": 0,
                "unable": 2,
                "inTrouble": False,
                "causes": [],
                "gone": False,
                "since": "2026-11-01T12:00:00Z",
                "jobs": ["c"],
                "jobCount": 1,
            },
            {
                "account": ACCOUNT,
                "poolId": "Healthy",
                "nodes": {"idle": 1, "running": 2, "unusable": 1},
                "able": 3,
                "unable": 1,
                "inTrouble": False,
                "causes": [],
                "gone": False,
                "since": None,
                "jobs": ["a", "b"],
                "jobCount": 2,
            },
        ],
        "nextLink": None,
    }


@pytest.mark.parametrize(
    ("tracked", "listed"),
    [
        ("nob*,idle", ["idle", "nobodys"]),
        ("*,!broken", ["healthy", "idle", "nobodys"]),
        ("!*", []),
        ("missing", []),
    ],
)
def test_tracked_pools_say_which_are_watched(tracked: str, listed: list[str]) -> None:
    """Ids and globs take the place of the pools that active jobs use; `!*` is none."""
    told = counted(tracked).ask(list_pools)
    assert sorted(pool["poolId"].lower() for pool in told.body["value"]) == listed


def test_a_pool_that_batch_says_is_gone_comes_first() -> None:
    """A job's pool that does not exist says since when that is known."""
    deployment = counted()
    del deployment.batch.node_counts["Healthy"]
    deployment.batch.pools["healthy"] = PoolNotFoundError("PoolNotFound", "no", status=404)
    deployment.batch.pools["Healthy"] = PoolNotFoundError("PoolNotFound", "no", status=404)
    deployment.clock.advance(timedelta(minutes=1))
    deployment.poll()
    pools = deployment.ask(list_pools).body["value"]
    assert [(pool["poolId"].lower(), pool["gone"], pool["since"]) for pool in pools] == [
        ("healthy", True, "2026-11-01T12:01:00Z"),
        ("broken", False, "2026-11-01T12:00:00Z"),
    ]


def test_the_summary_has_the_pools_and_those_of_one_job() -> None:
    """The summary shows the worst pools and counts all; asked for one job, that job's pool."""
    deployment = counted()
    summary = deployment.ask(Routes.summary, {"top": "1"}).body
    assert [pool["poolId"] for pool in summary["pools"]] == ["broken"]
    assert (summary["totals"]["pools"], summary["accounts"][0]["poolsError"]) == (2, None)
    one = deployment.ask(Routes.summary, {"job": "A"}).body
    assert [pool["poolId"] for pool in one["pools"]] == ["Healthy"]


def test_without_the_right_to_read_pools_the_summary_says_so() -> None:
    """The code of Batch's refusal stands at the account, and the jobs are shown as ever."""
    deployment = counted()
    deployment.batch.refused = AccountDeniedError("AuthorizationPermissionMismatch", "no", status=403)
    deployment.poll()
    summary = deployment.ask(Routes.summary).body
    assert summary["accounts"][0]["poolsError"] == "AuthorizationPermissionMismatch"
    assert (summary["pools"], summary["totals"]["jobs"]) == ([], 3)


def node(node_id: str, **fields: Any) -> ComputeNode:
    """A node as Batch lists it."""
    return ComputeNode(id=node_id, **fields)


def test_nodes_that_cannot_work_are_listed_live() -> None:
    """What is a fault comes first, then what may still end by itself; a node that works is not there."""
    deployment = deploy()
    deployment.batch.pool_nodes["cpu"] = [
        node("works", state="idle", state_transition_time=EARLIER),
        node("comes", state="starting", state_transition_time=EARLIER),
        node("silent", state="unusable", state_transition_time=EARLIER),
        node("full", state="unusable", state_transition_time=EARLIER, errors=(NodeError(code="DiskFull"),)),
        node("failed", state="starttaskfailed", state_transition_time=EARLIER - timedelta(days=1)),
    ]
    told = deployment.ask(list_nodes, {"top": "4"}, poolId="cpu")
    assert (told.body["account"], told.body["poolId"], told.body["nextLink"]) == (ACCOUNT, "cpu", None)
    assert [(one["id"], one["unableReason"], one["countsFrom"]) for one in told.body["value"]] == [
        ("failed", "startTaskFailed", "2026-10-31T11:55:00Z"),
        ("full", "nodeError", "2026-11-01T11:55:00Z"),
        ("comes", "notReady", "2026-11-01T12:25:00Z"),
        ("silent", "unusable", "2026-11-01T12:25:00Z"),
    ]


def test_every_field_of_a_node_is_shown_without_secrets() -> None:
    """What Batch says of a node comes under its own names; its start task, which may hold secrets, is left out."""
    said = {
        "id": "tvm-1",
        "url": "https://a.example/pools/cpu/nodes/tvm-1",
        "state": "starttaskfailed",
        "schedulingState": "enabled",
        "stateTransitionTime": "2026-11-01T11:55:00Z",
        "lastBootTime": "2026-11-01T11:50:00Z",
        "allocationTime": "2026-11-01T11:45:00Z",
        "ipAddress": "10.0.0.4",
        "ipv6Address": "fd00::4",
        "affinityId": "TVM:tvm-1",
        "vmSize": "standard_d2s_v3",
        "isDedicated": False,
        "runningTasksCount": 0,
        "runningTaskSlotsCount": 0,
        "totalTasksRun": 7,
        "totalTasksSucceeded": 6,
        "recentTasks": [{"taskUrl": "https://a.example/jobs/j/tasks/t", "jobId": "j", "taskId": "t", "subtaskId": 1}],
        "startTaskInfo": {
            "state": "completed",
            "startTime": "2026-11-01T11:51:00Z",
            "endTime": "2026-11-01T11:55:00Z",
            "exitCode": 1,
            "retryCount": 2,
            "lastRetryTime": "2026-11-01T11:54:00Z",
            "result": "failure",
            "failureInfo": {"category": "userError", "code": "FailureExitCode", "message": "exited with 1"},
        },
        "errors": [{"code": "Mount", "message": "no", "errorDetails": [{"name": "accountKey", "value": "canary"}]}],
        "nodeAgentInfo": {"version": "1.2", "lastUpdateTime": "2026-11-01T11:50:00Z"},
        "endpointConfiguration": {"inboundEndpoints": [{"name": "ssh", "publicIPAddress": "1.2.3.4"}]},
        "virtualMachineInfo": {
            "imageReference": {"offer": "ubuntu", "exactVersion": "1"},
            "scaleSetVmResourceId": "/x",
        },
    }
    deployment = deploy()
    listed = {**said, "startTask": {"commandLine": "secret"}}
    deployment.batch.pool_nodes["cpu"] = decode_nodes(msgspec.json.encode([listed]))
    (shown,) = deployment.ask(list_nodes, poolId="cpu").body["value"]
    said["errors"] = [
        {"code": "Mount", "message": "no", "errorDetails": [{"name": "accountKey", "value": "[redacted]"}]}
    ]
    more = {"unableReason": "startTaskFailed", "countsFrom": "2026-11-01T11:55:00Z"}
    assert shown == {**said, **more}


@pytest.mark.parametrize(
    ("pool_id", "query", "status", "code"),
    [
        ("a/b", {}, 404, "NotFound"),
        ("x" * 65, {}, 404, "NotFound"),
        ("gone", {}, 404, "PoolNotFound"),
        ("cpu", {"account": "nobody"}, 404, "NotFound"),
        ("cpu", {"$filter": "x"}, 400, "UnsupportedQueryParameter"),
        ("cpu", {"top": "0"}, 400, "InvalidQueryParameterValue"),
    ],
)
def test_what_cannot_be_answered_says_why(pool_id: str, query: dict[str, str], status: int, code: str) -> None:
    """A pool that is not there, an account that is not watched and an unknown parameter are named."""
    deployment = deploy()
    if pool_id == "gone":
        deployment.batch.refused = PoolNotFoundError("PoolNotFound", "The specified pool does not exist.", status=404)
    told = deployment.ask(list_nodes, query, poolId=pool_id)
    assert (told.status, told.body["error"]["code"]) == (status, code)


def test_of_several_accounts_the_one_that_has_the_pool_is_asked() -> None:
    """A pool that one account has is found, one that both have must be named by its account."""
    deployment = deploy(accounts=2)
    for host, pools in ((ACCOUNT, ("cpu", "both")), (OTHER_ACCOUNT, ("gpu", "both"))):
        for pool in pools:
            deployment.batches[host].add(uses(f"job-{pool}", pool))
            deployment.batches[host].node_counts[pool] = {"idle": 1}
        deployment.poll(host)
    assert deployment.ask(list_nodes, poolId="GPU").body["account"] == OTHER_ACCOUNT
    assert deployment.ask(list_nodes, poolId="both").body["error"]["target"] == "account"
    assert deployment.ask(list_nodes, {"account": ACCOUNT}, poolId="both").body["account"] == ACCOUNT
    assert deployment.ask(list_nodes, poolId="none").status == 404
    assert len(deployment.ask(list_pools).body["value"]) == 4
    assert len(deployment.ask(list_pools, {"account": OTHER_ACCOUNT}).body["value"]) == 2


def test_a_pool_in_trouble_is_what_fails() -> None:
    """Twelve of forty nodes that can't work make the status failing, with the reason, and the pool says since when."""
    deployment = deploy()
    deployment.batch.add(uses("a", "cpu"))
    deployment.batch.node_counts["cpu"] = {"idle": 28, "starttaskfailed": 12}
    failed = StartTaskInfo(state="completed", result="failure", exit_code=3)
    deployment.batch.pool_nodes["cpu"] = [
        node(f"n-{number}", state="starttaskfailed", state_transition_time=EARLIER, start_task_info=failed)
        for number in range(12)
    ]
    deployment.poll()
    summary = deployment.ask(Routes.summary).body
    why = "12 nodes of pool cpu can't work: FailureExitCode on 12"
    assert (summary["status"], summary["reasons"][0]) == ("failing", why)
    (pool,) = summary["pools"]
    assert (pool["inTrouble"], pool["since"]) == (True, "2026-11-01T11:55:00Z")
    assert pool["causes"] == [{"code": "FailureExitCode", "message": "The task exited with exit code 3.", "nodes": 12}]
    deployment.batch.pool_nodes["cpu"] = [node(f"n-{number}", state="idle") for number in range(12)]
    deployment.batch.node_counts["cpu"] = {"idle": 40}
    deployment.clock.advance(timedelta(minutes=1))
    deployment.poll()
    assert deployment.ask(Routes.summary).body["status"] == "ok"
