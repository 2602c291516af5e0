"""What chat and pager are to be sent of pools, and what is recorded of it.

Owns which pools are told together, a pager's incidents of them, and the rows that follow. Does not own what is news
(`digests.pools.rules`), the words (`digests.pools.notices`) or the sending (`digests.one_webhook`). Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.incidents.rules import AGAIN_AFTER
from shared.digests.pools.rows import forget_pools, told_of_pool
from shared.digests.pools.rules import PoolNews, PoolPlan, incident_of
from shared.messages.notices import Severity, worst_of
from shared.ports import Operation
from shared.state.rows import pool_digest_key
from shared.state.telling import Attempt, PoolTold
from shared.webhook import Webhook


class PoolPage(Struct, frozen=True, kw_only=True):
    """What to tell a pager of an incident about pools: how it stands, or that all of it is over."""

    webhook: str
    incident: str
    severity: Severity
    news: tuple[PoolNews, ...]
    due_at: datetime
    """When it may be told."""

    @property
    def ends(self) -> bool:
        """Whether it closes the incident."""
        return self.news[0].ends

    def record_before(self, _now: datetime) -> list[Operation]:
        """What is recorded before the page is sent, so that what it opens is closed whatever is recorded after it."""
        if self.ends:
            return []
        new = [item for item in self.news if item.told is None or not item.told.incident]
        return [told_of_pool(self.webhook, replace(_before(item), incident=self.incident)) for item in new]

    def record_delivered(self, now: datetime) -> list[Operation]:
        """What is recorded once it is told."""
        if self.ends:
            return [*forget_pools(self.webhook, [item.told for item in self.news if item.told is not None])]
        return [told_of_pool(self.webhook, replace(_after(item, now), incident=self.incident)) for item in self.news]

    def record_refused(self, attempt: Attempt) -> list[Operation]:
        """What is recorded when the pager calls it wrong: nobody will ever take an end."""
        if self.ends:
            return self.record_delivered(attempt.at)
        return [
            told_of_pool(self.webhook, replace(one, incident=self.incident)) for one in _refused(self.news, attempt)
        ]


def pages_of(
    webhook: Webhook, account: str, plan: PoolPlan, told: Mapping[str, PoolTold], others: int, now: datetime
) -> list[PoolPage]:
    """The pages about pools, also those whose time has not come; `others` incidents are open that are about no pool."""
    open_keys = {one.incident for one in told.values() if one.incident}
    by_incident: dict[str, list[PoolNews]] = defaultdict(list)
    ended: dict[str, list[PoolNews]] = defaultdict(list)
    for item in plan.news:
        known = item.told.incident if item.told is not None else ""
        if item.ends:
            ended[known].append(item)
            continue
        key = known or incident_of(webhook, account, item.pool.pool_id, frozenset(open_keys), others)
        open_keys.add(key)
        by_incident[key].append(item)
    pages = [_page(webhook.name, key, news, told, now) for key, news in by_incident.items()]
    for key, news in ended.items():
        members = sum(one.incident == key for one in told.values())
        # Of what several pools share the last one is the end.
        if len(news) == members and key not in by_incident:
            pages.append(_page(webhook.name, key, news, told, now))
    return sorted(pages, key=lambda page: (page.ends, page.severity.rank, page.incident))


def news_of_pools(webhook: str, news: Iterable[PoolNews]) -> dict[str, datetime]:
    """Since when there is something to tell of these pools, by the keys of their rows."""
    return {pool_digest_key(webhook, item.pool.pool_id): item.wanted_at for item in news}


def told_in_chat(webhook: str, news: Sequence[PoolNews], now: datetime) -> list[Operation]:
    """What is recorded once chat was told of these pools."""
    over = [item.told for item in news if item.ends and item.told is not None]
    return [
        *(told_of_pool(webhook, _after(item, now)) for item in news if not item.ends),
        *forget_pools(webhook, over),
    ]


def refused_in_chat(webhook: str, news: Sequence[PoolNews], attempt: Attempt) -> list[Operation]:
    """What is recorded when chat calls a message about these pools wrong: nobody will ever take an end."""
    over = [item.told for item in news if item.ends and item.told is not None]
    stands = [item for item in news if not item.ends]
    return [*(told_of_pool(webhook, one) for one in _refused(stands, attempt)), *forget_pools(webhook, over)]


def _page(
    webhook: str, incident: str, news: Sequence[PoolNews], told: Mapping[str, PoolTold], now: datetime
) -> PoolPage:
    opened = [one for one in told.values() if one.incident == incident]
    worst = worst_of(item.severity for item in news)
    severity = next((Severity(one.severity) for one in opened if one.severity), worst)
    last = max((one.at for one in opened if one.at is not None), default=None)
    at = now if last is None or news[0].ends else last + AGAIN_AFTER
    return PoolPage(webhook=webhook, incident=incident, severity=severity, news=tuple(news), due_at=at)


def _before(item: PoolNews) -> PoolTold:
    told = item.told or PoolTold(pool_id=item.pool.pool_id, since=item.since)
    return replace(told, severity=told.severity or item.severity.value)


def _after(item: PoolNews, now: datetime) -> PoolTold:
    return replace(_before(item), nodes=item.pool.broken, at=now, refused=None, dismissed=False)


def _refused(news: Sequence[PoolNews], attempt: Attempt) -> list[PoolTold]:
    return [replace(_before(item), nodes=item.pool.broken, refused=attempt, dismissed=False) for item in news]
