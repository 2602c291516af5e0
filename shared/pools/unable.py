"""From when on a node counts as one that can't work.

Owns how long a node may be in a state before that is a fault, and the reason by name. Does not own the classes of
states (`pools.states`). Pure. Sources: *Compute Node - List* of api-version 2024-07-01.20.0, and Microsoft's pages on
pool and node errors: Batch itself goes on trying to reach a node that is unusable without an error, for 15 to 45
minutes as a rule; a node that could not be given its agent shows the error while it still starts.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from shared.batch.pool_model import ComputeNode
from shared.moments import as_utc
from shared.pools.states import BEGINNING, RESTARTING, START_TASK_FAILED, UNKNOWN, UNUSABLE, WAITING_FOR_START_TASK

HEALS_WITHIN = timedelta(minutes=30)
"""What Batch tries to mend by itself, and what is on its way, is given so long."""
START_TASK_WITHIN = timedelta(hours=1)
"""A start task is given so long: it has no time limit of its own."""


class UnableReason(StrEnum):
    """Why a node takes no tasks."""

    START_TASK_FAILED = "startTaskFailed"
    NODE_ERROR = "nodeError"
    """It shows errors, so that it will not become able by itself."""
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    START_TASK_SLOW = "startTaskSlow"
    NOT_READY = "notReady"
    """It is creating, starting, rebooting, reimaging or upgrading, and does not come to an end."""


LASTING = frozenset({UnableReason.START_TASK_FAILED, UnableReason.NODE_ERROR})
"""It does not become able by itself."""
OF_START_TASK = frozenset({UnableReason.START_TASK_FAILED, UnableReason.START_TASK_SLOW})
"""What the start task wrote says why."""


class Unable(Struct, frozen=True, kw_only=True):
    """Why a node can't work, `since` when it is in this state, and `counts_from` when on that is a fault.

    `since` is None when Batch does not say; then it counts at once if its state alone tells, else never.
    """

    reason: UnableReason
    since: datetime | None
    counts_from: datetime

    def counts(self, now: datetime) -> bool:
        """Whether it is a fault by now."""
        return self.counts_from <= now


def unable_of(node: ComputeNode, now: datetime) -> Unable | None:
    """Why the node can't work, now or before long; None for one that can, that is away, or in a state not known here.

    The first that holds.
    """
    state = (node.state or "").lower()
    # Its retries are used up: it costs, takes no task, and stays so until somebody acts.
    if state == START_TASK_FAILED:
        return _unable(node, UnableReason.START_TASK_FAILED, timedelta(0), now)
    # Batch names what is wrong: also a node that seems to be starting is not on its way then.
    if node.errors and (state in {UNUSABLE, UNKNOWN} or state in BEGINNING):
        return _unable(node, UnableReason.NODE_ERROR, timedelta(0), now)
    # Batch can't reach it and goes on trying: most heal.
    if state == UNUSABLE:
        return _unable(node, UnableReason.UNUSABLE, HEALS_WITHIN, now)
    # Contact was lost: it becomes another state by itself.
    if state == UNKNOWN:
        return _unable(node, UnableReason.UNKNOWN, HEALS_WITHIN, now)
    # A long start task is nobody's fault, one that hangs does so for ever.
    if state == WAITING_FOR_START_TASK:
        return _unable(node, UnableReason.START_TASK_SLOW, START_TASK_WITHIN, now)
    # How pools grow, restart and upgrade, which takes minutes.
    if state in BEGINNING or state in RESTARTING:
        return _unable(node, UnableReason.NOT_READY, HEALS_WITHIN, now)
    return None


def _unable(node: ComputeNode, reason: UnableReason, patience: timedelta, now: datetime) -> Unable:
    since = node.state_transition_time
    # Without a beginning the patience never ends: what needs none counts now.
    begun = as_utc(since) if since is not None else now
    return Unable(reason=reason, since=since, counts_from=begun + patience)
