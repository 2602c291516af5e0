"""What to do about what keeps jobs from going on: in a sentence, and as a command to begin with.

Owns which command helps with which cause and standstill. Does not own the commands (`messages.commands`) or the advice
on failures (`batch.advice`). Batch tries a failed preparation again on no node, and no job's preparation task can be
changed: https://learn.microsoft.com/azure/batch/batch-job-prep-release
"""

from msgspec import Struct

from shared.batch.advice import is_of_the_node, is_said_in_stderr
from shared.messages.commands import (
    Pool,
    download_file,
    remove_nodes,
    rerun_start_tasks,
    show_nodes,
    show_pool,
    show_statuses,
    stderr_path,
)
from shared.state.jobs import Cause, JobHead
from shared.state.pools import Standstill, StandstillReason


class Remedy(Struct, frozen=True, kw_only=True):
    """What to do; `command` is one of the Azure CLI to begin with, None when none helps."""

    words: str
    command: str | None


_WORDS = {
    StandstillReason.START_TASK_FAILED: "Mend what the start task needs, or the start task of the pool; then reboot "
    "these nodes, which runs it again.",
    StandstillReason.NODES_UNABLE: "If it is every node, look at the pool's network: subnet, routes, DNS. Remove nodes "
    "that show an error.",
    StandstillReason.RESIZE_FAILED: "Do what the error asks for, such as more quota, another VM size or region; then "
    "resize the pool again.",
    StandstillReason.AUTOSCALE_FAILED: "Mend the pool's formula; then disable autoscale, and enable it again.",
    StandstillReason.PREPARATION_FAILED: "Mend what the cause names, then replace the nodes: Batch does not try them "
    "again for this job. If the preparation task itself is wrong, create the job again: it can't be changed.",
    StandstillReason.PREPARATION_SLOW: "See what preparation waits for, and mend that; then replace the nodes where it "
    "has failed.",
    StandstillReason.POOL_GONE: "Create the pool again under the same id, or disable the job, give it another pool, "
    "and enable it.",
}


def standstill_remedy(account: str, head: JobHead, standstill: Standstill) -> Remedy:
    """What to do about a job that stands still; `account` is the host of the job's account."""
    reason = standstill.reason or StandstillReason.PREPARATION_FAILED
    pool = Pool(account=account, pool_id=standstill.pool_id or head.pool_id or "")
    return Remedy(words=_WORDS[reason], command=_command(pool, head, reason))


def printed_command(pool: Pool, node_id: str, job_id: str, cause: Cause) -> str | None:
    """Fetches what the task printed on a node that failed so; None when that says no more of the cause."""
    return download_file(pool, node_id, stderr_path(job_id, cause.phase)) if is_said_in_stderr(cause.code) else None


def cause_command(account: str, job_id: str, cause: Cause) -> str | None:
    """What shows more of a cause, or takes the node at fault away; None when neither helps."""
    pool_id, node_id = cause.example
    if not node_id:
        return None
    pool = Pool(account=account, pool_id=pool_id)
    if (command := printed_command(pool, node_id, job_id, cause)) is not None:
        return command
    if is_of_the_node(cause.code) and cause.nodes == 1:
        return remove_nodes(pool, [node_id])
    return None


def _command(pool: Pool, head: JobHead, reason: StandstillReason) -> str | None:
    match reason:
        case StandstillReason.POOL_GONE:
            return None
        case StandstillReason.PREPARATION_FAILED | StandstillReason.PREPARATION_SLOW:
            shown = (cause_command(pool.account, head.job_id, cause) for cause in head.causes)
            return next(filter(None, shown), None) or show_statuses(pool.account, head.job_id)
        case _ if not pool.pool_id:
            return None
        case StandstillReason.START_TASK_FAILED:
            return rerun_start_tasks(pool)
        case StandstillReason.NODES_UNABLE:
            return show_nodes(pool)
        case StandstillReason.RESIZE_FAILED:
            return show_pool(pool, "resizeErrors")
        case StandstillReason.AUTOSCALE_FAILED:
            return show_pool(pool, "{formula:autoScaleFormula, run:autoScaleRun}")
