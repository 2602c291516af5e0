"""Which tries of a preparation belong together, and when it goes on for too long."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import ExecutionInfo
from shared.changes.node_rules import Watch, decide_node
from shared.changes.slow_preparations import (
    became_slow_at,
    chain_of,
    follow,
    interval_of,
    is_often_retried,
    limit_of,
    may_be_slow,
)
from shared.changes.tally import NodeUpdate, Tally, complete_ends
from shared.state.chains import Chain
from shared.state.jobs import JobEnd, PhaseCounts
from shared.state.nodes import NodeRecord, PhaseRecord, Reason
from tests.support.builders import at, failed, head, running, status, succeeded

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def record_of(info: ExecutionInfo, chain: Chain | None = None) -> NodeRecord:
    """A node whose preparation is as given."""
    return NodeRecord(pool_id="pool", node_id="tvm-1", preparation=PhaseRecord(info=info), chain=chain)


@pytest.mark.parametrize(
    ("known", "info", "chain"),
    [
        pytest.param(running(0), running(0), None, id="the first try goes on"),
        pytest.param(running(0), running(5, retries=1), Chain(since=at(0)), id="tried again"),
        pytest.param(running(0, retries=3), running(9, retries=3), None, id="begun anew after as many retries"),
        pytest.param(running(5, retries=2), running(9), None, id="begun anew after a reboot"),
        pytest.param(failed(0), running(9), None, id="begun after a failure"),
        pytest.param(running(0), succeeded(0), None, id="succeeded"),
    ],
)
def test_tries_that_follow_one_another_are_one_chain(
    known: ExecutionInfo, info: ExecutionInfo, chain: Chain | None
) -> None:
    """As long as the number of retries grows it is one preparation, else another begins; the run says the rest."""
    assert follow(record_of(known), PhaseRecord(info=info)) == chain


def test_a_node_that_tries_again_is_not_lost() -> None:
    """What was lost goes on to be lost as long as it is the same try."""
    lost = record_of(running(0), Chain(since=at(0), lost=True))

    assert follow(lost, PhaseRecord(info=replace(running(0), container_info=None))) == Chain(since=at(0), lost=True)
    assert follow(lost, PhaseRecord(info=running(5, retries=1))) == Chain(since=at(0))


def test_the_end_of_a_slow_preparation_is_owed_until_it_is_told() -> None:
    """Also when it is begun anew meanwhile: success is told to those who heard that it was slow, once."""
    slow = record_of(running(0), Chain(since=at(0), slow=True, owed=True))
    anew, _ = decide_node(slow, status(running(70)), Watch(announce_from=None))
    well, changes = decide_node(anew, status(succeeded(70)), Watch(announce_from=None))

    assert anew.chain == Chain(since=at(70), owed=True)
    assert [change.reason for change in changes] == [Reason.RESOLVED]
    assert well.chain is None
    assert decide_node(well, status(succeeded(70)), Watch(announce_from=None))[1] == ()


@pytest.mark.parametrize(
    ("longest", "fixed", "limit"),
    [
        pytest.param(None, None, HOUR, id="none has succeeded"),
        pytest.param(MINUTE, None, 30 * MINUTE, id="quick ones"),
        pytest.param(25 * MINUTE, None, 50 * MINUTE, id="twice the longest"),
        pytest.param(5 * HOUR, None, 6 * HOUR, id="at most"),
        pytest.param(5 * HOUR, 10 * MINUTE, 10 * MINUTE, id="set"),
        pytest.param(5 * HOUR, timedelta(0), None, id="switched off"),
    ],
)
def test_the_limit(longest: timedelta | None, fixed: timedelta | None, limit: timedelta | None) -> None:
    """Twice the job's longest success, within half an hour and six; or what somebody has set."""
    assert limit_of(head(longest=longest), fixed) == limit


@pytest.mark.parametrize(
    ("record", "moment"),
    [
        pytest.param(record_of(running(0)), at(60), id="an hour ago"),
        pytest.param(record_of(running(1)), None, id="nearly an hour ago"),
        pytest.param(record_of(running(50, retries=2), Chain(since=at(0))), at(60), id="all tries together"),
        pytest.param(record_of(running(50, retries=10), Chain(since=at(40))), at(50), id="ten retries"),
        pytest.param(record_of(running(0), Chain(since=at(0), slow=True)), None, id="told"),
        pytest.param(record_of(running(0), Chain(since=at(0), lost=True)), None, id="lost"),
        pytest.param(record_of(failed(0)), None, id="over"),
    ],
)
def test_when_a_preparation_became_slow(record: NodeRecord, moment: object) -> None:
    """After the limit, counted from the first try, or with the tenth retry; once."""
    assert became_slow_at(record, HOUR, at(60)) == moment


def test_the_head_knows_when_to_look() -> None:
    """It counts what has not ended by the five minutes in which it began; what is slow, lost or over is not counted."""
    updates = [
        NodeUpdate(key=str(number), fingerprint=b"x", before=None, after=record)
        for number, record in enumerate(
            [
                record_of(running(0)),
                record_of(running(2)),
                record_of(running(50, retries=10), Chain(since=at(7))),
                record_of(running(0), Chain(since=at(0), slow=True)),
                record_of(running(0), Chain(since=at(0), lost=True)),
                record_of(succeeded(3)),
            ]
        )
    ]
    job = Tally(is_open=True, updates=updates).applied_to(head(failed_at=()), at(60))
    first = interval_of(Chain(since=at(0))) or 0

    assert job.unfinished == {first: 2, first + 1: 1}
    assert job.often_retried == 1
    assert job.longest == MINUTE
    assert job.preparation == PhaseCounts(running=3, retrying=1, succeeded=1, unknown=1, slow=1)
    assert may_be_slow(replace(job, often_retried=0), HOUR, at(60))
    assert not may_be_slow(replace(job, often_retried=0), HOUR, at(59))
    assert not may_be_slow(replace(job, closed=JobEnd.ENDED), HOUR, at(600))


def test_a_head_from_before_is_completed_from_its_nodes() -> None:
    """What a version wrote that did not count preparations is counted from its records."""
    job = complete_ends(head(failed_at=None), [record_of(running(0)), record_of(succeeded(3)), record_of(failed(5))])

    assert (job.longest, job.failed_at, sum(job.unfinished.values())) == (MINUTE, (at(6),), 1)


def test_only_what_goes_on_is_a_chain() -> None:
    """A run of unknown state may be anything, and a node without a run has none."""
    assert chain_of(record_of(replace(running(0), state="dreaming"))) is None
    assert chain_of(NodeRecord()) is None
    assert not is_often_retried(running(0, retries=9))


def test_the_head_keeps_when_the_first_became_slow() -> None:
    """Others that become slow later, or change otherwise, move nothing; that none is any more does."""
    fine, slow, over = record_of(running(0)), record_of(running(0), Chain(since=at(0), slow=True)), record_of(failed(9))
    steps = [
        ("a", fine, slow, 60),
        ("b", fine, slow, 65),
        ("c", fine, over, 66),
        ("a", slow, over, 70),
        ("b", slow, over, 75),
    ]
    known, moments = head(preparation=PhaseCounts(running=3), nodes=3), []
    for key, before, after, minute in steps:
        tally = Tally(is_open=True, updates=[NodeUpdate(key=key, fingerprint=b"x", before=before, after=after)])
        known = tally.applied_to(known, at(minute))
        moments.append(known.slow_turned_at)
    assert moments == [at(60)] * 4 + [at(75)]
