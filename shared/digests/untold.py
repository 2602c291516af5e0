"""What a chat or pager webhook should have been told by now of one account, and has not.

Owns what counts as such: news whose pause is over and that no mute holds back, what the webhook calls wrong, and single
jobs and pools whose rows can't be read. Does not own the telling (`digests.dispatch`), or what keeps a webhook from
being told anything (`digests.silence`). Whoever shows health asks for it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.message_intervals import is_refused
from shared.digests.mutes import Mute
from shared.digests.planner import DigestPlanner
from shared.digests.pools.rows import read_pools, read_told_pools
from shared.digests.rows import Owed, owed_of, unreadable_digests
from shared.digests.send_plan import Gathered
from shared.messages.events import Origin
from shared.ports import Rows
from shared.state.rows import from_row, is_about_pool, pace_key
from shared.state.telling import Attempt, Pace
from shared.webhook import Webhook

LATE = timedelta(minutes=15)
"""What could have been told so long ago should have been."""


class Refused(Struct, frozen=True, kw_only=True):
    """A job or pool, by its id, of which a webhook calls the message wrong, and what it said last."""

    account: str
    about: str
    attempt: Attempt
    dismissed: bool


class Untold(Struct, frozen=True, kw_only=True):
    """How many jobs and pools there are news of, and beside them what is refused.

    Of `late` of them the news could have been told LATE ago: no pause held them back then. `since` is how long the
    oldest waits, of what is refused too unless somebody has dismissed it; None when nothing does. `unreadable` says of
    single jobs and pools why they can't be told of: their rows can't be read.
    """

    jobs: int = 0
    pools: int = 0
    late: int = 0
    since: datetime | None = None
    refused: tuple[Refused, ...] = ()
    unreadable: tuple[str, ...] = ()


def read_untold(table: Rows, origin: Origin, webhook: Webhook, mutes: Sequence[Mute], now: datetime) -> Untold:
    """What the webhook should know of an account's jobs and pools.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    told, _ = read_told_pools(table, origin.partition, webhook.name)
    refused = tuple(
        Refused(account=origin.partition, about=one.pool_id, attempt=one.refused, dismissed=one.dismissed)
        for one in told.values()
        if one.refused is not None
    )
    unreadable = tuple(unreadable_digests(table, origin.partition, webhook.name))
    planner = DigestPlanner(table=table, origin=origin, webhook=webhook, pools=read_pools(table, origin.partition))
    known = planner.gather(now)
    if known is None:
        return Untold(since=_oldest(refused), refused=refused, unreadable=unreadable)
    refused = (*_refused_jobs(planner, known, now), *refused)
    row = table.get(planner.account, pace_key(webhook.name))
    pace = replace(from_row(row, Pace) if row else Pace(), not_before=None)
    owed, before = (_news(planner, known, pace, mutes, at) for at in (now, now - LATE))
    pools = sum(is_about_pool(key) for key in owed)
    return Untold(
        jobs=len(owed) - pools,
        pools=pools,
        late=sum(since <= now - LATE for key, since in before.items() if key in owed),
        since=min([*owed.values(), *filter(None, [_oldest(refused)])], default=None),
        refused=refused,
        unreadable=unreadable,
    )


def _oldest(refused: Sequence[Refused]) -> datetime | None:
    return min((one.attempt.at for one in refused if not one.dismissed), default=None)


def _news(
    planner: DigestPlanner, known: Gathered, pace: Pace, mutes: Sequence[Mute], at: datetime
) -> dict[str, datetime]:
    """What the webhook is to be told of at a moment, but for what it has refused, with since when."""
    plan = planner.decide(known, pace, mutes, at)
    return {key: since for message in plan.messages for key, since in message.waiting_since.items()}


def _refused_jobs(planner: DigestPlanner, known: Gathered, now: datetime) -> Iterator[Refused]:
    for each in known.jobs:
        refusal = each.told.refusal
        if refusal is None or not is_refused(each.told, each.generation, None, now):
            continue
        if owed_of(planner.webhook, planner.account, each, known.incidents, now) is not Owed.NOTHING:
            attempt, dismissed = refusal.attempt, refusal.dismissed
            yield Refused(account=planner.account, about=each.job_id, attempt=attempt, dismissed=dismissed)
