"""What the client reads of pools, nodes and tasks of the simulated account, which the azure-batch SDK holds true."""

from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta

import pytest

from local.batch_simulator.jobs import Task as SimulatedTask
from local.batch_simulator.server import Simulator
from local.batch_simulator.world import World
from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.batch_client import BatchClient
from shared.batch.model import FailureInfo, NameValuePair
from shared.batch.pool_model import NODE_SELECT, AutoScaleRun, NodeError, NodeInfo, ResizeError, StartTaskInfo
from shared.errors import AccountDeniedError, PoolNotFoundError
from tests.adapters.batch_clients import ACCOUNT, KEY, NOW, client_of


@pytest.fixture
def account() -> Iterator[Simulator]:
    """An account with twelve pools; `cpu` has one node in each of four states, and asks for forty."""
    world = World(now=NOW)
    for number in range(11):
        world.pools.put(f"other-{number:02d}", at=NOW)
    world.pools.resize(
        "cpu",
        at=NOW,
        dedicated=40,
        errors=(
            {
                "code": "AllocationTimedout",
                "message": "Desired number of dedicated nodes could not be allocated",
                "values": [{"name": "Reason", "value": "no capacity"}],
            },
        ),
    )
    pool = world.pools.put("cpu", at=NOW)
    pool.formula, pool.autoscale_run = "$TargetDedicatedNodes = 40;", {"timestamp": "2026-11-01T11:55:00"}
    world.pools.set_node("cpu", "idle-1", at=NOW)
    world.pools.set_node("cpu", "spot-1", at=NOW, state="upgradingos", dedicated=False)
    world.pools.set_node(
        "cpu",
        "sick-1",
        at=NOW,
        state="unusable",
        errors=(
            {
                "code": "DiskFull",
                "message": "full\u202e",
                "errorDetails": [{"name": "Message", "value": "\x1b[31mfull"}],
            },
        ),
    )
    world.pools.set_node(
        "cpu",
        "start-1",
        at=NOW,
        state="starttaskfailed",
        start_task_info={
            "state": "completed",
            "startTime": "2026-11-01T11:00:00Z",
            "exitCode": 127,
            "result": "failure",
            "failureInfo": {"category": "UserError", "code": "FailureExitCode", "message": "exited"},
        },
    )
    world.add_job("job", pool="cpu")
    world.list_tasks(
        "job",
        SimulatedTask(task_id="1", state="running", created=NOW, since=NOW, pool="cpu", node="idle-1"),
        SimulatedTask(task_id="2", state="active", created=NOW, since=NOW),
    )
    with Simulator(world, account=ACCOUNT, key=KEY, clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def client(account: Simulator) -> BatchClient:
    """A client of the account."""
    return client_of(account.url, auth=SharedKeyAuth(ACCOUNT, b64decode(KEY)))


def test_node_counts_are_read_page_by_page(client: BatchClient, account: Simulator) -> None:
    """Dedicated and Spot nodes are counted together under lower-case states; ten pools come a page."""
    counts = {pool.pool_id: pool.by_state for page in client.list_node_counts() for pool in page}

    assert len(counts) == 12
    assert counts["cpu"] == {"idle": 1, "upgradingos": 1, "unusable": 1, "starttaskfailed": 1}
    assert counts["other-00"] == {}
    assert len(account.requests) == 2


def test_a_pool_is_read_with_its_errors(client: BatchClient) -> None:
    """Targets, the last resize's errors and autoscale's run arrive; a time without zone is UTC."""
    pool = client.get_pool("CPU", select="id,allocationState,targetDedicatedNodes,autoScaleRun,resizeErrors")

    assert (pool.id, pool.allocation_state, pool.target_dedicated_nodes) == ("cpu", "steady", 40)
    assert pool.resize_errors == (
        ResizeError(
            code="AllocationTimedout",
            message="Desired number of dedicated nodes could not be allocated",
            values=(NameValuePair(name="Reason", value="no capacity"),),
        ),
    )
    assert pool.auto_scale_run == AutoScaleRun(timestamp=NOW.replace(hour=11, minute=55, second=0))
    assert pool.current_dedicated_nodes is None


def test_nodes_are_read_with_what_is_wrong(client: BatchClient) -> None:
    """Errors and the start task's end arrive whole and cleaned; the filter finds those that can't work."""
    found = "state eq 'unusable' or state eq 'starttaskfailed'"
    nodes = {
        node.id: node for page in client.list_nodes("cpu", odata_filter=found, select=NODE_SELECT) for node in page
    }

    assert nodes["sick-1"].errors == (
        NodeError(code="DiskFull", message="full", error_details=(NameValuePair(name="Message", value="full"),)),
    )
    assert nodes["start-1"].start_task_info == StartTaskInfo(
        state="completed",
        start_time=NOW.replace(hour=11, minute=0, second=0),
        exit_code=127,
        result="failure",
        failure_info=FailureInfo(category="UserError", code="FailureExitCode", message="exited"),
    )
    assert set(nodes) == {"sick-1", "start-1"}
    image = nodes["sick-1"].virtual_machine_info
    assert image is not None
    assert image.image_reference is not None


def test_tasks_say_where_they_run(client: BatchClient) -> None:
    """Only what runs is asked for, with the node that it runs on."""
    (page,) = client.list_tasks("job", odata_filter="state eq 'running'", select="id,nodeInfo", max_results=100)

    assert [(task.id, task.node_info) for task in page] == [("1", NodeInfo(pool_id="cpu", node_id="idle-1"))]


def test_a_pool_that_is_gone_has_an_error_of_its_own(client: BatchClient, account: Simulator) -> None:
    """PoolNotFound is told from a refusal, and from a 404 of something else."""
    account.world.pools.delete("cpu")
    with pytest.raises(PoolNotFoundError):
        client.get_pool("cpu", select=None)
    with pytest.raises(PoolNotFoundError):
        list(client.list_nodes("cpu", odata_filter=None, select=None))
    account.inject("Account_ListPoolNodeCounts", 403, "InsufficientAccountPermissions")
    with pytest.raises(AccountDeniedError):
        list(client.list_node_counts(deadline=NOW + timedelta(seconds=30)))
