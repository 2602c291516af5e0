"""What a job as a whole goes through: first sight, trouble, and that it is settled."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import BatchJob, JobExecutionInfo
from shared.errors import BatchError, RejectedRequestError, UnreadableRowError
from shared.polling.job_rules import (
    SETTLES_AFTER,
    SETTLES_ANYWAY_AFTER,
    UNREACHABLE_AFTER_CYCLES,
    Decision,
    fail,
    head_at_first_sight,
    is_same_incarnation,
    recover,
    settle,
    stop_listing,
    take_facts,
    trouble_of,
)
from shared.state.jobs import JobHead, PhaseCounts, Tracking
from shared.state.pools import Standstill
from tests.polling.decided import a_trouble, types_of
from tests.polling.pipeline import body_of
from tests.support.builders import CREATED, NOW, ORIGIN, batch_job, head

WINDOW = timedelta(hours=1)
ERROR = RejectedRequestError("InvalidInput", "No.", status=400, request_id="r-1", values=(("Reason", "x"),))


@pytest.mark.parametrize(
    ("read_up_to", "announce_from"),
    [
        pytest.param(None, NOW - WINDOW, id="the first cycle ever: an hour back"),
        pytest.param(NOW - timedelta(minutes=1), NOW - timedelta(minutes=61), id="an hour before what was read"),
        pytest.param(NOW - timedelta(days=3), NOW - timedelta(days=3, hours=1), id="an outage loses nothing"),
    ],
)
def test_first_sight(read_up_to: datetime | None, announce_from: datetime) -> None:
    """A new job's failures are news from an hour before what the account is read up to."""
    job = batch_job(execution_info=JobExecutionInfo(pool_id="pool"))
    sighted = head_at_first_sight(job, requested=True, read_up_to=read_up_to, first_sight=WINDOW, now=NOW)

    assert sighted == JobHead(
        job_id="Job-1",
        requested=True,
        creation_time=CREATED,
        announce_from=announce_from,
        first_seen_at=NOW,
        changed_at=NOW,
        failed_at=(),
        state="active",
        pool_id="pool",
    )


@pytest.mark.parametrize(
    ("known", "shown", "same"),
    [(CREATED, CREATED, True), (CREATED, NOW, False), (None, NOW, True), (CREATED, None, True), (None, None, True)],
)
def test_incarnations(known: datetime | None, shown: datetime | None, *, same: bool) -> None:
    """Another creation time is another job; one that is not known tells nothing."""
    assert is_same_incarnation(head(creation_time=known), batch_job(creation_time=shown)) is same


def test_facts() -> None:
    """What Batch says of a job is taken over; the incarnation stays, and a new state is a change."""
    job = BatchJob(
        id="JOB-1",
        state="disabled",
        creation_time=CREATED,
        state_transition_time=NOW,
        execution_info=JobExecutionInfo(pool_id="p", terminate_reason="why"),
    )
    taken = take_facts(ORIGIN, head(changed_at=CREATED), job, NOW).head

    assert (taken.job_id, taken.state, taken.pool_id, taken.terminate_reason) == ("JOB-1", "disabled", "p", "why")
    assert (taken.creation_time, taken.state_transition_time, taken.changed_at) == (CREATED, NOW, NOW)
    assert take_facts(ORIGIN, taken, job, NOW + WINDOW) == Decision(head=taken)


def test_unreachable_after_three_cycles_once() -> None:
    """The third failed cycle in a row tells job.unreachable, a fourth tells nothing, a good one tells job.reachable."""
    current, told = head(), []
    for cycle in range(5):
        decision = fail(ORIGIN, current, ERROR, NOW + cycle * WINDOW)
        told.append(types_of(decision))
        assert (decision.head.generation > current.generation) is bool(decision.events)
        current = decision.head

    assert told == [[], [], ["job.unreachable"], [], []]
    assert current.tracking is Tracking.UNREACHABLE
    assert current.trouble is not None
    assert (current.trouble.since, current.trouble.times) == (NOW, UNREACHABLE_AFTER_CYCLES)

    back = recover(ORIGIN, current, NOW + 9 * WINDOW)
    assert types_of(back) == ["job.reachable"]
    assert (back.head.tracking, back.head.trouble) == (Tracking.WATCHING, None)
    assert back.head.generation == current.generation + 1
    assert recover(ORIGIN, back.head, NOW) == Decision(head=back.head)


def test_the_event_carries_the_error() -> None:
    """job.unreachable says what Batch said, with the request id to quote."""
    (event,) = fail(ORIGIN, head(trouble=a_trouble(2)), ERROR, NOW).events
    data = body_of(event)["data"]

    assert data["since"] == CREATED.isoformat().replace("+00:00", "Z")
    assert data["error"] == {
        "code": "InvalidInput",
        "message": "No.",
        "requestId": "r-1",
        "values": [{"key": "Reason", "value": "x"}],
    }


def test_one_good_cycle_ends_the_row() -> None:
    """Two failed cycles, a good one and two failed ones again are not three in a row; nothing is told."""
    current = head()
    for error in (ERROR, ERROR, None, ERROR, ERROR):
        decision = fail(ORIGIN, current, error, NOW) if error else recover(ORIGIN, current, NOW)
        assert decision.events == ()
        current = decision.head

    assert current.tracking is Tracking.WATCHING


def test_errors_that_are_not_of_batch() -> None:
    """A damaged row is a job's trouble as well, under a code of our own."""
    trouble = trouble_of(UnreadableRowError("Row x can't be read"), since=NOW)

    assert (trouble.code, trouble.message) == ("UnreadableRow", "Row x can't be read")
    assert trouble_of(BatchError("A", "b"), since=NOW).code == "A"


@pytest.mark.parametrize(
    ("before", "settles"),
    [
        pytest.param(head(state="completed"), True, id="completed, no node"),
        pytest.param(head(state="Completed", release=PhaseCounts(failed=1, succeeded=2)), True, id="all ended"),
        pytest.param(head(state="active"), False, id="active"),
        pytest.param(head(state="terminating"), False, id="release tasks may run"),
        pytest.param(head(state=None), False, id="no state"),
        *(
            pytest.param(
                head(state="completed", state_transition_time=NOW, **{phase: PhaseCounts(**{outcome: 1})}),
                False,
                id=f"{phase} {outcome}",
            )
            for phase in ("preparation", "release")
            for outcome in ("running", "retrying", "unknown")
        ),
        pytest.param(
            head(state="completed", state_transition_time=NOW - SETTLES_ANYWAY_AFTER, release=PhaseCounts(running=1)),
            True,
            id="running for ever: 24 hours",
        ),
        pytest.param(
            head(
                state="completed",
                state_transition_time=NOW - SETTLES_ANYWAY_AFTER + timedelta(seconds=1),
                release=PhaseCounts(running=1),
            ),
            False,
            id="running, not yet 24 hours",
        ),
        pytest.param(
            head(state="completed", first_seen_at=NOW - SETTLES_ANYWAY_AFTER, release=PhaseCounts(running=1)),
            True,
            id="without a transition time first sight counts",
        ),
        pytest.param(head(state="completed", state_transition_time=NOW - SETTLES_AFTER), True, id="ten minutes ago"),
        pytest.param(
            head(state="completed", state_transition_time=NOW - SETTLES_AFTER + timedelta(seconds=1)),
            False,
            id="all ended, but not ten minutes ago: a failure may be listed late",
        ),
        pytest.param(head(state="completed", changed_at=NOW), False, id="without a transition time the last change"),
        pytest.param(head(state="completed", tracking=Tracking.GONE), False, id="not there"),
        pytest.param(
            head(state="completed", state_transition_time=NOW - SETTLES_AFTER, trouble=a_trouble(3, told=True)),
            False,
            id="what can't be read now may still fail",
        ),
        pytest.param(
            head(
                state="completed",
                state_transition_time=NOW - SETTLES_ANYWAY_AFTER,
                tracking=Tracking.UNREACHABLE,
                trouble=a_trouble(3, told=True),
            ),
            True,
            id="what can't be read for a day is not waited for",
        ),
    ],
)
def test_settling(before: JobHead, *, settles: bool) -> None:
    """A job is settled ten minutes after it was completed, if every phase has ended, else after 24 hours."""
    after = settle(before, NOW)

    assert after == (replace(before, tracking=Tracking.SETTLED, settled_at=NOW) if settles else before)


def test_a_job_without_preparation_task_is_not_listed() -> None:
    """Such a job keeps its head, and its standstill: that of its pool goes on."""
    stuck = Standstill(since=NOW, confirmed=True)
    after = stop_listing(head(stuck=stuck), Tracking.NO_PREPARATION_TASK, NOW)

    assert (after.tracking, after.stuck) == (Tracking.NO_PREPARATION_TASK, stuck)
    assert after.settled_at == NOW
