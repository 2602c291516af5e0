"""What becomes of a failure, or of a preparation that is slow, when its node leaves the job's pool.

Owns the rule. Does not own listing the pool (`polling.slow_and_left_nodes`). Pure. What has only left mends nothing:
the next node may fail as well.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.changes.slow_preparations import chain_of, is_slow
from shared.moments import is_believable, is_to_come
from shared.state.jobs import JobHead
from shared.state.nodes import Change, NodeRecord, Reason

SEARCHED_EVERY = timedelta(minutes=5)
"""How often a pool is listed whose nodes have failed."""
MISSING_FOR = timedelta(minutes=5)
"""Two listings of a pool so far apart must leave a node out before it has left: one alone may be old."""


class Listed(Struct, frozen=True, kw_only=True):
    """The nodes that a pool has, by lower-case id, as of a moment."""

    pool_id: str
    nodes: Collection[str]
    at: datetime


def may_have_left(head: JobHead) -> bool:
    """Whether it matters to a job which nodes its pool has."""
    return head.closed is None and (head.preparation.open > 0 or head.preparation.slow > 0 or head.left > 0)


def decide_leaving(record: NodeRecord, listed: Listed) -> tuple[NodeRecord, Change | None]:
    """The record of a node after a listing of the job's pool, and what is worth telling."""
    # A clock that has jumped back since noted it; nothing waits for that.
    if record.missing_since is not None and is_to_come(record.missing_since, listed.at):
        record = replace(record, missing_since=None)
    is_of_pool = record.pool_id.lower() == listed.pool_id.lower()
    if is_of_pool and record.node_id.lower() in listed.nodes:
        # It holds up what it held up before; who was told of its leaving hears of the next failure.
        return replace(record, missing_since=None, open=record.open or record.left, left=None), None
    # It held nothing up, so nothing ends with it.
    if record.open is None and not is_slow(record):
        return record, None
    failed_at = record.open.since if record.open is not None else None
    # A listing that began before the failure ended may be older than the node.
    if is_of_pool and failed_at is not None and is_believable(failed_at, listed.at) and listed.at <= failed_at:
        return record, None
    # Two listings must agree; a job that uses another pool now has left all nodes of this one at once.
    if is_of_pool and record.missing_since is None:
        return replace(record, missing_since=listed.at), None
    # The second one, but too soon after the first to be another picture.
    if is_of_pool and record.missing_since is not None and listed.at - record.missing_since < MISSING_FOR:
        return record, None
    return _without(record)


def _without(record: NodeRecord) -> tuple[NodeRecord, Change | None]:
    chain, run, opened = chain_of(record), record.preparation, record.open
    gone = replace(
        record,
        open=None,
        left=opened,
        missing_since=None,
        chain=None if chain is None else replace(chain, slow=False, lost=True, owed=False),
    )
    was_told = (opened is not None and opened.announced) or (chain is not None and chain.owed)
    # Who was not told of it is owed no end.
    if run is None or not was_told:
        return gone, None
    slow = chain if chain is not None and chain.owed else None
    change = Change(
        phase=Phase.PREPARATION,
        reason=Reason.NODE_LEFT,
        node=gone,
        occurrence=run.info,
        opened=opened,
        chain=slow,
        at=record.missing_since,
    )
    return gone, change
