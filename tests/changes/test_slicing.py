"""How a job's changes are cut into transactions."""

import random
from collections import Counter
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.batch.model import NodeStatus
from shared.batch.texts import clean_status
from shared.changes import layout, slicing
from shared.changes.diff import read_items, refuse
from shared.changes.node_rules import Watch, decide_node, merge_statuses
from shared.ledger.job_transaction import Slice
from shared.messages.events import EventType
from shared.messages.job_events import job_event
from shared.state.chunks import Chunk, Cover, decode_chunk, encode_chunk
from shared.state.nodes import NodeRecord
from tests.polling.pipeline import MOST_BYTES, StoredJob, body_of, noise, told_occurrences
from tests.support.builders import CREATED, NOW, ORIGIN, failed, head, page, running, status, succeeded


@st.composite
def _listings(draw: st.DrawFn) -> list[list[NodeStatus]]:
    """Two listings of one job: the second shows later runs, more nodes, and not all of the first."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    heavy = draw(st.booleans())
    pools = draw(st.integers(1, 3))

    def status_of(number: int, start: int) -> NodeStatus:
        message = noise(number) if heavy else "no room"
        runs = [None, running(start), succeeded(start), failed(start, message=message), failed(start, message=message)]
        return status(
            chance.choice(runs), chance.choice(runs), node_id=f"tvm-{number}", pool_id=f"pool-{number % pools}"
        )

    sizes = draw(st.tuples(st.integers(0, 60), st.integers(0, 120)))
    return [
        [status_of(number, 10 * turn) for number in range(size) if turn == 0 or chance.random() < 0.8]
        for turn, size in enumerate(sizes)
    ]


def _expected(listings: list[list[NodeStatus]]) -> tuple[dict[str, NodeRecord], int]:
    """Every node's record, and how many changes there were, decided without any chunks."""
    records: dict[str, NodeRecord] = {}
    told = 0
    for shown in listings:
        for key, item in read_items([page(*shown)]).items():
            merged = clean_status(reduce(merge_statuses, item.statuses(refuse)))
            records[key], changes = decide_node(records.get(key), merged, Watch(announce_from=CREATED))
            told += len(changes)
    return records, told


def _forgetting_events(record: NodeRecord) -> NodeRecord:
    return replace(
        record,
        preparation=record.preparation and replace(record.preparation, event_id=None),
        release=record.release and replace(record.release, event_id=None),
    )


@settings(max_examples=20)
@given(_listings(), st.sampled_from([(1, 0), (20, 0), (10, 10)]), st.sampled_from([1, 25]))
def test_every_slice_is_complete_in_itself(
    listings: list[list[NodeStatus]], webhooks: tuple[int, int], max_nodes: int
) -> None:
    """Each transaction fits and leaves a true picture; in the end everything is written and told exactly once."""
    job = StoredJob(receivers=webhooks[0], told_state=webhooks[1], max_nodes=max_nodes)
    for shown in listings:
        slices = job.plan(shown)
        for step in slices:
            generation = job.head.generation
            job.write(step)
            job.assert_true()
            assert (step.head.generation > generation) is bool(step.events)
        assert [step.head.page_fingerprints is None for step in slices] == [True] * (len(slices) - 1) + [False]

    records, told = _expected(listings)
    assert {key: _forgetting_events(known) for key, known in job.records().items()} == records
    occurrences = told_occurrences(job.events)
    assert len(occurrences) == len(set(occurrences)) == told
    assert len({event.id for event in job.events}) == len(job.events)


@settings(max_examples=12)
@given(_listings(), st.integers(0, 2**32))
def test_a_crash_after_any_slice_loses_and_repeats_nothing(listings: list[list[NodeStatus]], seed: int) -> None:
    """Who dies after any slice and lists again ends where the undisturbed one ends, with the same things told."""
    calm, crashed = StoredJob(receivers=20), StoredJob(receivers=20)
    for shown in listings:
        calm.show(*shown)
        slices = crashed.plan(shown)
        for step in slices[: random.Random(seed).randint(0, len(slices))]:
            crashed.write(step)
        crashed.show(*shown)
        crashed.assert_true()

    assert sorted(told_occurrences(crashed.events)) == sorted(told_occurrences(calm.events))
    assert {key: _forgetting_events(known) for key, known in crashed.records().items()} == {
        key: _forgetting_events(known) for key, known in calm.records().items()
    }


def test_records_name_the_events_that_told_them() -> None:
    """A node that failed in both phases names both events, and goes on doing so when it changes."""
    job = StoredJob()
    job.show(status(failed(0), failed(9)))
    prepared, released = job.events
    (known,) = job.records().values()

    assert (prepared.type, released.type) == (EventType.PREPARATION_FAILED, EventType.RELEASE_FAILED)
    assert (known.preparation and known.preparation.event_id) == prepared.id
    assert (known.release and known.release.event_id) == released.id

    job.show(status(failed(0), failed(19)))
    (known,) = job.records().values()
    assert (known.preparation and known.preparation.event_id) == prepared.id
    assert (known.release and known.release.event_id) == job.events[-1].id != released.id


@pytest.mark.slow
def test_the_largest_failure() -> None:
    """A thousand nodes with 4 KiB of their own each, owed to twenty webhooks: every transaction keeps the limits."""
    job = StoredJob(receivers=20)
    job.show(*(status(failed(0, message=noise(number)), node_id=f"tvm-{number}") for number in range(1_000)))

    job.assert_true()
    assert len(set(told_occurrences(job.events))) == 1_000


def test_a_large_history() -> None:
    """Where nothing is told, the weight of the chunks alone bounds a transaction."""
    job = StoredJob(receivers=0, head=head(announce_from=NOW))
    job.show(*(status(failed(0, message=noise(number)), node_id=f"tvm-{number}") for number in range(1_200)))

    job.assert_true()
    assert job.events == []
    assert sum(map(len, job.rows.values())) > MOST_BYTES


@pytest.mark.parametrize(
    ("receivers", "told_state"), [(0, 0), (1, 0), (0, 20), (10, 10)], ids=["none", "one", "20 chats", "both kinds"]
)
def test_any_number_of_webhooks(receivers: int, told_state: int) -> None:
    """Whoever is to be told, and in whatever way, a large failure is written in bounded transactions."""
    job = StoredJob(receivers=receivers, told_state=told_state)
    job.show(*(status(failed(0, message=noise(index)), node_id=f"tvm-{index}") for index in range(200)))

    job.assert_true()
    assert len(set(told_occurrences(job.events))) == 200


def test_few_failures_scattered_over_heavy_chunks() -> None:
    """An event whose nodes lie in many chunks, which another pool's failures fill, still fits its transaction."""
    job = StoredJob(receivers=20)
    heavy = [status(failed(0, message=noise(number)), node_id=f"tvm-{number}") for number in range(1_000)]
    light = [status(failed(0), node_id=f"z-{number}", pool_id="zoo") for number in range(25)]
    job.show(*heavy, *light)

    job.assert_true()
    assert len(job.events[-1].pools) == 1
    assert max(map(len, job.rows.values())) < 300_000


def test_a_mass_failure_is_few_transactions() -> None:
    """A thousand nodes that fail alike are some tens of events in a handful of transactions."""
    job = StoredJob(receivers=1)
    slices = job.show(*(status(failed(0), node_id=f"tvm-{number}") for number in range(1_000)))

    assert len(job.events) <= 50
    assert len(slices) <= 3


def test_a_small_change_is_one_transaction() -> None:
    """One node that fails among many costs one transaction with one chunk and one event."""
    job = StoredJob()
    shown = [status(succeeded(0), node_id=f"tvm-{number}") for number in range(900)]
    job.show(*shown)
    (step,) = job.plan([*shown[1:], status(failed(10), node_id="tvm-0")])

    assert (len(step.chunks), len(step.events)) == (1, 1)
    assert step.head.page_fingerprints is not None


def test_nothing_new_keeps_the_counts_and_sets_the_digests() -> None:
    """A listing without news gives one slice with the head and the listing's digests."""
    job = StoredJob()
    job.show(status(running(0)))
    before = job.head
    (step,) = job.plan([status(running(0))])

    assert step == Slice(head=replace(before, page_fingerprints=step.head.page_fingerprints))


def test_an_empty_listing_at_first_sight() -> None:
    """A job without nodes is written without chunks."""
    job = StoredJob()
    (step,) = job.show()

    assert (step.chunks, step.head.chunks, step.head.nodes) == ({}, (), 0)
    assert step.head.page_fingerprints is not None


def test_a_chunk_without_nodes_is_written_too() -> None:
    """Every prefix that a head names has its row, so that a missing row is a lost one."""
    job = StoredJob()
    # of so many nodes none need lie in a given chunk: take those of one half of the hashes only
    cover = Cover(("0", "1"))
    shown = [status(running(0), node_id=f"tvm-{number}") for number in range(2_000)]
    half = [one for one in shown if cover.prefix_of(f"pool/{one.node_id}") == "0"]
    job.show(*half)

    assert set(job.rows) == set(job.head.chunks)
    assert any(decode_chunk(row) == {} for row in job.rows.values())


def test_job_events_go_with_the_first_slice() -> None:
    """What is told of the job itself is in the first transaction after the splits."""
    job = StoredJob(receivers=20)
    event = job_event(ORIGIN, head(), EventType.JOB_REACHABLE, NOW, NOW)
    slices = job.plan([status(failed(0), node_id=f"tvm-{number}") for number in range(300)], told=(event,))

    assert event in slices[0].events
    assert sum(event in step.events for step in slices) == 1
    for step in slices:
        job.write(step)


def test_a_chunk_holds_in_each_slice_what_has_been_told_by_then() -> None:
    """However encodings are reused, a stored record names its event in the slice that tells it, and not before."""
    job = StoredJob(receivers=3)
    nodes = [f"tvm-{number}" for number in range(700)]
    job.show(*(status(succeeded(0), node_id=name) for name in nodes))
    slices = job.plan([status(failed(10), node_id=name) for name in nodes])
    assert max(Counter(prefix for step in slices for prefix in step.chunks).values()) > 1

    told: dict[str, str] = {}
    for step in slices:
        job.write(step)
        told |= {
            f"pool/{node['nodeId']}": event.id for event in step.events for node in body_of(event)["data"]["nodes"]
        }
        named = {key: known.preparation.event_id for key, known in job.records().items() if known.preparation}
        assert {key: event for key, event in named.items() if event is not None} == told
    assert len(told) == len(nodes)


def test_a_chunk_that_tells_nothing_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slice writes is what was encoded to know its size; chunks without a change are not encoded at all."""
    job = StoredJob()
    shown = [status(running(0), node_id=f"tvm-{number}") for number in range(1_700)]
    job.show(*shown)
    encoded: list[int] = []

    def counted(chunk: Chunk) -> bytes:
        encoded.append(len(chunk))
        return encode_chunk(chunk)

    for module in (layout, slicing):
        monkeypatch.setattr(module, "encode_chunk", counted)
    steps = job.plan([status(succeeded(0), node_id="tvm-0"), *shown[1:]])

    assert len(job.rows) > 2
    assert len(encoded) == sum(len(step.chunks) for step in steps) == 1
