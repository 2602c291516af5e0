"""What to do about nodes of a pool that can't work: in sentences, and as commands to begin with.

Owns what helps with which reason and with which code. Does not own the commands (`messages.commands`) or the advice on
codes that helps jobs and pools alike (`batch.advice`). A pool's start task can be changed, other than a job's tasks:
nodes run it anew when they are rebooted.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from shared.batch.advice import advice
from shared.batch.causes import EXIT_CODE
from shared.batch.model import STDERR
from shared.digests.pools.rules import PoolState
from shared.messages.commands import PoolReference, download_file, remove_nodes, rerun_start_tasks, show_nodes
from shared.messages.remedies import OF_START_TASK_CODES
from shared.pools.node_files import START_TASK_DIRECTORY
from shared.pools.trouble import why_unable
from shared.pools.unable import OF_START_TASK, UnableReason
from shared.state.pools import UnableNode

_REMOVED_AT_ONCE = 20
"""Nodes of a command that people can still look over."""
_OF_NETWORK = (
    "Batch goes on trying to reach them. If it is all nodes, look at the pool's network; if it is a few, remove them."
)
_DO: Mapping[str, str] = {
    UnableReason.START_TASK_FAILED: "Read what the start task printed, and mend that; then reboot the nodes, which "
    "runs it again, or remove them.",
    UnableReason.START_TASK_SLOW: "Read what the start task printed: it has no time limit of its own. Mend what it "
    "waits for; then reboot the nodes.",
    UnableReason.NODE_ERROR: "Mend what the error names, then remove the nodes: Batch does not mend these by itself.",
    UnableReason.UNUSABLE: _OF_NETWORK,
    UnableReason.UNKNOWN: _OF_NETWORK,
    UnableReason.NOT_READY: "Look at the nodes in the portal; remove those that do not come.",
}
_MAYBE_NETWORK = frozenset({UnableReason.UNUSABLE.value, UnableReason.UNKNOWN.value})


def remedies(pool: PoolState) -> list[str]:
    """What to do, the most frequent cause first: by its code, else by the reason that most nodes with it have."""
    with_cause: defaultdict[tuple[str, str], list[UnableNode]] = defaultdict(list)
    for node in open_nodes(pool):
        with_cause[node.code, node.message].append(node)
    by_cause = (_remedy(code, most_frequent(with_cause[code, message])) for code, message, _ in why_unable(pool.record))
    return [*dict.fromkeys(what for what in by_cause if what is not None)]


def _remedy(code: str, reason: str) -> str | None:
    of_start_task = OF_START_TASK_CODES if reason in OF_START_TASK else {}
    of_code = advice(code) if code not in {EXIT_CODE, *_DO} else None
    return of_start_task.get(code.lower()) or of_code or _DO.get(reason)


def commands(account: str, pool: PoolState) -> tuple[str, ...]:
    """What shows more, and what then mends it, where a command does; `account` is the host of the pool's account."""
    nodes, where = open_nodes(pool), PoolReference(account=account, pool_id=pool.pool_id)
    if not nodes:
        return ()
    reason = most_frequent(nodes)
    if reason in OF_START_TASK:
        node = next(node for node in nodes if node.reason == reason)
        shown = download_file(where, node.node_id, f"{START_TASK_DIRECTORY}/{STDERR}")
        # One whose start task has not ended is in another state than the command asks for.
        return (shown, rerun_start_tasks(where)) if reason == UnableReason.START_TASK_FAILED.value else (shown,)
    alike = [node.node_id for node in nodes if node.reason == reason]
    # What keeps half of a pool from Batch's sight may well be its network, and others would fare no better.
    is_of_network = reason in _MAYBE_NETWORK and 2 * len(nodes) >= pool.size
    if is_of_network or len(alike) > _REMOVED_AT_ONCE or reason == UnableReason.NOT_READY.value:
        return (show_nodes(where),)
    return (remove_nodes(where, alike),)


def open_nodes(pool: PoolState) -> Sequence[UnableNode]:
    """The nodes that can't work, the newest first."""
    found = pool.record.open if pool.record is not None else ()
    return sorted(found, key=lambda node: (node.counts_from, node.node_id), reverse=True)


def most_frequent(nodes: Sequence[UnableNode]) -> str:
    """The reason that most of these nodes have, empty for none."""
    reasons = Counter(node.reason for node in nodes).most_common(1)
    return reasons[0][0] if reasons else ""
