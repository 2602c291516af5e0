"""What chat and pager were sent about how jobs and pools stand, kept for people who look it up.

Owns these rows: how one is made, which is written together with what was told, and how they are read again, the newest
first. Does not own for how long they stay (`ledger.purging`), nor what is sent as an event: its deliveries are kept
(`ledger.archive`).
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.delivery.credential_redaction import without_credentials
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.messages.ids import newest_first
from shared.messages.notices import Notice
from shared.ports import Insert, Row, Table
from shared.state.rows import decode, just_after, pack_body, sent_key, sent_of, unpack_body
from shared.state.telling import Attempt, Sending, SentMessage
from shared.webhook import Webhook

MESSAGE_ID = re.compile(r"[0-9]{13}-[A-Za-z0-9-]{1,64}")


class Draft:
    """A message that is about to be sent, about so many `jobs`; `unique` tells it from all others of its moment."""

    def __init__(self, webhook: Webhook, unique: str, *, jobs: int) -> None:
        self._webhook = webhook
        self._unique = unique
        self._jobs = jobs
        self._text = ""
        self._body: bytes | None = None

    def note(self, notice: Notice, body: bytes) -> None:
        """Remember what is sent; the last counts."""
        self._text, self._body = notice.text, body

    def rows(self, now: datetime, sending: Sending, attempts: Sequence[Attempt]) -> list[Insert]:
        """The operation that keeps it with what came back; none when nothing could be sent."""
        if self._body is None:
            return []
        sent = SentMessage(
            sent_at=now,
            sending=sending,
            text=self._text,
            body=without_credentials(self._webhook, self._body, ()),
            jobs=self._jobs,
            attempts=tuple(attempts),
        )
        key = sent_key(self._webhook.name, f"{newest_first(now)}-{self._unique}")
        return [Insert(key=key, columns=pack_body(msgspec.msgpack.encode(sent)))]


class FoundMessage(Struct, frozen=True, kw_only=True):
    """A message as it lies in an account's partition."""

    account: str
    id: str
    message: SentMessage


def read_sent(table: Table, accounts: Iterable[str], webhook: str, after: str | None) -> Iterator[FoundMessage]:
    """What a webhook was sent about these accounts before the message of the id `after` (None: all), the newest first.

    A row that can't be read is passed over with a line in the log.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    first, end = sent_of(webhook)
    start = just_after(sent_key(webhook, after)) if after else first
    found = heapq.merge(*(_found(table, account, start, end) for account in accounts), key=lambda both: both[1].key)
    for account, row in found:
        try:
            message = decode(row, SentMessage, unpack_body(row))
        except UnreadableRowError as error:
            write_line("message-unreadable", account=account, row=row.key, error=str(error))
            continue
        yield FoundMessage(account=account, id=row.key.removeprefix(first), message=message)


def _found(table: Table, account: str, start: str, end: str) -> Iterator[tuple[str, Row]]:
    return ((account, row) for row in table.query(account, start, end))
