"""How a job's counts and causes follow its nodes."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.model import NodeStatus, Phase
from shared.batch.outcomes import outcome_of
from shared.changes.cause_table import causes_of
from shared.changes.diff import decide_updates, read_items
from shared.changes.node_rules import Watch
from shared.changes.tally import NodeUpdate, Tally
from shared.state.chunks import Chunk, Entry, decode_record, encode_record
from shared.state.jobs import JobEnd, JobHead, PhaseCounts
from shared.state.nodes import NodeRecord
from tests.support.builders import DISK_FULL, EXIT_CODE, NOW, failed, head, page, running, status, succeeded, update

_runs = st.one_of(
    st.none(),
    st.builds(running, st.integers(0, 9), retries=st.integers(0, 1)),
    st.builds(succeeded, st.integers(0, 9)),
    st.builds(failed, st.integers(0, 9), st.sampled_from([DISK_FULL, EXIT_CODE])),
)
_nodes = st.sampled_from(["a", "b", "c", "d"])
_statuses = st.builds(lambda node, first, second: status(first, second, node_id=node), _nodes, _runs, _runs)
_ends = st.sampled_from([None, JobEnd.ENDED])


def _updates(shown: Sequence[NodeStatus], end: JobEnd | None) -> tuple[list[NodeUpdate], Mapping[str, NodeRecord]]:
    """What one listing after the other leads to, as listings are decided, and all records in the end."""
    chunk: Chunk = {}
    updates: list[NodeUpdate] = []
    for one in shown:
        for found in decide_updates(read_items([page(one)]), chunk, Watch(announce_from=None, open=end is None)):
            updates.append(found)
            chunk[found.key] = Entry(found.fingerprint, encode_record(found.after))
    return updates, {key: decode_record(entry) for key, entry in chunk.items()}


def _from_scratch(records: Mapping[str, NodeRecord], *, is_open: bool) -> dict[str, object]:
    counts = {phase: Counter[str]() for phase in Phase}
    causes = Counter[tuple[Phase, str, str]]()
    for known in records.values():
        for phase in Phase:
            run = known.record_of(phase)
            if run is not None:
                counts[phase][outcome_of(run.info).value] += 1
        counts[Phase.PREPARATION]["open"] += is_open and known.open is not None
        causes.update(key for key, _ in causes_of(known) if is_open or key[0] is Phase.RELEASE)
    return {"nodes": len(records), "counts": {phase: +counts[phase] for phase in Phase}, "causes": +causes}


def _as_counted(after: JobHead) -> dict[str, object]:
    names = ("running", "retrying", "succeeded", "failed", "unknown", "open")
    return {
        "nodes": after.nodes,
        "counts": {phase: +Counter({name: getattr(after.counts_of(phase), name) for name in names}) for phase in Phase},
        "causes": Counter({(cause.phase, cause.code, cause.message): cause.nodes for cause in after.causes}),
    }


@given(st.lists(_statuses, max_size=20), _ends, st.integers(0, 20))
def test_counts_are_those_of_all_records(shown: list[NodeStatus], end: JobEnd | None, cut: int) -> None:
    """After any updates, in one go, in two or added up, counts and causes are what counting every record anew gives."""
    updates, records = _updates(shown, end)
    first = Tally(is_open=end is None, updates=updates[:cut])
    rest = Tally(is_open=end is None, updates=updates[cut:])
    halfway = first.applied_to(head(closed=end), NOW)

    assert _as_counted(rest.applied_to(halfway, NOW)) == _from_scratch(records, is_open=end is None)
    first.merge(rest)
    assert _as_counted(first.applied_to(head(closed=end), NOW)) == _from_scratch(records, is_open=end is None)


def test_a_node_that_failed_in_both_phases_counts_once() -> None:
    """The two updates of one node count its preparation's cause once."""
    ((key, item),) = read_items([page(status(failed(0), failed(9, DISK_FULL)))]).items()
    updates = decide_updates({key: item}, {}, Watch(announce_from=None))
    after = Tally(is_open=True, updates=updates).applied_to(head(), NOW)

    assert (after.nodes, after.preparation.failed, after.preparation.open, after.release.failed) == (1, 1, 1, 1)
    assert [(cause.phase, cause.nodes) for cause in after.causes] == [(Phase.PREPARATION, 1), (Phase.RELEASE, 1)]
    assert (after.preparation_failed_ever, after.release_failed_ever) == (1, 1)


def test_open_counts_while_it_runs_again() -> None:
    """A node that failed and runs again is running, and still one open failure with its cause."""
    first = update(None, status(failed(0)))
    again = update(first.after, status(running(5)))
    after = Tally(is_open=True, updates=(first, again)).applied_to(head(), NOW)

    assert (after.preparation.failed, after.preparation.running, after.preparation.open) == (0, 1, 1)
    assert [cause.nodes for cause in after.causes] == [1]


def test_open_marks_of_a_closed_head_count_no_more() -> None:
    """When the job's end has closed all failures, a node that still bears its mark takes nothing off the counts."""
    first = update(None, status(failed(0)))
    closed = head(closed=JobEnd.ENDED, nodes=1, preparation=PhaseCounts(failed=1))
    after = Tally(is_open=False, updates=(update(first.after, status(succeeded(5))),)).applied_to(closed, NOW)

    assert (after.preparation.failed, after.preparation.succeeded, after.preparation.open) == (0, 1, 0)


@pytest.mark.parametrize(
    ("shown", "grows"),
    [
        pytest.param(status(failed(0)), True, id="newly failed"),
        pytest.param(status(succeeded(0)), False, id="succeeded"),
        pytest.param(status(running(0)), False, id="running"),
    ],
)
def test_the_generation_grows_with_what_is_worth_telling(shown: NodeStatus, *, grows: bool) -> None:
    """A head's generation grows exactly when something is worth telling, also between two slices of one cycle."""
    tally, known = Tally(is_open=True), head(generation=7)
    tally.add(update(None, shown))
    first = tally.applied_to(known, NOW)
    tally.add(update(None, shown, key="pool/other"))
    second = tally.applied_to(known, NOW)

    assert (first.generation > 7) is grows
    assert (second.generation > first.generation) is grows
