"""What stands when a chat or pager webhook is new to an account, or was switched off or disabled for a while.

Owns which jobs such a webhook has to be told of, as standing and not as new, and that it is told why the account can't
be read. Does not own the telling (`digests.one_webhook`). Jobs of which it knows all are left as they are.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.digests.incidents.members import members_of
from shared.digests.job_troubles import is_standing, wants_of
from shared.digests.rows import read_incidents, read_known, told_row
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.events import EventType
from shared.messages.format_table import format_of
from shared.ports import Delete, Insert, Merge, Operation, Table
from shared.state.accounts import Cycle
from shared.state.digest_rows import known_columns, wanted_columns
from shared.state.jobs import JobHead
from shared.state.rows import (
    CYCLE,
    delivery_key,
    digest_key,
    digests_of,
    event_key,
    from_row,
    range_of,
    to_columns,
)
from shared.state.telling import Delivery, DeliveryState, Told
from shared.webhook import Webhook


def introductions(table: Table, account: str, webhook: Webhook, now: datetime, *, was_off: bool) -> Sequence[Operation]:
    """The operations that have a webhook told of what stands in an account and was announced.

    What one that `was_off` was to be told meanwhile is among that; to one that is new it is news.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell which incidents it has open, or whether the account is read.
    """
    # What waits is read first, so that no job is in both: one that begins to wait meanwhile is in none, and is news.
    waiting = _of_waiting(table, account, webhook, now) if was_off else []
    return [*waiting, *_of_unknown(table, account, webhook, now), *_of_the_account(table, account, webhook, now)]


def _of_the_account(table: Table, account: str, webhook: Webhook, now: datetime) -> Sequence[Operation]:
    """Of what keeps the account from being read: the event that told it to others."""
    row = table.get(account, CYCLE)
    trouble = from_row(row, Cycle).trouble if row is not None else None
    if trouble is None or trouble.event_id is None or not webhook.wants(EventType.ACCOUNT_UNREACHABLE, account=account):
        return []
    keys = {state: delivery_key(state, webhook.name, trouble.event_id) for state in DeliveryState}
    rows = {state: row for state, key in keys.items() if (row := table.get(account, key)) is not None}
    done = rows.get(DeliveryState.DONE)
    # It waits or was taken, or it is so old that nothing is kept of it. What was closed unsent nobody has heard.
    if DeliveryState.DUE in rows or (done is not None and not from_row(done, Delivery).closed):
        return []
    if table.get(account, event_key(trouble.event_id)) is None:
        return []
    owed = Delivery(webhook=webhook.name, event_id=trouble.event_id, created_at=now, next_attempt_at=now)
    ended = [Delete(key=row.key, etag=row.etag) for row in rows.values()]
    return [*ended, Insert(key=keys[DeliveryState.DUE], columns=to_columns(owed))]


def _of_unknown(table: Table, account: str, webhook: Webhook, now: datetime) -> Sequence[Insert]:
    """Of jobs that it was never to be told of."""
    known = {row.key for row in table.query(account, *digests_of(webhook.name))}
    found = []
    for row in table.query(account, *range_of("job")):
        try:
            head = from_row(row, JobHead)
        except UnreadableRowError as error:
            write_line("head-unreadable", account=account, error=str(error))
            continue
        key = digest_key(webhook.name, head.job_id)
        if key not in known and (_concerns(webhook, account, head) or _is_slow(webhook, account, head)):
            found.append(_introduction(key, head, now))
    return found


def _of_waiting(table: Table, account: str, webhook: Webhook, now: datetime) -> Sequence[Merge]:
    """Of jobs that it was to be told of while nothing was sent to it."""
    incidents = read_incidents(table, account, webhook)
    found = []
    for known in read_known(table, account, webhook.name, now, incidents):
        if not known.waits or known.head is None:
            continue
        if not format_of(webhook).opens_incidents:
            stands = _concerns(webhook, account, known.head)
        else:  # what has joined an incident, or has one of its own from a version before, goes on there
            members = members_of(webhook, account, known, incidents, now)
            stands = not known.told.standing and any(name is None and member.is_news for name, member in members)
        if stands:
            found.append(told_row(webhook.name, _as_standing(known.told, known.head)))
    return found


def _as_standing(told: Told, head: JobHead) -> Told:
    """What a webhook takes for known of a job that is to be told as what stands."""
    ever = head.ever
    return replace(
        told,
        job_id=head.job_id,
        counted_from=ever.since,
        preparation=ever.preparation,
        # Releases that failed do not stand: they are told as they are, or nobody hears of them.
        release=told.knows_of(ever)[1],
        stuck_since=head.stuck_since or (told.stuck_since if told.counts_as(ever) else None),
        stuck_reason=head.standstill.reason if head.standstill is not None else None,
        catches_up=True,
    )


def _concerns(webhook: Webhook, account: str, head: JobHead) -> bool:
    return is_standing(head, wants_of(webhook, account, head))


def _is_slow(webhook: Webhook, account: str, head: JobHead) -> bool:
    """Whether a chat wants to know that preparation takes too long; a pager is never called for that."""
    wants = webhook.wants(EventType.PREPARATION_SLOW, job_id=head.job_id, account=account, pools=head.pools)
    return wants and head.preparation.slow > 0 and not format_of(webhook).opens_incidents


def _introduction(key: str, head: JobHead, now: datetime) -> Insert:
    # What failed in releases before it was there is no news to it.
    told = replace(_as_standing(Told(), head), release=head.ever.release)
    return Insert(key=key, columns={**wanted_columns(head.generation, now), **known_columns(told, None)})
