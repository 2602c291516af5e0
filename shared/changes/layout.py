"""Which chunks a job's nodes lie in once its updates are written.

Owns the splitting of chunks that would grow too full. Does not own how the updates are cut into transactions
(`changes.slicing`), or when a chunk is full (`state.chunks`).
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from shared.changes.tally import NodeUpdate
from shared.ledger.job_transaction import Slice
from shared.state.chunks import (
    MAX_CHUNKS_AT_FIRST,
    Chunk,
    Cover,
    Entry,
    encode_chunk,
    encode_record,
    levels_to_split,
    split,
)
from shared.state.jobs import JobHead


class Layout(Struct, frozen=True, kw_only=True):
    """Where a job's nodes lie when its updates are about to be written.

    `splits` are the transactions that lead there, `head` names the chunks that there are then, and `cover` tells each
    node's chunk. `chunks` are their contents before the updates, `stored` the prefixes of those that the table has.
    Of the chunks to write, `final` is what they hold when every update is written, before events have their ids, and
    `packed` the same as stored.
    """

    head: JobHead
    chunks: Mapping[str, Chunk]
    stored: frozenset[str]
    splits: tuple[Slice, ...]
    cover: Cover
    final: Mapping[str, Chunk]
    packed: Mapping[str, bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """The stored size of each chunk that will be written, when every update is, in bytes."""
        return {prefix: len(content) for prefix, content in self.packed.items()}


def plan_layout(known: JobHead, head: JobHead, chunks: Mapping[str, Chunk], updates: Sequence[NodeUpdate]) -> Layout:
    """Split every chunk that the updates would fill.

    A chunk that is stored already is split by a transaction of its own; one that is not is only thought of anew, as
    long as the first slice can still write all of them.

    Args:
        known: The head as stored.
        head: The head with this cycle's facts about the job, before any of the updates.
        chunks: Every chunk that the updates touch; of a job without stored chunks all that `head` names, empty.
        updates: What becomes of nodes; of two updates of one node the earlier comes first.
    """
    current, stored = dict(chunks), set(known.chunks)
    entries = [(update.key, entry_of(update)) for update in updates]
    slices: list[Slice] = []

    def rewrite(prefixes: Iterable[str], dropped: tuple[str, ...] = ()) -> None:
        # Nothing but the chunks changes here: what else this cycle decided is told by the slices that follow.
        unchanged = replace(known, page_fingerprints=None, chunks=head.chunks)
        written = {prefix: encode_chunk(current[prefix]) for prefix in prefixes}
        slices.append(Slice(head=unchanged, chunks=written, dropped=dropped))
        stored.update(written)

    while True:
        cover = Cover(head.chunks, current)
        final = {prefix: dict(chunk) for prefix, chunk in current.items() if prefix not in stored}
        for key, entry in entries:
            prefix = cover.prefix_of(key)
            if prefix not in final:
                final[prefix] = dict(current[prefix])
            final[prefix][key] = entry
        packed = {prefix: encode_chunk(chunk) for prefix, chunk in final.items()}
        levels = {prefix: levels_to_split(len(chunk), len(packed[prefix])) for prefix, chunk in final.items()}
        full = [prefix for prefix in final if levels[prefix]]
        # Every chunk holds what goes into it; until then each round may fill the parts of the last.
        if not full:
            break
        for prefix in full:
            # More chunks than one slice can write anew: those that there are become rows first.
            if prefix not in stored and len(head.chunks) - 1 + (1 << levels[prefix]) > MAX_CHUNKS_AT_FIRST:
                rewrite(head.chunks)
            parts = split(prefix, current.pop(prefix), levels[prefix])
            current.update(parts)
            head = replace(head, chunks=tuple(sorted({*head.chunks, *parts} - {prefix})))
            # Row by row its nodes would be in two rows for a while, or in none.
            if prefix in stored:
                rewrite(parts, dropped=(prefix,))
    return Layout(
        head=head,
        chunks=current,
        stored=frozenset(stored),
        splits=tuple(slices),
        cover=cover,
        final=final,
        packed=packed,
    )


def entry_of(update: NodeUpdate) -> Entry:
    """What an update leaves in its chunk, before an event has told of it."""
    return Entry(update.fingerprint, encode_record(update.after))
