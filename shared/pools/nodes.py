"""What a listing says of a pool's nodes, given what is known of them: which newly can't work, and which can again.

Owns when a pool's nodes are listed, what is news, and how long it is remembered. Does not own from when on a node
counts as one that can't work (`pools.unable`), or the events (`messages.pool_events`). Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.batch.causes import cause_of, cause_of_error
from shared.batch.pool_model import ComputeNode
from shared.changes.leaving import MISSING_FOR
from shared.messages.ids import node_occurrence_id
from shared.moments import as_utc, unless_to_come
from shared.pools.states import ABLE, AWAY, UNABLE, classes_of
from shared.pools.unable import LASTING, Unable, UnableReason, unable_of
from shared.state.pools import REMEMBERED_FOR, NodeChange, NodeEnd, PoolMemory, PoolRecord, UnableNode

_LISTED_EVERY = timedelta(minutes=10)


class Seen(Struct, frozen=True, kw_only=True):
    """A listing of a pool: the nodes that are neither able nor away, and the lower-case ids of the able ones.

    `lacks` says that fewer nodes that can't work are in it than were counted.
    """

    nodes: Sequence[ComputeNode]
    able: frozenset[str] = frozenset()
    lacks: bool = False


def must_list(memory: PoolMemory, record: PoolRecord | None, now: datetime) -> bool:
    """Whether the pool's nodes are to be listed, the first that holds."""
    has_open = record is not None and bool(record.open)
    classes = classes_of(memory.by_state)
    # Every node works or is away: there is nothing to list.
    if classes.unable + classes.on_the_way == 0 and not has_open:
        return False
    # Equal numbers hide that one node heals while another breaks.
    if memory.listed_at is None or now - memory.listed_at >= _LISTED_EVERY:
        return True
    # Something becomes a fault now, or a node is missing for long enough.
    if memory.list_at is not None and now >= memory.list_at:
        return True
    # What is only on its way is how pools grow: it can wait for its time.
    return (classes.unable > 0 or has_open) and dict(memory.by_state) != dict(memory.listed)


def after_listing(memory: PoolMemory, seen: Seen, record: PoolRecord | None, now: datetime) -> PoolMemory:
    """The memory of a pool that was listed, with the moment at which that is to be done again at the latest."""
    waits = [unable.counts_from for node in seen.nodes if (unable := unable_of(node, now)) and unable.counts_from > now]
    missing = [node.missing_since + MISSING_FOR for node in (record.open if record else ()) if node.missing_since]
    return replace(memory, listed_at=now, listed=memory.by_state, list_at=min([*waits, *missing], default=None))


def decide_nodes(
    account: str, record: PoolRecord, seen: Seen, now: datetime
) -> tuple[PoolRecord, tuple[NodeChange, ...]]:
    """The record after a listing, and what is worth telling: failures first. Their events are yet to be named.

    A failure that counted before the record's `announce_from` is recorded and not told, and so is its end.
    """
    nodes = dict(record.nodes)
    failed: list[NodeChange] = []
    listed = {node.id.lower(): node for node in seen.nodes}
    for key, node in listed.items():
        now_known, news = _seen(account, record.pool_id, nodes.get(key), node, now)
        if now_known is not None:
            nodes[key] = now_known
        if news is not None and news.counts_from >= record.announce_from:
            failed.append(NodeChange(known=news, listed=node))
    over: list[NodeChange] = []
    for key, known in list(nodes.items()):
        if known.ended_at is not None or key in listed:
            continue
        end = _end_of(known, is_able=key in seen.able, lacks=seen.lacks, now=now)
        if end is None:
            nodes[key] = known if seen.lacks else replace(known, missing_since=_missing_since(known, now) or now)
            continue
        nodes[key] = replace(known, missing_since=None, ended_at=now, left=end is not NodeEnd.RECOVERED)
        if known.event_id is not None:
            over.append(NodeChange(known=nodes[key], end=end))
    kept = {key: node for key, node in nodes.items() if not _is_forgotten(node, now)}
    return replace(record, nodes=kept, unwatched_since=None), (*failed, *over)


def _seen(
    account: str, pool_id: str, known: UnableNode | None, node: ComputeNode, now: datetime
) -> tuple[UnableNode | None, UnableNode | None]:
    """What is then known of a node that is listed, and what of that is news; None for nothing."""
    unable = unable_of(node, now)
    fault = unable if unable is not None and unable.counts(now) else None
    if known is not None and known.ended_at is None:
        return _renewed(known, node, fault)
    # It may come to an end by itself yet.
    if fault is None:
        return known, None
    over_at = None
    if known is not None and as_utc(fault.since) <= as_utc(known.since):
        # An old answer: it has worked since, and that was told.
        if not (known.left or _is_forgotten(known, now)):
            return known, None
        # It was out of sight, and is as it was: that it was over has been told, so this is, too.
        over_at = known.ended_at
    new = _newly_unable(account, pool_id, node, fault, over_at)
    return new, new


def _renewed(known: UnableNode, node: ComputeNode, fault: Unable | None) -> tuple[UnableNode, UnableNode | None]:
    """A node that could not work before as it is listed now, and what of that is news, None for nothing."""
    known = replace(known, missing_since=None)
    # Still broken, or on its way back, which may fail again: only idle or running mends it.
    if fault is None:
        return known, None
    code, message = cause_of_node(node, fault.reason)
    # Batch says no more than the reason: what it said before tells more.
    if code == fault.reason == known.reason:
        return known, None
    was_lasting = known.lasting or known.reason in LASTING
    is_lasting = fault.reason in LASTING
    renewed = replace(
        known, reason=fault.reason.value, code=code, message=message, lasting=was_lasting and not is_lasting
    )
    # From now on it is not expected to work again by itself: that is told once.
    if is_lasting and not was_lasting:
        return renewed, replace(renewed, since=fault.since, counts_from=fault.counts_from)
    return renewed, None


def not_watched(record: PoolRecord, now: datetime) -> tuple[PoolRecord, tuple[NodeChange, ...]]:
    """The record of a pool that is not watched (any more), and what is worth telling.

    The next job may use the pool tomorrow: until then what was told stands.
    """
    since = record.unwatched_since or now
    record = replace(record, unwatched_since=since)
    if now - since < REMEMBERED_FOR:
        return record, ()
    over = {key: replace(node, ended_at=now, left=True) for key, node in record.nodes.items() if node.ended_at is None}
    ended = tuple(
        NodeChange(known=node, end=NodeEnd.NOT_WATCHED) for node in over.values() if node.event_id is not None
    )
    return replace(record, nodes={**record.nodes, **over}), ended


def lacks_nodes(memory: PoolMemory, nodes: Sequence[ComputeNode]) -> bool:
    """Whether fewer nodes that can't work were listed than counted; one without a state may be one of them."""
    listed = sum(node.state is None or node.state.lower() in UNABLE for node in nodes)
    return listed < classes_of(memory.by_state).unable


def is_present(node: ComputeNode) -> bool:
    """Whether a listed node is neither able nor away: away is as if absent."""
    return (node.state or "").lower() not in ABLE | AWAY


def with_events(
    before: PoolRecord, after: PoolRecord, events: Mapping[str, str], *, announced: frozenset[str]
) -> PoolRecord:
    """The record between two portions of a change: of what is `announced` by its end, what `events` have told.

    Nodes and events are named by occurrence; a failure keeps the event that told it.
    """
    nodes = dict(after.nodes)
    for key, node in after.nodes.items():
        if node.occurrence_id not in announced:
            continue
        if node.occurrence_id in events:
            nodes[key] = replace(node, event_id=node.event_id or events[node.occurrence_id])
        elif key in before.nodes:
            nodes[key] = before.nodes[key]
        else:
            del nodes[key]
    return replace(after, nodes=nodes)


def not_listed(memory: PoolMemory, record: PoolRecord | None) -> PoolMemory:
    """The memory of a pool that was not listed: once there is nothing to list, the next trouble is listed at once."""
    classes = classes_of(memory.by_state)
    if classes.unable + classes.on_the_way > 0 or (record is not None and record.open):
        return memory
    return replace(memory, listed_at=None, listed={}, list_at=None)


def _missing_since(known: UnableNode, now: datetime) -> datetime | None:
    """When a listing first left the node out; None where a clock that has jumped back since noted that."""
    return unless_to_come(known.missing_since, now)


def _end_of(known: UnableNode, *, is_able: bool, lacks: bool, now: datetime) -> NodeEnd | None:
    # What runs tasks is mended, whatever was seen of it meanwhile.
    if is_able:
        return NodeEnd.RECOVERED
    # It may be one of those that are counted, and can't be read.
    if lacks:
        return None
    # One listing may be old; so long after it another has agreed.
    if known.missing_since is not None and now - known.missing_since >= MISSING_FOR:
        return NodeEnd.REMOVED
    return None


def _is_forgotten(node: UnableNode, now: datetime) -> bool:
    return node.ended_at is not None and now - node.ended_at >= REMEMBERED_FOR


def _newly_unable(
    account: str, pool_id: str, node: ComputeNode, unable: Unable, over_at: datetime | None
) -> UnableNode:
    code, message = cause_of_node(node, unable.reason)
    return UnableNode(
        node_id=node.id,
        reason=unable.reason.value,
        since=unable.since,
        counts_from=unable.counts_from,
        code=code,
        message=message,
        occurrence_id=node_occurrence_id(
            account, pool_id, node.id, node.allocation_time, unable.since, over_at=over_at
        ),
    )


def cause_of_node(node: ComputeNode, reason: UnableReason) -> tuple[str, str]:
    """The code and normalised message of what is wrong with a node; where Batch gives none, the reason by name."""
    # The start task's own words say more than that it failed.
    if reason is UnableReason.START_TASK_FAILED and node.start_task_info is not None:
        return cause_of(node.start_task_info)
    # Batch names what is wrong.
    if node.errors:
        code, message = cause_of_error(node.errors[0])
        return code or reason.value, message
    return reason.value, ""
