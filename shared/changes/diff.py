"""The diff: from the pages of a listing to the nodes that differ from what is known.

Owns reading entries, spotting unchanged ones by fingerprint, and deciding the others. Does not own decoding an entry
(`batch.wire`) or the rule for one node (`changes.node_rules`). Pure.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

from msgspec import Raw, Struct

from shared.batch.model import NodeStatus, Phase
from shared.batch.texts import clean_status
from shared.batch.wire import decode_identities, decode_status, split_entries
from shared.changes.node_rules import Watch, decide_node, merge_statuses
from shared.changes.tally import NodeUpdate
from shared.errors import HostileAnswerError
from shared.state.chunks import Chunk, Cover, decode_record, entry_fingerprint, node_key
from shared.state.nodes import Change, NodeRecord

OnOdd = Callable[[HostileAnswerError], None]
"""Is told why an entry can't be read, which then is passed over."""


class Item(Struct, frozen=True, gc=False):
    """What a listing says of one node: usually one entry, more when the listing shows the node again."""

    fingerprint: bytes
    entry: Raw
    more: tuple[Raw, ...] = ()

    def statuses(self, on_odd: OnOdd) -> list[NodeStatus]:
        """The entries that can be read."""
        found: list[NodeStatus] = []
        for entry in (self.entry, *self.more):
            try:
                found.append(decode_status(entry))
            except HostileAnswerError as error:
                on_odd(error)
        return found


def refuse(error: HostileAnswerError) -> None:
    """Take no entry that can't be read.

    Raises:
        HostileAnswerError: Always.
    """
    raise error


def page_fingerprint(value: bytes) -> bytes:
    """The fingerprint of a page's entries."""
    return hashlib.sha256(value).digest()[:16]


def known_fingerprints(chunks: Mapping[str, Chunk]) -> frozenset[bytes]:
    """The fingerprints of the entries that the records of these chunks were decided from."""
    return frozenset(entry.fingerprint for chunk in chunks.values() for entry in chunk.values())


def read_items(
    pages: Iterable[bytes], known: frozenset[bytes] = frozenset(), on_odd: OnOdd = refuse
) -> dict[str, Item]:
    """The entries of pages by node key, without those whose fingerprint is known.

    An entry that names no node is passed over, and handed to `on_odd`.

    Raises:
        HostileAnswerError: A page is no list.
    """
    items: dict[str, Item] = {}
    for page in pages:
        fresh = [
            (entry, fingerprint)
            for entry in split_entries(page)
            if (fingerprint := entry_fingerprint(entry)) not in known
        ]
        identities = _identities([entry for entry, _ in fresh], on_odd)
        for (entry, fingerprint), identity in zip(fresh, identities, strict=True):
            if identity is None:
                continue
            key = node_key(*identity)
            again = items.get(key)
            if again is None:
                items[key] = Item(fingerprint, entry)
            else:
                items[key] = Item(entry_fingerprint(again.fingerprint + fingerprint), again.entry, (*again.more, entry))
    return items


def _identities(entries: Sequence[Raw], on_odd: OnOdd) -> Sequence[tuple[str, str] | None]:
    try:
        return decode_identities(entries)
    except HostileAnswerError:
        return [_identity(entry, on_odd) for entry in entries]


def _identity(entry: Raw, on_odd: OnOdd) -> tuple[str, str] | None:
    try:
        return decode_identities([entry])[0]
    except HostileAnswerError as error:
        on_odd(error)
        return None


def by_chunk(items: Mapping[str, Item], cover: Cover) -> dict[str, dict[str, Item]]:
    """The items by the prefix of the chunk that holds their node."""
    grouped: dict[str, dict[str, Item]] = {}
    for key, item in items.items():
        grouped.setdefault(cover.prefix_of(key), {})[key] = item
    return grouped


def decide_updates(items: Mapping[str, Item], chunk: Chunk, watch: Watch, on_odd: OnOdd = refuse) -> list[NodeUpdate]:
    """What the items of one chunk change; a node with both phases to tell gives two updates, preparation first.

    An entry of the wrong shape is passed over, and handed to `on_odd`.

    Raises:
        UnreadableRowError: A stored record can't be read.
    """
    updates: list[NodeUpdate] = []
    for key, item in items.items():
        known = chunk.get(key)
        if known is not None and known.fingerprint == item.fingerprint:
            continue
        statuses = item.statuses(on_odd)
        if not statuses:
            continue
        # Not known as read the next time, or what is odd in it would be passed over without a word.
        fingerprint = item.fingerprint if len(statuses) > len(item.more) else entry_fingerprint(item.fingerprint)
        before = decode_record(known) if known is not None else None
        updates.extend(_decide(key, fingerprint, clean_status(reduce(merge_statuses, statuses)), before, watch))
    return updates


def _decide(
    key: str, fingerprint: bytes, status: NodeStatus, before: NodeRecord | None, watch: Watch
) -> Sequence[NodeUpdate]:
    after, changes = decide_node(before, status, watch)
    # What was looked at again and says the same is not written.
    if after == before:
        return ()
    if len(changes) < 2:
        return (_update(key, fingerprint, before, after, changes),)
    # Each transaction tells one event: first the preparation alone, then the release on top of it.
    prepared = NodeStatus(
        pool_id=status.pool_id, node_id=status.node_id, node_url=status.node_url, preparation=status.preparation
    )
    halfway, first = decide_node(before, prepared, watch)
    second = tuple(change for change in changes if change.phase is Phase.RELEASE)
    return _update(key, b"", before, halfway, first), _update(key, fingerprint, halfway, after, second)


def _update(
    key: str, fingerprint: bytes, before: NodeRecord | None, after: NodeRecord, changes: Sequence[Change]
) -> NodeUpdate:
    return NodeUpdate(
        key=key, fingerprint=fingerprint, before=before, after=after, change=changes[0] if changes else None
    )
