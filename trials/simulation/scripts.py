"""Words for writing down by hand what happens in a system's Batch account."""

from collections.abc import Iterable
from datetime import timedelta

from local.batch_simulator.causes import PREPARATION_CAUSES, RELEASE_CAUSES, STUCK_CAUSE
from local.batch_simulator.jobs import Job
from local.batch_simulator.protocol import format_time
from local.batch_simulator.statuses import Cause, Info, Phase, failed, running, succeeded
from trials.simulation.system import System

FAILURE = next(cause for cause in PREPARATION_CAUSES if cause.code == "DiskFull")
MISSING_INPUT = next(cause for cause in PREPARATION_CAUSES if cause.code == "BlobNotFound")
DENIED_INPUT = STUCK_CAUSE
RELEASE_FAILURE = RELEASE_CAUSES[0]
_A_MOMENT = timedelta(seconds=5)


def add_job(system: System, job_id: str, pool: str = "pool-1", **tasks: int) -> Job:
    """A job begins."""
    system.account.advance(system.now)
    return system.world.add_job(job_id, creation_time=system.now - _A_MOMENT, pool=pool, tasks=tasks)


def begin(system: System, job_id: str, *nodes: str) -> None:
    """Preparation begins (again) on nodes."""
    for node in nodes:
        _set(system, job_id, node, running(job_id, Phase.PREPARATION, start=system.now))


def fail(system: System, job_id: str, node: str, cause: Cause) -> None:
    """Preparation fails on a node, having begun a moment ago unless it was running."""
    info = failed(job_id, Phase.PREPARATION, cause, start=system.now - _A_MOMENT, end=system.now)
    _set(system, job_id, node, _as_begun(system, job_id, node, info))


def fail_all(system: System, job_id: str, nodes: Iterable[str], cause: Cause) -> None:
    """Preparation fails on many nodes at once."""
    for node in nodes:
        fail(system, job_id, node, cause)


def succeed(system: System, job_id: str, *nodes: str) -> None:
    """Preparation succeeds on nodes."""
    for node in nodes:
        info = succeeded(job_id, Phase.PREPARATION, start=system.now - _A_MOMENT, end=system.now)
        _set(system, job_id, node, _as_begun(system, job_id, node, info))


def release(system: System, job_id: str, node: str, cause: Cause | None = None) -> None:
    """Release ends on a node, failing for *cause*."""
    start, end = system.now - _A_MOMENT, system.now
    if cause is None:
        info = succeeded(job_id, Phase.RELEASE, start=start, end=end)
    else:
        info = failed(job_id, Phase.RELEASE, cause, start=start, end=end)
    job = _job(system, job_id)
    preparation = job.statuses[node, job.pool.lower()].preparation
    system.world.set_status(job_id, job.pool, node, preparation=preparation, release=info, at=system.now)


def end(system: System, job_id: str, state: str) -> None:
    """The job moves to another state."""
    system.account.advance(system.now)
    system.world.set_job_state(job_id, state, at=system.now)


def retry(system: System, job_id: str, node: str, count: int) -> None:
    """Preparation begins on a node for the *count*th time again."""
    info = running(job_id, Phase.PREPARATION, start=system.now, retry_count=count, last_retry=system.now)
    _set(system, job_id, node, info)


def set_nodes(system: System, nodes: Iterable[str], state: str, pool: str = "pool-1", **fields: object) -> None:
    """Nodes join a pool in this state, or come into it."""
    system.account.advance(system.now)
    for node in nodes:
        system.world.pools.set_node(pool, node, at=system.now, state=state, **fields)


def drop_nodes(system: System, nodes: Iterable[str], pool: str = "pool-1") -> None:
    """Nodes leave a pool; listings of jobs go on showing them."""
    system.account.advance(system.now)
    for node in nodes:
        system.world.pools.drop_node(pool, node, at=system.now)


def start_task_failed(system: System, nodes: Iterable[str], exit_code: int, pool: str = "pool-1") -> None:
    """The start task fails for good on nodes."""
    at = format_time(system.now)
    info = {
        "state": "completed",
        "startTime": at,
        "endTime": at,
        "exitCode": exit_code,
        "result": "failure",
        "failureInfo": {"category": "usererror", "code": "FailureExitCode", "message": "The task exited."},
        "retryCount": 0,
    }
    set_nodes(system, nodes, "starttaskfailed", pool, start_task_info=info)


def _as_begun(system: System, job_id: str, node: str, info: Info) -> Info:
    job = _job(system, job_id)
    before = job.statuses.get((node, job.pool.lower()))
    if before is None or before.preparation is None or before.preparation.get("state") != "running":
        return info
    return {**info, "startTime": before.preparation["startTime"]}


def _set(system: System, job_id: str, node: str, preparation: Info) -> None:
    system.account.advance(system.now)
    system.world.set_status(job_id, _job(system, job_id).pool, node, preparation=preparation, at=system.now)


def _job(system: System, job_id: str) -> Job:
    job = system.world.job(job_id)
    if job is None:
        raise KeyError(job_id)
    return job
