"""Why tasks fail, said once for all the nodes that fail alike.

Owns what a cause is: phase, code and normalised message, and how a job's list of causes follows its nodes. Does not
own advice on what to do about a code (`failure_codes`).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache, lru_cache

import msgspec

from shared.model import ExecutionInfo, Phase
from shared.outcomes import has_failed
from shared.state import Cause, NodeRecord

MAX_CAUSES = 20
MAX_POOLS = 5
MAX_MESSAGE_CHARACTERS = 200
EXIT_CODE = "FailureExitCode"
UNKNOWN = "Unknown"
_LOOKED_AT_CHARACTERS = 1024  # what comes later is cut anyway, unless nearly all before it differs from node to node

# What differs from node to node in otherwise equal messages: ids, times, long numbers, addresses' queries.
_VARIABLE_PARTS = (
    (r"\s+", " "),
    (r" ?\b(?:RequestId|Time):\S*", ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
    (r"\btvm(?:ps)?[-_]\w+(?:-\w+)*", "<node>"),
    (r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b", "<id>"),
    (r"(https?://[^\s?'\"]+)\?[^\s'\"]+", r"\1"),
    (r"\b\d{5,}\b", "<n>"),
)


def cause_of(info: ExecutionInfo) -> tuple[str, str]:
    """The code and normalised message of a failed run; our own words where Batch gives only an exit code."""
    failure = info.failure_info
    code = (failure.code if failure else None) or (EXIT_CODE if info.exit_code else UNKNOWN)
    message = (failure.message if failure else None) or ""
    if code == EXIT_CODE and info.exit_code is not None:
        return code, f"The task exited with exit code {info.exit_code}."
    return code, normalise(message)


@lru_cache(maxsize=1024)
def normalise(message: str) -> str:
    """A message without what differs from node to node, at most MAX_MESSAGE_CHARACTERS long."""
    message = message[:_LOOKED_AT_CHARACTERS]
    for pattern, replacement in _variable_parts():
        message = pattern.sub(replacement, message)
    return message.strip()[:MAX_MESSAGE_CHARACTERS]


@cache
def _variable_parts() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Not compiled at import: where nothing fails there is no cause.
    return tuple((re.compile(pattern), replacement) for pattern, replacement in _VARIABLE_PARTS)


def causes_of(record: NodeRecord) -> tuple[Cause, ...]:
    """The causes that one node counts towards: its open preparation failure and its failed release."""
    found = []
    place = (record.pool_id, record.node_id)
    if record.open is not None:
        mark = record.open
        found.append(_single(Phase.PREPARATION, mark.code, mark.message, place, mark.since))
    if record.release is not None and has_failed(record.release.info):
        info = record.release.info
        found.append(_single(Phase.RELEASE, *cause_of(info), place, info.end_time or info.start_time))
    return tuple(found)


class CauseTable:
    """A job's causes while its nodes change theirs, one node after the other.

    With more than MAX_CAUSES different causes the rarest are dropped and counted anew if they come again, so that the
    size of a head is bounded; the counts of outcomes stay exact.
    """

    def __init__(self, causes: Iterable[Cause]) -> None:
        self._table = {_key(cause): _Standing(cause) for cause in causes}

    def remove(self, cause: Cause) -> None:
        """A node no longer has this cause; one that was dropped before is no longer counted anyway."""
        known = self._table.get(_key(cause))
        if known is not None:
            known.nodes = max(known.nodes - 1, 0)

    def add(self, cause: Cause) -> None:
        """A node has this cause now."""
        known = self._table.get(_key(cause))
        if known is None:
            self._table[_key(cause)] = _Standing(cause)
        else:
            known.join(cause)

    def causes(self) -> tuple[Cause, ...]:
        """The causes that some node has, most nodes first, at most MAX_CAUSES."""
        standing = [cause.value() for cause in self._table.values() if cause.nodes > 0]
        standing.sort(key=lambda cause: (-cause.nodes, *_key(cause)))
        return tuple(standing[:MAX_CAUSES])


class _Standing:
    """A cause while nodes take it up and leave it."""

    __slots__ = ("_cause", "_example", "_first_seen", "_last_seen", "_pools", "nodes")

    def __init__(self, cause: Cause) -> None:
        self._cause = cause
        self.nodes = cause.nodes
        self._pools = list(cause.pools)
        self._example = cause.example
        self._first_seen = cause.first_seen
        self._last_seen = cause.last_seen

    def join(self, other: Cause) -> None:
        """Count other nodes of the same cause."""
        if self.nodes == 0:
            self._example = other.example
        self.nodes += other.nodes
        for pool in other.pools:
            if pool not in self._pools and len(self._pools) < MAX_POOLS:
                self._pools.append(pool)
        if other.first_seen is not None and (self._first_seen is None or other.first_seen < self._first_seen):
            self._first_seen = other.first_seen
        if other.last_seen is not None and (self._last_seen is None or other.last_seen > self._last_seen):
            self._last_seen = other.last_seen

    def value(self) -> Cause:
        """The cause as it stands."""
        return msgspec.structs.replace(
            self._cause,
            nodes=self.nodes,
            pools=tuple(self._pools),
            example=self._example,
            first_seen=self._first_seen,
            last_seen=self._last_seen,
        )


def _key(cause: Cause) -> tuple[Phase, str, str]:
    return cause.phase, cause.code, cause.message


def _single(phase: Phase, code: str, message: str, place: tuple[str, str], moment: datetime | None) -> Cause:
    return Cause(
        phase=phase,
        code=code,
        message=message,
        nodes=1,
        pools=(place[0],),
        example=place,
        first_seen=moment,
        last_seen=moment,
    )
