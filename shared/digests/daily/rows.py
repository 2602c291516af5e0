"""What the table says of what may have gone on since a chat was told of it, beside jobs.

Owns the reading of that, once a day. Does not own what of it is told (`digests.daily.rules`).
"""

from collections.abc import Mapping
from datetime import datetime

from shared.digests.daily.rules import Lasting
from shared.digests.pools.rows import Pools, told_pools_with_jobs
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.event_notices import event_notice
from shared.messages.events import EventType
from shared.messages.notices import Notice
from shared.ports import Rows
from shared.state.accounts import Cycle
from shared.state.rows import CYCLE, event_key, from_row, unpack_body
from shared.state.telling import PoolTold
from shared.webhook import Webhook


def read_lasting(
    table: Rows,
    account: str,
    webhook: Webhook,
    pools: Pools,
    told: Mapping[str, PoolTold],
    since: datetime,
    now: datetime,
) -> Lasting:
    """What a webhook that was `told` so much of pools may know since before a moment.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    wants = webhook.wants(EventType.ACCOUNT_UNREACHABLE, account=account)
    return Lasting(
        since=since,
        pools=tuple(told_pools_with_jobs(table, account, pools, told, since, now)),
        trouble=_trouble(table, account, since, now) if wants else None,
    )


def _trouble(table: Rows, account: str, since: datetime, now: datetime) -> Notice | None:
    """What was told of why the account can't be read, in words of now; None when it is read, or nobody was told."""
    try:
        row = table.get(account, CYCLE)
        trouble = from_row(row, Cycle).trouble if row is not None else None
        if trouble is None or trouble.event_id is None or trouble.since >= since:
            return None
        event = table.get(account, event_key(trouble.event_id))
        return event_notice(unpack_body(event), now) if event is not None else None
    except UnreadableRowError as error:
        write_line("row-unreadable", account=account, error=str(error))
        return None
