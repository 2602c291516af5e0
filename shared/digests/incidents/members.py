"""Of which incidents what is wrong with a job is a part.

Owns whether a concern of a job has joined an incident, and whether it is news to the incident's readers. Does not own
what opens and ends incidents (`digests.incidents.rules`) or what a concern is (`digests.job_troubles`). Pure.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from shared.digests.chat_rules import KnownToWebhook
from shared.digests.job_troubles import Concern, ConcernKind, concerns_of, job_name, wants_of
from shared.state.jobs import JobHead
from shared.state.telling import Incident, Joined, Told
from shared.webhook import Webhook

LEFT_AFTER = timedelta(hours=1)
"""What went away may come back with the next node or job; so may the failures of release, which nothing mends."""
EARLIER = "earlier"
"""Begins the name of an incident that a version before opened, which had one for each job."""


class Member(Struct, frozen=True, kw_only=True):
    """A concern of a job as part of an incident; `is_news` says that the incident's readers don't know of it yet."""

    known: KnownToWebhook
    head: JobHead
    concern: Concern
    joined: Joined | None
    is_news: bool

    @property
    def job_id(self) -> str:
        """The job whose concern it is."""
        return self.head.job_id


def is_pending(
    webhook: Webhook, account: str, known: KnownToWebhook, incidents: Mapping[str, Incident], now: datetime
) -> bool:
    """Whether the pager has still to be told something about a job, now or when a mute or a pause ends."""
    return known.told.standing or any(
        member.is_news for _, member in members_of(webhook, account, known, incidents, now)
    )


def is_live(joined: Joined, incidents: Mapping[str, Incident]) -> bool:
    """Whether what was joined is still open, and not another one of the same name."""
    incident = incidents.get(joined.incident)
    return incident is not None and incident.opened_at == joined.opened_at


def members_of(
    webhook: Webhook, account: str, known: KnownToWebhook, incidents: Mapping[str, Incident], now: datetime
) -> Iterable[tuple[str | None, Member]]:
    """The concerns of a job, each with the name of the incident that it is part of, None for none."""
    head, told = known.head, known.told
    if head is None:
        return
    wants = wants_of(webhook, account, head)
    known_preparation, known_release = told.knows_of(head.ever)
    release_grew = head.ever.release > known_release
    grew = release_grew or head.ever.preparation > known_preparation
    for concern in filter(lambda concern: concern.calls, concerns_of(head, wants)):
        joined = _joined(told, concern, head.job_id, incidents)
        name = joined.incident if joined else None
        # It was told: only more nodes are news.
        if joined is not None:
            is_news = concern.nodes > joined.nodes
        elif told.standing and not _is_other_standstill(concern, told):
            # Whoever opened an incident for the job has told all that was known then.
            name, is_news = name_of_earlier(told), grew
        else:
            # What nothing mends is over once it was told, and calls nobody long after.
            is_news = concern.holds_on or (release_grew and not _is_long_over(concern, now))
        if is_news or concern.holds_on:
            yield name, Member(known=known, head=head, concern=concern, joined=joined, is_news=is_news)


def _is_long_over(concern: Concern, now: datetime) -> bool:
    """Whether what nothing mends is too long ago to call anybody."""
    last = concern.cause.last_seen if concern.cause else None
    return last is not None and now - last >= LEFT_AFTER


def _joined(told: Told, concern: Concern, job_id: str, incidents: Mapping[str, Incident]) -> Joined | None:
    for name, joined in told.joined.items():
        is_it = name == concern.name
        # Once several nodes have failed the job is in question, however many are left; a standstill has one reason.
        is_it |= concern.kind is ConcernKind.NODE and name == f"{ConcernKind.JOB}|{job_name(job_id)}"
        is_it |= concern.kind is ConcernKind.STANDSTILL and name.split("|")[:3] == concern.name.split("|")[:3]
        if is_it and is_live(joined, incidents):
            return joined
    return None


def _is_other_standstill(concern: Concern, told: Told) -> bool:
    return concern.kind is ConcernKind.STANDSTILL and concern.since != told.stuck_since


def has_joined(told: Told, incidents: Mapping[str, Incident]) -> bool:
    """Whether anything of a job is part of an incident that is open."""
    return told.standing or any(is_live(joined, incidents) for joined in told.joined.values())


def name_of_earlier(told: Told) -> str:
    """The name of the incident that a version before opened for a job."""
    return f"{EARLIER}|{told.job_id.lower()}"
