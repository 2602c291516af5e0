"""How node records are kept together."""

import contextlib
from collections.abc import Sequence

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from shared.errors import UnreadableRowError
from shared.state.chunks import (
    MAX_CHUNK_BYTES,
    MAX_CHUNK_NODES,
    MAX_CHUNKS_AT_FIRST,
    Cover,
    Entry,
    decode_chunk,
    decode_record,
    encode_chunk,
    encode_record,
    entry_fingerprint,
    first_prefixes,
    hash_bits,
    levels_to_split,
    node_key,
    split,
)
from tests.support.builders import failed, record, status, succeeded

_keys = st.builds(node_key, st.text(max_size=8), st.text(min_size=1, max_size=12))


@st.composite
def _covers(draw: st.DrawFn) -> tuple[str, ...]:
    """The prefixes of a job whose chunks were split now and then."""
    prefixes = set(first_prefixes(draw(st.integers(0, 30_000))))
    for _ in range(draw(st.integers(0, 4))):
        full = draw(st.sampled_from(sorted(prefixes)))
        prefixes = prefixes - {full} | set(split(full, {}, draw(st.integers(1, 6))))
    return tuple(sorted(prefixes))


@given(_covers(), st.lists(_keys, max_size=20))
def test_every_node_has_exactly_one_chunk(prefixes: Sequence[str], keys: list[str]) -> None:
    """However often chunks were split, exactly one prefix begins the hash of any node."""
    cover = Cover(prefixes)
    for key in keys:
        assert [prefix for prefix in prefixes if hash_bits(key).startswith(prefix)] == [cover.prefix_of(key)]


@given(_covers())
def test_the_prefixes_share_out_all_hashes(prefixes: Sequence[str]) -> None:
    """The shares of all prefixes add up to one: nothing is left out, nothing is there twice."""
    assert sum(2.0 ** -len(prefix) for prefix in prefixes) == 1.0


@pytest.mark.parametrize("prefixes", [(), ("0",), ("00", "1"), ("x",)], ids=repr)
def test_a_damaged_head_is_named(prefixes: Sequence[str]) -> None:
    """Prefixes with a hole are refused by the nodes that fall into it, never coerced."""
    cover = Cover(prefixes)
    keys = [node_key("pool", f"tvm-{number}") for number in range(50)]
    fallen = next(key for key in keys if not any(hash_bits(key).startswith(prefix) for prefix in prefixes))

    with pytest.raises(UnreadableRowError, match="do not cover"):
        cover.prefix_of(fallen)


@given(st.dictionaries(_keys, st.binary(max_size=9), max_size=40), st.integers(0, 6), st.sampled_from(["", "0", "101"]))
def test_a_split_keeps_every_node_where_its_hash_says(entries: dict[str, bytes], levels: int, prefix: str) -> None:
    """The parts of a chunk are all of the prefix's continuations, and hold each entry once, where it belongs."""
    chunk = {
        key: Entry(fingerprint, Raw(b"\xc0"))
        for key, fingerprint in entries.items()
        if hash_bits(key).startswith(prefix)
    }
    parts = split(prefix, chunk, levels)

    assert len(parts) == 1 << levels
    assert {key: entry for part in parts.values() for key, entry in part.items()} == chunk
    assert all(hash_bits(key).startswith(place) for place, part in parts.items() for key in part)


@pytest.mark.parametrize(
    ("nodes", "size", "levels"),
    [
        (0, 0, 0),
        (MAX_CHUNK_NODES, MAX_CHUNK_BYTES, 0),
        (MAX_CHUNK_NODES + 1, 0, 1),
        (2 * MAX_CHUNK_NODES, 0, 1),
        (2 * MAX_CHUNK_NODES + 1, 0, 1),
        (2, MAX_CHUNK_BYTES + 1, 1),
        (2, 2 * MAX_CHUNK_BYTES, 1),
        (2, 2 * MAX_CHUNK_BYTES + 2, 2),
        (1, 10 * MAX_CHUNK_BYTES, 0),
        (10**9, 0, 6),
    ],
)
def test_levels_to_split(nodes: int, size: int, levels: int) -> None:
    """A chunk is split by as many bits as make its parts small, at most six, and never for a single node."""
    assert levels_to_split(nodes, size) == levels


@pytest.mark.parametrize(("nodes", "chunks"), [(0, 1), (800, 1), (801, 2), (5_000, 8), (10**6, MAX_CHUNKS_AT_FIRST)])
def test_first_prefixes(nodes: int, chunks: int) -> None:
    """A job begins with as many chunks as its nodes need, but no more than one transaction writes."""
    assert len(first_prefixes(nodes)) == chunks


def test_round_trip() -> None:
    """A chunk and its records come back as they were."""
    known = record(status(failed(0), failed(9)), status(succeeded(10)))
    chunk = {"pool/tvm-1": Entry(entry_fingerprint(b"{}"), encode_record(known))}

    back = decode_chunk(encode_chunk(chunk))
    assert back == chunk
    assert decode_record(back["pool/tvm-1"]) == known
    assert decode_chunk(encode_chunk({})) == {}


def test_keys_and_digests() -> None:
    """A node is the same whatever the case of its ids; an entry differs by its bytes."""
    assert node_key("Pool", "TVM-1_A") == node_key("pool", "tvm-1_a")
    assert entry_fingerprint(b'{"a":1}') == entry_fingerprint(Raw(b'{"a":1}')) != entry_fingerprint(b'{"a":2}')


@given(st.binary(max_size=200))
def test_bytes_that_are_no_chunk(data: bytes) -> None:
    """Any other bytes, packed or not, are refused as unreadable, never taken for an empty chunk or record."""
    for stored in (data, zstandard.compress(data)):
        try:
            chunk = decode_chunk(stored)
        except UnreadableRowError:
            continue
        assert decode_chunk(encode_chunk(chunk)) == chunk
    with contextlib.suppress(UnreadableRowError):
        decode_record(Entry(b"", Raw(data)))


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_a_chunk_that_was_cut_is_refused(cut: int) -> None:
    """A chunk that lost its end, or all of it, can't be read."""
    stored = encode_chunk({"pool/tvm-1": Entry(b"12345678", encode_record(record(status(failed(0)))))})

    with pytest.raises(UnreadableRowError):
        decode_chunk(stored[:cut])


def test_a_chunk_that_was_damaged_is_refused() -> None:
    """One flipped bit, wherever it lies, makes a chunk unreadable or changes nothing: it never makes another record."""
    chunk = {f"pool/tvm-{number}": Entry(b"12345678", encode_record(record(status(failed(0))))) for number in range(3)}
    stored = encode_chunk(chunk)

    refused = 0
    for place in range(8 * len(stored)):
        damaged = bytearray(stored)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert decode_chunk(bytes(damaged)) == chunk
        except UnreadableRowError:
            refused += 1
    assert refused > 7 * len(stored)


def test_a_chunk_that_promises_too_much_is_refused() -> None:
    """A chunk whose head speaks of more than any chunk holds is refused before memory is taken for it."""
    promised = (1 << 40).to_bytes(8, "little")

    with pytest.raises(UnreadableRowError, match=str(1 << 40)):
        decode_chunk(b"\x28\xb5\x2f\xfd\xe0" + promised)


@pytest.mark.parametrize(
    "data", [b"\x81\xa1\xff\x92\xc4\x00\xc0", b"\x91" * 5000], ids=["a key that is no UTF-8", "nested without end"]
)
def test_hostile_chunks(data: bytes) -> None:
    """Bytes on which decoders raise errors of their own kinds are refused like all others."""
    with pytest.raises(UnreadableRowError):
        decode_chunk(zstandard.compress(data))


@pytest.mark.parametrize(
    "data",
    [b"\x81\xa7pool_id\xa1\xff", b"\x91" * 5000, b"\x81\xa4open\x07"],
    ids=["no UTF-8", "nested", "a wrong type"],
)
def test_hostile_records(data: bytes) -> None:
    """A record of such bytes is refused as well."""
    with pytest.raises(UnreadableRowError):
        decode_record(Entry(b"", Raw(data)))
