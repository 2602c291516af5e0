"""What Prepwatch remembers of pools between cycles, and why a job that waits for one can't move.

Owns these shapes. Does not own their rows (`state.rows`) or how they change (`pools.count_rules`,
`pools.standstill_rules`). Everything is frozen; a change makes a new value.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from shared.batch.pool_model import ComputeNode


class PoolMemory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pool as its nodes were last counted: how many in which state (lower case), and since when none is able.

    `none_able_since` is None while some node is able; `gone_since` is when Batch first said PoolNotFound, None while
    there is no such word. `listed_at` is when the nodes that can't work were last listed, None while there are none to
    list, and `listed` what was counted then; they are listed again at `list_at` at the latest. `searched_at` is when
    all nodes were last listed, to see which have left.
    """

    pool_id: str
    by_state: Mapping[str, int] = {}
    none_able_since: datetime | None = None
    gone_since: datetime | None = None
    listed_at: datetime | None = None
    listed: Mapping[str, int] = {}
    list_at: datetime | None = None
    searched_at: datetime | None = None


class UnseenPool(Struct, frozen=True, kw_only=True):
    """A pool without able nodes that is not counted just now, since when both: listings and counts leave things out."""

    none_able_since: datetime
    unseen_since: datetime


REMEMBERED_FOR = timedelta(days=1)
"""How long it is known that a node could not work, after that is over: an old answer tells nothing as new."""


class UnableNode(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A node of a pool that can't work, or could not until a day ago.

    `since` is since when it is in the state that was a fault, None where Batch does not say, `counts_from` from when on
    that was a fault. `occurrence_id` identifies it in events; `event_id` is the event that told it, None for one that
    was no news when the pool was first seen. `missing_since` is when a listing first left it out, None while it is
    there; `ended_at` when it was over, None while it is not, and `left` says that it had not become able then.
    `reason`, `code` and `message` are the last that Batch gave; `lasting` says that by an earlier reason it could not
    become able by itself, which is told once.
    """

    node_id: str
    reason: str
    since: datetime | None = None
    counts_from: datetime
    code: str = ""
    message: str = ""
    occurrence_id: str
    event_id: str | None = None
    missing_since: datetime | None = None
    ended_at: datetime | None = None
    left: bool = False
    lasting: bool = False


class NodeEnd(StrEnum):
    """Why a node is no fault of its pool any more."""

    RECOVERED = "recovered"
    """It is idle or running."""
    REMOVED = "removed"
    """It has left the pool."""
    NOT_WATCHED = "notWatched"
    """No watched job has used the pool for a day."""


class NodeChange(Struct, frozen=True, kw_only=True, gc=False):
    """A node that newly can't work, or not by itself, as Batch lists it, or one that is over: `end` says why then.

    The tails are what its start task wrote last, None where nobody has looked.
    """

    known: UnableNode
    listed: ComputeNode | None = None
    end: NodeEnd | None = None
    stderr_tail: str | None = None
    stdout_tail: str | None = None


class PoolRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The nodes of a pool that can't work, by lower-case id; written only when that changes, swapped by ETag.

    What counted as a fault before `announce_from` is recorded in silence. `unwatched_since` is since when the pool is
    not watched any more, None while it is.
    """

    pool_id: str
    announce_from: datetime
    nodes: Mapping[str, UnableNode] = {}
    unwatched_since: datetime | None = None
    commit: str = ""

    @property
    def open(self) -> Sequence[UnableNode]:
        """Those that can't work now."""
        return [node for node in self.nodes.values() if node.ended_at is None]


class Counted(Struct, frozen=True, kw_only=True):
    """The pools of watched jobs by lower-case id; `error` says why they could not be counted now, None when they were.

    `is_known` is False when nothing may be concluded from `pools`, which are only kept for the next count; `is_denied`
    says that the right to read pools is missing. `unanswered` is Batch's code where it did not answer what else was
    asked of pools and of the jobs that wait for them, None where it did. `unseen` are pools that were counted before.
    """

    pools: Mapping[str, PoolMemory]
    unseen: Mapping[str, UnseenPool] = {}
    error: str | None = None
    is_known: bool = True
    is_denied: bool = False
    unanswered: str | None = None


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


class StandstillCause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Batch says is behind a standstill, in its own code and message.

    The error of the pool's last resize or of its autoscale formula, the one that most nodes show, that of most failed
    start tasks, or the cause (`batch.causes`) of most failed preparations.
    """

    code: str = ""
    message: str = ""


class StandstillEnd(StrEnum):
    """Why a standstill is over although nothing moves: with its job, or because nobody wants it to."""

    JOB_ENDED = "jobEnded"
    JOB_GONE = "jobGone"
    JOB_REPLACED = "jobReplaced"
    UNTRACKED = "untracked"
    JOB_DISABLED = "jobDisabled"
    NOBODY_WAITS = "nobodyWaits"


class EndedStandstill(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the last standstill of a job that was told came to its end.

    `at` is when that was seen; `why` is None when the job moves, or can: a task runs, a preparation has succeeded, or
    the pool has nodes again that can work.
    """

    at: datetime
    why: StandstillEnd | None = None


class Standstill(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job whose waiting tasks can't run: suspected `since`, announced once it is `confirmed` by two answers.

    Until then it is nobody's business, and what follows from its reason is unset. When it is confirmed, it alone says
    what stands still and why: `pool_id` (as Batch spells it, empty when the job names none), `reason`, `cause` (None
    when Batch gives none), `by_state` (the pool's nodes) and `tasks` (those that wait). These are the ones of that
    moment, or of the one from which on it stands still for another reason, so that jobs that stand still alike can be
    told together; only `tasks` follows later looks. `other_reason` is one that the last look found in place of what was
    told, None when it agreed.

    `still_since` is when the first of the answers came that agreed without interruption, None before; `looked_at` the
    last one. `free_since` is when the first answer came that nobody waits any more. `confirmed_at` is when it was
    confirmed, None where a version before did it.
    """

    since: datetime
    confirmed: bool = field(name="told", default=False)
    confirmed_at: datetime | None = None
    reason: StandstillReason | None = None
    other_reason: StandstillReason | None = None
    pool_id: str = ""
    cause: StandstillCause | None = None
    still_since: datetime | None = None
    looked_at: datetime | None = None
    free_since: datetime | None = None
    tasks: int = 0
    by_state: Mapping[str, int] = {}

    @property
    def why(self) -> StandstillReason:
        """The reason once it is confirmed; a version before reasons were kept knew of failed preparation only."""
        return self.reason or StandstillReason.PREPARATION_FAILED
