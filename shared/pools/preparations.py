"""What a job's preparations have come to, as far as it tells whether the job can move.

Owns what of a head says that. Does not own what follows from it (`pools.standstill_rules`). Pure.
"""

from datetime import datetime

from msgspec import Struct

from shared.batch.model import Phase
from shared.moments import is_believable
from shared.state.jobs import Cause, JobHead, Tracking
from shared.state.pools import StandstillCause


class Preparations(Struct, frozen=True, kw_only=True):
    """What a job's preparations have come to, as far as it tells whether the job can move.

    `waited_for` is False when tasks run whatever becomes of their preparation, or when there is none. `last_trouble` is
    when one last failed or became slow, `last_success` when one last succeeded; `failed_at` are the ends of the latest
    failures, the newest last, and `failing_since` the first that no success has followed. None and empty mean never.
    `others` are nodes of the listing that are not known to have failed. `has_manager` says that a job manager holds one
    node, or may hold one as long as nobody has asked; `cause` is what most of the open failures have in common.
    """

    waited_for: bool
    has_manager: bool = False
    open: int = 0
    slow: int = 0
    others: int = 0
    last_trouble: datetime | None = None
    last_success: datetime | None = None
    failed_at: tuple[datetime, ...] = ()
    failing_since: datetime | None = None
    cause: StandstillCause | None = None


def preparations_of(head: JobHead, now: datetime) -> Preparations:
    """What a head says of its job's preparations; a success at a time to come, by a wrong clock, is none."""
    waited_for = head.tracking is not Tracking.NO_PREPARATION_TASK and head.wait_for_success is not False
    # What its listing said before it could not be read any more says nothing about now.
    waited_for &= head.is_known_now and head.closed is None
    failed_at, counts, success = head.failed_at or (), head.preparation, head.succeeded_at
    troubles = [moment for moment in (*failed_at[-1:], head.slow_at) if moment is not None]
    return Preparations(
        waited_for=waited_for,
        has_manager=head.manager is not None or head.wait_for_success is None,
        open=counts.open,
        slow=counts.slow,
        others=counts.running + counts.retrying - counts.slow + counts.succeeded + counts.unknown,
        last_trouble=max(troubles, default=None),
        last_success=success if success is not None and is_believable(success, now) else None,
        failed_at=failed_at,
        failing_since=head.failing_since,
        cause=next((_cause(cause) for cause in head.causes if cause.phase is Phase.PREPARATION), None),
    )


def _cause(cause: Cause) -> StandstillCause:
    return StandstillCause(code=cause.code, message=cause.message)
