"""The messages of the two queues: which account, and since when somebody waits.

Owns their form. Does not own what follows from one; both are only nudges, and the table is the truth.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from shared.errors import PrepwatchError

POLLS_QUEUE = "prepwatch-polls"
DELIVERIES_QUEUE = "prepwatch-deliveries"


class AccountMessage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A nudge to look after one account."""

    account: str
    created_at: datetime


class UnusableMessageError(PrepwatchError):
    """A queue message that is none of ours; let it go to the poison queue, where somebody may look at it."""


def write_message(account: str, now: datetime) -> str:
    """A message's text."""
    return msgspec.json.encode(AccountMessage(account=account, created_at=now)).decode()


def read_message(body: bytes) -> AccountMessage:
    """The message of a text.

    Raises:
        UnusableMessageError: It says no account and time.
    """
    try:
        return msgspec.json.decode(body, type=AccountMessage)
    except msgspec.MsgspecError as error:
        raise UnusableMessageError(
            f'A message must be {{"account": "...", "createdAt": "..."}}, but: {error}'
        ) from error
