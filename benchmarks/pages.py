"""What the loopback account holds and how Batch would spell it, built once as bytes.

Owns the form and the size of entries: node ids of 72 characters, failure details, about 720 bytes a node. Does not own
how they are served (`server`).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

PAGE_NODES = 1000
_PAGE_POOLS = 10
SKIP = "%24skipToken"
_BEGAN = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
_ACCOUNT = "https://benchaccount.westeurope.batch.azure.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An account: `active` jobs of `nodes` nodes each, spread over `pools`, and `completed` ones that ended long ago.

    `version` is how often a hundredth of the nodes has run again; `run_again` says that all of them have, `released`
    that each has run its release task, too. Of the preparations one in `failing` has failed, none for 0. `delay_ms` is
    added to each answer.
    """

    active: int = 1
    nodes: int = 0
    completed: int = 0
    pools: int = 1
    version: int = 0
    run_again: bool = False
    released: bool = False
    failing: int = 50
    delay_ms: int = 0

    def to_json(self) -> bytes:
        """As the server takes it."""
        return json.dumps(asdict(self)).encode()


def job_id(number: int) -> str:
    """The id of an active job."""
    return f"render-{number:05d}"


def pages_of(world: World, number: int, base: str) -> Iterator[tuple[str, bytes]]:
    """The pages of a job's statuses: the skip token that asks for each (empty for the first), and its body."""
    for start in range(0, max(world.nodes, 1), PAGE_NODES):
        end = min(start + PAGE_NODES, world.nodes)
        value = [_entry(world, number, node) for node in range(start, end)]
        yield str(start or ""), _page(value, _status_link(base, number, end) if end < world.nodes else None)


def job_pages(world: World, *, with_completed: bool, base: str) -> Iterator[tuple[str, bytes]]:
    """The pages of the job listing, likewise."""
    value = [_job(job_id(number), "active", number % world.pools) for number in range(world.active)]
    if with_completed:
        value.extend(_job(f"old-{number:05d}", "completed") for number in range(world.completed))
    return _pages(value, f"{base}/jobs")


def job_body(world: World, number: int) -> bytes:
    """One job, as Get Job answers."""
    return json.dumps(_job(job_id(number), "active", number % world.pools)).encode()


def node_count_pages(world: World, base: str) -> Iterator[tuple[str, bytes]]:
    """The pages of node counts, likewise: every node is able."""
    nodes = {pool_id(number): _nodes_in(world, number) for number in range(world.pools)}
    value: list[dict[str, object]] = [
        {"poolId": name, "dedicated": {"idle": many, "total": many}, "lowPriority": {"total": 0}}
        for name, many in nodes.items()
    ]
    return _pages(value, f"{base}/nodecounts", _PAGE_POOLS)


def node_pages(world: World, pool: int, base: str) -> Iterator[tuple[str, bytes]]:
    """The pages of the nodes of a pool, likewise: those of its jobs, every one idle."""
    value: list[dict[str, object]] = [
        {"id": _node_id(job, node), "state": "idle"} for job in _jobs_of(world, pool) for node in range(world.nodes)
    ]
    return _pages(value, f"{base}/pools/{pool_id(pool)}/nodes")


def pool_body(world: World, pool: int) -> bytes:
    """One pool, as Get Pool answers."""
    nodes = _nodes_in(world, pool)
    body = {"id": pool_id(pool), "state": "active", "allocationState": "steady"}
    return json.dumps({**body, "currentDedicatedNodes": nodes, "targetDedicatedNodes": nodes}).encode()


def pool_id(number: int) -> str:
    """The id of a pool."""
    return f"pool-westeurope-{number + 1}"


def _jobs_of(world: World, pool: int) -> range:
    return range(pool, world.active, world.pools)


def _nodes_in(world: World, pool: int) -> int:
    return len(_jobs_of(world, pool)) * world.nodes


def _node_id(job: int, node: int) -> str:
    return f"tvmps_{hashlib.sha256(f'{job}/{node}'.encode()).hexdigest()}_d"


def _status_link(base: str, number: int, end: int) -> str:
    query = f"api-version=2024-07-01.20.0&{SKIP}={end}"
    return f"{base}/jobs/{job_id(number)}/jobpreparationandreleasetaskstatus?{query}"


def _pages(value: list[dict[str, object]], address: str, size: int = PAGE_NODES) -> Iterator[tuple[str, bytes]]:
    for start in range(0, max(len(value), 1), size):
        end = start + size
        link = f"{address}?api-version=2024-07-01.20.0&{SKIP}={end}" if end < len(value) else None
        yield str(start or ""), _page(value[start:end], link)


def _page(value: list[dict[str, object]], link: str | None) -> bytes:
    page: dict[str, object] = {"odata.metadata": f"{_ACCOUNT}/$metadata#jobpreparationandreleasetaskstatuses"}
    page["value"] = value
    if link:
        page["odata.nextLink"] = link
    return json.dumps(page, separators=(",", ":")).encode()


def _job(name: str, state: str, pool: int = 0) -> dict[str, object]:
    return {
        "id": name,
        "creationTime": "2026-11-01T07:59:00.1234567Z",
        "state": state,
        "stateTransitionTime": "2026-11-01T07:59:00.1234567Z",
        "executionInfo": {"startTime": "2026-11-01T07:59:00.1234567Z", "poolId": pool_id(pool)},
    }


def _entry(world: World, job: int, node: int) -> dict[str, object]:
    node_id, pool = _node_id(job, node), pool_id(job % world.pools)
    url = f"{_ACCOUNT}/pools/{pool}/nodes/{node_id}"
    runs = sum(run % 100 == node % 100 for run in range(1, world.version + 1)) + world.run_again
    began = _BEGAN + timedelta(seconds=node % 3000) + timedelta(hours=runs)
    failed = world.failing > 0 and node % world.failing == 0
    preparation: dict[str, object] = {
        "startTime": _time(began),
        "endTime": _time(began + timedelta(seconds=41)),
        "state": "completed",
        "result": "failure" if failed else "success",
        "exitCode": 1 if failed else 0,
        "retryCount": 0,
        "taskRootDirectory": f"workitems/{job_id(job)}/job-1/jobpreparation",
        "taskRootDirectoryUrl": f"{url}/files/workitems/{job_id(job)}/job-1/jobpreparation",
    }
    if failed:
        preparation["failureInfo"] = {
            "category": "UserError",
            "code": "FailureExitCode",
            "message": "The task exited with an exit code representing a failure",
            "details": [{"name": "Message", "value": "The task process exited with an unexpected exit code"}],
        }
    entry: dict[str, object] = {
        "poolId": pool,
        "nodeId": node_id,
        "nodeUrl": url,
        "jobPreparationTaskExecutionInfo": preparation,
    }
    if world.released:
        entry["jobReleaseTaskExecutionInfo"] = {
            "startTime": _time(began + timedelta(hours=5)),
            "endTime": _time(began + timedelta(hours=5, seconds=7)),
            "state": "completed",
            "result": "success",
            "exitCode": 0,
            "taskRootDirectory": f"workitems/{job_id(job)}/job-1/jobrelease",
            "taskRootDirectoryUrl": f"{url}/files/workitems/{job_id(job)}/job-1/jobrelease",
        }
    return entry


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.1234567Z"
