"""What Prepwatch remembers of a job as a whole: its head, with its counts, causes and troubles.

Owns these shapes. Does not own what is remembered of its nodes (`state.nodes`) or what was told of it
(`state.telling`), its row's key or encoding (`state.rows`) or how it changes (`polling.job_rules`, `changes.tally`).
Everything is frozen; a change makes a new value.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from shared.batch.model import UNREADABLE, Outcome, Phase
from shared.state.pools import EndedStandstill, Standstill


class Tracking(StrEnum):
    """Why a job is, or is not, looked at in a cycle."""

    WATCHING = "watching"
    SETTLED = "settled"
    NO_PREPARATION_TASK = "noPreparationTask"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"


class JobEnd(StrEnum):
    """What closed a job's open failures; `untracked` means that the settings no longer name the job."""

    ENDED = "jobEnded"
    GONE = "jobGone"
    REPLACED = "jobReplaced"
    UNTRACKED = "untracked"


class PhaseCounts(Struct, frozen=True, kw_only=True):
    """Nodes of a job by outcome of one phase.

    `slow` counts those of the running and retrying that take too long, `open` open failures, whatever runs there now.
    Zeros are spelled out, because callers of the API rely on every count being there.
    """

    running: int = 0
    retrying: int = 0
    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    slow: int = 0
    open: int = 0

    def of(self, outcome: Outcome) -> int:
        """The number of nodes with that outcome."""
        return int(getattr(self, outcome.value))


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Failures of one phase that have the same code and the same normalised message.

    `nodes` counts the nodes that have the cause now; `pools` and `example` (pool id, node id; both empty when none is
    known) show where.
    """

    phase: Phase
    code: str
    message: str
    nodes: int = 0
    pools: tuple[str, ...] = ()
    example: tuple[str, str] = ("", "")
    first_seen: datetime | None = None
    last_seen: datetime | None = None


NOT_POLLED = "NotPolled"
TOO_MUCH_TO_READ = "TooMuchToRead"
UNREADABLE_ROW = "UnreadableRow"
"""Codes of troubles that are not Batch's: no cycle ran, none had time to read all, or a stored row can't be read."""


class Trouble(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error that stands: what Batch said, since when, in how many cycles, and the event that told it."""

    code: str
    message: str
    since: datetime
    request_id: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    times: int = 1
    event_id: str | None = None


class Carried(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Failures that were counted under a job's id before its head began anew, since when the first was seen.

    Chat and pager may not have heard of all of them: they go on counting where they were.
    """

    since: datetime | None = None
    preparation: int = 0
    release: int = 0


class JobHead(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a job as a whole; swapped by ETag in every transaction of the job."""

    job_id: str
    tracking: Tracking = Tracking.WATCHING
    requested: bool = False
    creation_time: datetime | None = None
    """It names the incarnation; None until Batch has shown one."""
    creation_digits: str = ""
    """Those of its fraction as Batch wrote them, empty where it says all of them."""
    announce_from: datetime | None = None
    """Failures that ended before are recorded in silence."""
    first_seen_at: datetime | None = None
    changed_at: datetime | None = None
    settled_at: datetime | None = None
    state: str | None = None
    state_transition_time: datetime | None = None
    pool_id: str | None = None
    terminate_reason: str | None = None
    nodes: int = 0
    preparation: PhaseCounts = PhaseCounts()
    release: PhaseCounts = PhaseCounts()
    preparation_failed_ever: int = 0
    release_failed_ever: int = 0
    causes: tuple[Cause, ...] = ()
    generation: int = 0
    """It grows with what is worth telling."""
    page_fingerprints: tuple[bytes, ...] | None = field(name="pages", default=None)
    """Of the last wholly committed listing, None when a commit is only half done."""
    chunks: tuple[str, ...] = ()
    """The hash prefixes of the node chunks."""
    undated: bool = False
    """The chunks were filed before Batch had shown a `creation_time`."""
    closed: JobEnd | None = None
    """What ended the open failures, None while they count."""
    mended: bool = False
    """When the job was closed no failure was open, none had merely left with its node, and it did not stand still."""
    wait_for_success: bool | None = None
    """Whether the job's tasks wait for preparation; None until that was asked."""
    manager: str | None = None
    """The id of the job's manager task, None for none or until that was asked."""
    stuck: Standstill | None = None
    stuck_ended: EndedStandstill | None = None
    """How the last standstill that was told ended; None when none has, or a version before ended it."""
    failed_at: tuple[datetime, ...] | None = None
    """When the latest preparations failed, the newest last; None in a head from before these were kept, as all until
    `slow_at` are."""
    failing_since: datetime | None = None
    """The first failure that no success has followed."""
    succeeded_at: datetime | None = None
    """When a preparation last succeeded."""
    longest: timedelta | None = None
    """How long the slowest success took."""
    unfinished: dict[int, int] = {}
    """Preparations that have not ended, by the five minutes since 1970 in which they began; none is slow or lost."""
    often_retried: int = 0
    """How many of those were tried again ten times."""
    slow_at: datetime | None = None
    """When a preparation last became slow."""
    slow_turned_at: datetime | None = None
    """When the first was recorded as slow, or that none is any more; None where a version before did it."""
    left: int = 0
    """Failures that are open no more only because their nodes have left: nothing of them was mended."""
    trouble: Trouble | None = None
    missing_since: datetime | None = None
    """When Batch first said that the job does not exist, None since it was last found."""
    vanished: bool = False
    """The job was gone before it was seen completed, with open failures or although somebody had asked for it."""
    carried: Carried | None = None
    """What heads before this one counted under the same id, None when this is the first."""
    release_dismissed_at: datetime | None = None
    """Somebody knows of the release failures that ended before."""
    commit: str = ""

    @property
    def ended_unmended(self) -> bool:
        """Whether the job is over, and with it what was not mended before."""
        return self.closed is not None and not self.mended

    @property
    def standstill(self) -> Standstill | None:
        """The standstill of the job; None without one, and while one is only suspected."""
        return self.stuck if self.stuck is not None and self.stuck.confirmed else None

    @property
    def stuck_since(self) -> datetime | None:
        """Since when it is certain that no node can take the job's tasks; None when it is not."""
        return self.standstill.since if self.standstill is not None else None

    @property
    def is_known_now(self) -> bool:
        """Whether what is known of its nodes is as of its last look: at most some of what Batch lists can't be read."""
        return self.trouble is None or self.trouble.code == UNREADABLE

    @property
    def pools(self) -> tuple[str, ...]:
        """The pool that the job runs in, for filters and mutes; empty when nobody knows."""
        return (self.pool_id,) if self.pool_id else ()

    @property
    def pool_key(self) -> str:
        """The pool that the job runs in as pools are kept, by lower-case id; empty when nobody knows."""
        return (self.pool_id or "").lower()

    @property
    def filed_under(self) -> datetime | None:
        """The creation time under which the node chunks are kept."""
        return None if self.undated else self.creation_time

    @property
    def release_failed_at(self) -> datetime | None:
        """When a release last failed; when the job last changed if Batch did not say, None when none has failed."""
        if not self.release.failed:
            return None
        times = [one.last_seen for one in self.causes if one.phase is Phase.RELEASE and one.last_seen is not None]
        return max(times, default=self.changed_at)

    @property
    def ever(self) -> Carried:
        """All failures under this id, of the heads before too, and since when they are counted."""
        before = self.carried or Carried(since=self.first_seen_at)
        return Carried(
            since=before.since,
            preparation=before.preparation + self.preparation_failed_ever,
            release=before.release + self.release_failed_ever,
        )

    def began_anew_since(self, at: datetime | None) -> bool:
        """Whether it has taken the place of a head before it, of another job or of the same one, at a moment or later.

        False for no moment, and where nobody knows when it began.
        """
        if self.carried is None or self.first_seen_at is None or at is None:
            return False
        return self.first_seen_at >= at

    def counts_of(self, phase: Phase) -> PhaseCounts:
        """The counts of one phase."""
        return self.preparation if phase is Phase.PREPARATION else self.release
