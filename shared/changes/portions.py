"""How many nodes of a listing are decided at once, so that memory does not grow with how many have changed.

Owns the size and the order of portions. Does not own how a portion is decided (`changes.diff`), cut into
transactions (`changes.slicing`) or written (`polling.node_updates`). Pure.
"""

from collections.abc import Mapping

from shared.changes.diff import Item, by_chunk
from shared.state.chunks import Cover, hash_bits

MOST_NODES = 4_000
"""Each takes about 3 KiB of memory from when it is decided until it is written."""
MOST_CHUNKS = 16
"""Each holds up to 1,024 nodes, of which few change as a rule."""


def portions_of(items: Mapping[str, Item], cover: Cover) -> list[dict[str, Item]]:
    """The items in portions of at most MOST_NODES nodes from at most MOST_CHUNKS chunks; at least one, maybe empty.

    Those of one chunk are together. What is too much for one portion is cut by the nodes' hashes, so that each portion
    finds its nodes in few chunks when those before have split that one.
    """
    portions: list[dict[str, Item]] = [{}]
    chunks = 0
    for _, some in sorted(by_chunk(items, cover).items()):
        keys = sorted(some, key=hash_bits) if len(some) > MOST_NODES else list(some)
        for start in range(0, len(keys), MOST_NODES):
            piece = keys[start : start + MOST_NODES]
            if portions[-1] and (len(portions[-1]) + len(piece) > MOST_NODES or chunks == MOST_CHUNKS):
                portions.append({})
                chunks = 0
            portions[-1].update((key, some[key]) for key in piece)
            chunks += 1
    return portions
