"""From the pages of a listing to the nodes that differ from what is known.

Owns reading entries, spotting unchanged ones by fingerprint, and deciding the others. Does not own decoding an entry
(`batch.wire`) or the rule for one node (`changes.node_rules`). Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Raw, Struct

from shared.batch.model import NodeStatus, Phase
from shared.batch.texts import clean_status
from shared.batch.wire import decode_identities, decode_status, split_statuses
from shared.changes.node_rules import Watch, decide_node, merge_statuses
from shared.changes.tally import NodeUpdate
from shared.state.chunks import Chunk, Cover, decode_record, entry_fingerprint, node_key
from shared.state.jobs import Change, NodeRecord


class Item(Struct, frozen=True, gc=False):
    """What a listing says of one node: usually one entry, more when the listing shows the node again."""

    fingerprint: bytes
    entry: Raw
    more: tuple[Raw, ...] = ()

    def status(self) -> NodeStatus:
        """The entry decoded, its texts fit to be stored and shown; of several the newer run of each phase.

        Raises:
            HostileAnswerError: The entry has the wrong shape.
        """
        status = decode_status(self.entry)
        for entry in self.more:
            status = merge_statuses(status, decode_status(entry))
        return clean_status(status)


def page_fingerprint(value: bytes) -> bytes:
    """The fingerprint of a page's entries."""
    return hashlib.sha256(value).digest()[:16]


def known_fingerprints(chunks: Mapping[str, Chunk]) -> frozenset[bytes]:
    """The fingerprints of the entries that the records of these chunks were decided from."""
    return frozenset(entry.fingerprint for chunk in chunks.values() for entry in chunk.values())


def read_items(pages: Iterable[bytes], known: frozenset[bytes] = frozenset()) -> dict[str, Item]:
    """The entries of pages by node key, without those whose fingerprint is known.

    Raises:
        HostileAnswerError: An entry is no object, or names no node.
    """
    items: dict[str, Item] = {}
    for page in pages:
        fresh = [
            (entry, fingerprint)
            for entry in split_statuses(page)
            if (fingerprint := entry_fingerprint(entry)) not in known
        ]
        identities = decode_identities([entry for entry, _ in fresh])
        for (entry, fingerprint), (pool_id, node_id) in zip(fresh, identities, strict=True):
            key = node_key(pool_id, node_id)
            again = items.get(key)
            if again is None:
                items[key] = Item(fingerprint, entry)
            else:
                items[key] = Item(entry_fingerprint(again.fingerprint + fingerprint), again.entry, (*again.more, entry))
    return items


def by_chunk(items: Mapping[str, Item], cover: Cover) -> dict[str, dict[str, Item]]:
    """The items by the prefix of the chunk that holds their node."""
    grouped: dict[str, dict[str, Item]] = {}
    for key, item in items.items():
        grouped.setdefault(cover.prefix_of(key), {})[key] = item
    return grouped


def decide_updates(items: Mapping[str, Item], chunk: Chunk, watch: Watch) -> list[NodeUpdate]:
    """What the items of one chunk change; a node with both phases to tell gives two updates, preparation first.

    Raises:
        HostileAnswerError: An entry has the wrong shape.
        UnreadableRowError: A stored record can't be read.
    """
    updates: list[NodeUpdate] = []
    for key, item in items.items():
        known = chunk.get(key)
        if known is not None and known.fingerprint == item.fingerprint:
            continue
        before = decode_record(known) if known is not None else None
        updates.extend(_decide(key, item, before, watch))
    return updates


def _decide(key: str, item: Item, before: NodeRecord | None, watch: Watch) -> Sequence[NodeUpdate]:
    status = item.status()
    after, changes = decide_node(before, status, watch)
    if after == before:
        return ()
    if len(changes) < 2:
        return (_update(key, item.fingerprint, before, after, changes),)
    # Each transaction tells one event: first the preparation alone, then the release on top of it.
    prepared = NodeStatus(
        pool_id=status.pool_id, node_id=status.node_id, node_url=status.node_url, preparation=status.preparation
    )
    halfway, first = decide_node(before, prepared, watch)
    second = tuple(change for change in changes if change.phase is Phase.RELEASE)
    return _update(key, b"", before, halfway, first), _update(key, item.fingerprint, halfway, after, second)


def _update(
    key: str, fingerprint: bytes, before: NodeRecord | None, after: NodeRecord, changes: Sequence[Change]
) -> NodeUpdate:
    return NodeUpdate(
        key=key, fingerprint=fingerprint, before=before, after=after, change=changes[0] if changes else None
    )
