"""What chat is to be sent: jobs and pools in one message, and once a day what still stands.

Owns the walk from what is known to a message, and back to what is recorded of it. Does not own what is decided
(`digests.chat_plan`, `digests.pools.rules`, `digests.daily.rules`) or the words (`digests.jobs.notices`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_plan import OtherNews, decide_chat, groups_of, tried_at
from shared.digests.chat_rules import News
from shared.digests.daily.notices import prepare_daily
from shared.digests.daily.rules import was_looked_into, what_stands
from shared.digests.jobs.notices import jobs_notice
from shared.digests.message_intervals import HOLD, Occasion
from shared.digests.mutes import Mute
from shared.digests.named_nodes import NodeNames
from shared.digests.pools.messages import news_of_pools, refused_in_chat, told_in_chat
from shared.digests.pools.notices import with_pools
from shared.digests.pools.rows import forget_pools
from shared.digests.pools.rules import PoolNews, PoolPlan
from shared.digests.rows import refused_row, told_row
from shared.digests.send_plan import DueMessage, Gathered, SendPlan
from shared.messages.events import Origin, links_of
from shared.messages.notices import Notice
from shared.ports import Rows
from shared.state.rows import digest_key
from shared.state.telling import Pace
from shared.webhook import Webhook


class ChatPlanner(Struct, frozen=True, kw_only=True):
    """Plans what one chat is to be sent about one account."""

    table: Rows
    origin: Origin
    webhook: Webhook

    def plan(self, occasion: Occasion, known: Gathered, pools: PoolPlan) -> SendPlan:
        """What to send now; `pools` is what there is to tell of pools."""
        pace, now = occasion.pace, occasion.now
        other = OtherNews(
            wanted_at=min((item.wanted_at for item in pools.news), default=None),
            is_first=any(item.is_first for item in pools.news),
        )
        chat = decide_chat(occasion, known.jobs, other)
        wakes = [at for at in (chat.wake_at, pools.wake_at) if at is not None]
        plan = SendPlan(
            messages=tuple(self._of_jobs(news, pools.news, pace, now) for news in chat.messages),
            pace=chat.pace if was_looked_into(chat.pace, now) else replace(chat.pace, daily_at=now),
            writes=tuple(forget_pools(self.webhook.name, pools.settled)),
            wake_at=min(wakes, default=None),
        )
        # What stands is said in no pause, and not while there is news or will be in a moment.
        held = occasion.paused_until is not None
        news_first = bool(plan.messages) or (plan.wake_at is not None and plan.wake_at - now <= HOLD)
        return plan if held or news_first else self._with_daily(plan, known, occasion.mutes, now)

    def _with_daily(self, plan: SendPlan, known: Gathered, mutes: Sequence[Mute], now: datetime) -> SendPlan:
        """The same with what still stands, once it is time to say so; what is new has been told."""
        lasting = known.lasting
        if lasting is None:
            return plan
        ongoing = what_stands(known.jobs, lasting, known.told, mutes, now)
        if not ongoing:
            return replace(plan, pace=replace(plan.pace, daily_at=now))
        message = DueMessage(
            jobs=tuple(item.job_id for item in ongoing.jobs),
            is_daily=True,
            tried_at=plan.pace.tried_at or lasting.since,
            prepare=lambda: prepare_daily(self.table, self.origin, ongoing, now),
        )
        return replace(plan, messages=(message,))

    def _of_jobs(self, news: Sequence[News], pools: Sequence[PoolNews], pace: Pace, now: datetime) -> DueMessage:
        name = self.webhook.name
        since = min([item.wanted_at for item in news] + [item.wanted_at for item in pools])
        return DueMessage(
            jobs=tuple(item.job_id for item in news),
            waiting_since={
                **{digest_key(name, item.job_id): item.wanted_at for item in news},
                **news_of_pools(name, pools),
            },
            groups=frozenset().union(*(groups_of(item) for item in news)),
            tried_at=tried_at((item.before for item in news), since, pace),
            prepare=lambda: self._notice(news, pools, now),
            record_delivered=lambda at: [
                *(told_row(name, item.after, item.generation) for item in news),
                *told_in_chat(name, pools, at),
            ],
            record_refused=lambda attempt: [
                *(refused_row(name, item.job_id, item.before, item.generation, attempt) for item in news),
                *refused_in_chat(name, pools, attempt),
            ],
        )

    def _notice(self, news: Sequence[News], pools: Sequence[PoolNews], now: datetime) -> Callable[[], Notice]:
        if not news:
            return lambda: with_pools(None, self.origin, pools, now)
        links = links_of(self.origin, news[0].job_id if len(news) == 1 else None)
        named = NodeNames(table=self.table, account=self.origin.partition).named(news)
        if not pools:
            return lambda: jobs_notice(self.origin.partition, named, links)
        return lambda: with_pools(jobs_notice(self.origin.partition, named, links), self.origin, pools, now)
