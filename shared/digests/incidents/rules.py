"""Which incidents a pager has open, and when it is told: what several jobs have in common is one incident.

Owns what opens an incident, joins it and ends it, and when that is told. Does not own what a concern is
(`digests.job_troubles`), the words (`digests.incidents.notices`) or the sending (`digests.one_webhook`). Pure: what was
told, the heads and the open incidents go in, pages with the incidents as they stand after them come out.

    concern of a job --open under its name, or told of this job before?--> part of that incident
        | no                                                                 | more nodes or jobs: told, at most
        v                                                                    | every five minutes
    ten incidents are open? --yes--> one for all that are further             v
        | no                                                      nothing of it goes on: ended ten minutes later,
        v                                                         an hour later if nothing of it was mended
    a new one: a standstill at once, anything else after ten seconds, for its like
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_rules import KnownToWebhook
from shared.digests.incidents.members import EARLIER, LEFT_AFTER, Member, has_joined, members_of, name_of_earlier
from shared.digests.job_troubles import ConcernKind, concerns_of
from shared.digests.message_intervals import ENDS_AFTER, HOLD, Occasion, believable_pace
from shared.digests.mutes import muted_until
from shared.messages.ids import incident_key
from shared.messages.notices import Severity
from shared.state.telling import Incident, Joined, Pace, Told
from shared.webhook import Webhook

MAX_OPEN = 10
"""From so many open incidents of an account on, all further ones of a severity are one."""
AGAIN_AFTER = timedelta(minutes=5)

_FURTHER = "further"
STANDING = "standing"
"""The incident of all that stood when a pager was new or was switched on again."""


class IncidentPage(Struct, frozen=True, kw_only=True):
    """What to tell of the incident `name`: how it stands, or that it is over.

    `members` are all that goes on of it now; `incident` is how it stands after the page, `earlier` the job whose own
    incident it is, opened by a version that had one for each job.
    """

    name: str
    incident: Incident
    members: tuple[Member, ...]
    ends: bool = False
    earlier: Told | None = None

    @property
    def is_further(self) -> bool:
        """Whether it is the one incident of all that came when MAX_OPEN were open."""
        return self.name.startswith(f"{_FURTHER}|")

    @property
    def news(self) -> tuple[Member, ...]:
        """What the page tells for the first time."""
        return tuple(member for member in self.members if member.is_news)

    @property
    def severity(self) -> Severity:
        """How bad it is, as it was when the incident was opened: PagerDuty calls nobody for what gets worse."""
        return Severity(self.incident.severity)


class PagePlan(Struct, frozen=True, kw_only=True):
    """The pages to send now, or when something may have to be sent (None: when more happens).

    `incidents` is how they stand even if nothing is sent. Of the jobs in `settled` there is nothing to tell.
    """

    pages: tuple[IncidentPage, ...]
    pace: Pace
    incidents: Mapping[str, Incident]
    settled: tuple[KnownToWebhook, ...] = ()
    wake_at: datetime | None = None


def decide_pages(occasion: Occasion, known: Iterable[KnownToWebhook], open_before: Mapping[str, Incident]) -> PagePlan:
    """What to page a webhook now.

    What it has refused is left out, and its pause after failed attempts holds. A muted job opens nothing and joins
    nothing; what it had joined holds until it is mended.
    """
    webhook, account, now = occasion.webhook, occasion.account, occasion.now
    jobs = tuple(known)
    earlier = {name_of_earlier(each.told): each.told for each in jobs if each.told.standing}
    before = {**{name: _of_earlier(account, told, now) for name, told in earlier.items()}, **open_before}
    found = _Found()
    for each in jobs:
        refused = occasion.is_refused(each.told, each.generation)
        pools = each.head.pools if each.head is not None else ()
        quiet_until = muted_until(occasion.mutes, each.job_id, pools, now)
        found.take(each, members_of(webhook, account, each, before, now), before, quiet_until, refused=refused)
    opened = found.open_new(webhook, account, before, now)
    held_since = min(believable_pace(occasion.pace, now).held_since or now, now) if opened else None

    pages: list[IncidentPage] = []
    standing: dict[str, Incident] = {}
    for name, incident in {**before, **opened}.items():
        page = IncidentPage(name=name, incident=incident, members=tuple(found.members[name]), earlier=earlier.get(name))
        page, at = (
            _with_news(page, held_since if name in opened else None) if page.news else _without_news(page, jobs, now)
        )
        if name in before:
            standing[name] = page.incident
        if at is not None and (at <= now or (occasion.probe and not page.ends)):
            pages.append(page)
        elif at is not None:
            found.wakes.append(at)
    if (until := occasion.paused_until) is not None:
        pages, found.wakes = [], [until]
    return PagePlan(
        pages=tuple(sorted(pages, key=lambda page: (page.ends, page.severity.rank, page.name))),
        pace=replace(occasion.pace, held_since=held_since),
        incidents={name: each for name, each in standing.items() if name in open_before or each.over_since},
        settled=tuple(found.settled),
        wake_at=min((max(wake, now) for wake in found.wakes), default=None),
    )


class _Found:
    """What was found of all jobs: members of incidents that are open, new ones, jobs of which there is nothing."""

    def __init__(self) -> None:
        self.members: defaultdict[str, list[Member]] = defaultdict(list)
        self.new: list[Member] = []
        self.settled: list[KnownToWebhook] = []
        self.wakes: list[datetime] = []

    def take(
        self,
        known: KnownToWebhook,
        members: Iterable[tuple[str | None, Member]],
        incidents: Mapping[str, Incident],
        quiet_until: datetime | None,
        *,
        refused: bool,
    ) -> None:
        """Sort in the concerns of one job, muted until then (None: not muted)."""
        has_news = False
        for name, member in members:
            has_news |= member.is_news
            quiet = replace(member, is_news=member.is_news and not refused and quiet_until is None)
            if name is not None:
                self.members[name].append(quiet)
            elif quiet.is_news:
                self.new.append(quiet)
        if has_news and quiet_until is not None:
            self.wakes.append(quiet_until)
        if not has_news and known.waits and not has_joined(known.told, incidents):
            self.settled.append(known)

    def open_new(
        self, webhook: Webhook, account: str, incidents: Mapping[str, Incident], now: datetime
    ) -> dict[str, Incident]:
        """The incidents that what is new opens, the worst first; the rest joins those that are open."""
        opened: dict[str, Incident] = {}
        for member in sorted(self.new, key=_worst_first):
            name = _opened_as(member, {**incidents, **opened})
            if name not in incidents and name not in opened:
                key = incident_key(f"{webhook.name}:{account}:{name}")
                opened[name] = Incident(key=key, opened_at=now, told_at=now, severity=member.concern.severity.value)
            self.members[name].append(member)
        return opened


def after_page(told: Told, page: IncidentPage, now: datetime) -> Told:
    """What the webhook knows of a job, one of the page's members or the one whose own incident it ends."""
    # An incident from before belonged to the job as a whole.
    if page.ends:
        return replace(told, standing=False, stuck_since=None, at=now)
    mine = [member for member in page.members if member.job_id.lower() == told.job_id.lower()]
    joined = dict(told.joined)
    for member in mine:
        nodes = max(member.concern.nodes, member.joined.nodes if member.joined else 0)
        opened_at = page.incident.opened_at
        joined[member.concern.name] = Joined(incident=page.name, opened_at=opened_at, nodes=nodes, at=now)
    ever = mine[0].head.ever
    return replace(
        told,
        counted_from=ever.since,
        preparation=ever.preparation,
        release=ever.release,
        stuck_since=mine[0].head.stuck_since or told.stuck_since,
        at=now,
        refusal=None,
        joined=joined,
        catches_up=False,
    )


def _opened_as(member: Member, incidents: Mapping[str, Incident]) -> str:
    """The name of the incident that a concern opens or joins."""
    concern = member.concern
    # What has it in common is told together.
    if concern.name in incidents:
        return concern.name
    # To a new pager all of that is old: one page says so.
    if member.known.told.catches_up:
        return STANDING
    # Nobody reads more than so many one by one.
    counted = sum(1 for name in incidents if not name.startswith((EARLIER, _FURTHER)))
    return concern.name if counted < MAX_OPEN else f"{_FURTHER}|{concern.severity}"


def _with_news(page: IncidentPage, held_since: datetime | None) -> tuple[IncidentPage, datetime]:
    """The incident with something new of it, and when that may be told; held since then if it is to be opened."""
    incident = replace(page.incident, over_since=None, only_left=False)
    page = replace(page, incident=incident)
    # Who has it open knows; what joins it can wait a little.
    if held_since is None:
        return page, incident.told_at + AGAIN_AFTER
    # Nothing runs: that waits for nothing.
    if any(member.concern.kind is ConcernKind.STANDSTILL for member in page.news):
        return page, incident.opened_at
    # What fails together is one page.
    return page, min(*(member.known.wanted_at for member in page.news), held_since) + HOLD


def _without_news(
    page: IncidentPage, jobs: Sequence[KnownToWebhook], now: datetime
) -> tuple[IncidentPage, datetime | None]:
    """The incident when there is nothing new of it, and when its end may be told: None while it goes on."""
    incident = page.incident
    # It goes on, or has come back before its end was told.
    if any(member.concern.holds_on for member in page.members):
        return replace(page, incident=replace(incident, over_since=None, only_left=False)), None
    # From now on it counts as over, in the way in which that was seen first.
    if incident.over_since is None:
        incident = replace(incident, over_since=now, only_left=not _was_mended(page, jobs))
    over = incident.over_since or now
    ends_at = over + (LEFT_AFTER if incident.only_left else ENDS_AFTER)
    return replace(page, incident=incident, ends=True), ends_at


def _was_mended(page: IncidentPage, jobs: Iterable[KnownToWebhook]) -> bool:
    """Whether something of an incident that is over went well in the end, instead of going away."""
    for each in jobs:
        head = each.head
        mine = {name: joined for name, joined in each.told.joined.items() if joined.incident == page.name}
        at = max((joined.at for joined in mine.values() if joined.at is not None), default=each.told.at)
        is_part = bool(mine) or (page.earlier is not None and each.told is page.earlier)
        # Not of this incident; or the job ended, or began anew, with its failures unmended.
        if not is_part or head is None or head.ended_unmended or head.began_anew_since(at):
            continue
        # Its tasks are not to run, or nobody wants them to: that mends nothing.
        if head.stuck_ended is not None and head.stuck_ended.why is not None and _is_of_standstill(mine):
            continue
        # What failed in release is over with the job, whatever became of its preparations.
        if any(concern.name in mine and not concern.holds_on for concern in concerns_of(head, lambda _type: True)):
            continue
        # Of a node that has left the pool nothing was mended.
        if head.left < max(1, sum(joined.nodes for joined in mine.values())):
            return True
    return False


def _is_of_standstill(mine: Mapping[str, Joined]) -> bool:
    """Whether only a standstill made a job, by what it has joined, a part of an incident."""
    return bool(mine) and all(name.startswith(f"{ConcernKind.STANDSTILL}|") for name in mine)


def _of_earlier(account: str, told: Told, now: datetime) -> Incident:
    """The incident that a version before opened for a job, under the key that it gave it."""
    at = told.at or now
    return Incident(
        key=incident_key(f"job:{account}:{told.job_id.lower()}"),
        opened_at=at,
        told_at=at,
        severity=Severity.ERROR.value,
    )


def _worst_first(member: Member) -> tuple[int, str, str]:
    return member.concern.severity.rank, member.concern.name, member.job_id.lower()
