"""The nudges that lie in the two queues: which account, and since when somebody waits.

Owns their form. Does not own how they are sent (`nudges.nudger`), or what follows from one: the table is the truth.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from shared.decoding import UNDECODABLE, json_decoder
from shared.errors import PrepwatchError

POLLS_QUEUE = "prepwatch-polls"
DELIVERIES_QUEUE = "prepwatch-deliveries"


class Nudge(Struct, frozen=True, kw_only=True, rename="camel"):
    """A nudge to look after one account."""

    account: str
    created_at: datetime


class UnusableNudgeError(PrepwatchError):
    """A queue message that is none of ours; let it go to the poison queue, where somebody may look at it."""


def write_nudge(account: str, now: datetime) -> str:
    """A nudge's text."""
    return msgspec.json.encode(Nudge(account=account, created_at=now)).decode()


def read_nudge(body: bytes) -> Nudge:
    """The nudge of a text.

    Raises:
        UnusableNudgeError: It says no account and time.
    """
    try:
        return json_decoder(Nudge).decode(body)
    except UNDECODABLE as error:
        raise UnusableNudgeError(f'A nudge must be {{"account": "...", "createdAt": "..."}}, but: {error}') from error
