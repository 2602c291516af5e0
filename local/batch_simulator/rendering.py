"""Jobs, statuses, task counts and lists as JSON of the Batch REST API.

Owns the field names of these bodies, except those of the execution infos. Selects and orders nothing.
"""

import json
from collections.abc import Iterable
from typing import Any

from local.batch_simulator.jobs import Job, NodeStatus
from local.batch_simulator.protocol import format_time
from local.batch_simulator.statuses import INFO_NAMES, Phase, task_directory

STATUS_NAMES = frozenset({"poolId", "nodeId", "nodeUrl", *INFO_NAMES.values()})
JOB_NAMES = frozenset(
    {
        "id",
        "displayName",
        "usesTaskDependencies",
        "url",
        "eTag",
        "lastModified",
        "creationTime",
        "state",
        "stateTransitionTime",
        "previousState",
        "previousStateTransitionTime",
        "priority",
        "maxParallelTasks",
        "allowTaskPreemption",
        "constraints",
        "jobManagerTask",
        "jobPreparationTask",
        "jobReleaseTask",
        "commonEnvironmentSettings",
        "poolInfo",
        "onAllTasksComplete",
        "onTaskFailure",
        "networkConfiguration",
        "metadata",
        "executionInfo",
        "stats",
    }
)
_NO_LIMIT = "P10675199DT2H48M5.4775807S"


def status_json(status: NodeStatus, base_url: str) -> dict[str, Any]:
    """One entry of the listing."""
    node_url = f"{base_url}/pools/{status.pool}/nodes/{status.node}"
    entry: dict[str, Any] = {"poolId": status.pool, "nodeId": status.node, "nodeUrl": node_url}
    for phase, info in ((Phase.PREPARATION, status.preparation), (Phase.RELEASE, status.release)):
        if info is not None:
            shown = dict(info)
            if isinstance(info.get("taskRootDirectory"), str):
                shown.setdefault("taskRootDirectoryUrl", f"{node_url}/files/{info['taskRootDirectory']}")
            entry[INFO_NAMES[phase]] = shown
    return entry


def status_bytes(status: NodeStatus, base_url: str) -> bytes:
    """The same as bytes, encoded once as long as the entry stays what it is."""
    if base_url not in status.encoded:
        status.encoded[base_url] = json.dumps(status_json(status, base_url)).encode()
    return status.encoded[base_url]


def job_json(job: Job, base_url: str) -> dict[str, Any]:
    """One job with the properties that the service always sets."""
    execution: dict[str, Any] = {"startTime": format_time(job.creation_time), "poolId": job.pool}
    if job.end_time is not None:
        execution["endTime"] = format_time(job.end_time)
    if job.terminate_reason is not None:
        execution["terminateReason"] = job.terminate_reason
    body: dict[str, Any] = {
        "id": job.job_id,
        "url": f"{base_url}/jobs/{job.job_id}",
        "eTag": etag(job),
        "lastModified": format_time(job.last_modified),
        "creationTime": format_time(job.creation_time),
        "state": job.state,
        "stateTransitionTime": format_time(job.state_transition_time),
        "priority": 0,
        "maxParallelTasks": -1,
        "allowTaskPreemption": False,
        "constraints": {"maxWallClockTime": _NO_LIMIT, "maxTaskRetryCount": 0},
        "poolInfo": {"poolId": job.pool},
        "executionInfo": execution,
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
    }
    if job.has_preparation:
        body["jobPreparationTask"] = {
            "id": _task_id(job, Phase.PREPARATION),
            "commandLine": "/bin/bash -c 'set -e; ./prepare.sh'",
            "constraints": {
                "maxWallClockTime": _NO_LIMIT,
                "retentionTime": "P7D",
                "maxTaskRetryCount": job.max_task_retry_count,
            },
            "waitForSuccess": job.wait_for_success,
            "rerunOnNodeRebootAfterSuccess": True,
        }
    if job.has_preparation and job.has_release:
        body["jobReleaseTask"] = {
            "id": _task_id(job, Phase.RELEASE),
            "commandLine": "/bin/bash -c 'set -e; ./release.sh'",
            "maxWallClockTime": "PT15M",
            "retentionTime": "P7D",
        }
    return body | dict(job.extra)


def job_shown(job: Job, base_url: str) -> tuple[dict[str, Any], bytes]:
    """One job and its bytes, made once for each of its versions: lists of a thousand are asked for often."""
    if job.shown is None or job.shown[:2] != (job.version, base_url):
        body = job_json(job, base_url)
        job.shown = (job.version, base_url, body, json.dumps(body).encode())
    return job.shown[2:]


def task_counts_json(job: Job) -> dict[str, Any]:
    """What Get Task Counts answers; every task takes one slot."""
    counts = {name: job.tasks.get(name, 0) for name in ("active", "running", "completed", "succeeded", "failed")}
    return {"taskCounts": counts, "taskSlotCounts": counts}


def etag(job: Job) -> str:
    """Changes whenever the job or one of its statuses does."""
    return f"0x8D{int(job.creation_time.timestamp()) & 0xFFFFFFFF:08X}{job.version:05X}"


def list_body(entity_set: str, base_url: str, entries: Iterable[bytes], next_link: str | None) -> bytes:
    """A page; without `next_link` it is the last."""
    metadata = json.dumps(f"{base_url}/$metadata#{entity_set}").encode()
    tail = b"" if next_link is None else b',"odata.nextLink":' + json.dumps(next_link).encode()
    return b'{"odata.metadata":' + metadata + b',"value":[' + b",".join(entries) + b"]" + tail + b"}"


def _task_id(job: Job, phase: Phase) -> str:
    return task_directory(job.job_id, phase).rpartition("/")[2]
