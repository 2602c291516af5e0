"""What the app still owes somebody, read from its table."""

from collections.abc import Sequence
from datetime import datetime

from shared.digests.chat_rules import news_of
from shared.digests.message_intervals import is_refused
from shared.digests.rows import is_owed, read_known
from shared.ports import Table
from shared.state.jobs import JobHead
from shared.state.rows import OWN, from_row, range_of
from shared.webhook import Webhook
from trials.soak.recorder import CHAT


def waits(table: Table, account: str, webhooks: Sequence[Webhook], now: datetime) -> list[str]:
    """The keys of deliveries that are due, and the jobs of which chat has still to hear, now or after its pause."""
    due = [row.key for partition in (account, OWN) for row in table.query(partition, *range_of("due"))]
    chat = next((webhook for webhook in webhooks if webhook.name == CHAT), None)
    return due + (_untold(table, account, chat, now) if chat else [])


def _untold(table: Table, account: str, chat: Webhook, now: datetime) -> list[str]:
    heads = [from_row(row, JobHead) for row in table.query(account, *range_of("job"))]
    rows = read_known(table, account, CHAT, now, {})  # of jobs that are forgotten too
    # What chat calls wrong waits for the next news of its job.
    refused = {row.told.job_id for row in rows if is_refused(row.told, row.generation, None, now)}
    owed = [head.job_id for head in heads if is_owed(table, account, chat, head, now)]
    news = [row.told.job_id for row in rows if news_of(chat, account, row, now)]
    return [job_id for job_id in owed + news if job_id not in refused]
