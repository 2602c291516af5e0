"""How a job's node records are kept together: chunks by the hash of the node, in few and bounded rows.

Owns prefixes, splitting and the encoding of a chunk. Does not own row keys (`state.rows`) or what a record says
(`changes.node_rules`). A chunk holds the nodes whose hash begins with its prefix of bits; the prefixes of a job cover
every hash exactly once. Beside each record lies the fingerprint of the listing entry that it was last decided from, so
that an entry which has not changed costs one comparison and no decoding.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from shared.decoding import UNDECODABLE
from shared.errors import UnreadableRowError
from shared.state.compression import compress, decompress
from shared.state.nodes import NodeRecord

MAX_CHUNK_NODES = 1024
MAX_CHUNK_BYTES = 256 * 1024
"""What one chunk may take as stored; twelve such rows fit a transaction with room to spare."""

MAX_CHUNKS_AT_FIRST = 32
"""How many chunks a job may begin with: they are all written with its first slice."""

_FILL_AT_FIRST = 800  # leaves room for the unevenness of hashes and for some growth before the first split
_MAX_BITS = 32
_MAX_LEVELS = 6


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One node in a chunk; `fingerprint` is empty when the record holds only part of what the listing said.

    The events that told the record's phases have their place beside it (None: its own `event_id` stands), so that to
    name them no record is encoded again.
    """

    fingerprint: bytes
    record: Raw
    preparation_event: str | None = None
    release_event: str | None = None


Chunk = dict[str, Entry]
"""Entries by node key."""

_encoder = msgspec.msgpack.Encoder()
_chunk_decoder = msgspec.msgpack.Decoder(dict[str, Entry])
_record_decoder = msgspec.msgpack.Decoder(NodeRecord)


def node_key(pool_id: str, node_id: str) -> str:
    """What identifies a node within a job; Batch's ids are case-insensitive."""
    return f"{pool_id}/{node_id}".lower()


def entry_fingerprint(entry: bytes | Raw) -> bytes:
    """The fingerprint of a listing entry's bytes."""
    return hashlib.sha256(entry).digest()[:8]


def hash_bits(key: str) -> str:
    """The bits of a node's hash, as text of 0 and 1."""
    return f"{_hash(key):0{_MAX_BITS}b}"


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])


def first_prefixes(nodes: int) -> tuple[str, ...]:
    """The prefixes of a job that shows so many nodes at first sight; chunks that are too full then split at once."""
    bits = 0
    while nodes > _FILL_AT_FIRST << bits and 1 << bits < MAX_CHUNKS_AT_FIRST:
        bits += 1
    return _prefixes_of(bits)


def _prefixes_of(bits: int) -> tuple[str, ...]:
    return tuple(f"{number:0{bits}b}" if bits else "" for number in range(1 << bits))


class Cover:
    """The prefixes of a job: tells which chunk a node belongs to, and remembers the answer.

    Of the nodes that `chunks` hold, by prefix, it is known without asking their hash.
    """

    def __init__(self, prefixes: Iterable[str], chunks: Mapping[str, Iterable[str]] = MappingProxyType({})) -> None:
        self._known: dict[str, str] = {}
        for prefix, keys in chunks.items():
            self._known.update(dict.fromkeys(keys, prefix))
        self._by_shift: dict[int, dict[int, str]] = {}  # prefixes as numbers, by how far a hash is shifted to meet them
        for prefix in sorted(prefixes, key=len):
            if not prefix.strip("01"):  # of a damaged head some may be anything; they cover nothing
                self._by_shift.setdefault(_MAX_BITS - len(prefix), {})[int(f"0{prefix}", 2)] = prefix

    def prefix_of(self, key: str) -> str:
        """The prefix of the chunk that holds this node.

        Raises:
            UnreadableRowError: The prefixes do not cover the node; the head is damaged.
        """
        if (known := self._known.get(key)) is not None:
            return known
        number = _hash(key)
        for shift, prefixes in self._by_shift.items():
            if (found := prefixes.get(number >> shift)) is not None:
                self._known[key] = found
                return found
        raise UnreadableRowError(
            "The head names chunks that do not cover all nodes; delete the job's rows to begin anew."
        )


def levels_to_split(nodes: int, encoded_bytes: int) -> int:
    """How many more bits a chunk's prefix needs so that its parts are not too large; 0 when it may go on as one.

    At most six at a time, so that the parts fit a transaction.
    """
    levels = 0
    while (
        levels < _MAX_LEVELS
        and nodes > 1
        and (nodes >> levels > MAX_CHUNK_NODES or encoded_bytes >> levels > MAX_CHUNK_BYTES)
    ):
        levels += 1
    return levels


def split(prefix: str, chunk: Mapping[str, Entry], levels: int) -> dict[str, Chunk]:
    """The chunks that take a chunk's place, empty ones included."""
    parts: dict[str, Chunk] = {prefix + tail: {} for tail in _prefixes_of(levels)}
    for key, entry in chunk.items():
        parts[hash_bits(key)[: len(prefix) + levels]][key] = entry
    return parts


def encode_record(record: NodeRecord) -> Raw:
    """A record as it lies in a chunk."""
    return Raw(_encoder.encode(record))


def decode_record(entry: Entry) -> NodeRecord:
    """The record of an entry, its phases naming the events that told them.

    Raises:
        UnreadableRowError: The bytes are no record.
    """
    try:
        record = _record_decoder.decode(entry.record)
    except UNDECODABLE as error:
        raise UnreadableRowError(f"A node record can't be read: {error}") from error
    preparation, release = record.preparation, record.release
    if entry.preparation_event is not None and preparation is not None:
        preparation = replace(preparation, event_id=entry.preparation_event)
    if entry.release_event is not None and release is not None:
        release = replace(release, event_id=entry.release_event)
    if preparation is record.preparation and release is record.release:
        return record
    return replace(record, preparation=preparation, release=release)


def records_of(chunk: Chunk) -> Iterator[NodeRecord]:
    """The records of a chunk, each decoded when it is taken.

    Raises:
        UnreadableRowError: One of them is no record.
    """
    return map(decode_record, chunk.values())


def encode_chunk(chunk: Chunk) -> bytes:
    """A chunk as stored."""
    return compress(_encoder.encode(chunk))


def decode_chunk(stored: bytes) -> Chunk:
    """A chunk from its stored bytes.

    Raises:
        UnreadableRowError: The bytes are no chunk.
    """
    try:
        return _chunk_decoder.decode(decompress(stored))
    except (UnreadableRowError, *UNDECODABLE) as error:
        raise UnreadableRowError(f"A chunk of node records can't be read: {error}") from error
