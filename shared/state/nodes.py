"""What Prepwatch remembers of a node of a job, and what may be told of it.

Owns these shapes. Does not own how nodes are kept together (`state.chunks`) or how a record changes
(`changes.node_rules`). Everything is frozen; a change makes a new value.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from shared.batch.model import ExecutionInfo, Phase
from shared.state.chains import Chain, OpenFailure


class Reason(StrEnum):
    """Why a phase's status led to an event, or to none."""

    NOT_FAILED = "notFailed"
    NEWLY_FAILED = "newlyFailed"
    RESOLVED = "resolved"
    SLOW = "slow"
    NODE_LEFT = "nodeLeft"
    BEFORE_FIRST_SIGHT = "beforeFirstSight"


class PhaseRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The newest known run of a phase on a node, why it was (not) announced, and the event that told it."""

    info: ExecutionInfo
    reason: Reason = Reason.NOT_FAILED
    event_id: str | None = None


class NodeRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that is known of one node of a job.

    `chain` is None unless the preparation goes on and is not its first try, or more is known of it. `missing_since` is
    when a listing of the job's pool first lacked the node, and `left` the failure that was open when it had left: it is
    open again when the node is seen there again.
    """

    pool_id: str = ""
    node_id: str = ""
    node_url: str | None = None
    preparation: PhaseRecord | None = None
    release: PhaseRecord | None = None
    open: OpenFailure | None = None
    chain: Chain | None = None
    missing_since: datetime | None = None
    left: OpenFailure | None = None

    def record_of(self, phase: Phase) -> PhaseRecord | None:
        """The record of one phase, or None when it has not run here."""
        return self.preparation if phase is Phase.PREPARATION else self.release


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """Something worth telling about one phase on one node: newly failed, slow, resolved, or gone with its node.

    `occurrence` is the run that it is about; `opened` is the failure that a resolution ends, None for failures;
    `chain` is the preparation that is slow, or was; `at` is the moment that it tells of, None when it is the end of the
    run; `stderr_tail` and `stdout_tail` are the ends of what the task wrote, None when they were not asked for.
    """

    phase: Phase
    reason: Reason
    node: NodeRecord
    occurrence: ExecutionInfo
    opened: OpenFailure | None = None
    chain: Chain | None = None
    at: datetime | None = None
    stderr_tail: str | None = None
    stdout_tail: str | None = None
