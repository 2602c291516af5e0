"""Which news chat is told now, in one message, and when the rest may be.

Owns what waits, for how long, and what shortens that. Does not own what is news (`digests.chat_rules`) or the pauses
(`digests.message_intervals`). Pure.

Chat gets one message for all jobs of an account, ten seconds after the first news, then with growing pauses while it
goes on: five minutes for a cause, pool or standstill that people don't know of, an hour for what merely comes back.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_rules import KnownToWebhook, News, NewsKind, news_of
from shared.digests.job_troubles import group_of, standstill_of
from shared.digests.message_intervals import (
    ENDS_AFTER,
    ONE_CYCLE,
    Occasion,
    believable_pace,
    is_new,
    message_at,
)
from shared.digests.mutes import muted_until
from shared.state.telling import Pace, Told


class OtherNews(Struct, frozen=True, kw_only=True):
    """What there is to tell beside jobs: since when (None: nothing), and whether something of it is told first."""

    wanted_at: datetime | None = None
    is_first: bool = False


NO_OTHER_NEWS = OtherNews()


class ChatPlan(Struct, frozen=True, kw_only=True):
    """The messages to send now, each with its news, or when something may have to be sent (None: when more happens).

    `pace` is how the webhook's pace stands even if nothing is sent.
    """

    messages: tuple[tuple[News, ...], ...]
    pace: Pace
    wake_at: datetime | None = None


def decide_chat(occasion: Occasion, known: Iterable[KnownToWebhook], other: OtherNews = NO_OTHER_NEWS) -> ChatPlan:
    """What to send to a webhook now, the worst jobs first; the end of what it was told is never muted.

    What it has refused is left out, and its pause after failed attempts holds. What `other` news there is goes into the
    same message, which may be about no job then.
    """
    now, pace = occasion.now, believable_pace(occasion.pace, occasion.now)
    heard = [
        item
        for each in known
        if (item := news_of(occasion.webhook, occasion.account, each, now)) is not None
        and not occasion.is_refused(item.before, item.generation)
    ]
    waits = {item.job_id: until for item in heard if (until := _muted_until(item, occasion)) is not None}
    if not occasion.probe:
        lasts = {item.job_id: at for item in heard if (at := _tellable_at(item)) is not None}
        # What turned in the same cycle is told together, though its jobs were read one after the other.
        goes = any(at <= now for at in lasts.values())
        waits |= {job_id: at for job_id, at in lasts.items() if at > now + (ONE_CYCLE if goes else timedelta(0))}
    news = sorted((item for item in heard if item.job_id not in waits), key=worst_job_first)
    waits_until = min(waits.values(), default=None)
    # What was held back was muted, is over or can wait: the next news begins a wait of its own.
    if not news and other.wanted_at is None:
        return ChatPlan(messages=(), pace=replace(pace, held_since=None), wake_at=waits_until)
    wanted_at = min([item.wanted_at for item in news] + ([other.wanted_at] if other.wanted_at else []))
    if pace.held_since is None:
        pace = replace(pace, held_since=min(now, wanted_at))
    # Merely another job can wait: people know of its cause.
    news_for_people = any(_turns(item) or is_new(pace, groups_of(item), now) for item in news)
    little = other.wanted_at is None and all(_adds_to_a_standstill(item) or _merely_comes_back(item) for item in news)
    at = message_at(pace, wanted_at, first=other.is_first or news_for_people, little=little)
    messages = (tuple(news),) if occasion.probe or at <= now else ()
    held = [at] if at > now else []
    if (until := occasion.paused_until) is not None:
        messages, held = (), [until]
    return ChatPlan(messages=messages, pace=pace, wake_at=min([*held, *waits.values()], default=None))


def groups_of(news: News) -> frozenset[str]:
    """The pools with their causes and standstills that news of a job tell of."""
    head = news.head
    if head is None or not news.names_causes:
        return frozenset()
    standstill = [standstill_of(head.standstill).name] if head.standstill is not None else []
    return frozenset([*standstill, *(group_of(head, cause) for cause in news.causes)])


def tried_at(told: Iterable[Told], since: datetime, pace: Pace) -> datetime:
    """When a webhook was last tried with what jobs it knows so much of have to tell; `since` when that waits if not."""
    refused = [each.refusal.attempt.at for each in told if each.refusal is not None]
    return max(refused, default=pace.tried_at or since)


def _adds_to_a_standstill(news: News) -> bool:
    """Whether it is one more node of a job that stands still, and people know why: they learn nothing from it."""
    known = news.before.stuck_since is not None and news.before.stuck_since == news.after.stuck_since
    return known and news.kinds == (NewsKind.FAILED,)


def _merely_comes_back(news: News) -> bool:
    """Whether it is of what people know goes on, in the same job and on no more nodes than they know of."""
    before, head = news.before, news.head
    # An end, a standstill or a release is more than that.
    if head is None or news.kinds != (NewsKind.FAILED,) or news.release:
        return False
    is_same = before.counted_from == news.after.counted_from and not news.begins_anew
    return is_same and before.standing and head.preparation.open <= before.open


def _tellable_at(news: News) -> datetime | None:
    """When it has lasted for long enough to be told, None for at once."""
    # A standstill or a failure that comes of it says more.
    if set(news.kinds) <= {NewsKind.SLOW, NewsKind.IN_TIME}:
        return news.wanted_at + ENDS_AFTER
    # What fails again sooner was never over.
    is_mended = news.head is not None and news.head.closed is None and not news.begins_anew
    is_mended = is_mended and news.before.stuck_since is None
    ends = is_mended and {NewsKind.RESOLVED} <= set(news.kinds) <= {NewsKind.RESOLVED, NewsKind.FAILED}
    return news.wanted_at + ENDS_AFTER if ends else None


def _turns(news: News) -> bool:
    """Whether a job that people take for standing still does not, or one that they take for well does."""
    before = news.before
    if before.stuck_since is not None:
        return news.after.stuck_since is None
    # Of a job that was never told of people believe nothing.
    return NewsKind.STUCK in news.kinds and before.at is not None and not before.standing


def _muted_until(news: News, occasion: Occasion) -> datetime | None:
    pools = news.head.pools if news.head is not None else ()
    return muted_until(occasion.mutes, news.job_id, pools, occasion.now) if news.can_be_muted else None


def worst_job_first(news: News) -> tuple[int, int, int, str]:
    """The order in which jobs stand in a message: by what has happened, how bad it is, and on how many nodes."""
    open_now = news.head.preparation.open if news.head else 0
    still = news.head.stuck if news.head is not None and NewsKind.STUCK in news.kinds else None
    bad = standstill_of(still).severity.rank if still is not None else 0
    return list(NewsKind).index(news.kind), bad, -(open_now + news.preparation + news.release), news.job_id.lower()
