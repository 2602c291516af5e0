"""What to do about what keeps jobs from going on: in a sentence, and as a command to begin with.

Owns what helps with which standstill, and which command with which cause. Does not own the commands
(`messages.commands`) or the words about codes of failures (`batch.advice`). Batch tries a failed preparation again on
no node, and no job's preparation task can be changed: https://learn.microsoft.com/azure/batch/batch-job-prep-release
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from shared.batch.advice import WhereToLook, is_of_the_node, where_to_look
from shared.batch.model import Phase
from shared.messages.commands import (
    PoolReference,
    download_file,
    remove_nodes,
    remove_unprepared_nodes,
    rerun_start_tasks,
    show_job,
    show_node,
    show_nodes,
    show_pool,
    show_statuses,
    stderr_path,
)
from shared.state.jobs import Cause, JobHead
from shared.state.pools import Standstill, StandstillReason


class Remedy(Struct, frozen=True, kw_only=True):
    """What to do; `command` is one of the Azure CLI to begin with, `afterwards` the last one, None when none helps."""

    words: str
    command: str | None
    afterwards: str | None = None


_WORDS: Mapping[StandstillReason, str] = {
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
_SLOW = "See what it prints there; remove a node where it hangs."
_QUOTA = (
    "Ask for quota (in the portal: Batch account, Quotas), or shrink another pool of the account; "
    "then resize the pool again."
)
_CAPACITY = (
    "Azure has too few of these machines just now: wait, or take another VM size, region, or dedicated nodes; "
    "then resize the pool again."
)
_WORDS_OF_CODES: Mapping[str, str] = {
    "accountcorequotareached": _QUOTA,
    "accountlowprioritycorequotareached": _QUOTA,
    "accountspotcorequotareached": _QUOTA,
    "allocationtimedout": _CAPACITY,
    "allocationfailed": _CAPACITY,
    "overconstrainedallocationrequesterror": _CAPACITY,
    "resizestopped": "Somebody stopped the resize: resize the pool again.",
    "insufficientsampledata": "The formula asks for samples that are not there yet: let it guard against that "
    "(GetSamplePercent).",
}
"""By the code that Batch gives for the size of a pool, in lower case."""
_AGAIN = "then reboot the nodes, which runs it again."
OF_START_TASK_CODES: Mapping[str, str] = {
    "blobaccessdenied": f"Give the pool's identity access, or set a new SAS in the pool's start task; {_AGAIN}",
    "commandlaunchfailed": "Check the command line of the pool's start task: quoting, execute permission, user; "
    + _AGAIN,
    "commandprogramnotfound": "Check the program's path in the pool's start task; start a shell for its features; "
    + _AGAIN,
    "taskended": "Somebody ended the start task: reboot the nodes, which runs it again.",
}
"""By the code of a start task's failure, in lower case, where the advice on it is about jobs."""
_OF_THE_SIZE = frozenset({StandstillReason.RESIZE_FAILED, StandstillReason.AUTOSCALE_FAILED})
_OF_JOB: Mapping[WhereToLook, str] = {
    WhereToLook.FILES: "resourceFiles",
    WhereToLook.COMMAND_LINE: "commandLine",
    WhereToLook.LIMITS: "constraints",
    WhereToLook.CONTAINER: "containerSettings",
}
"""What of the job's preparation or release task says more."""


def standstill_remedy(account: str, head: JobHead, standstill: Standstill) -> Remedy:
    """What to do about a job that stands still; `account` is the host of the job's account."""
    reason = standstill.why
    code = standstill.cause.code.lower() if standstill.cause is not None else ""
    pool = PoolReference(account=account, pool_id=standstill.pool_id or head.pool_id or "")
    of_codes = _WORDS_OF_CODES if reason in _OF_THE_SIZE else {}
    of_codes = OF_START_TASK_CODES if reason is StandstillReason.START_TASK_FAILED else of_codes
    words = of_codes.get(code, _WORDS[reason])
    # What hangs may still succeed on the other nodes; one by one its page has their commands.
    replaced = reason is StandstillReason.PREPARATION_FAILED and pool.pool_id
    afterwards = remove_unprepared_nodes(pool, head.job_id) if replaced else None
    return Remedy(words=words, command=_command(pool, head, reason), afterwards=afterwards)


def slow_remedy(account: str, head: JobHead, nodes: Sequence[tuple[str, str]]) -> Remedy:
    """What to do about preparations that take too long; `nodes` are pool and node id of some, none if none is known."""
    if not nodes:
        return Remedy(words=_SLOW, command=show_statuses(account, head.job_id))
    pool_id, node_id = nodes[0]
    path = stderr_path(head.job_id, Phase.PREPARATION)
    return Remedy(words=_SLOW, command=download_file(PoolReference(account=account, pool_id=pool_id), node_id, path))


def cause_command(
    account: str, job_id: str, cause: Cause, nodes: Sequence[tuple[str, str]] = (), *, all_known: bool = False
) -> str | None:
    """What shows more of a cause, or takes the nodes at fault away; None when neither helps.

    `nodes` are pool and node id of some that have it, none if only its example is known; `all_known` says that they are
    all of them.
    """
    see = where_to_look(cause.code)
    # The fault lies in how the job is written: its nodes show nothing of it.
    if see is not None and see in _OF_JOB:
        return show_job(account, job_id, f"job{cause.phase.value.capitalize()}Task.{_OF_JOB[see]}")
    if not nodes:
        nodes, all_known = [cause.example], cause.nodes == 1
    pool_id, node_id = nodes[0]
    # Nobody knows where to look, or on which node.
    if see is None or not node_id:
        return None
    pool = PoolReference(account=account, pool_id=pool_id)
    # Packages are the pool's: every node has the same.
    if see is WhereToLook.PACKAGES:
        return show_pool(pool, "applicationPackageReferences")
    # What the task itself has said.
    if see is WhereToLook.STDERR:
        return download_file(pool, node_id, stderr_path(job_id, cause.phase))
    # Taking away some of them would leave the others, and other pools have other commands.
    if is_of_the_node(cause.code) and all_known and all(owner == pool_id for owner, _ in nodes):
        return remove_nodes(pool, [node for _, node in nodes])
    return show_node(pool, node_id)


def _command(pool: PoolReference, head: JobHead, reason: StandstillReason) -> str | None:
    match reason:
        case StandstillReason.POOL_GONE:
            return show_job(pool.account, head.job_id, "poolInfo")
        case StandstillReason.PREPARATION_FAILED | StandstillReason.PREPARATION_SLOW:
            of_preparation = (cause for cause in head.causes if cause.phase is Phase.PREPARATION)
            shown = (cause_command(pool.account, head.job_id, cause) for cause in of_preparation)
            return next(filter(None, shown), None) or show_statuses(pool.account, head.job_id)
        case _ if not pool.pool_id:
            return None
        case StandstillReason.START_TASK_FAILED:
            return rerun_start_tasks(pool)
        case StandstillReason.NODES_UNABLE:
            return show_nodes(pool)
        case StandstillReason.RESIZE_FAILED:
            return show_pool(
                pool,
                "{state:allocationState, errors:resizeErrors, dedicated:targetDedicatedNodes, "
                "spot:targetLowPriorityNodes}",
            )
        case StandstillReason.AUTOSCALE_FAILED:
            return show_pool(pool, "{formula:autoScaleFormula, run:autoScaleRun}")
