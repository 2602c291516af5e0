"""From a listing's pages to the nodes that differ."""

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from shared.batch.model import FailureInfo, NodeStatus, Phase
from shared.changes.diff import by_chunk, decide_updates, known_fingerprints, page_fingerprint, read_items
from shared.changes.node_rules import Watch
from shared.changes.tally import NodeUpdate
from shared.errors import HostileAnswerError, UnreadableRowError
from shared.state.chunks import Chunk, Cover, Entry, encode_record
from shared.state.nodes import Reason
from tests.support.builders import at, failed, page, running, status, succeeded

ALL = Watch(announce_from=None)


def _listed(chunk: Chunk, *shown: NodeStatus, watch: Watch = ALL) -> list[NodeUpdate]:
    """What a listing of one page changes; the chunk is brought up to date."""
    updates = decide_updates(read_items([page(*shown)]), chunk, watch)
    for update in updates:
        chunk[update.key] = Entry(update.fingerprint, encode_record(update.after))
    return updates


def test_unchanged_entries_are_not_decoded() -> None:
    """An entry with the bytes that a record was decided from is passed over without looking at the record."""
    shown = status(failed(0))
    chunk: Chunk = {}
    _listed(chunk, shown)
    (key,) = chunk
    chunk[key] = Entry(chunk[key].fingerprint, Raw(b"\xff no record"))

    assert _listed(chunk, shown) == []
    with pytest.raises(UnreadableRowError):
        _listed(chunk, status(running(9)))


def test_a_stale_entry_changes_nothing() -> None:
    """An entry that says nothing new gives no update, although its bytes are others."""
    chunk: Chunk = {}
    _listed(chunk, status(failed(10)))

    assert _listed(chunk, status(running(10))) == []


def test_both_phases_to_tell_give_two_updates() -> None:
    """A node with both phases to tell gives the preparation's update first, and the release's on top of it."""
    first, second = _listed({}, status(failed(0), failed(9)))

    assert first.change is not None
    assert second.change is not None
    assert (first.change.phase, second.change.phase) == (Phase.PREPARATION, Phase.RELEASE)
    assert (first.before, first.fingerprint) == (None, b"")
    assert first.after.release is None
    assert second.before == first.after
    assert second.after.preparation == first.after.preparation


def test_a_crash_between_both_phases_tells_the_release_later() -> None:
    """When only the preparation's update was written, the same listing tells the release, and only that."""
    shown = status(failed(0), failed(9))
    chunk: Chunk = {}
    first, _ = _listed(chunk, shown)
    chunk[first.key] = Entry(first.fingerprint, encode_record(first.after))

    (late,) = _listed(chunk, shown)
    assert late.change is not None
    assert (late.change.phase, late.change.reason) == (Phase.RELEASE, Reason.NEWLY_FAILED)
    assert _listed(chunk, shown) == []


def test_resolved_and_release_failed_in_one_listing() -> None:
    """A resolution and a release failure of one node are told one after the other as well."""
    chunk: Chunk = {}
    _listed(chunk, status(failed(0)))

    updates = _listed(chunk, status(succeeded(10), failed(20)))
    assert [update.change.reason for update in updates if update.change] == [Reason.RESOLVED, Reason.NEWLY_FAILED]


@pytest.mark.parametrize("across", [False, True], ids=["on one page", "on two pages"])
@pytest.mark.parametrize("swapped", [False, True], ids=["older first", "newer first"])
def test_a_node_shown_twice(*, across: bool, swapped: bool) -> None:
    """Of a node that a listing shows twice, in any order and casing, the later run counts."""
    shown = [status(failed(0), node_id="TVM-1"), status(succeeded(10), node_id="tvm-1")]
    if swapped:
        shown.reverse()
    pages = [page(one) for one in shown] if across else [page(*shown)]
    items = read_items(pages)

    (update,) = decide_updates(items, {}, ALL)
    assert update.after.preparation is not None
    assert update.after.preparation.info.start_time == at(10)
    assert update.change is None


def test_a_node_absent_from_a_listing_keeps_its_record() -> None:
    """Nodes that a listing leaves out are not touched."""
    chunk: Chunk = {}
    _listed(chunk, status(failed(0)), status(failed(0), node_id="tvm-2"))
    before = dict(chunk)

    assert _listed(chunk, status(failed(0), node_id="tvm-2")) == []
    assert chunk == before


def test_what_batch_says_is_cleaned_before_it_is_kept() -> None:
    """Secrets and control characters of Batch's texts reach neither the record nor the change, and texts are capped."""
    message = "GET https://a.blob.core.windows.net/c?sv=1&sig=SECRETSECRET failed\x1b[31m" + "é" * 5000
    run = replace(failed(0), failure_info=FailureInfo(code="BlobAccessDenied", message=message))

    (update,) = _listed({}, status(run))
    kept = msgspec.json.encode(update.after).decode()
    assert "SECRETSECRET" not in kept
    assert "\\u001b" not in kept
    assert update.after.preparation is not None
    failure = update.after.preparation.info.failure_info
    assert failure is not None
    assert failure.message is not None
    assert len(failure.message.encode()) <= 4096


def test_items_by_chunk() -> None:
    """Every item lies with the chunk of its node."""
    items = read_items([page(*(status(running(0), node_id=f"tvm-{number}") for number in range(50)))])
    grouped = by_chunk(items, Cover(("0", "10", "11")))

    assert {key: item for some in grouped.values() for key, item in some.items()} == items
    assert set(grouped) <= {"0", "10", "11"}


@pytest.mark.parametrize(
    "value",
    [b"{}", b"[1]", b'[{"poolId":"p"}]', b'[{"poolId":"p","nodeId":7}]', b'[{"nodeId":"a\\u0000b"}]', b"[", b""],
)
def test_hostile_pages(value: bytes) -> None:
    """What is no list of nodes with ids is refused before anything is decided."""
    with pytest.raises(HostileAnswerError):
        read_items([value])


def test_a_hostile_entry() -> None:
    """An entry of the wrong shape is refused when it is decided."""
    items = read_items([b'[{"nodeId":"n","jobPreparationTaskExecutionInfo":7}]'])
    with pytest.raises(HostileAnswerError):
        decide_updates(items, {}, ALL)


def test_fields_that_are_not_known_yet() -> None:
    """FORWARD COMPATIBILITY: new fields and an empty list are no trouble, and differ as pages."""
    assert read_items([b"[]"]) == {}
    (update,) = decide_updates(read_items([b'[{"nodeId":"n","new":{"a":[1]}}]']), {}, ALL)
    assert update.change is None
    assert page_fingerprint(b"[]") != page_fingerprint(b"[ ]")


def test_an_entry_that_is_known_is_not_looked_into() -> None:
    """Entries that some record was decided from are left out, in whatever chunk it lies; all others are there."""
    seen, fresh = status(succeeded(0), node_id="seen"), status(succeeded(0), node_id="fresh")
    (update,) = decide_updates(read_items([page(seen)]), {}, ALL)
    chunks: dict[str, Chunk] = {"0": {}, "1": {update.key: Entry(update.fingerprint, encode_record(update.after))}}

    assert read_items([page(seen, fresh)], known_fingerprints(chunks)).keys() == {"pool/fresh"}
    assert read_items([page(seen)], known_fingerprints(chunks)) == {}
    assert read_items([page(status(succeeded(1), node_id="seen"))], known_fingerprints(chunks)).keys() == {"pool/seen"}
