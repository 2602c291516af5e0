"""Reads what Batch answers about pools, nodes and waiting tasks into the values of `batch.pool_model`.

Owns the shapes on the wire. Does not own the exchange (`adapters.batch_client`) or what a state means
(`pools.states`). One entry that can't be read costs only itself: it is left out, and counted by whoever compares
the numbers. Of a node, a task or a pool a field that can't be read costs only itself, however deep it lies: id and
state tell most. Of pools and counts each number matters, and of a pool whether it is steady: without one that is there
nothing is known, and a single pool is a HostileAnswerError that quotes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, structs

from shared.batch.lenient_json import in_utc, mended, read_entry
from shared.batch.model import NameValuePair
from shared.batch.pool_model import ComputeNode, NodeCounts, Pool, Task
from shared.batch.texts import clean_pair, clean_word
from shared.batch.wire import NUMBERS, split_entries
from shared.decoding import UNDECODABLE, json_decoder
from shared.errors import HostileAnswerError
from shared.redaction import TEXT_LIMIT, clean

_TOTAL: Final = "total"
_IDS: Final = frozenset({"id", "pool_id", "node_id"})
_PHRASES: Final = frozenset({"message", "error", "url", "task_url", "scale_set_vm_resource_id"})
_ID_CHARACTERS: Final = 512

_NEEDED: Final = frozenset(
    {
        "allocationState",
        "currentDedicatedNodes",
        "currentLowPriorityNodes",
        "targetDedicatedNodes",
        "targetLowPriorityNodes",
    }
)
"""What tells of a pool whether it has what was asked for."""

_Entry = TypeVar("_Entry", bound=Struct)


class _CountsEntry(Struct, frozen=True, rename="camel"):
    pool_id: str
    dedicated: Mapping[str, object] | None = None
    low_priority: Mapping[str, object] | None = None


def decode_node_counts(value: bytes) -> tuple[NodeCounts, ...]:
    """The node counts of a page's `value`.

    The names of states are written in more than one way (`upgradingOS`, `upgradingos`): they are taken in lower case. A
    count that is missing is none, names that this version does not know are kept. A pool with one that is no number of
    nodes is left out: of it nobody knows how many can work.
    """
    counted = ((entry.pool_id, _counted(entry)) for entry in _entries(value, _CountsEntry, "pools"))
    return tuple(NodeCounts(pool_id=pool_id, by_state=counts) for pool_id, counts in counted if counts is not None)


def decode_pool(body: bytes) -> Pool:
    """One pool.

    Raises:
        HostileAnswerError: A number or the allocation state has another type, or the id is missing or can't be one.
    """
    pool = _read(body, Pool) or _read_by_field(body, Pool, needed=_NEEDED)
    if pool is None:
        raise HostileAnswerError("InvalidAnswer", "Batch's answer is not a pool")
    return pool


def decode_nodes(value: bytes) -> tuple[ComputeNode, ...]:
    """The nodes of a page's `value`."""
    return _entries(value, ComputeNode, "nodes", by_field=True)


def decode_tasks(value: bytes) -> tuple[Task, ...]:
    """The tasks of a page's `value`."""
    return _entries(value, Task, "tasks", by_field=True)


def _entries(value: bytes, kind: type[_Entry], what: str, *, by_field: bool = False) -> tuple[_Entry, ...]:
    entries = split_entries(value, f"a list of {what}")
    found = (_read(entry, kind) or (_read_by_field(entry, kind) if by_field else None) for entry in entries)
    return tuple(read for read in found if read is not None)


def _read_by_field(raw: Raw | bytes, kind: type[_Entry], needed: frozenset[str] = frozenset()) -> _Entry | None:
    """What can be read of an entry that can't be read as a whole; None also without one of the `needed` fields."""
    try:
        given = mended(bytes(raw))
        fields = _readable(given, kind)
    except (*UNDECODABLE, ValueError):
        return None
    if isinstance(given, dict) and _is_lost(cast("dict[str, object]", given), fields, needed):
        return None
    return _read(msgspec.json.encode(fields), kind)


def _is_lost(given: Mapping[str, object], read: object, needed: frozenset[str]) -> bool:
    """Whether a needed field is there and can't be read."""
    found = cast("dict[str, object]", read)
    return any(given.get(name) is not None and name not in found for name in needed)


def _elements(value: Sequence[object], kind: object) -> list[object]:
    return [part for element in value if (part := _readable(element, kind)) is not None]


def _members(value: Mapping[str, object], kind: type[Struct]) -> dict[str, object]:
    found = {field.encode_name: _readable(value.get(field.encode_name), field.type) for field in structs.fields(kind)}
    return {name: part for name, part in found.items() if part is not None}


def _readable(value: object, kind: object) -> object:
    """The value without those parts of it that are of another kind; None when it is of another kind itself."""
    alternatives = [each for each in get_args(kind) if each not in {type(None), ...}]
    if get_origin(kind) is tuple:
        return _elements(cast("list[object]", value), alternatives[0]) if isinstance(value, list) else None
    if alternatives:
        return _readable(value, alternatives[0])
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _members(cast("dict[str, object]", value), kind) if isinstance(value, dict) else None
    try:
        _clean("", msgspec.convert(value, kind))
    except (*UNDECODABLE, OverflowError):
        return None
    return value


def _read(raw: Raw | bytes, kind: type[_Entry]) -> _Entry | None:
    try:
        entry = _cleaned(read_entry(json_decoder(kind), raw, "an entry"))
    except (HostileAnswerError, OverflowError):
        return None
    identity = entry.pool_id if isinstance(entry, _CountsEntry) else str(getattr(entry, "id", ""))
    return entry if 0 < len(identity) <= _ID_CHARACTERS and identity.isprintable() else None


def _counted(entry: _CountsEntry) -> Mapping[str, int] | None:
    """How many nodes are in which state; None when one of the counts is no number of nodes."""
    counts: Counter[str] = Counter()
    for counted in (entry.dedicated, entry.low_priority):
        for name, number in (counted or {}).items():
            if name.lower() == _TOTAL or number is None or number == 0:
                continue
            if type(number) is not int or not 0 < number <= NUMBERS[-1]:
                return None
            counts[name.lower()] += number
    return dict(counts)


def _cleaned(value: _Entry) -> _Entry:
    """The value with every text but the ids cleaned and times in UTC; OverflowError for a time or number beyond all."""
    return structs.replace(value, **{name: _clean(name, part) for name, part in structs.asdict(value).items()})


def _clean(name: str, part: object) -> object:
    match part:
        case NameValuePair():
            return clean_pair(part)
        case Struct():
            return _cleaned(part)
        case tuple():
            return tuple(_clean(name, inner) for inner in cast("tuple[object, ...]", part))
        case datetime():
            return in_utc(part)
        case int() if part not in NUMBERS:
            raise OverflowError
        case str() if name not in _IDS:
            return clean(part, limit=TEXT_LIMIT) if name in _PHRASES else clean_word(part)
        case _:
            return part
