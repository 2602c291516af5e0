"""What Prepwatch remembers of pools between cycles, and why a job that waits for one can't move.

Owns these shapes. Does not own their rows (`state.rows`) or how they change (`polling.pool_rules`,
`polling.standstill_rules`). Everything is frozen; a change makes a new value.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class PoolMemory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pool as its nodes were last counted: how many in which state (lower case), and since when none is able.

    `none_able_since` is None while some node is able; `gone_since` is when Batch first said PoolNotFound, None while
    there is no such word.
    """

    pool_id: str
    by_state: Mapping[str, int] = {}
    none_able_since: datetime | None = None
    gone_since: datetime | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """The pools of watched jobs by lower-case id; `error` says why they could not be counted now, None when they were.

    `is_known` is False when nothing may be concluded from `pools`, which are only kept for the next count.
    """

    pools: Mapping[str, PoolMemory]
    error: str | None = None
    is_known: bool = True


class StandstillReason(StrEnum):
    """Why no task of a job can run, in the order in which they are looked for."""

    START_TASK_FAILED = "startTaskFailed"
    NODES_UNABLE = "nodesUnable"
    RESIZE_FAILED = "resizeFailed"
    AUTOSCALE_FAILED = "autoscaleFailed"
    PREPARATION_FAILED = "preparationFailed"
    PREPARATION_SLOW = "preparationSlow"
    POOL_GONE = "poolGone"

    @property
    def is_of_pool(self) -> bool:
        """Whether it is over as soon as the pool has able nodes again, whatever the job does."""
        return self not in {StandstillReason.PREPARATION_FAILED, StandstillReason.PREPARATION_SLOW}


class PoolError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Batch says is wrong with a pool: the error of its last resize, or of its autoscale formula."""

    code: str = ""
    message: str = ""


class Standstill(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job whose waiting tasks can't run: suspected `since`, announced once it is `confirmed` by two answers.

    `still_since` is when the first of the answers came that agreed without interruption, None before; `looked_at` the
    last one. `free_since` is when the first answer came that nobody waits any more. `reason`, `by_state`, `error` and
    `tasks` (those that wait) are as they were when it was confirmed; `tasks` follows later looks.
    """

    since: datetime
    confirmed: bool = field(name="told", default=False)
    reason: StandstillReason | None = None
    still_since: datetime | None = None
    looked_at: datetime | None = None
    free_since: datetime | None = None
    tasks: int = 0
    by_state: Mapping[str, int] = {}
    error: PoolError | None = None
