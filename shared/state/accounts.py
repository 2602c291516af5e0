"""What Prepwatch remembers of an account: how its last cycle went, and what outlasts a cycle.

Owns these shapes. Does not own the row that they lie in (`state.rows`) or how they change (`polling.cycle_rules`,
`polling.account_troubles`, `polling.counters`).
"""

from datetime import datetime

from msgspec import Struct, field

from shared.state.jobs import Trouble
from shared.state.pools import PoolMemory, UnseenPool


class FailureCount(Struct, frozen=True, kw_only=True, rename={"pool_id": "pool"}):
    """How many failures of a phase with a code there ever were in a pool."""

    pool_id: str
    phase: str
    code: str
    failures: int


class Recurrence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the troubles of an account come and go.

    What began at `since` and was told as `event_id` has passed, and the account has been well since `well_since`, but
    the end is not told yet: None when nothing is held back like that. `ends` were told in a row, the last at
    `ended_at`.
    """

    event_id: str | None = None
    since: datetime | None = None
    well_since: datetime | None = None
    ends: int = 0
    ended_at: datetime | None = None


class Cycle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the last cycle of an account went, and up to when the account is read.

    `read_up_to` is the oldest last look at a job that was due, and no later than the last complete job listing: what
    happened before it was seen. `listed_from` is the moment from which on the next job listing must show completed
    jobs. Both are None before the first complete listing. `waiting` says for each job that was due and not looked at
    when it last was, or was first listed; of very many only the longest waiting are named there, and
    `waiting_unnamed` counts the others. No request goes to Batch before `not_before`, which `throttles` in a row have
    pushed on. `cycles`, `good_cycles`, `throttled`, `requests` (by the code of the answer), `failures` only ever grow.
    `pools` are those of watched jobs as they were last counted, by lower-case id, `unseen_pools` those that were not,
    and shortly before were; `pools_error` says why they could not
    be counted, and `pools_error_since` since when, None when they were. `unanswered` is Batch's code where it did not
    answer what else is asked of pools and the jobs that wait, `unanswered_since` since when. `denied_since` is when the
    first of the cycles in a row began that were refused, None when the last was not.
    """

    started_at: datetime
    finished_at: datetime
    read_up_to: datetime | None = field(default=None, name="last_good_at")  # as the rows before it named their moment
    listed_from: datetime | None = None
    not_before: datetime | None = None
    throttles: int = 0
    jobs: int = 0
    not_looked_at: int = 0
    errors: int = 0
    waiting: dict[str, datetime] = {}
    waiting_unnamed: int = 0
    waiting_unnamed_since: datetime | None = None
    trouble: Trouble | None = None
    denied_since: datetime | None = None
    recurrence: Recurrence = Recurrence()
    cycles: int = 0
    good_cycles: int = 0
    throttled: int = 0
    requests: dict[str, int] = {}
    pools: dict[str, PoolMemory] = {}
    unseen_pools: dict[str, UnseenPool] = {}
    pools_error: str | None = None
    pools_error_since: datetime | None = None
    unanswered: str | None = None
    unanswered_since: datetime | None = None
    failures: tuple[FailureCount, ...] = ()
    commit: str = ""
