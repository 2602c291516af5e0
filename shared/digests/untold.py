"""What a chat or pager webhook should have been told by now of one account, and has not.

Owns what counts as such: news whose pause is over and that no mute holds back, and what the webhook calls wrong. Does
not own the telling (`digests.run`). Whoever shows health asks for it.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.digests.mutes import Mute
from shared.digests.pace import is_refused
from shared.digests.rows import read_known
from shared.digests.rules import decide, news_of
from shared.ports import Table
from shared.state.rows import from_row, pace_key
from shared.state.telling import Attempt, Pace
from shared.webhook import Webhook


class Refused(Struct, frozen=True, kw_only=True):
    """A job of which a webhook calls the message wrong, and what it said last."""

    account: str
    job_id: str
    attempt: Attempt
    dismissed: bool


class Untold(Struct, frozen=True, kw_only=True):
    """How many jobs there are news of, the oldest since when (None: no news), and which of them are refused."""

    jobs: int = 0
    since: datetime | None = None
    refused: tuple[Refused, ...] = ()


def read_untold(table: Table, account: str, webhook: Webhook, mutes: Sequence[Mute], now: datetime) -> Untold:
    """What the webhook should know of an account's jobs.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    known = read_known(table, account, webhook.name, now)
    if not known:
        return Untold()
    row = table.get(account, pace_key(webhook.name))
    pace = replace(from_row(row, Pace) if row else Pace(), not_before=None)
    refused = tuple(
        Refused(account=account, job_id=news.job_id, attempt=refusal.attempt, dismissed=refusal.dismissed)
        for each in known
        if (refusal := each.told.refusal) is not None
        and (news := news_of(webhook, account, each, now)) is not None
        and is_refused(each.told, news.generation, None, now)
    )
    messages = decide(webhook, account, known, pace, mutes, now, recovered_at=now).messages
    owed = {news.job_id: news.wanted_at for message in messages for news in message}
    return Untold(jobs=len(owed), since=min(owed.values(), default=None), refused=refused)
