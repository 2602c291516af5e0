"""Jobs and statuses for tests, as Batch would describe them."""

from datetime import datetime, timedelta

from shared.batch.model import BatchJob, ExecutionInfo, NodeStatus


def job(name: str, at: datetime, state: str = "active") -> BatchJob:
    """A job that was made at, and is in its state since, this moment."""
    return BatchJob(id=name, state=state, creation_time=at, state_transition_time=at)


def prepared(node: str, at: datetime, *, exit_code: int = 0) -> NodeStatus:
    """A node whose preparation began at this moment, took ten seconds and ended with this exit code."""
    result = "failure" if exit_code else "success"
    info = ExecutionInfo(
        start_time=at, end_time=at + timedelta(seconds=10), state="completed", result=result, exit_code=exit_code
    )
    return NodeStatus(pool_id="pool-1", node_id=node, preparation=info)
