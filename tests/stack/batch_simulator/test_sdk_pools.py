"""The real client library reads pools, their nodes and the tasks that wait for them."""

from datetime import timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from local.batch_simulator.jobs import Task
from local.batch_simulator.server import Simulator
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import NOW

# azure-batch signs with datetime.utcnow, deprecated from Python 3.12 on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

DISK_FULL = {
    "code": "DiskFull",
    "message": "There is not enough disk space on the node",
    "errorDetails": [{"name": "Message", "value": "The VM disk is full."}],
}
START_TASK_FAILED = {
    "state": "completed",
    "startTime": "2026-05-01T12:01:00Z",
    "endTime": "2026-05-01T12:02:00Z",
    "exitCode": 127,
    "result": "failure",
    "retryCount": 0,
    "failureInfo": {"category": "usererror", "code": "FailureExitCode", "message": "exited with 127"},
}


def test_a_pool_that_a_job_uses_has_the_nodes_of_its_listing(client: BatchClient) -> None:
    """Whatever a job's listing shows runs on an idle node of the job's pool, unless more was said of the pool."""
    (counts,) = client.list_pool_node_counts()

    assert counts.pool_id == "Pool-A"
    assert counts.dedicated is not None
    assert (counts.dedicated.idle, counts.dedicated.total) == (7, 7)


def test_node_counts_name_every_state(client: BatchClient, world: World) -> None:
    """Each node is counted under its state, dedicated and Spot nodes apart."""
    world.pools.set_node("Pool-A", "node-0", at=NOW, state="starttaskfailed")
    world.pools.set_node("Pool-A", "node-1", at=NOW, state="unusable")
    world.pools.set_node("Pool-A", "spot-1", at=NOW, state="preempted", dedicated=False)

    (counts,) = client.list_pool_node_counts(filter="poolId eq 'pool-a'")

    dedicated, spot = counts.dedicated, counts.low_priority
    assert dedicated is not None
    assert spot is not None
    assert (dedicated.start_task_failed, dedicated.unusable, dedicated.idle, dedicated.total) == (1, 1, 5, 7)
    assert (spot.preempted, spot.total) == (1, 1)


def test_node_counts_come_ten_a_page(client: BatchClient, world: World, simulator: Simulator) -> None:
    """Twenty-three pools come in three pages, and asking for more than ten at once is refused."""
    for number in range(22):
        world.pools.put(f"pool-{number:02d}", at=NOW)

    pages = [len(list(page)) for page in client.list_pool_node_counts().by_page()]

    assert pages == [10, 10, 3]
    assert [request.operation for request in simulator.requests] == ["Account_ListPoolNodeCounts"] * 3
    with pytest.raises(HttpResponseError) as refused:
        list(client.list_pool_node_counts(max_results=11))
    assert refused.value.status_code == 400


def test_nodes_carry_what_is_wrong_with_them(client: BatchClient, world: World) -> None:
    """A node arrives with state, times, errors and its start task's end; a filter finds those that can't work."""
    world.pools.set_node("Pool-A", "node-0", at=NOW + timedelta(minutes=2), state="unusable", errors=(DISK_FULL,))
    world.pools.set_node(
        "Pool-A", "node-1", at=NOW + timedelta(minutes=2), state="starttaskfailed", start_task_info=START_TASK_FAILED
    )

    found = {
        node.id: node
        for node in client.list_nodes(
            "Pool-A",
            filter="state eq 'unusable' or state eq 'starttaskfailed'",
            select=["id", "state", "stateTransitionTime", "errors", "startTaskInfo"],
        )
    }

    assert set(found) == {"node-0", "node-1"}
    (error,) = found["node-0"].errors or []
    assert (error.code, [detail.value for detail in error.error_details or ()]) == (
        "DiskFull",
        ["The VM disk is full."],
    )
    assert found["node-0"].state_transition_time == NOW + timedelta(minutes=2)
    info = found["node-1"].start_task_info
    assert info is not None
    assert (info.exit_code, info.result, info.failure_info and info.failure_info.code) == (
        127,
        "failure",
        "FailureExitCode",
    )
    assert client.get_node("Pool-A", "node-2").state == "idle"


def test_a_pool_says_what_it_asks_for_and_why_it_has_less(client: BatchClient, world: World) -> None:
    """Targets, autoscale and the errors of the last resize arrive, these only while the pool is steady."""
    quota = {"code": "AccountCoreQuotaReached", "message": "The specified account has reached its core quota"}
    world.pools.resize("big", at=NOW, dedicated=40, errors=(quota,))
    pool = world.pools.put("big", at=NOW)
    pool.formula = "$TargetDedicatedNodes = 40;"
    pool.autoscale_run = {"timestamp": "2026-05-01T12:00:00Z", "results": "$TargetDedicatedNodes=40"}

    shown = client.get_pool("big")

    assert (shown.target_dedicated_nodes, shown.current_dedicated_nodes, shown.enable_auto_scale) == (40, 0, True)
    assert [error.code for error in shown.resize_errors or ()] == ["AccountCoreQuotaReached"]
    assert shown.auto_scale_run is not None
    assert shown.auto_scale_run.timestamp == NOW
    world.pools.resize("big", at=NOW, dedicated=40, allocation_state="resizing", errors=(quota,))
    assert client.get_pool("big").resize_errors is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_pool("gone"),
        lambda client: list(client.list_nodes("gone")),
        lambda client: client.get_node("gone", "n"),
    ],
    ids=["pool", "nodes", "node"],
)
def test_a_pool_that_was_deleted_is_not_found(ask: Any, client: BatchClient, world: World) -> None:
    """Pool, nodes and counts of a deleted pool are gone, also when a job still names it."""
    world.add_job("orphan", pool="gone")
    world.pools.delete("gone")

    with pytest.raises(ResourceNotFoundError) as refused:
        ask(client)

    assert refused.value.error is not None
    assert refused.value.error.code == "PoolNotFound"
    assert [counts.pool_id for counts in client.list_pool_node_counts()] == ["Pool-A"]
    assert [pool.id for pool in client.list_pools()] == ["Pool-A"]


def test_tasks_say_where_they_run(client: BatchClient, world: World) -> None:
    """Tasks are filtered by state, and one on a node names it."""
    world.list_tasks(
        "job-1",
        Task(task_id="t1", state="active", created=NOW, since=NOW),
        Task(task_id="t2", state="running", created=NOW, since=NOW, pool="Pool-A", node="node-0"),
        Task(task_id="t3", state="running", created=NOW, since=NOW, pool="Pool-A", node="node-1"),
    )

    running = list(client.list_tasks("job-1", filter="state eq 'running'", select=["id", "nodeInfo"], max_results=1))

    assert [(task.id, task.node_info and task.node_info.node_id) for task in running] == [
        ("t2", "node-0"),
        ("t3", "node-1"),
    ]
