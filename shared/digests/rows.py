"""What lies in the table about chat and pager webhooks, and how it is read.

Owns what is read and recorded of a job, and that whoever dismisses a refusal swaps the whole row. Does not own its
columns (`state.digest_rows`) or what is news (`digests.chat_rules`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from shared.digests.chat_rules import KnownToWebhook, news_of
from shared.digests.incidents.members import has_joined, is_pending
from shared.errors import RowConflictError, UnreadableRowError
from shared.journal import write_line
from shared.messages.format_table import format_of
from shared.ports import Column, Merge, Put, Replace, Row, Rows, Table
from shared.state.digest_rows import columns_with, has_news, known_columns, told_of, wanted_of
from shared.state.jobs import JobHead
from shared.state.rows import (
    digest_key,
    digests_of,
    from_row,
    incidents_key,
    is_about_pool,
    job_key,
    mend_of,
    to_columns,
)
from shared.state.telling import Attempt, Incident, Incidents, PoolTold, Refusal, Told
from shared.webhook import Webhook


def dismiss_refusal(table: Table, account: str, row: Row) -> bool:
    """Note that somebody knows of what a webhook calls wrong; False when there is nothing new to know.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    try:
        columns = _dismissed_of_pool(row) if is_about_pool(row.key) else _dismissed(row)
    except UnreadableRowError as error:
        write_line("digest-unreadable", account=account, error=str(error))
        return False
    if columns is None:
        return False
    try:
        # Whole and by its ETag: whoever tells the webhook meanwhile, or has something new for it, comes first.
        table.transact(account, [Replace(key=row.key, columns=columns, etag=row.etag)])
    except RowConflictError:
        return False
    return True


def _dismissed(row: Row) -> Mapping[str, Column] | None:
    """The columns of a job's row once its refusal is dismissed, None when there is none that is not."""
    told = told_of(row, "")
    if told.refusal is None or told.refusal.dismissed:
        return None
    return columns_with(row, replace(told, refusal=replace(told.refusal, dismissed=True)))


def _dismissed_of_pool(row: Row) -> Mapping[str, Column] | None:
    """The same of a pool's row."""
    told = from_row(row, PoolTold)
    return None if told.refused is None or told.dismissed else to_columns(replace(told, dismissed=True))


def told_row(webhook: str, told: Told, generation: int | None = None) -> Merge:
    """The operation that records what a webhook knows of a job, and up to where (None: it is still to be told more)."""
    return Merge(key=digest_key(webhook, told.job_id), columns=known_columns(told, generation))


def refused_row(webhook: str, job_id: str, told: Told, generation: int, attempt: Attempt) -> Merge:
    """The operation that records that a webhook calls wrong what it was to be told of a job beyond what it knows."""
    refusal = Refusal(generation=generation, attempt=attempt)
    return told_row(webhook, replace(told, job_id=job_id, refusal=refusal))


def incidents_row(webhook: str, incidents: Mapping[str, Incident]) -> Put:
    """The operation that records which incidents a webhook has open; only whoever holds its lease may do it."""
    return Put(key=incidents_key(webhook), columns=to_columns(Incidents(by_name=dict(incidents))))


def settling(webhook: str, known: KnownToWebhook) -> Merge:
    """The operation that records that a webhook needs to hear nothing of a job up to here."""
    if known.told.catches_up:  # what stood is over, and what comes is new
        return told_row(webhook, replace(known.told, job_id=known.job_id, catches_up=False), known.generation)
    return Merge(key=digest_key(webhook, known.job_id), columns=known_columns(None, known.generation))


def read_incidents(table: Rows, account: str, webhook: Webhook) -> Mapping[str, Incident]:
    """The incidents that a pager has open, by name; none where the webhook is no pager.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    row = table.get(account, incidents_key(webhook.name)) if format_of(webhook).opens_incidents else None
    return from_row(row, Incidents).by_name if row else {}


def read_known(
    table: Rows,
    account: str,
    webhook: str,
    now: datetime,
    incidents: Mapping[str, Incident],
) -> list[KnownToWebhook]:
    """The jobs that a webhook may have to be told about: their rows first, then their heads.

    So a head is never older than what its row asks for. Jobs that are part of an open incident are among them. Rows
    that can't be read are left out and logged.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    start, end = digests_of(webhook)
    waiting: list[tuple[Row, Told]] = []
    for row in table.query(account, start, end):
        if is_about_pool(row.key):
            continue
        try:
            told = told_of(row, row.key.removeprefix(start))
        except UnreadableRowError as error:
            write_line("digest-unreadable", account=account, error=str(error))
            continue
        if has_news(row) or told.owes_an_end or told.slow or told.catches_up or has_joined(told, incidents):
            waiting.append((row, told))
    known = []
    for row, told in waiting:
        try:
            known.append(_known(table.get(account, job_key(told.job_id)), row, told, now))
        except UnreadableRowError as error:
            write_line("head-unreadable", account=account, error=str(error))
    return known


def unreadable_digests(table: Rows, account: str, webhook: str) -> Iterator[str]:
    """Why a webhook can't be told of single jobs and pools: their rows can't be read.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    for row in table.query(account, *digests_of(webhook)):
        try:
            _ = from_row(row, PoolTold) if is_about_pool(row.key) else told_of(row, "")
        except UnreadableRowError as error:
            yield mend_of(error, account, "what is new then is told.")


class Owed(StrEnum):
    """What a webhook has still to be told about a job, now or when a mute or a pause ends."""

    NOTHING = "nothing"
    END = "end"
    """Which no mute holds back."""
    NEWS = "news"


def owed_of(
    webhook: Webhook, account: str, known: KnownToWebhook, incidents: Mapping[str, Incident], now: datetime
) -> Owed:
    """What a webhook, which has these incidents open, is owed about a job."""
    if format_of(webhook).opens_incidents:
        return Owed.NEWS if is_pending(webhook, account, known, incidents, now) else Owed.NOTHING
    news = news_of(webhook, account, known, now)
    if news is None:
        return Owed.NOTHING
    return Owed.NEWS if news.can_be_muted else Owed.END


def is_owed(table: Rows, account: str, webhook: Webhook, head: JobHead, now: datetime) -> bool:
    """Whether a webhook has still to be told something about a job, now or when a mute or a pause ends.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    known = read_known_job(table, account, webhook.name, head, now)
    if known is None:
        return False
    return owed_of(webhook, account, known, read_incidents(table, account, webhook), now) is not Owed.NOTHING


def read_known_job(table: Rows, account: str, webhook: str, head: JobHead, now: datetime) -> KnownToWebhook | None:
    """What a webhook was told about one job, None when it was never to be told anything.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell.
    """
    row = table.get(account, digest_key(webhook, head.job_id))
    if row is None:
        return None
    told = told_of(row, head.job_id)
    return KnownToWebhook(told=told, head=head, wanted=head.generation, wanted_at=now, waits=has_news(row))


def _known(head: Row | None, row: Row, told: Told, now: datetime) -> KnownToWebhook:
    wanted, since = wanted_of(row)
    return KnownToWebhook(
        told=told,
        head=from_row(head, JobHead) if head else None,
        wanted=wanted,
        wanted_at=since or now,
        waits=has_news(row),
    )
