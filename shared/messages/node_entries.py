"""What an event says of one node, and how much of it there is room for.

Owns an entry's JSON and how it is shortened. Does not own which nodes share an event (`changes.event_grouping`,
`messages.pool_events`) or what an event says beside them (`messages.job_events`).
"""

from collections.abc import Iterable, Mapping

import msgspec

from shared.batch.causes import cause_of
from shared.batch.exact_times import as_written
from shared.messages.events import Origin
from shared.messages.ids import occurrence_id
from shared.moments import time_text
from shared.redaction import clean
from shared.state.jobs import JobHead
from shared.state.nodes import Change

BODY_BYTES = 20_000
"""What an event of several nodes keeps below; Standard Webhooks asks for it."""
MAX_EVENT_BYTES = 48 * 1024
"""What no event exceeds, however much one node has to say."""

_TEXT_BYTES_IN_LARGE_NODE = 1024
_DETAILS_IN_LARGE_NODE = 4


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node of an event's data: what identifies its run, the code and message of its cause, and its JSON.

    `cause` is None for a preparation that is slow, or was and has succeeded.
    """

    occurrence_id: str
    cause: tuple[str, str] | None
    body: msgspec.Raw


class _NodeIdentity(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    occurrence_id: str
    pool_id: str
    node_id: str
    node_url: str | None


def node_entry(origin: Origin, head: JobHead, change: Change) -> NodeEntry:
    """One node of an event's data, small enough that an event of it alone stays below MAX_EVENT_BYTES."""
    node, info = change.node, change.occurrence
    occurrence = occurrence_id(origin.partition, head, node.pool_id, node.node_id, change.phase, info)
    identity = _NodeIdentity(
        occurrence_id=occurrence, pool_id=node.pool_id, node_id=node.node_id, node_url=node.node_url
    )
    members = [msgspec.json.encode(identity)[1:-1], msgspec.json.encode(as_written(info))[1:-1]]
    if change.opened is not None:
        members.append(b'"failedAt":%b' % msgspec.json.encode(time_text(change.opened.since) or None))
    if change.chain is not None:
        members.append(b'"runningSince":%b' % msgspec.json.encode(time_text(change.chain.since) or None))
    members += tail_members(change.stderr_tail, change.stdout_tail)
    return NodeEntry(occurrence_id=occurrence, cause=_cause_of(change), body=json_object(members))


def tail_members(stderr: str | None, stdout: str | None) -> list[bytes]:
    """The members of a node's JSON that hold what a task wrote last, as far as somebody has looked."""
    tails = {b"stderrTail": stderr, b"stdoutTail": stdout}
    return [b'"%b":%b' % (name, msgspec.json.encode(tail)) for name, tail in tails.items() if tail is not None]


def json_object(members: Iterable[bytes]) -> msgspec.Raw:
    """The JSON object of these members, shortened if it alone would be too much for an event."""
    body = b"{%b}" % b",".join(filter(None, members))
    if len(body) > BODY_BYTES:
        body = msgspec.json.encode(_shortened(msgspec.json.decode(body)))
    return msgspec.Raw(body)


def _cause_of(change: Change) -> tuple[str, str] | None:
    """The code and normalised message of the failure that a change reports or ends; None when it is of none."""
    if change.opened is not None:
        return change.opened.code, change.opened.message
    if change.chain is not None:
        return None
    return cause_of(change.occurrence)


def _shortened(value: dict[str, object]) -> dict[str, object]:
    """The same entry with every text cut and few details: what no webhook could carry is left to `list_nodes`."""
    return {name: _short(part) for name, part in value.items()}


def _short(value: object) -> object:
    if isinstance(value, str):
        return clean(value, limit=_TEXT_BYTES_IN_LARGE_NODE)
    if isinstance(value, Mapping):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_short(part) for part in value[:_DETAILS_IN_LARGE_NODE]]
    return value
