"""Pools, nodes, node counts and tasks as JSON of the Batch REST API.

Owns the field names of these bodies. Selects and orders nothing.
"""

from typing import Any

from local.batch_simulator.jobs import Task
from local.batch_simulator.pools import Node, Pool
from local.batch_simulator.protocol import format_time

NODE_NAMES = frozenset(
    {
        *(
            "id",
            "url",
            "state",
            "schedulingState",
            "stateTransitionTime",
            "lastBootTime",
            "allocationTime",
            "ipAddress",
        ),
        *("affinityId", "vmSize", "totalTasksRun", "runningTasksCount", "runningTaskSlotsCount", "totalTasksSucceeded"),
        *("recentTasks", "startTask", "startTaskInfo", "certificateReferences", "errors", "isDedicated"),
        *("endpointConfiguration", "nodeAgentInfo", "virtualMachineInfo"),
    }
)
POOL_NAMES = frozenset(
    {
        *("id", "displayName", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("allocationState", "allocationStateTransitionTime", "vmSize", "virtualMachineConfiguration", "resizeTimeout"),
        *("resizeErrors", "currentDedicatedNodes", "currentLowPriorityNodes", "targetDedicatedNodes"),
        *("targetLowPriorityNodes", "enableAutoScale", "autoScaleFormula", "autoScaleEvaluationInterval"),
        *("autoScaleRun", "enableInterNodeCommunication", "networkConfiguration", "startTask", "taskSlotsPerNode"),
        *("taskSchedulingPolicy", "metadata", "stats"),
    }
)
TASK_NAMES = frozenset(
    {
        *("id", "displayName", "url", "eTag", "lastModified", "creationTime", "exitConditions", "state"),
        *("stateTransitionTime", "previousState", "previousStateTransitionTime", "commandLine", "containerSettings"),
        *("resourceFiles", "outputFiles", "environmentSettings", "affinityInfo", "constraints", "requiredSlots"),
        *("userIdentity", "executionInfo", "nodeInfo", "multiInstanceSettings", "stats", "dependsOn"),
    }
)
# The examples of the operation write every name like this, upgradingos alone in small letters.
_COUNT_NAMES = {
    name.lower(): name
    for name in (
        *("creating", "idle", "leavingPool", "offline", "preempted", "rebooting", "reimaging", "running", "starting"),
        *("startTaskFailed", "unknown", "unusable", "waitingForStartTask", "upgradingos", "deallocated"),
        "deallocating",
    )
}
_START_TASK = {
    "commandLine": "/bin/bash -c ./start.sh",
    "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
    "maxTaskRetryCount": 0,
    "waitForSuccess": True,
}


def counts_json(pool: Pool) -> dict[str, Any]:
    """One entry of List Pool Node Counts: a state that this service does not count is in no number but the total."""
    return {
        "poolId": pool.pool_id,
        "dedicated": _counts(pool, dedicated=True),
        "lowPriority": _counts(pool, dedicated=False),
    }


def _counts(pool: Pool, *, dedicated: bool) -> dict[str, int]:
    states = pool.by_state(dedicated=dedicated)
    return {name: states.get(state, 0) for state, name in _COUNT_NAMES.items()} | {"total": states.total()}


def pool_json(pool: Pool, base_url: str) -> dict[str, Any]:
    """One pool."""
    dedicated, low_priority = pool.count(dedicated=True), pool.count(dedicated=False)
    body: dict[str, Any] = {
        "id": pool.pool_id,
        "url": f"{base_url}/pools/{pool.pool_id}",
        "eTag": f"0x8D{int(pool.created.timestamp()) & 0xFFFFFFFF:08X}",
        "lastModified": format_time(pool.created),
        "creationTime": format_time(pool.created),
        "state": pool.state,
        "stateTransitionTime": format_time(pool.created),
        "allocationState": pool.allocation_state,
        "allocationStateTransitionTime": format_time(pool.allocation_since),
        "vmSize": pool.vm_size,
        "resizeTimeout": "PT15M",
        "currentDedicatedNodes": dedicated,
        "currentLowPriorityNodes": low_priority,
        "targetDedicatedNodes": dedicated if pool.target_dedicated is None else pool.target_dedicated,
        "targetLowPriorityNodes": low_priority if pool.target_low_priority is None else pool.target_low_priority,
        "enableAutoScale": pool.formula is not None,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "spread"},
    }
    if pool.has_start_task:
        body["startTask"] = _START_TASK
    if pool.formula is not None:
        body |= {"autoScaleFormula": pool.formula, "autoScaleEvaluationInterval": "PT5M"}
    if pool.autoscale_run is not None:
        body["autoScaleRun"] = dict(pool.autoscale_run)
    # Only what the last resize left behind, and only once it has ended.
    if pool.resize_errors and pool.allocation_state == "steady":
        body["resizeErrors"] = [dict(error) for error in pool.resize_errors]
    return body


def node_json(pool: Pool, node: Node, base_url: str) -> dict[str, Any]:
    """One node."""
    body: dict[str, Any] = {
        "id": node.node_id,
        "url": f"{base_url}/pools/{pool.pool_id}/nodes/{node.node_id}",
        "state": node.state,
        "schedulingState": node.scheduling,
        "stateTransitionTime": format_time(node.since),
        "allocationTime": format_time(node.allocated),
        "ipAddress": "10.0.0.4",
        "affinityId": f"TVM:{node.node_id}",
        "vmSize": node.vm_size,
        "totalTasksRun": node.running_tasks,
        "totalTasksSucceeded": 0,
        "runningTasksCount": node.running_tasks,
        "isDedicated": node.dedicated,
        "virtualMachineInfo": {
            "imageReference": {
                "publisher": "microsoft-dsvm",
                "offer": "ubuntu-hpc",
                "sku": "2204",
                "version": "latest",
                "exactVersion": "22.04.2026050101",
            }
        },
    }
    if node.booted is not None:
        body["lastBootTime"] = format_time(node.booted)
    if pool.has_start_task:
        body["startTask"] = _START_TASK
    if node.start_task_info is not None:
        body["startTaskInfo"] = dict(node.start_task_info)
    if node.errors:
        body["errors"] = [dict(error) for error in node.errors]
    return body


def task_json(task: Task, base_url: str, job_id: str) -> dict[str, Any]:
    """One task; which node it is on is said once it has one."""
    body: dict[str, Any] = {
        "id": task.task_id,
        "url": f"{base_url}/jobs/{job_id}/tasks/{task.task_id}",
        "eTag": "0x8D413091E739A56",
        "creationTime": format_time(task.created),
        "lastModified": format_time(task.created),
        "state": task.state,
        "stateTransitionTime": format_time(task.since),
        "commandLine": "/bin/bash -c ./work.sh",
        "requiredSlots": 1,
        "executionInfo": {"retryCount": 0, "requeueCount": 0},
    }
    if task.node is not None:
        url = f"{base_url}/pools/{task.pool}/nodes/{task.node}"
        body["nodeInfo"] = {"affinityId": f"TVM:{task.node}", "nodeUrl": url, "poolId": task.pool, "nodeId": task.node}
    return body
