"""Which changes are told together."""

from collections import Counter

import msgspec
import pytest

from shared.batch.model import NodeStatus, Phase
from shared.changes.diff import decide_updates, read_items
from shared.changes.event_grouping import Step, group_updates
from shared.changes.node_rules import Watch
from shared.changes.tally import NodeUpdate
from shared.messages.node_entries import BODY_BYTES, MAX_EVENT_BYTES
from shared.state.chunks import Cover
from shared.state.jobs import JobHead
from tests.polling.pipeline import body_of, noise
from tests.support.builders import NOW, ORIGIN, failed, head, page, running, status

_PREFIXES = tuple(f"{number:05b}" for number in range(32))


def _grouped(
    *shown: NodeStatus, max_nodes: int = 25, chunk_bytes: int = 10, job: JobHead | None = None
) -> tuple[Step, ...]:
    updates = decide_updates(read_items([page(*shown)]), {}, Watch(announce_from=None))
    sizes = dict.fromkeys(_PREFIXES, chunk_bytes)
    job = msgspec.structs.replace(job or head(), chunks=_PREFIXES)
    return group_updates(ORIGIN, job, updates, Cover(_PREFIXES), sizes, max_nodes=max_nodes, now=NOW)


def _updates(step: Step) -> list[NodeUpdate]:
    return [update for some in step.updates.values() for update in some]


def _failing(number: int) -> list[NodeStatus]:
    return [status(failed(0), node_id=f"tvm-{index}") for index in range(number)]


@pytest.mark.parametrize(("max_nodes", "events"), [(1, 60), (25, 3), (60, 2), (1000, 2)])
def test_at_most_so_many_nodes(max_nodes: int, events: int) -> None:
    """An event has at most EVENT_MAX_NODES nodes and about 20 kB, whatever that allows."""
    steps = _grouped(*_failing(60), max_nodes=max_nodes, chunk_bytes=1)
    # the thirty-two chunks of sixty nodes are another limit: at most twenty in one event
    assert len(steps) >= events
    assert all(len(_updates(step)) <= max_nodes for step in steps)
    assert sum(len(_updates(step)) for step in steps) == 60


def test_one_type_and_one_pool_in_an_event() -> None:
    """Pools and types are told apart, preparation before release, what has nothing to tell last."""
    steps = _grouped(
        status(failed(0), failed(9), node_id="a"),
        status(failed(0), node_id="b"),
        status(failed(0), node_id="c", pool_id="other"),
        status(running(0), node_id="d"),
    )
    told = [(step.event.type.value, sorted(step.event.pools)) for step in steps if step.event]

    assert told == [
        ("prepwatch.preparation.failed", ["other"]),
        ("prepwatch.preparation.failed", ["pool"]),
        ("prepwatch.release.failed", ["pool"]),
    ]
    assert steps[-1].event is None
    assert [update.key for update in _updates(steps[-1])] == ["pool/d"]


def test_events_show_the_counts_after_them() -> None:
    """Every event of a cycle shows how the job stands once all of the cycle is written, its own failures included."""
    steps = _grouped(*_failing(30), max_nodes=10, job=head(nodes=7))
    for step in steps:
        assert step.event is not None
        counts = body_of(step.event)["data"]["counts"]
        quiet = {"unknown": 0, "slow": 0}
        assert counts == {
            "nodes": 37,
            "preparation": {"running": 0, "retrying": 0, "succeeded": 0, "failed": 30, **quiet, "open": 30},
            "release": {"running": 0, "retrying": 0, "succeeded": 0, "failed": 0, **quiet, "open": 0},
        }


@pytest.mark.parametrize("characters", [200, 700, 1300])
def test_events_of_several_nodes_keep_below_20_kilobytes(characters: int) -> None:
    """Also when every node has a message of its own that is not ASCII, the causes included."""
    shown = [
        status(failed(0, message=chr(0x1F600 + number) * characters), node_id=f"tvm-{number}") for number in range(60)
    ]
    for step in _grouped(*shown):
        assert step.event is not None
        assert len(step.event.body) <= (BODY_BYTES if len(_updates(step)) > 1 else MAX_EVENT_BYTES)


def test_a_large_node_has_an_event_of_its_own() -> None:
    """Nodes that fill an event alone are told one by one."""
    steps = _grouped(*(status(failed(0, message=noise(number) * 4), node_id=f"tvm-{number}") for number in range(3)))

    assert Counter(len(_updates(step)) for step in steps) <= Counter({1: 3, 2: 1, 3: 1})
    assert all(step.event and len(step.event.body) < MAX_EVENT_BYTES for step in steps)


def test_an_event_touches_few_and_light_chunks() -> None:
    """The chunks that an event's records lie in fit one transaction beside it."""
    cover = Cover(_PREFIXES)
    for size, most in ((1, 20), (250_000, 4)):
        for step in _grouped(*_failing(200), max_nodes=100, chunk_bytes=size):
            assert len({cover.prefix_of(update.key) for update in _updates(step)}) <= most


def test_the_same_decision_makes_the_same_events() -> None:
    """Deciding twice, in another order of the listing, gives the same ids and bytes."""
    shown = [*_failing(40), status(failed(0), failed(9), node_id="x", pool_id="other")]

    once, again = _grouped(*shown), _grouped(*reversed(shown))
    assert [step.event for step in once] == [step.event for step in again]


def test_phases_of_events() -> None:
    """An event's phase is that of its changes."""
    steps = _grouped(status(failed(0), failed(9)))
    assert [body_of(step.event)["data"]["phase"] for step in steps if step.event] == list(Phase)
