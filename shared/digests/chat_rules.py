"""What chat is to be told about jobs: people hear how things stand, not every event.

Owns what is news to a webhook that was last told so much. Does not own when it is told (`digests.chat_plan`), the
sending (`digests.one_webhook`) or the words (`digests.jobs.notices`). Pure: what was told and the head go in, news with
its reason comes out. What a pager hears is in `digests.incidents.rules`.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from shared.batch.model import Phase
from shared.digests.job_troubles import is_standing, wants_of
from shared.messages.events import EventType
from shared.state.jobs import Cause, JobHead, Tracking
from shared.state.pools import StandstillEnd
from shared.state.telling import Told
from shared.webhook import Webhook


class NewsKind(StrEnum):
    """Why a webhook is told about a job, the worst first."""

    STUCK = "stuck"
    FAILED = "failed"
    STANDING = "standing"
    SLOW = "slow"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    RESUMED = "resumed"
    IN_TIME = "inTime"
    REACHABLE = "reachable"
    RESOLVED = "resolved"


_BEGINNINGS = frozenset(
    {NewsKind.STUCK, NewsKind.FAILED, NewsKind.STANDING, NewsKind.SLOW, NewsKind.GONE, NewsKind.UNREACHABLE}
)
SHOWN_CAUSES = 3
_WITH_CAUSES = frozenset({NewsKind.STUCK, NewsKind.FAILED, NewsKind.STANDING, NewsKind.RESUMED})


class KnownToWebhook(Struct, frozen=True, kw_only=True):
    """What a webhook was told about a job, and how the job stands (None: nothing is stored of it any more).

    `wanted` is the generation that its row asks for, `wanted_at` when something was last worth telling, and `waits`
    says that it was not told up to there.
    """

    told: Told
    head: JobHead | None
    wanted: int
    wanted_at: datetime
    waits: bool = True

    @property
    def job_id(self) -> str:
        """The job, as Batch spells it if anything is stored of it."""
        return self.head.job_id if self.head else self.told.job_id

    @property
    def generation(self) -> int:
        """Up to where it is known what is worth telling."""
        return self.head.generation if self.head else self.wanted


class SlowRuns(Struct, frozen=True, kw_only=True):
    """The preparations of a job that take too long: when the first and the last of them began (None: nobody knows).

    `retried` of them were tried again, the most often tried one `retries` times.
    """

    first: datetime | None = None
    last: datetime | None = None
    retried: int = 0
    retries: int = 0


class News(Struct, frozen=True, kw_only=True):
    """What a webhook does not know about a job: the `kinds` of news, never none, what the message is named after first.

    `preparation` and `release` count the failures since it was last told. `before` is what it knew, `after` what it
    knows once it has the message, and `generation` up to where. `nodes` are some of the nodes concerned, pool id and
    node id, and `slow` is how long its preparations take, None where it is not about that or not all of them were
    looked at; the rules leave both to whoever may read them.
    """

    job_id: str
    kinds: tuple[NewsKind, ...]
    head: JobHead | None
    preparation: int
    release: int
    before: Told
    after: Told
    wanted_at: datetime
    generation: int
    nodes: tuple[tuple[str, str], ...] = ()
    slow: SlowRuns | None = None

    @property
    def kind(self) -> NewsKind:
        """What the message is named after."""
        return self.kinds[0]

    @property
    def names_causes(self) -> bool:
        """Whether causes and nodes are told with it: not with what is over, or about the sight of the job alone."""
        return not _WITH_CAUSES.isdisjoint(self.kinds)

    @property
    def tells_of_slow(self) -> bool:
        """Whether it tells, perhaps beside other things, of preparations that take too long."""
        return NewsKind.SLOW in self.kinds

    @property
    def phase(self) -> Phase | None:
        """The phase whose failed nodes the news is about: None when all that it tells of is over."""
        head = self.head
        if head is None:
            return None
        # What holds up tasks comes before what is left behind.
        if head.preparation.open and (self.preparation or not self.release):
            return Phase.PREPARATION
        return Phase.RELEASE if self.release and head.release.failed else None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes that are told with it, the most frequent first."""
        if self.head is None or not self.names_causes:
            return ()
        phases = {self.phase} | ({Phase.RELEASE} if self.release else set())
        return tuple(cause for cause in self.head.causes if cause.phase in phases)[:SHOWN_CAUSES]

    @property
    def begins_anew(self) -> bool:
        """Whether what the webhook was told is about a head before this one, of another job or of the same one."""
        return self.head is not None and self.head.began_anew_since(self.before.at)

    @property
    def can_be_muted(self) -> bool:
        """Whether mutes hold it back, which they never do with the end of what was told."""
        return not _BEGINNINGS.isdisjoint(self.kinds) and NewsKind.RESOLVED not in self.kinds


def news_of(webhook: Webhook, account: str, known: KnownToWebhook, now: datetime) -> News | None:
    """What the webhook is to be told about a job, whatever the time; None when it knows, or does not want to know."""
    told, head = known.told, known.head
    # Nothing is stored of the job any more: whoever was told of something is owed its end.
    if head is None:
        nothing = Told(job_id=told.job_id, counted_from=told.counted_from, at=now)
        return _news((NewsKind.RESOLVED,), told.job_id, known, (0, 0), nothing) if told.owes_an_end else None
    wants = wants_of(webhook, account, head)
    ever = head.ever
    known_preparation, known_release = told.knows_of(ever)
    preparation = ever.preparation - known_preparation if wants(EventType.PREPARATION_FAILED) else 0
    release = ever.release - known_release if wants(EventType.RELEASE_FAILED) else 0
    after = _as_it_stands(wants, told, head, now)
    # Nobody hears the end of what they never heard of or of what goes on, nor that all is well while nodes are held up.
    over = told.standing and not after.standing and head.preparation.open == 0
    # Without a node that is held up the end of all says it already; a head that begins anew moves by nature.
    moves = (
        told.stuck_since is not None
        and after.stuck_since is None
        and head.preparation.open > 0
        and told.counts_as(ever)
        and not _ends_with_its_job(head)
    )
    # A job that is gone is not seen again: that it vanished says more.
    found = told.unreachable_since is not None and after.unreachable_since is None and after.gone is None
    stands_still = after.stuck_since is not None
    holds = {
        NewsKind.GONE: after.gone not in {None, told.gone},
        NewsKind.RESOLVED: over,
        NewsKind.STUCK: after.stuck_since not in {None, told.stuck_since}
        or _stands_for_another_reason(told, after)
        or (told.catches_up and stands_still),
        NewsKind.FAILED: bool(preparation or release),
        # That nothing of the job runs says more than that something still fails.
        NewsKind.STANDING: told.catches_up and is_standing(head, wants) and not stands_still,
        NewsKind.UNREACHABLE: after.unreachable_since not in {None, told.unreachable_since},
        NewsKind.RESUMED: moves and not over and wants(EventType.JOB_RESUMED),
        NewsKind.REACHABLE: found and wants(EventType.JOB_REACHABLE),
        # A standstill says more; whoever was told up to here has read of it, as of all that stands.
        NewsKind.SLOW: known.waits and after.slow > _slow_known(told, head) and not stands_still,
    }
    kinds = tuple(kind for kind, true in holds.items() if true)
    if not kinds and _slow_known(told, head) and not after.slow and head.closed is None:
        # Whatever else there is to tell says how the job goes on, and so does its end.
        kinds = (NewsKind.IN_TIME,) if wants(EventType.PREPARATION_RESOLVED) else ()
    return _news(kinds, head.job_id, known, (preparation, release), after) if kinds else None


def _stands_for_another_reason(told: Told, after: Told) -> bool:
    """Whether a webhook knows of the standstill, and that for a reason which is not its reason any more."""
    return after.stuck_since is not None and told.stuck_reason not in {None, after.stuck_reason}


def _ends_with_its_job(head: JobHead) -> bool:
    """Whether a standstill ended because its job did: that end is told once somebody has looked at the nodes."""
    return head.stuck_ended is not None and head.stuck_ended.why is StandstillEnd.JOB_ENDED


def _slow_known(told: Told, head: JobHead) -> int:
    """On how many nodes a webhook knows that preparation takes too long, in this incarnation of the job."""
    is_before = told.at is not None and head.first_seen_at is not None and head.first_seen_at >= told.at
    return 0 if is_before else told.slow


def _as_it_stands(wants: Callable[[EventType], bool], told: Told, head: JobHead, now: datetime) -> Told:
    """What a webhook that was `told` so much knows once it hears how the job stands, as far as it wants to know."""
    stuck_since = head.stuck_since if wants(EventType.JOB_STUCK) else None
    stands = stuck_since is not None or (head.preparation.open > 0 and wants(EventType.PREPARATION_FAILED))
    trouble = head.trouble if head.trouble is not None and head.trouble.event_id is not None else None
    unreachable = trouble if wants(EventType.JOB_UNREACHABLE) else None
    gone = head.vanished and head.tracking is Tracking.GONE
    standing = stands and (wants(EventType.PREPARATION_RESOLVED) or wants(EventType.JOB_RESUMED))
    ever = head.ever
    return Told(
        job_id=head.job_id,
        counted_from=ever.since,
        preparation=ever.preparation,
        release=ever.release,
        stuck_since=stuck_since,
        stuck_reason=head.stuck.reason if head.stuck is not None and stuck_since is not None else None,
        unreachable_since=unreachable.since if unreachable else None,
        gone=head.first_seen_at if gone and wants(EventType.JOB_GONE) else None,
        standing=standing,
        at=now,
        since=_since(told, head) if standing else None,
        open=head.preparation.open if stands else 0,
        slow=head.preparation.slow if wants(EventType.PREPARATION_SLOW) else 0,
    )


def _since(told: Told, head: JobHead) -> datetime | None:
    """When what goes on began: as people know it, else with the first failure or the standstill."""
    if told.standing and told.since is not None:
        return told.since
    began = [cause.first_seen for cause in head.causes if cause.phase is Phase.PREPARATION and cause.first_seen]
    return min([*began, *([head.stuck_since] if head.stuck_since else [])], default=None)


def _news(
    kinds: tuple[NewsKind, ...],
    job_id: str,
    known: KnownToWebhook,
    grown: tuple[int, int],
    after: Told,
) -> News:
    return News(
        job_id=job_id,
        kinds=kinds,
        head=known.head,
        preparation=grown[0],
        release=grown[1],
        before=known.told,
        after=after,
        wanted_at=_since_when_wanted(kinds, known),
        generation=known.generation,
    )


def _since_when_wanted(kinds: tuple[NewsKind, ...], known: KnownToWebhook) -> datetime:
    """Since when there is this to tell; of what is merely slow other changes of the job move nothing."""
    head = known.head
    if head is None or not set(kinds) <= {NewsKind.SLOW, NewsKind.IN_TIME}:
        return known.wanted_at
    return head.slow_turned_at or head.slow_at or known.wanted_at
