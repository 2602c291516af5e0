"""Whether a job can still move, as the account itself has it: whoever calls it stuck then cries wolf.

Owns the rule, but for tasks, whose past the world remembers (`truth`). When it is asked is the witness's: at every
`job.stuck`.
"""

from datetime import datetime, timedelta

from local.batch_simulator.filters import parse_time
from local.batch_simulator.jobs import Job

LAG = timedelta(minutes=2)
"""What a listing may lag behind, and a cycle take: a job that has only just begun to move may be told as it was."""


def why_it_moves(job: Job, now: datetime) -> str | None:
    """Why the job could take tasks, or end, for all of the last LAG; None if it could not.

    Nodes that no listing shows yet are left out: nobody can know of them.
    """
    reasons = {
        f"it is {job.state}": job.state_transition_time if job.state != "active" else None,
        "its tasks don't wait for the preparation": None if job.wait_for_success else job.creation_time,
        "a node prepares itself, or is ready": _ready_since(job),
    }
    return next((why for why, since in reasons.items() if since is not None and since <= now - LAG), None)


def _ready_since(job: Job) -> datetime | None:
    infos = [status.preparation for status in job.statuses.values() if status.preparation is not None]
    return min(
        (
            parse_time(str(info["startTime"]))
            for info in infos
            if info.get("state") == "running" or info.get("result") == "success"
        ),
        default=None,
    )
