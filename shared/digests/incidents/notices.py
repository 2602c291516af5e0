"""What a pager is told of an incident: a summary, and details under fixed keys.

Owns these words. Does not own what an incident is (`digests.incidents.rules`) or how a page is written
(`messages.pagerduty`).
"""

from collections.abc import Sequence
from datetime import datetime

from shared.batch.advice import advice
from shared.digests.chat_rules import SHOWN_CAUSES
from shared.digests.incidents.members import Member
from shared.digests.incidents.rules import MAX_OPEN, STANDING, IncidentPage
from shared.digests.job_troubles import ConcernKind
from shared.digests.short_names import cause_words, of_all, pool_in_heading, short_id, why_in_heading
from shared.messages.commands import PoolReference, remove_nodes
from shared.messages.events import Origin, links_of
from shared.messages.notices import TITLE_BYTES, Notice, PageDetails
from shared.messages.remedies import cause_command, standstill_remedy
from shared.messages.sentences import account_name, clock_time, counted, to_the_second, waiting
from shared.redaction import one_line
from shared.state.standstill_words import nodes_in_words, why_in_words

SHOWN_JOBS = 100
_KINDS = {
    ConcernKind.CAUSE: "preparation.failed",
    ConcernKind.JOB: "preparation.failed",
    ConcernKind.NODE: "preparation.failed",
    ConcernKind.RELEASE: "release.failed",
    ConcernKind.STANDSTILL: "job.stuck",
}
"""What a pager's rules can go by: the events' own words."""


def incident_notice(origin: Origin, page: IncidentPage, nodes: Sequence[tuple[str, str]], now: datetime) -> Notice:
    """The notice of a page; `nodes` are some of those that it is about, pool and node id of each."""
    account = origin.partition
    members = page.members
    jobs = sorted({member.job_id for member in members}, key=str.lower)
    # The name of a pool may differ in its case only.
    pools = list({member.concern.pool_id.lower(): member.concern.pool_id for member in members}.values())
    return Notice(
        heading=one_line(_heading(account, page, now), limit=TITLE_BYTES) if members else "Over",
        severity=page.severity,
        dashboard=links_of(origin, jobs[0] if len(jobs) == 1 else None).get("dashboard"),
        page=PageDetails(
            key=page.incident.key,
            over=page.ends,
            account=account,
            about=pools[0] if len(pools) == 1 else account,
            since=min((member.concern.since for member in members if member.concern.since), default=None),
            kind=_KINDS[_lead(page).concern.kind] if members else "over",
            details={} if page.ends else _details(account, page, pools, nodes),
        ),
    )


def _heading(account: str, page: IncidentPage, now: datetime) -> str:
    lead, members = _lead(page), page.members
    # What is so of the worst is not so of all that came together only because it was too much, or old.
    if page.is_further or page.name == STANDING:
        members = tuple(member for member in members if member.concern.name == lead.concern.name)
    what = _WORDS[lead.concern.kind](account, members, lead)
    if page.is_further:
        what = (
            f"More than {MAX_OPEN} incidents are open on {short_id(account_name(account))}. The worst further: {what}"
        )
    if page.name == STANDING:
        jobs = counted(_jobs(page.members), "job")
        what = f"{jobs} failed before this pager was added or switched on. The worst: {what}"
    since = min((member.concern.since for member in members if member.concern.since), default=None)
    return f"{what}, since {clock_time(since, now)}" if since else what


def _lead(page: IncidentPage) -> Member:
    return min(page.members, key=_worst_first)


def _worst_first(member: Member) -> tuple[int, int]:
    return member.concern.severity.rank, -member.concern.nodes


def _preparation(account: str, members: Sequence[Member], lead: Member) -> str:
    return f"Preparation failed {_where(account, members, lead)}{_why(members)}"


def _release(account: str, members: Sequence[Member], lead: Member) -> str:
    return f"Release failed {_where(account, members, lead)}{_why(members)}"


def _node(account: str, members: Sequence[Member], lead: Member) -> str:
    jobs = _jobs(members)
    whose = f"of {short_id(lead.job_id)}" if jobs == 1 else f"of {jobs} jobs"
    where = pool_in_heading(account, lead.concern.pool_id)
    return f"One node of {where} fails the preparation {whose}{_why(members)}"


def _standstill(account: str, members: Sequence[Member], lead: Member) -> str:
    jobs, where = _jobs(members), _place(account, members, lead)
    who = f"{short_id(lead.job_id)} of {where} stands still" if jobs == 1 else f"{jobs} jobs of {where} stand still"
    number = sum(member.concern.standstill.tasks for member in members if member.concern.standstill)
    tasks = f", {waiting(number, 'task')}" if number else ""
    why = f": {why_in_words(lead.concern.standstill.why)}" if lead.concern.standstill is not None else ""
    return f"{who}{why}{_why(members)}{tasks}"


_WORDS = {
    ConcernKind.CAUSE: _preparation,
    ConcernKind.JOB: _preparation,
    ConcernKind.NODE: _node,
    ConcernKind.RELEASE: _release,
    ConcernKind.STANDSTILL: _standstill,
}


def _place(account: str, members: Sequence[Member], lead: Member) -> str:
    """The pool, or how many where each job has one of its own."""
    pools = {member.concern.pool_id.lower() for member in members}
    if len(pools) > 1:
        return f"{len(pools)} pools of {short_id(account_name(account))}"
    return pool_in_heading(account, lead.concern.pool_id)


def _where(account: str, members: Sequence[Member], lead: Member) -> str:
    jobs, where = _jobs(members), _place(account, members, lead)
    nodes, size = lead.concern.nodes, lead.head.nodes
    if jobs == 1:
        return f"in {short_id(lead.job_id)} of {where} on {of_all(nodes, size)}"
    return f"in {jobs} jobs of {where} on up to {nodes} of {counted(size, 'node')}"


def _why(members: Sequence[Member]) -> str:
    return why_in_heading(cause for member in members for cause in member.concern.causes)


def _jobs(members: Sequence[Member]) -> int:
    return len({member.job_id.lower() for member in members})


def _details(
    account: str, page: IncidentPage, pools: Sequence[str], nodes: Sequence[tuple[str, str]]
) -> dict[str, object]:
    """What a pager's rules and people can read of the incident, under the same keys whatever it is about."""
    members = sorted(page.members, key=_worst_first)
    # Equal causes of several jobs are one.
    causes = {(cause.code, cause.message): cause for member in members for cause in member.concern.causes}
    of_jobs = [cause for member in members for cause in member.concern.causes if _is_of_jobs(member)]
    lines = _job_lines(members)
    since = [member.concern.since for member in members if member.concern.since is not None]
    still = [
        standstill_remedy(account, each.head, each.concern.standstill).words
        for each in members
        if each.concern.standstill
    ]
    of_causes = [what for cause in of_jobs if (what := advice(cause.code)) is not None]
    advised = dict.fromkeys([*still, *of_causes])
    details = {
        "why": [cause_words(cause, 0) for cause in causes.values()][:SHOWN_CAUSES] or _states(members),
        "since": to_the_second(min(since, default=None)),
        "do": [*advised][:SHOWN_CAUSES],
        "command": _commands(account, page, nodes),
        "account": account,
        "pool": list(pools),
        "code": [*dict.fromkeys(code for code, _ in causes)][:SHOWN_CAUSES],
        "phase": sorted({cause.phase.value for cause in of_jobs}),
        "jobs": lines[:SHOWN_JOBS],
        "moreJobs": max(0, len(lines) - SHOWN_JOBS) or None,
        "nodes": max(member.concern.nodes for member in members) or None,
        "tasksWaiting": sum(each.concern.standstill.tasks for each in members if each.concern.standstill) or None,
        "nodeIds": [node for _, node in nodes],
    }
    return {name: value for name, value in details.items() if value not in (None, [])}


def _states(members: Sequence[Member]) -> list[str]:
    """How the nodes of the pool are, where Batch names no cause."""
    states = next((each.concern.standstill.by_state for each in members if each.concern.standstill), {})
    return [f"Nodes of the pool: {said}"] if (said := nodes_in_words(states)) else []


def _is_of_jobs(member: Member) -> bool:
    """Whether its cause is one of the job's own tasks: what keeps a whole pool from working is not mended there."""
    still = member.concern.standstill
    return still is None or not still.why.is_of_pool


def _job_lines(members: Sequence[Member]) -> list[str]:
    """A line for each job, by the first thing that is said of it."""
    lines: dict[str, str] = {}
    for member in members:
        lines.setdefault(member.job_id.lower(), _job_line(member))
    return [*lines.values()]


def _job_line(member: Member) -> str:
    standstill = member.concern.standstill
    if standstill is not None:
        return f"{member.job_id}: {counted(standstill.tasks, 'task')} waiting"
    return f"{member.job_id}: {member.concern.nodes} of {counted(member.head.nodes, 'node')}"


def _commands(account: str, page: IncidentPage, nodes: Sequence[tuple[str, str]]) -> list[str]:
    """What helps with the worst of it: to read what the task wrote or was given, or to be rid of a node."""
    lead = _lead(page)
    concern, cause = lead.concern, lead.concern.cause
    if concern.standstill is not None:
        commands = [standstill_remedy(account, lead.head, concern.standstill).command]
    elif cause is not None:
        node = concern.example if concern.example[1] else nodes[0] if nodes else ("", "")
        commands = [cause_command(account, lead.job_id, cause, [node])]
        if concern.kind is ConcernKind.NODE and node[1]:
            commands.append(remove_nodes(PoolReference(account=account, pool_id=node[0]), [node[1]]))
    else:
        commands = []
    return [command for command in commands if command]
