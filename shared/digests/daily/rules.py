"""What of all that chat was told goes on, and when it is said once more: each morning, whatever else is told.

Owns the time of day and what belongs to it. Does not own what is news (`digests.chat_rules`, `digests.pools.rules`) or
the words (`digests.daily.notices`). Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_plan import worst_job_first
from shared.digests.chat_rules import KnownToWebhook, News, NewsKind
from shared.digests.mutes import Mute, muted_until
from shared.digests.pools.rules import PoolNews, PoolState, pool_muted_until, still_in_trouble
from shared.messages.notices import Notice
from shared.moments import is_to_come
from shared.state.jobs import JobHead
from shared.state.telling import Pace, PoolTold, Told

DAILY_AT = timedelta(hours=8)
"""How long after midnight UTC."""


class Lasting(Struct, frozen=True, kw_only=True):
    """What may have gone on `since` a moment: pools that people were told of before, and why the account can't be read.

    `trouble` is what was told of that, None when the account is read.
    """

    since: datetime
    pools: tuple[PoolState, ...] = ()
    trouble: Notice | None = None


class Ongoing(Struct, frozen=True, kw_only=True):
    """What people were told before a moment and is so still."""

    jobs: tuple[News, ...] = ()
    pools: tuple[PoolNews, ...] = ()
    trouble: Notice | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.jobs or self.pools or self.trouble)


def due_since(pace: Pace, now: datetime) -> datetime | None:
    """The last time of day at which this was due, None when it was looked into since then, or was never to be."""
    at = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + DAILY_AT
    at = at if at <= now else at - timedelta(days=1)
    return at if pace.daily_at is not None and was_looked_into(pace, now) and pace.daily_at < at else None


def was_looked_into(pace: Pace, now: datetime) -> bool:
    """Whether it is known when this was last looked into; if not, the webhook is new, or an older version told it."""
    return pace.daily_at is not None and not is_to_come(pace.daily_at, now)


def what_stands(
    jobs: Iterable[KnownToWebhook],
    lasting: Lasting,
    told: Mapping[str, PoolTold],
    mutes: Sequence[Mute],
    now: datetime,
) -> Ongoing:
    """Of what a chat was last told of before that moment what goes on, the worst first, without what is muted now.

    `told` is what it was told of pools, by lower-case id.
    """
    found = (_of_job(known, known.head, lasting.since, now) for known in jobs if known.head is not None)
    stands = [item for item in found if item is not None and muted_until(mutes, item.job_id, _pools(item), now) is None]
    trouble = (_of_pool(pool, told, mutes, now) for pool in lasting.pools)
    return Ongoing(
        jobs=tuple(sorted(stands, key=worst_job_first)),
        pools=tuple(sorted(filter(None, trouble), key=lambda item: (-item.pool.broken, item.pool.pool_id.lower()))),
        trouble=lasting.trouble,
    )


def _of_pool(pool: PoolState, told: Mapping[str, PoolTold], mutes: Sequence[Mute], now: datetime) -> PoolNews | None:
    known = told.get(pool.pool_id.lower())
    if known is None or pool_muted_until(pool, mutes, now) is not None:
        return None
    return still_in_trouble(pool, known, now)


def _of_job(known: KnownToWebhook, head: JobHead, since: datetime, now: datetime) -> News | None:
    told = known.told
    kind = _what_goes_on(told, head)
    # Of whatever was told since then people have read today.
    if kind is None or (told.at is not None and told.at >= since):
        return None
    return News(
        job_id=head.job_id,
        kinds=(kind,),
        head=head,
        preparation=0,
        release=0,
        before=told,
        after=replace(told, at=now),
        wanted_at=since,
        generation=known.generation,
    )


def _what_goes_on(told: Told, head: JobHead) -> NewsKind | None:
    """The worst of what a chat was told of a job that has not ended; what it has yet to be told is not among it."""
    # Nothing of the job runs: all else says less.
    if told.stuck_since is not None and told.stuck_since == head.stuck_since:
        return NewsKind.STUCK
    # How its nodes are was last read before that.
    if told.unreachable_since is not None and head.trouble is not None:
        return NewsKind.UNREACHABLE
    # What has failed is worse than what only takes long.
    if told.standing and head.preparation.open:
        return NewsKind.STANDING
    return NewsKind.SLOW if told.slow and head.preparation.slow else None


def _pools(news: News) -> Sequence[str]:
    return news.head.pools if news.head is not None else ()
