"""What chat and pager are to be told about pools whose nodes can't work, and when.

Owns what is news to a webhook that was last told so much. Does not own when a pool is in trouble (`pools.trouble`), the
words (`digests.pools.notices`) or the pauses (`digests.message_intervals`). Pure.

    in trouble --a standstill says it, or will--> nothing
        | no
    never told --> told        twice as many nodes as told --> told again
        |
    calm again --some became able: ten minutes; all have only left: an hour--> its end: green if all became able
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from shared.digests.incidents.members import LEFT_AFTER
from shared.digests.incidents.rules import MAX_OPEN
from shared.digests.job_troubles import pool_name
from shared.digests.message_intervals import ENDS_AFTER, Occasion
from shared.digests.mutes import Mute, muted_until
from shared.messages.events import EventType
from shared.messages.ids import incident_key
from shared.messages.notices import Severity
from shared.moments import as_utc
from shared.pools.trouble import in_trouble_since, is_calm, pool_size
from shared.state.pools import PoolRecord
from shared.state.telling import PoolTold
from shared.webhook import Webhook

STANDSTILL_FIRST = timedelta(minutes=10)
"""So long the tasks that wait for a pool without any able node are given to be told as a standstill."""
_FURTHER = "further-pools"
_GROWS = 2


class PoolState(Struct, frozen=True, kw_only=True):
    """A pool with nodes that can't work, or could not lately: its `record`, and its nodes by state.

    `none_able_since` is None while some node is able; `jobs` are the active jobs that use the pool, `standing` those of
    them that stand still, and `held_up` the jobs that do so because of its nodes. `record` is None when nothing is
    known any more.
    """

    pool_id: str
    record: PoolRecord | None
    by_state: Mapping[str, int] = {}
    none_able_since: datetime | None = None
    jobs: frozenset[str] = frozenset()
    standing: frozenset[str] = frozenset()
    held_up: frozenset[str] = frozenset()

    @property
    def broken(self) -> int:
        """How many nodes can't work."""
        return len(self.record.open) if self.record is not None else 0

    @property
    def broken_since(self) -> datetime | None:
        """Since when the first of those that can't work counts as one, None when there is none."""
        nodes = self.record.open if self.record is not None else ()
        return min((as_utc(node.counts_from) for node in nodes), default=None)

    @property
    def size(self) -> int:
        """How many nodes the pool has."""
        return pool_size(self.broken, self.by_state)


class PoolNewsKind(StrEnum):
    """Why a webhook is told about a pool."""

    TROUBLE = "trouble"
    MENDED = "mended"
    PARTLY = "partly"
    """Some of its nodes became able, others were removed."""
    LEFT = "left"
    """Its nodes were removed, or no job uses it any more: nothing became able."""


class PoolNews(Struct, frozen=True, kw_only=True):
    """What a webhook does not know about a pool; `told` is what it was told before, None for nothing.

    `since` is when the first of the nodes broke, and `wanted_at` since when there is something to tell; `until` is when
    it was over, None while it goes on, and where nobody knows.
    """

    kind: PoolNewsKind
    pool: PoolState
    told: PoolTold | None
    since: datetime
    wanted_at: datetime
    until: datetime | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is told for the first time."""
        return self.told is None or self.told.at is None

    @property
    def ends(self) -> bool:
        """Whether it ends what was told."""
        return self.kind is not PoolNewsKind.TROUBLE

    @property
    def severity(self) -> Severity:
        """How bad it is; half of a pool is no warning any more."""
        if self.ends:
            return Severity.GOOD if self.kind is PoolNewsKind.MENDED else Severity.INFO
        return Severity.ERROR if self.pool.broken * 2 >= self.pool.size else Severity.WARNING


class PoolPlan(Struct, frozen=True, kw_only=True):
    """What to tell of pools; `settled` need not be told anything any more, `wake_at` is when a mute ends."""

    news: tuple[PoolNews, ...] = ()
    settled: tuple[PoolTold, ...] = ()
    wake_at: datetime | None = None


def decide_pools(occasion: Occasion, pools: Iterable[PoolState], told: Mapping[str, PoolTold]) -> PoolPlan:
    """What a webhook is to be told of an account's pools, the worst first; `told` by lower-case pool id.

    A muted pool opens nothing; the end of what was told is never muted. What the webhook has refused is left out.
    """
    webhook, account, now = occasion.webhook, occasion.account, occasion.now
    news: list[PoolNews] = []
    settled: list[PoolTold] = []
    wakes: list[datetime] = []
    for pool in pools:
        known = told.get(pool.pool_id.lower())
        item = _news_of(webhook, account, pool, known, now)
        if item is None or (not occasion.probe and _is_refused(item, occasion.recovered_at)):
            continue
        if item.ends and not _hears_ends(webhook, account, pool, known):
            settled.extend([known] if known is not None else [])
        elif not item.ends and (until := pool_muted_until(pool, occasion.mutes, now)) is not None:
            wakes.append(until)
        else:
            news.append(item)
    news.sort(key=lambda item: (item.ends, -item.pool.broken, item.pool.pool_id.lower()))
    return PoolPlan(news=tuple(news), settled=tuple(settled), wake_at=min(wakes, default=None))


def has_changed(pool: PoolState, told: PoolTold | None, now: datetime) -> PoolNews | None:
    """What there is to tell of a pool to somebody who was told so much and wants to know all; the first that holds."""
    # Whoever was told of trouble, or may have been, hears its end.
    if told is not None and (end := _end_of(pool, told, now)) is not None:
        kind, until, wanted_at = end
        return PoolNews(kind=kind, pool=pool, told=told, since=told.since, wanted_at=wanted_at, until=until)
    since = _trouble_since(pool, now)
    # Nodes fail in every pool; so few, or from before it was watched, are nobody's news.
    if since is None or pool.record is None:
        return None
    broken = pool.record.open
    # What grows is told whenever it has doubled.
    if told is not None and told.at is not None:
        doubled = _GROWS * told.nodes
        if len(broken) < doubled:
            return None
        since = max(since, *sorted(as_utc(node.counts_from) for node in broken)[:doubled])
    # The hour that a start task is given is no time in which all was well.
    began = min(as_utc(node.since or node.counts_from) for node in broken)
    return PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool, told=told, since=began, wanted_at=since)


def still_in_trouble(pool: PoolState, told: PoolTold, now: datetime) -> PoolNews | None:
    """What somebody who was told so much of a pool knows and is so still; None where jobs that stand still say it."""
    record = pool.record
    if record is None or record.unwatched_since is not None or is_calm(record, pool.by_state) or pool.held_up:
        return None
    return PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool, told=told, since=told.since, wanted_at=now)


def _news_of(webhook: Webhook, account: str, pool: PoolState, told: PoolTold | None, now: datetime) -> PoolNews | None:
    news = has_changed(pool, told, now)
    # An end is for whoever was told, whatever else they want.
    if news is None or news.ends:
        return news
    # Its filters say that it is not for them.
    if not webhook.wants(EventType.NODE_FAILED, account=account, pools=[pool.pool_id], jobs=pool.jobs):
        return None
    # A standstill says what is wrong with the nodes, and more: nobody hears it twice.
    return None if _is_said_by_standstill(webhook, account, pool, now) else news


def _trouble_since(pool: PoolState, now: datetime) -> datetime | None:
    """Since when the pool is in trouble that is news: not if all of it began before the pool was first seen."""
    record = pool.record
    # Nobody waits for the nodes of a pool that no job uses.
    if record is None or record.unwatched_since is not None:
        return None
    since = in_trouble_since(record, pool.by_state, now)
    if since is None or all(as_utc(node.counts_from) < record.announce_from for node in record.open):
        return None
    return since


def _end_of(pool: PoolState, told: PoolTold, now: datetime) -> tuple[PoolNewsKind, datetime | None, datetime] | None:
    """How what was told has ended, when (None: nobody knows), and since when that can be said."""
    record = pool.record
    # Nothing more will be known of it.
    if record is None:
        return PoolNewsKind.LEFT, None, now
    if not is_calm(record, pool.by_state):
        # It goes on, or a moment more may bring it back.
        if record.unwatched_since is None:
            return None
        # Tomorrow's job may use it again, and an hour says that it is not the next one's.
        kind, until, wait = PoolNewsKind.LEFT, record.unwatched_since, LEFT_AFTER
    # What was mended by then is so, whoever uses the pool.
    else:
        until = max((node.ended_at for node in record.nodes.values() if node.ended_at is not None), default=told.since)
        mended, left = ended_since(record, told)
        kind = PoolNewsKind.LEFT if not mended else PoolNewsKind.PARTLY if left else PoolNewsKind.MENDED
        wait = ENDS_AFTER if mended else LEFT_AFTER
    return (kind, until, until + wait) if until + wait <= now else None


def ended_since(record: PoolRecord, told: PoolTold) -> tuple[int, int]:
    """How many nodes have become able since somebody was last told of the pool, and how many have left."""
    since = told.at or told.since
    left = [node.left for node in record.nodes.values() if node.ended_at is not None and node.ended_at >= since]
    return left.count(False), left.count(True)


def _is_said_by_standstill(webhook: Webhook, account: str, pool: PoolState, now: datetime) -> bool:
    """Whether the webhook hears, or is soon to hear, that jobs stand still because of the pool's nodes."""
    none_able, broken = pool.none_able_since, pool.broken_since
    # When the nodes that break come, the pool may have had none for hours.
    is_new = none_able is not None and broken is not None and now - max(none_able, broken) < STANDSTILL_FIRST
    return any(
        webhook.wants(EventType.JOB_STUCK, job_id=job, account=account, pools=[pool.pool_id])
        for job in (pool.jobs if is_new else pool.held_up)
    )


def _hears_ends(webhook: Webhook, account: str, pool: PoolState, told: PoolTold | None) -> bool:
    """Whether the webhook is told the end: an incident always, else who was told of it and wants to know."""
    if told is None or told.incident:
        return told is not None
    return told.at is not None and webhook.wants(EventType.NODE_RECOVERED, account=account, pools=[pool.pool_id])


def _is_refused(news: PoolNews, recovered_at: datetime | None) -> bool:
    """Whether the webhook has called just this wrong, and not recovered since."""
    told = news.told
    if told is None or told.refused is None or news.ends or news.pool.broken >= _GROWS * told.nodes > 0:
        return False
    return recovered_at is None or recovered_at < told.refused.at


def pool_muted_until(pool: PoolState, mutes: Sequence[Mute], now: datetime) -> datetime | None:
    """Until when the pool is muted, by itself or because each job that uses it is; None when it is not."""
    untils = [muted_until(mutes, job, [pool.pool_id], now) for job in sorted(pool.jobs) or [""]]
    held = [until for until in untils if until is not None]
    return min(held) if len(held) == len(untils) else None


def incident_of(webhook: Webhook, account: str, pool_id: str, open_keys: frozenset[str], others: int) -> str:
    """The key of the incident that a pool's trouble opens or joins; `others` are open that are about no pool.

    Auto pools share one, and so does what is beyond the tenth incident of an account.
    """
    key = incident_key(f"{webhook.name}:{account}:pool|{pool_name(pool_id)}")
    # Nobody reads more than so many one by one.
    if key in open_keys or len(open_keys) + others < MAX_OPEN:
        return key
    return incident_key(f"{webhook.name}:{account}:{_FURTHER}")
