"""What becomes of an open failure when its node leaves the job's pool."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.changes.leaving import SEARCHED_EVERY, Listed, decide_leaving, may_have_left
from shared.changes.node_rules import Watch, decide_node
from shared.changes.tally import NodeUpdate, Tally
from shared.messages.events import EventType
from shared.messages.job_events import change_type
from shared.state.chains import Chain
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.nodes import NodeRecord, Reason
from tests.support.builders import at, failed, head, running, status, succeeded

SECOND = timedelta(seconds=1)
RECORD, _ = decide_node(None, status(failed(0)), Watch(announce_from=None))
"""A node that has failed, a minute after the beginning."""
HERE = frozenset({"tvm-1"})
NOWHERE: frozenset[str] = frozenset()


def listed(minutes: float, nodes: frozenset[str] = NOWHERE, pool: str = "POOL") -> Listed:
    """A listing of the pool, so many minutes after the beginning."""
    return Listed(pool_id=pool, nodes=nodes, at=at(minutes))


def after(*listings: Listed, record: NodeRecord = RECORD) -> tuple[NodeRecord, list[Reason]]:
    """What some listings make of a node, and what of it is told."""
    told: list[Reason] = []
    for one in listings:
        record, change = decide_leaving(record, one)
        told.extend([change.reason] if change is not None else [])
    return record, told


@pytest.mark.parametrize(
    ("listings", "told"),
    [
        pytest.param([listed(2, HERE)], [], id="it is there"),
        pytest.param([listed(2)], [], id="missing once"),
        pytest.param([listed(2), listed(6.9)], [], id="twice within five minutes"),
        pytest.param([listed(2), listed(7)], [Reason.NODE_LEFT], id="twice"),
        pytest.param([listed(2), listed(7), listed(12)], [Reason.NODE_LEFT], id="it is told once"),
        pytest.param([listed(2), listed(7, HERE), listed(12)], [], id="there in between"),
        pytest.param([listed(1), listed(6)], [], id="the first listing began before it failed"),
        pytest.param([listed(-20), listed(-15)], [Reason.NODE_LEFT], id="it failed at a time to come"),
        pytest.param([listed(200), listed(7), listed(12)], [Reason.NODE_LEFT], id="missing at a time to come"),
        pytest.param([listed(200), listed(7)], [], id="missing at a time to come, and once"),
        pytest.param([listed(2, HERE, pool="other")], [Reason.NODE_LEFT], id="the job uses another pool"),
    ],
)
def test_two_listings_must_agree(listings: list[Listed], told: list[Reason]) -> None:
    """A failure is closed when two listings, five minutes apart and begun after it, show its node no more."""
    record, reasons = after(*listings)

    assert reasons == told
    assert (record.open is None) is bool(told)


def test_a_node_that_is_seen_again_is_open_again() -> None:
    """The mark goes with the node and comes back with it; the event of its leaving is a resolution that says why."""
    gone, _ = after(listed(2), listed(7))
    back, told = after(listed(12, HERE), record=gone)

    assert (gone.open, gone.left) == (None, RECORD.open)
    assert (back, told) == (RECORD, [])


def test_a_new_run_forgets_that_the_node_had_left() -> None:
    """Another node of its id that succeeds was never failed."""
    gone, _ = after(listed(2), listed(7))
    well, changes = decide_node(gone, status(succeeded(20)), Watch(announce_from=None))

    assert (well.left, well.open, changes) == (None, None, ())


def test_a_failure_that_nobody_was_told_leaves_in_silence() -> None:
    """What is history is closed without a word."""
    assert RECORD.open is not None
    old = replace(RECORD, open=replace(RECORD.open, announced=False))

    assert after(listed(2), listed(7), record=old)[1] == []


def test_a_slow_preparation_ends_when_its_node_leaves() -> None:
    """It was told as slow, so its end is told; one that merely runs is left alone."""
    runs, _ = decide_node(None, status(running(0)), Watch(announce_from=None))
    slow = replace(runs, chain=Chain(since=at(0), slow=True, owed=True))
    gone, told = after(listed(62), listed(67), record=slow)

    assert (told, gone.chain) == ([Reason.NODE_LEFT], Chain(since=at(0), lost=True))
    assert after(listed(62), listed(67), record=runs) == (runs, [])


def test_the_head_counts_what_has_left() -> None:
    """Nothing is open then, and the head knows that nothing was mended."""
    first, _ = decide_leaving(RECORD, listed(2))
    gone, change = decide_leaving(first, listed(7))
    assert change is not None
    update = NodeUpdate(key="pool/tvm-1", fingerprint=b"x", before=first, after=gone, change=change)
    job = head(preparation=PhaseCounts(failed=1, open=1), failed_at=())
    left = Tally(is_open=True, updates=[update]).applied_to(job, moment())

    assert (left.preparation.open, left.left) == (0, 1)
    assert change_type(change) is EventType.PREPARATION_RESOLVED
    assert may_have_left(left)
    assert not may_have_left(replace(left, closed=JobEnd.ENDED))
    assert not may_have_left(head())


def moment() -> datetime:
    """Some time later."""
    return at(7) + SEARCHED_EVERY + SECOND
