"""Whether a job can still move, as the account itself has it: whoever calls it stuck then cries wolf.

Owns the rule, but for tasks, whose past the world remembers (`truth`). When it is asked is the monitor's: at every
`job.stuck`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Job
from local.batch_simulator.pools import Node, Pool
from local.batch_simulator.statuses import Info, is_failed

LAG = timedelta(minutes=2)
"""What a listing may lag behind, and a cycle take: a job that has only just begun to move may be told as it was."""
PREPARES_FOR = timedelta(minutes=30)
"""How long a preparation may take before nobody counts on it any more."""
SLOW_AFTER = timedelta(minutes=60)
"""How long one takes that is slow whatever is known of its job."""
_UNABLE = frozenset({"starttaskfailed", "unusable", "unknown"})
_ON_THE_WAY = frozenset({"creating", "starting", "waitingforstarttask", "rebooting", "reimaging", "upgradingos"})


def why_it_moves(job: Job, pool: Pool | None, now: datetime, *, keeps_failing: bool = False) -> str | None:
    """Why the job could take tasks, or end, for all of the last LAG; None if it could not.

    When its preparation `keeps_failing`, nobody counts on the nodes that are next.
    """
    reasons: dict[str, datetime | None]
    if job.state != "active":
        reasons = {f"it is {job.state}": job.state_transition_time}
    elif pool is None:
        return None
    elif not job.has_preparation or not job.wait_for_success:
        reasons = {"a node can take its tasks": min((node.since for node in _able(pool)), default=None)}
    elif keeps_failing:
        reasons = {"a node is ready": min(_succeeded(job, pool), default=None)}
    else:
        reasons = {
            "a node prepares itself, or is ready": min(_ready(job, pool, now), default=None),
            "a node was not tried yet": min(_untried(job, pool), default=None),
        }
    return next((why for why, since in reasons.items() if since is not None and since <= now - LAG), None)


def why_it_stands(job: Job, pool: Pool | None, now: datetime) -> str | None:
    """What keeps all tasks of a job from running that people are to be told; None when nothing does."""
    if job.state != "active" or not job.tasks.get("active"):
        return None
    if pool is None:
        return "its pool is gone"
    able = _able(pool)
    if not able:
        # A pool without nodes, whose nodes were taken back or are coming, is how Batch works.
        return "no node is able" if any(node.state in _UNABLE for node in pool.nodes.values()) else None
    if not job.has_preparation or not job.wait_for_success:
        return None
    infos = [_preparation(job, pool, node) for node in able]
    if any(_trouble(info, now) is None for info in infos):
        return None
    return "preparation has failed, or hangs, on each able node"


def is_on_the_way(pool: Pool | None) -> bool:
    """Whether nodes come that may take tasks."""
    return pool is not None and any(node.state in _ON_THE_WAY for node in pool.nodes.values())


def _trouble(info: Info | None, now: datetime) -> datetime | None:
    """When a preparation failed or became slow; None when it has done neither."""
    if info is None or info.get("result") == "success":
        return None
    if is_failed(info):
        return parse_time(str(info["endTime"]))
    slow_at = parse_time(str(info["startTime"])) + SLOW_AFTER
    return slow_at if now >= slow_at else None


def _able(pool: Pool) -> list[Node]:
    return [node for node in pool.nodes.values() if node.state in {"idle", "running"}]


def _ready(job: Job, pool: Pool, now: datetime) -> Iterator[datetime]:
    for node in _able(pool):
        info = _preparation(job, pool, node)
        if info is None:
            continue
        started = parse_time(str(info["startTime"]))
        # One that has failed and runs again holds its node until it has succeeded.
        prepares = info.get("state") == "running" and not info.get("retryCount") and now - started < PREPARES_FOR
        if prepares or info.get("result") == "success":
            yield started


def _succeeded(job: Job, pool: Pool) -> Iterator[datetime]:
    infos = [_preparation(job, pool, node) for node in _able(pool)]
    return (parse_time(str(info["startTime"])) for info in infos if info and info.get("result") == "success")


def _untried(job: Job, pool: Pool) -> Iterator[datetime]:
    return (node.since for node in _able(pool) if _preparation(job, pool, node) is None)


def _preparation(job: Job, pool: Pool, node: Node) -> Info | None:
    status = job.statuses.get((node.node_id, pool.pool_id.lower()))
    return status.preparation if status is not None else None
