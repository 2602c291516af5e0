"""What chat and pager must have been told in the end: all failures by number, no trouble that is over, no quiet ruin.

Owns the comparison of what people were told with how jobs stand. Does not own the rules that hold at every moment
(`listeners`).
"""

from collections.abc import Mapping
from datetime import timedelta

from shared.state.jobs import JobHead
from trials.promises.checks import stored_heads
from trials.promises.listeners import Listener
from trials.promises.monitor import Monitor
from trials.promises.reading import PHASES
from trials.simulation.batch import ACCOUNT
from trials.simulation.system import System

_GRACE = timedelta(minutes=90)
"""How long after its last change an incident may be open: an hour if it only went away, and a while to be told."""
_ENDS = {
    "account.reachable": "account.unreachable",
    "webhook.recovered": "webhook.failing",
    "webhook.enabled": "webhook.disabled",
}


def check_ends_told(system: System) -> None:
    """Nobody was told last that something goes on which is over, whoever is muted; receivers have been well for hours.

    Raises:
        BrokenPromiseError: Naming every sentence that does not hold.
    """
    heads = stored_heads(system)
    for listener in system.monitor.listeners.values():
        if listener.is_pager:
            _check_incidents(listener, heads)
        for job in listener.believed:
            last = listener.last_word(job)
            if not listener.is_pager and last is not None and last.recorded:
                _check_end(listener, heads.get(job), job)
    system.raise_what_broke()


def check_all_told(system: System) -> None:
    """Everybody knows of every failure, and of what goes on; no mute stands, and receivers have been well for hours.

    Raises:
        BrokenPromiseError: Naming every sentence that does not hold.
    """
    heads = stored_heads(system)
    for listener in system.monitor.listeners.values():
        listener.check_recorded()
        if listener.is_pager:
            _check_paged(system.monitor, listener)
            _check_incidents(listener, heads)
        else:
            _check_counted(system.monitor, listener)
        for job in listener.believed if not listener.is_pager else ():
            if any(system.monitor.failures[job, phase] and _wants(listener, phase, job) for phase in PHASES) and (
                _is_told_again(listener, job)
            ):
                _check_end(listener, heads.get(job), job)
        for job, head in heads.items():
            told = _wants(listener, "preparation", job) and _was_told(system.monitor, head)
            knows = listener.thinks_failing(job) or job in listener.unread
            if told and head.closed is None and head.preparation.open and not knows:
                listener.blame(f"{listener.webhook.name} does not know that {job} fails")
    system.raise_what_broke()


def _check_incidents(listener: Listener, heads: Mapping[str, JobHead]) -> None:
    """Each incident that is open is about a job of which something goes on, or did an hour ago."""
    recent = listener.clock() - _GRACE
    for key, incident in listener.incidents.items():
        changed = [head.changed_at for job in incident.jobs if (head := heads.get(job)) and head.changed_at]
        told = [each.at for each in listener.messages if each.reading.incident == key]
        if max([*changed, *told], default=recent) > recent:
            continue
        if (
            incident.is_open
            and incident.jobs
            and not any(_stands(listener, heads.get(job), job) for job in incident.jobs)
        ):
            listener.blame(f"{listener.webhook.name} is paged for ever for {key}, and nothing of it goes on")


def _check_end(listener: Listener, head: JobHead | None, job: str) -> None:
    if job in listener.unread:
        return
    hears_of_ends = listener.wants("prepwatch.preparation.resolved", job, ACCOUNT)
    if hears_of_ends and listener.thinks_failing(job) and not _stands(listener, head, job):
        listener.blame(f"{listener.webhook.name} takes {job} for one that fails, and it does not")


def _is_told_again(listener: Listener, job: str) -> bool:
    """Whether what was told last of a job is recorded, or would be told again if the record of it was lost.

    Failures have numbers, by which they are. A standstill has none: when it is over before the message could be sent
    once more, nobody knows that somebody may have read it.
    """
    last = listener.last_word(job)
    parts = [part for part in last.reading.parts if part.job == job] if last is not None else []
    return last is not None and (last.recorded or any(part.newly_failed(phase) for part in parts for phase in PHASES))


def _check_counted(monitor: Monitor, listener: Listener) -> None:
    """The numbers in the messages add up to what has failed."""
    for (job, phase), number in monitor.failures.items():
        counted = listener.counted[job, phase]
        if _wants(listener, phase, job) and counted != number and job not in listener.unread:
            listener.blame(f"{listener.webhook.name} has heard of {counted} {phase} failures of {job}, not of {number}")


def _check_paged(monitor: Monitor, listener: Listener) -> None:
    """Nobody is paged for ever for what was told to be over by itself."""
    for event in monitor.events.values():
        about = event.data.get("webhook") or event.data.get("account")
        incident = listener.incidents.get(f"prepwatch:{event.type.partition('.')[0]}:{about}")
        if event.type in _ENDS and incident is not None and incident.is_open and _is_last_word(monitor, event.id):
            listener.blame(f"{listener.webhook.name} is paged for {about} for ever, though {event.type} was told")


def _is_last_word(monitor: Monitor, event_id: str) -> bool:
    """Whether no trouble of the same thing came after its end."""
    event = monitor.events[event_id]
    about = event.data.get("webhook") or event.data.get("account")
    return not any(
        other.type == _ENDS[event.type]
        and (other.data.get("webhook") or other.data.get("account")) == about
        and other.at > event.at
        for other in monitor.events.values()
    )


def _stands(listener: Listener, head: JobHead | None, job: str) -> bool:
    """Whether something of a job goes on that a webhook cares about."""
    if head is None:
        return False
    stuck = head.stuck_since is not None and listener.wants("prepwatch.job.stuck", job, ACCOUNT)
    is_open = head.closed is None and head.preparation.open > 0 and _wants(listener, "preparation", job)
    return stuck or is_open


def _was_told(monitor: Monitor, head: JobHead) -> bool:
    """Whether somebody was told that preparation failed for this incarnation."""
    incarnation = (head.job_id.lower(), head.creation_time)
    return any(kind == "preparation.failed" and each.incarnation == incarnation for kind, each in monitor.told)


def _wants(listener: Listener, phase: str, job: str) -> bool:
    return listener.wants(f"prepwatch.{phase}.failed", job, ACCOUNT)
