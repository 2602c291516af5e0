"""What chat and pager are to be told about jobs, and when: they hear how things stand, not every event.

Owns what is news to a webhook that was last told so much, and how fast it may be told. Does not own the sending
(`digests.run`) or the words (`messages.notices`). Pure: what was told and the head go in, news with its reason comes
out.

Chat gets one message for all jobs of an account, ten seconds after the first news, then with growing pauses while it
goes on. A pager gets one incident for each job, opened at once, brought up to date now and then, closed at once. Its
end carries no words: failures that were counted since the last page get a page before it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct

from shared.delivery.attempts import wait_before
from shared.digests.mutes import Mute, muted_until
from shared.messages.events import EventType
from shared.messages.formats import format_of
from shared.state.jobs import JobHead, Tracking
from shared.state.telling import Pace, Told
from shared.webhook import Webhook

HOLD = timedelta(seconds=10)
"""What fails together is told together."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
"""The waits between the messages of a series."""
QUIET = timedelta(hours=1)
"""After so long without news the next begins a series of its own."""

_LONGEST_WAIT_TRIES = 5  # the schedule's wait of an hour: what is told is how things stand then, so it never gets old


class NewsKind(StrEnum):
    """Why a webhook is told about a job, the worst first."""

    STUCK = "stuck"
    FAILED = "failed"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    RESUMED = "resumed"
    REACHABLE = "reachable"
    RESOLVED = "resolved"


_BEGINNINGS = frozenset({NewsKind.STUCK, NewsKind.FAILED, NewsKind.GONE, NewsKind.UNREACHABLE})


class KnownToWebhook(Struct, frozen=True, kw_only=True):
    """What a webhook was told about a job, and how the job stands (None: nothing is stored of it any more).

    `wanted` is the generation that its row asks for, `wanted_at` when something was last worth telling.
    """

    told: Told
    head: JobHead | None
    wanted: int
    wanted_at: datetime


class News(Struct, frozen=True, kw_only=True):
    """What a webhook does not know about a job: the `kinds` of news, never none, what the message is named after first.

    `pages` says that it is told to a pager, which hears of beginnings and of the end by messages of their own.
    `preparation` and `release` count the failures since it was last told. `before` is what it knew, `told` what it
    knows after the message, and `generation` up to where. `nodes` are some of the nodes concerned, pool id and node id;
    the rules leave them to whoever may read them.
    """

    job_id: str
    kinds: tuple[NewsKind, ...]
    head: JobHead | None
    preparation: int
    release: int
    before: Told
    told: Told
    wanted_at: datetime
    generation: int
    pages: bool = False
    nodes: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> NewsKind:
        """What the message is named after."""
        return self.kinds[0]

    @property
    def can_be_muted(self) -> bool:
        """Whether mutes hold it back, or what can be told apart from the end of what was told, which they never do."""
        begins = not _BEGINNINGS.isdisjoint(self.kinds)
        return begins and (NewsKind.RESOLVED not in self.kinds or self.ends_apart)

    @property
    def ends_apart(self) -> bool:
        """Whether it holds the end of what was told, which can be told without the rest."""
        return self.pages and NewsKind.RESOLVED in self.kinds


class DigestPlan(Struct, frozen=True, kw_only=True):
    """The messages to send now, each with its news, or when something may have to be sent (None: when more happens).

    `pace` is how the webhook's pace stands even if nothing is sent.
    """

    messages: tuple[tuple[News, ...], ...]
    pace: Pace
    wake_at: datetime | None = None


def news_of(webhook: Webhook, account: str, known: KnownToWebhook, now: datetime) -> News | None:
    """What the webhook is to be told about a job, whatever the time; None when it knows, or does not want to know."""
    told, head = known.told, known.head
    if head is None:
        nothing = Told(job_id=told.job_id, counted_from=told.counted_from, at=now)
        return _news((NewsKind.RESOLVED,), told.job_id, known, (0, 0), nothing) if told.owes_an_end else None

    def wants(kind: EventType) -> bool:
        return webhook.wants(kind, job_id=head.job_id, account=account)

    ever = head.ever
    same = told.counted_from == ever.since
    preparation = ever.preparation - (told.preparation if same else 0)
    release = ever.release - (told.release if same else 0)
    grown = (
        preparation if wants(EventType.PREPARATION_FAILED) else 0,
        release if wants(EventType.RELEASE_FAILED) else 0,
    )
    after = _as_it_stands(webhook, wants, head, now)
    pager = format_of(webhook).opens_incidents
    over = told.standing and not after.standing and (pager or head.preparation.open == 0)
    began = after.stuck_since is not None and after.stuck_since != told.stuck_since
    moves = told.stuck_since is not None and after.stuck_since is None and head.preparation.open > 0
    lost = after.unreachable_since is not None and after.unreachable_since != told.unreachable_since
    found = told.unreachable_since is not None and after.unreachable_since is None and after.gone is None
    holds = {
        NewsKind.GONE: after.gone is not None and after.gone != told.gone,
        NewsKind.RESOLVED: over,
        NewsKind.STUCK: began,
        NewsKind.FAILED: any(grown),
        NewsKind.UNREACHABLE: lost,
        NewsKind.RESUMED: not pager and same and not over and moves and wants(EventType.JOB_RESUMED),
        NewsKind.REACHABLE: not pager and found and wants(EventType.JOB_REACHABLE),
    }
    kinds = tuple(kind for kind, true in holds.items() if true)
    if not kinds:
        return None
    return _news(kinds, head.job_id, known, grown, after, pages=pager)


def _as_it_stands(webhook: Webhook, wants: Callable[[EventType], bool], head: JobHead, now: datetime) -> Told:
    """What a webhook knows that has been told how the job stands, as far as it wants to know."""
    pager = format_of(webhook).opens_incidents
    stuck_since = head.stuck_since if wants(EventType.JOB_STUCK) else None
    stands = stuck_since is not None or (head.preparation.open > 0 and wants(EventType.PREPARATION_FAILED))
    if pager:
        # Release failures are final: the incident about them ends with the job.
        stands |= head.release_failed_ever > 0 and head.settled_at is None and wants(EventType.RELEASE_FAILED)
    trouble = head.trouble if head.trouble is not None and head.trouble.event_id is not None else None
    # Nobody is woken for what has no remedy or no end: that is for chat to tell.
    unreachable = trouble if not pager and wants(EventType.JOB_UNREACHABLE) else None
    gone = head.vanished and head.tracking is Tracking.GONE
    ever = head.ever
    return Told(
        job_id=head.job_id,
        counted_from=ever.since,
        preparation=ever.preparation,
        release=ever.release,
        stuck_since=stuck_since,
        unreachable_since=unreachable.since if unreachable else None,
        gone=head.first_seen_at if gone and not pager and wants(EventType.JOB_GONE) else None,
        standing=stands and (pager or wants(EventType.PREPARATION_RESOLVED) or wants(EventType.JOB_RESUMED)),
        at=now,
    )


def decide(
    webhook: Webhook, account: str, known: Iterable[KnownToWebhook], pace: Pace, mutes: Sequence[Mute], now: datetime
) -> DigestPlan:
    """What to send to the webhook now, the worst jobs first; the end of what it was told is never muted."""
    heard = [item for each in known if (item := news_of(webhook, account, each, now)) is not None]
    muted = {item.job_id: until for item in heard if (until := _muted_until(item, mutes, now)) is not None}
    ends = (_end_alone(item) for item in heard if item.job_id in muted and item.ends_apart)
    news = sorted([*(item for item in heard if item.job_id not in muted), *ends], key=_worst_first)
    unmuted_at = min(muted.values(), default=None)
    if not news:
        return DigestPlan(messages=(), pace=msgspec.structs.replace(pace, held_since=None), wake_at=unmuted_at)
    if pace.held_since is None:
        pace = msgspec.structs.replace(pace, held_since=min(item.wanted_at for item in news))
    messages: tuple[tuple[News, ...], ...]
    if format_of(webhook).opens_incidents:
        ready = {item.job_id: _page_at(item, now) for item in news}
        messages = tuple((page,) for item in news if ready[item.job_id] <= now for page in _pages(item))
        held = [at for at in ready.values() if at > now]
    else:
        at = _chat_at(news, pace)
        messages = (tuple(news),) if at <= now else ()
        held = [at] if at > now else []
    if pace.not_before is not None and pace.not_before > now:
        messages, held = (), [pace.not_before]
    return DigestPlan(messages=messages, pace=pace, wake_at=min([*held, *muted.values()], default=None))


def after_sending(pace: Pace, now: datetime) -> Pace:
    """The pace of a webhook that has just been told all its news."""
    step = 1 if _was_quiet(pace) else pace.step + 1
    return msgspec.structs.replace(pace, held_since=None, sent_at=now, step=step, tries=0, not_before=None)


def after_failing(pace: Pace, identity: str, now: datetime) -> Pace:
    """The pace of a webhook that could not be told; it is tried again within an hour, for as long as it takes.

    `identity` spreads the attempts of different webhooks.
    """
    tries = pace.tries + 1
    wait = wait_before(identity, min(tries, _LONGEST_WAIT_TRIES)) or timedelta(0)
    return msgspec.structs.replace(pace, tries=tries, not_before=now + wait)


def _news(
    kinds: tuple[NewsKind, ...],
    job_id: str,
    known: KnownToWebhook,
    grown: tuple[int, int],
    after: Told,
    *,
    pages: bool = False,
) -> News:
    return News(
        job_id=job_id,
        kinds=kinds,
        head=known.head,
        preparation=grown[0],
        release=grown[1],
        before=known.told,
        told=after,
        wanted_at=known.wanted_at,
        generation=known.head.generation if known.head else known.wanted,
        pages=pages,
    )


def _pages(news: News) -> tuple[News, ...]:
    """The pages that tell a pager: one that opens the incident or brings it up to date, one that ends it, or both.

    Whoever crashes between them leaves an incident that stands, and is ended next.
    """
    begins = tuple(kind for kind in news.kinds if kind is not NewsKind.RESOLVED)
    if not begins:
        return (news,)
    replace = msgspec.structs.replace
    page = replace(news, kinds=begins, told=replace(news.told, standing=True))
    if news.told.standing:
        return (page,)
    end = replace(news, kinds=(NewsKind.RESOLVED,), preparation=0, release=0, before=page.told)
    return (page, end)


def _end_alone(news: News) -> News:
    """The end of an incident without the failures counted meanwhile, for which the row goes on asking."""
    replace = msgspec.structs.replace
    told = replace(news.before, standing=False, stuck_since=None, at=news.told.at)
    return replace(news, kinds=(NewsKind.RESOLVED,), preparation=0, release=0, told=told, generation=0)


def _muted_until(news: News, mutes: Sequence[Mute], now: datetime) -> datetime | None:
    return muted_until(mutes, news.job_id, now) if news.can_be_muted else None


def _worst_first(news: News) -> tuple[int, int, str]:
    open_now = news.head.preparation.open if news.head else 0
    return list(NewsKind).index(news.kind), -(open_now + news.preparation + news.release), news.job_id.lower()


def _was_quiet(pace: Pace) -> bool:
    return pace.sent_at is None or (pace.held_since is not None and pace.held_since - pace.sent_at >= QUIET)


def _chat_at(news: Sequence[News], pace: Pace) -> datetime:
    """When a message may go out that tells these."""
    gathered = (pace.held_since or min(item.wanted_at for item in news)) + HOLD
    if _was_quiet(pace) or pace.sent_at is None:
        return gathered
    pause = PAUSES[min(max(pace.step, 1), len(PAUSES)) - 1]
    if any(item.before.at is None for item in news):
        pause = min(pause, PAUSES[0])
    return max(gathered, pace.sent_at + pause)


def _page_at(news: News, now: datetime) -> datetime:
    """When a pager may hear of a job: the first time and of a mere end at once, else a pause after it last heard."""
    if news.kinds == (NewsKind.RESOLVED,) or news.before.at is None:
        return now
    return news.before.at + PAUSES[0]
