"""Whether a job can still move, as the account itself has it: whoever calls it stuck then cries wolf.

Owns the rule, but for tasks, whose past the world remembers (`truth`). When it is asked is the witness's: at every
`job.stuck`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Job
from local.batch_simulator.pools import Node, Pool
from local.batch_simulator.statuses import Info

LAG = timedelta(minutes=2)
"""What a listing may lag behind, and a cycle take: a job that has only just begun to move may be told as it was."""
PREPARES_FOR = timedelta(minutes=30)
"""How long a preparation may take before nobody counts on it any more."""


def why_it_moves(job: Job, pool: Pool | None, now: datetime) -> str | None:
    """Why the job could take tasks, or end, for all of the last LAG; None if it could not."""
    reasons: dict[str, datetime | None]
    if job.state != "active":
        reasons = {f"it is {job.state}": job.state_transition_time}
    elif pool is None:
        return None
    elif not job.has_preparation or not job.wait_for_success:
        reasons = {"a node can take its tasks": min((node.since for node in _able(pool)), default=None)}
    else:
        reasons = {
            "a node prepares itself, or is ready": min(_ready(job, pool, now), default=None),
            "a node was not tried yet": min(_untried(job, pool), default=None),
        }
    return next((why for why, since in reasons.items() if since is not None and since <= now - LAG), None)


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


def _untried(job: Job, pool: Pool) -> Iterator[datetime]:
    return (node.since for node in _able(pool) if _preparation(job, pool, node) is None)


def _preparation(job: Job, pool: Pool, node: Node) -> Info | None:
    status = job.statuses.get((node.node_id, pool.pool_id.lower()))
    return status.preparation if status is not None else None
