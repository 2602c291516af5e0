"""What stands when a chat or pager webhook is new to an account, or was switched off for a while.

Owns which jobs such a webhook has to be told of, as standing and not as new. Does not own the telling (`digests.run`).
Jobs of which it was ever told, or is to be told, are left as they are: its rows say what it does not know.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.digests.concerns import is_standing
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.events import EventType
from shared.ports import Insert, Table
from shared.state.jobs import JobHead
from shared.state.rows import SCHEMA_VERSION, digest_key, digests_of, from_row, range_of
from shared.state.telling import Told
from shared.webhook import Webhook


def introductions(table: Table, account: str, webhook: Webhook, now: datetime) -> Sequence[Insert]:
    """The operations that have a webhook told of what stands in an account and was announced.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    known = {row.key for row in table.query(account, *digests_of(webhook.name))}
    found = []
    for row in table.query(account, *range_of("job")):
        try:
            head = from_row(row, JobHead)
        except UnreadableRowError as error:
            write_line("head-unreadable", account=account, error=str(error))
            continue
        key = digest_key(webhook.name, head.job_id)
        if key not in known and _concerns(webhook, account, head):
            found.append(_introduction(key, head, now))
    return found


def _concerns(webhook: Webhook, account: str, head: JobHead) -> bool:
    def wants(kind: EventType) -> bool:
        return webhook.wants(kind, job_id=head.job_id, account=account, pools=head.pools)

    return is_standing(head, wants)


def _introduction(key: str, head: JobHead, now: datetime) -> Insert:
    ever = head.ever
    told = Told(
        job_id=head.job_id,
        counted_from=ever.since,
        preparation=ever.preparation,
        release=ever.release,
        stuck_since=head.stuck_since,
        catches_up=True,
    )
    said = msgspec.msgpack.encode(told)
    return Insert(key=key, columns={"v": SCHEMA_VERSION, "wanted": head.generation, "wantedAt": now, "said": said})
