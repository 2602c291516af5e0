"""Reads what Batch answers about pools, nodes and waiting tasks into the values of `batch.pool_model`.

Owns the shapes on the wire. Does not own the exchange (`adapters.batch_client`) or what a state means
(`pools.states`). One entry that can't be read costs only itself: it is left out, and counted by whoever compares
the numbers. Of a node or a task a field that can't be read costs only itself, however deep it lies: id and state tell
most. Of pools and counts each number matters: a single pool that can't be read is a HostileAnswerError that names the
field and quotes nothing.
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

_Entry = TypeVar("_Entry", bound=Struct)


class _CountsEntry(Struct, frozen=True, rename="camel"):
    pool_id: str
    dedicated: Mapping[str, object] | None = None
    low_priority: Mapping[str, object] | None = None


def decode_node_counts(value: bytes) -> tuple[NodeCounts, ...]:
    """The node counts of a page's `value`.

    The names of states are written in more than one way (`upgradingOS`, `upgradingos`): they are taken in lower case. A
    count that is missing or no number is none, names that this version does not know are kept.
    """
    return tuple(
        NodeCounts(pool_id=entry.pool_id, by_state=_counted(entry)) for entry in _entries(value, _CountsEntry, "pools")
    )


def decode_pool(body: bytes) -> Pool:
    """One pool.

    Raises:
        HostileAnswerError: A field has another type, or the id is missing or can't be one.
    """
    pool = _read(body, Pool)
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


def _read_by_field(raw: Raw, kind: type[_Entry]) -> _Entry | None:
    """What can be read of an entry that can't be read as a whole."""
    try:
        fields = _readable(mended(bytes(raw)), kind)
    except (*UNDECODABLE, ValueError):
        return None
    return _read(msgspec.json.encode(fields), kind)


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


def _counted(entry: _CountsEntry) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for counted in (entry.dedicated, entry.low_priority):
        for name, number in (counted or {}).items():
            if name.lower() != _TOTAL and type(number) is int and 0 < number <= NUMBERS[-1]:
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
