"""What the app records of what it has told chat and pager, for those who watch them.

Owns the reading of that in a transaction. Does not own what must hold of it (`listeners`).
"""

from collections.abc import Mapping, Sequence

import msgspec

from shared.ports import Insert, Merge, Operation, Put, Replace, Row
from shared.state.rows import from_row
from shared.state.telling import Pace, PoolTold, Told
from trials.promises.listeners import Listener
from trials.simulation.scheduler import Owner


def pass_on(operations: Sequence[Operation], owner: Owner, listeners: Mapping[str, Listener]) -> None:
    """Let the listeners know what a transaction records as told."""
    for operation in operations:
        kind, _, rest = operation.key.partition("|")
        if kind == "digest" and rest in listeners and isinstance(operation, Insert | Replace):
            pace = from_row(Row(key=operation.key, columns=operation.columns, etag=""), Pace)
            listeners[rest].recorded_daily(owner, pace.daily_at)
        elif kind == "digest" and _is_of_pool(rest) and isinstance(operation, Put):
            told = from_row(Row(key=operation.key, columns=operation.columns, etag=""), PoolTold)
            listeners[rest.partition("|")[0]].recorded_tried(told.incident)
    for webhook, jobs in _told_in(operations).items():
        listeners[webhook].recorded(owner, jobs)


def _told_in(operations: Sequence[Operation]) -> dict[str, list[str]]:
    """The jobs that a transaction records as told, by webhook; none of one that is told of pools alone."""
    told: dict[str, list[str]] = {}
    for operation in operations:
        kind, _, rest = operation.key.partition("|")
        if kind == "digest" and _is_of_pool(rest):
            told.setdefault(rest.partition("|")[0], [])
        elif kind == "digest" and isinstance(operation, Merge) and _is_said(operation):
            webhook, _, job = rest.partition("|")
            told.setdefault(webhook, []).append(job)
    return told


def _is_of_pool(rest: str) -> bool:
    return rest.partition("|")[2].startswith("pool|")


def _is_said(operation: Merge) -> bool:
    said = operation.columns.get("said")
    return isinstance(said, bytes) and msgspec.msgpack.decode(said, type=Told).refusal is None
