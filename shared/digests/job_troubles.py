"""What is wrong with a job, and what of it other jobs may have in common with it.

Owns which concerns a head has, and their names: equal names are one incident, and one group of a chat message. Does not
own when they are told (`digests.incidents.rules`, `digests.chat_plan`) or the words (`digests.short_names`). Pure, and
by the head alone, so that whoever looks at one job knows where it belongs.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.causes import EXIT_CODE
from shared.batch.model import Phase
from shared.messages.events import EventType
from shared.messages.notices import Severity
from shared.state.jobs import Cause, JobHead
from shared.state.pools import Standstill, StandstillReason
from shared.webhook import Webhook

AUTO_POOLS = "auto-pools"
"""How the auto pools of an account are named together: each job or schedule has one of its own."""
_AUTO_POOL = re.compile(r"(?:.*[_-])?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_OF_SCHEDULE = re.compile(r":job-\d+\Z")
"""How Batch ends the ids of the jobs that a schedule makes."""


class ConcernKind(StrEnum):
    """What several jobs may have in common; the worst first."""

    STANDSTILL = "standstill"
    CAUSE = "cause"
    JOB = "job"
    NODE = "node"
    RELEASE = "release"


SEVERITIES = {
    ConcernKind.STANDSTILL: Severity.CRITICAL,
    ConcernKind.CAUSE: Severity.ERROR,
    ConcernKind.JOB: Severity.ERROR,
    ConcernKind.NODE: Severity.WARNING,
    ConcernKind.RELEASE: Severity.WARNING,
}


_STANDSTILLS = {
    StandstillReason.RESIZE_FAILED: Severity.ERROR,
    StandstillReason.AUTOSCALE_FAILED: Severity.ERROR,
    StandstillReason.PREPARATION_SLOW: Severity.ERROR,
    StandstillReason.POOL_GONE: Severity.WARNING,
}
"""Critical is what is broken; these wait, for capacity or for something slow."""


class Concern(Struct, frozen=True, kw_only=True):
    """Something that is wrong with a job.

    `name` is equal for what is one incident. `nodes` counts where it is so now, `example` (pool id, node id) is one of
    them, and `since` is None when nobody knows. `cause` is None for a standstill without one, and `standstill` None
    for what is none; `others` are further exit codes that are one concern with the first.
    """

    name: str
    kind: ConcernKind
    severity: Severity
    pool_id: str
    cause: Cause | None
    others: tuple[Cause, ...] = ()
    nodes: int
    example: tuple[str, str] = ("", "")
    since: datetime | None = None
    standstill: Standstill | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All causes that it has, the most frequent first."""
        return (self.cause, *self.others) if self.cause is not None else ()

    @property
    def calls(self) -> bool:
        """Whether it may wake somebody: a pool that is gone has been deleted by somebody."""
        return self.standstill is None or self.standstill.reason is not StandstillReason.POOL_GONE

    @property
    def holds_on(self) -> bool:
        """Whether it goes on until it is mended; what is not is over as soon as it was told."""
        return self.kind is not ConcernKind.RELEASE


def wants_of(webhook: Webhook, account: str, head: JobHead) -> Callable[[EventType], bool]:
    """Tells of a type of event whether a webhook wants to hear of such a thing of this job."""
    return partial(webhook.wants, job_id=head.job_id, account=account, pools=head.pools)


def concerns_of(head: JobHead, wants: Callable[[EventType], bool]) -> tuple[Concern, ...]:
    """What is wrong with a job now, as far as somebody `wants` to know, the worst first."""
    found: list[Concern] = []
    if head.standstill is not None and wants(EventType.JOB_STUCK):
        found.append(standstill_of(head.standstill))
    if head.closed is None and head.preparation.open and wants(EventType.PREPARATION_FAILED):
        found += _failures(head, Phase.PREPARATION)
    if head.release_failed_ever and wants(EventType.RELEASE_FAILED):
        found += _failures(head, Phase.RELEASE)
    return tuple(found)


def group_of(head: JobHead, cause: Cause) -> str:
    """What makes failures one to people in a chat: pool and cause, also where a pager has an incident for each job."""
    return _name(cause.phase.value, pool_name(_pool_of(head, cause)), *_identity_of(cause))


def job_name(job_id: str) -> str:
    """The part of a name that says which job; those that a schedule makes, one after the other, are one."""
    return _OF_SCHEDULE.sub("", job_id.lower())


def standstill_of(stuck: Standstill) -> Concern:
    """What is wrong where none of a job's tasks can run."""
    reason, cause = stuck.why, None
    if stuck.cause is not None:
        cause = Cause(phase=Phase.PREPARATION, code=stuck.cause.code, message=stuck.cause.message)
    apart = () if reason.is_of_pool else _identity_of(cause)
    return Concern(
        name=_name(ConcernKind.STANDSTILL, pool_name(stuck.pool_id), reason.value, *apart),
        kind=ConcernKind.STANDSTILL,
        severity=_STANDSTILLS.get(reason, Severity.CRITICAL),
        pool_id=stuck.pool_id,
        cause=cause,
        nodes=0,
        since=stuck.since,
        standstill=stuck,
    )


def is_of_one_node(head: JobHead, cause: Cause) -> bool:
    """Whether a preparation failed on one node only, and by what may well be the node's fault."""
    kind = _kind(cause, _pool_of(head, cause), alone=head.preparation.open == 1)
    return cause.phase is Phase.PREPARATION and kind is ConcernKind.NODE


def is_standing(head: JobHead, wants: Callable[[EventType], bool]) -> bool:
    """Whether something goes on that was announced, and that somebody `wants` to know of."""
    is_open = head.closed is None and head.preparation.open > 0 and head.preparation_failed_ever > 0
    is_stuck = head.stuck_since is not None and wants(EventType.JOB_STUCK)
    return is_stuck or (is_open and wants(EventType.PREPARATION_FAILED))


def is_auto_pool(pool_id: str) -> bool:
    """Whether Batch has made a pool by itself for a job or a schedule: its id ends in a unique part."""
    return _AUTO_POOL.fullmatch(pool_id) is not None


def pool_name(pool_id: str) -> str:
    """The part of a name that says which pool; auto pools are one."""
    return AUTO_POOLS if is_auto_pool(pool_id) else pool_id.lower()


def _failures(head: JobHead, phase: Phase) -> Sequence[Concern]:
    causes = [cause for cause in head.causes if cause.phase is phase and _is_told(head, cause)]
    number = head.preparation.open if phase is Phase.PREPARATION else head.release.failed
    by_name: dict[str, Concern] = {}
    for cause in causes:
        concern = _failure(head, cause, alone=number == 1)
        known = by_name.get(concern.name)
        by_name[concern.name] = concern if known is None else _with(known, cause)
    return list(by_name.values())


def _with(concern: Concern, cause: Cause) -> Concern:
    """The concern with one more exit code, which a node has instead of the others."""
    since = min(filter(None, (concern.since, cause.first_seen)), default=None)
    return replace(concern, others=(*concern.others, cause), nodes=concern.nodes + cause.nodes, since=since)


def _failure(head: JobHead, cause: Cause, *, alone: bool) -> Concern:
    pool_id = _pool_of(head, cause)
    kind = _kind(cause, pool_id, alone=alone)
    own = {
        ConcernKind.NODE: (pool_name(pool_id), cause.example[1].lower()),
        ConcernKind.JOB: (job_name(head.job_id),),
    }
    parts = own.get(kind) or (pool_name(pool_id), *_identity_of(cause))
    is_release = cause.phase is Phase.RELEASE
    return Concern(
        name=_name(kind, *((cause.phase.value,) if is_release else ()), *parts),
        kind=ConcernKind.RELEASE if is_release else kind,
        severity=SEVERITIES[ConcernKind.RELEASE if is_release else kind],
        pool_id=pool_id,
        cause=cause,
        nodes=cause.nodes,
        example=cause.example,
        since=cause.first_seen,
    )


def _kind(cause: Cause, pool_id: str, *, alone: bool) -> ConcernKind:
    # A code of Batch says what is wrong, wherever it happens.
    if cause.code != EXIT_CODE:
        return ConcernKind.CAUSE
    # The program says only that something is: on one node that is the node's, on several the job's. A node of an auto
    # pool is made for the job and met by no other; one that is not known has no name to go by.
    is_met = cause.example[1] != "" and not is_auto_pool(pool_id)
    return ConcernKind.NODE if alone and is_met else ConcernKind.JOB


def _is_told(head: JobHead, cause: Cause) -> bool:
    """Whether somebody was told of it: what ended before a job was first watched is nobody's news."""
    if not (head.preparation_failed_ever if cause.phase is Phase.PREPARATION else head.release_failed_ever):
        return False
    return cause.last_seen is None or head.announce_from is None or cause.last_seen >= head.announce_from


def _pool_of(head: JobHead, cause: Cause | None) -> str:
    return head.pool_id or (cause.pools[0] if cause and cause.pools else cause.example[0] if cause else "")


def _identity_of(cause: Cause | None) -> tuple[str, ...]:
    if cause is None:
        return ()
    fingerprint = hashlib.sha256(cause.message.encode("utf-8", "replace")).hexdigest()[:12]
    return cause.code.lower(), fingerprint


def _name(*parts: str) -> str:
    return "|".join(parts)
