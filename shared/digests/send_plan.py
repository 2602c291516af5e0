"""What is known to a chat or pager webhook of an account, and what may be sent of it.

Owns the two values between which is decided, and what whoever sends a message has to know of it. Does not own how they
are read and decided (`digests.planner`) or the sending (`digests.one_webhook`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.digests.chat_rules import KnownToWebhook
from shared.digests.daily.rules import Lasting
from shared.digests.pools.rules import PoolState
from shared.messages.notices import Notice
from shared.ports import Operation
from shared.state.telling import Attempt, Incident, Pace, PoolTold


class Gathered(Struct, frozen=True, kw_only=True):
    """What is known to a webhook of an account's jobs, and the incidents that it has open, by name.

    `pools` are those that it may have to be told about, `told` what it was told of pools, and `lasting` what may still
    stand beside jobs, None unless it is time to say so.
    """

    jobs: tuple[KnownToWebhook, ...]
    incidents: Mapping[str, Incident]
    pools: tuple[PoolState, ...] = ()
    told: Mapping[str, PoolTold] = {}
    lasting: Lasting | None = None


class DueMessage(Struct, frozen=True, kw_only=True):
    """A message that may be sent now, and what is then to be recorded of it.

    `waiting_since` is since when there is what it tells, by the keys of the rows in which what was told of a job or
    pool lies; that an incident is over is none. `groups` are the pools and causes that it tells of, if a pause depends
    on them, as none does on one that `is_daily`. `tried_at` is when the webhook was last tried with it, or since when
    it waits.
    `prepare` reads what the message names, and returns what writes it. What `record_before` returns is recorded before
    it is sent, so that what it opens is ended whatever is recorded after it.
    """

    jobs: tuple[str, ...]
    waiting_since: Mapping[str, datetime] = {}
    groups: frozenset[str] = frozenset()
    is_daily: bool = False
    tried_at: datetime
    prepare: Callable[[], Callable[[], Notice]]
    record_before: Callable[[datetime], Sequence[Operation]] = lambda _now: ()
    record_delivered: Callable[[datetime], Sequence[Operation]] = lambda _now: ()
    record_refused: Callable[[Attempt], Sequence[Operation]] = lambda _attempt: ()


class SendPlan(Struct, frozen=True, kw_only=True):
    """The messages to send now, or when something may have to be sent (None: when more happens).

    `pace` and `writes` are to be written even if nothing is sent.
    """

    messages: tuple[DueMessage, ...]
    pace: Pace
    writes: tuple[Operation, ...] = ()
    wake_at: datetime | None = None
