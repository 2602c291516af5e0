"""How it is said where something is wrong: accounts, pools, nodes and causes in few words, the same in every message.

Owns the short forms of ids and the words for a cause. Does not own times and numbers (`messages.sentences`).
"""

from collections.abc import Iterable

from shared.batch.causes import EXIT_CODE
from shared.messages.notices import NAME_BYTES, VALUE_BYTES
from shared.messages.sentences import account_name, counted
from shared.redaction import one_line
from shared.state.jobs import Cause

_LONGEST_ID = 24
"""In headings; below them, and wherever a command needs it, an id is whole."""

_NAMED_CAUSES = 2
_LONG_NODE_ID, _BEGINS, _ENDS = 32, 14, 10  # of a node's some 70 characters


def short_id(name: str) -> str:
    """An id as it stands in a heading, a long one without its middle."""
    shown = name if len(name) <= _LONGEST_ID else f"{name[: _LONGEST_ID - 11]}…{name[-10:]}"
    return one_line(shown, limit=NAME_BYTES)


def node_name(node: tuple[str, str], job_pool_id: str | None, *, whole: bool) -> str:
    """What a node is called, without the pool that the job runs in; a long id without its middle unless `whole`."""
    pool_id, node_id = node
    shown = node_id if whole or len(node_id) <= _LONG_NODE_ID else f"{node_id[:_BEGINS]}…{node_id[-_ENDS:]}"
    return one_line(shown if pool_id == job_pool_id else f"{pool_id}/{shown}", limit=NAME_BYTES)


def pool_in_heading(account: str, pool_id: str) -> str:
    """A pool as it stands in a heading: `contoso/pool-cpu`."""
    return f"{short_id(account_name(account))}/{short_id(pool_id)}" if pool_id else short_id(account_name(account))


def cause_name(cause: Cause) -> str:
    """A cause as it stands in a heading: its code, or what the exit code was."""
    if cause.code == EXIT_CODE and cause.message:
        return one_line(cause.message.removeprefix("The task exited with ").removesuffix("."), limit=NAME_BYTES)
    return one_line(cause.code, limit=NAME_BYTES)


def why_in_heading(causes: Iterable[Cause]) -> str:
    """Why something failed, as the end of a heading: few causes by name, of more how many; empty for none."""
    names = sorted(set(map(cause_name, causes)))
    if not names:
        return ""
    return f": {' and '.join(names)}" if len(names) <= _NAMED_CAUSES else f": {len(names)} causes"


def cause_words(cause: Cause, nodes: int | None = None) -> str:
    """A cause in full: code, on how many nodes, and what Batch says of it."""
    number = cause.nodes if nodes is None else nodes
    where = f"{cause.code} on {counted(number, 'node')}" if number else cause.code
    return one_line(f"{where}: {cause.message}" if cause.message else where, limit=VALUE_BYTES)


def of_all(number: int, nodes: int) -> str:
    """How many nodes of how many: `3 of 60 nodes`, `all 40 nodes`, `its only node`."""
    if number < nodes:
        return f"{number} of {counted(nodes, 'node')}"
    return "its only node" if nodes == 1 else f"all {nodes} nodes"
