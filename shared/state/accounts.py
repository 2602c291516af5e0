"""What Prepwatch remembers of an account beside how its last cycle went.

Owns these shapes. Does not own the row that they lie in (`state.jobs.Cycle`) or how they change
(`polling.account_troubles`, `polling.counters`).
"""

from datetime import datetime

from msgspec import Struct


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
