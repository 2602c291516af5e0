"""What a chat or pager webhook should have been told by now of one account, and has not.

Owns what counts as such: news whose pause is over and that no mute holds back, and what the webhook calls wrong. Does
not own the telling (`digests.run`). Whoever shows health asks for it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.chat_rules import KnownToWebhook
from shared.digests.chat_timing import decide
from shared.digests.incidents import decide_pages
from shared.digests.mutes import Mute
from shared.digests.pauses import is_refused
from shared.digests.pools.rows import read_told_pools
from shared.digests.rows import Owed, owed_of, read_incidents, read_known
from shared.messages.formats import format_of
from shared.ports import Row, Table
from shared.state.rows import from_row, pace_key
from shared.state.telling import Attempt, Incident, Pace
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
    """How many jobs there are news of, the oldest since when (None: no news), and what is refused, of pools too.

    Of `late` jobs the news could have been told LATE ago: no pause held them back then.
    """

    jobs: int = 0
    late: int = 0
    since: datetime | None = None
    refused: tuple[Refused, ...] = ()


def read_untold(
    table: Table,
    account: str,
    webhook: Webhook,
    mutes: Sequence[Mute],
    now: datetime,
    find: Callable[[str], Row | None] | None = None,
) -> Untold:
    """What the webhook should know of an account's jobs; `find` looks up heads as in `digests.rows.read_known`.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    incidents = read_incidents(table, account, webhook)
    known = read_known(table, account, webhook.name, now, incidents, find)
    of_pools = tuple(
        Refused(account=account, about=one.pool_id, attempt=one.refused, dismissed=one.dismissed)
        for one in read_told_pools(table, account, webhook.name).values()
        if one.refused is not None
    )
    if not known:
        return Untold(refused=of_pools)
    row = table.get(account, pace_key(webhook.name))
    pace = replace(from_row(row, Pace) if row else Pace(), not_before=None)
    refused = tuple(
        Refused(account=account, about=each.job_id, attempt=refusal.attempt, dismissed=refusal.dismissed)
        for each in known
        if (refusal := each.told.refusal) is not None
        and owed_of(webhook, account, each, incidents, now) is not Owed.NOTHING
        and is_refused(each.told, each.generation, None, now)
    )
    owed, before = (_wanted(webhook, account, known, incidents, pace, mutes, at) for at in (now, now - LATE))
    late = sum(wanted_at <= now - LATE for job_id, wanted_at in before.items() if job_id in owed)
    return Untold(jobs=len(owed), late=late, since=min(owed.values(), default=None), refused=(*refused, *of_pools))


def _wanted(
    webhook: Webhook,
    account: str,
    known: Sequence[KnownToWebhook],
    incidents: Mapping[str, Incident],
    pace: Pace,
    mutes: Sequence[Mute],
    at: datetime,
) -> dict[str, datetime]:
    """The jobs that the webhook is to be told of at a moment, with since when."""
    if format_of(webhook).opens_incidents:
        pages = decide_pages(webhook, account, known, incidents, pace, mutes, at, recovered_at=at).messages
        return {member.job_id: member.known.wanted_at for page in pages for member in page.news}
    messages = decide(webhook, account, known, pace, mutes, at, recovered_at=at).messages
    return {news.job_id: news.wanted_at for message in messages for news in message}
