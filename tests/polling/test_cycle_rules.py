"""Which jobs a cycle looks at, and what a finished cycle leaves for the next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.batch_simulator.filters import JOB_PROPERTIES, parse_filter
from shared.batch.model import BatchJob
from shared.errors import AccountDeniedError, BatchUnavailableError, PrepwatchError, ThrottledError
from shared.patterns import JobPatterns
from shared.polling.cycle_rules import (
    LONGEST_PATIENCE,
    THROTTLE_STEPS,
    Choice,
    CycleResult,
    KnownJob,
    choose_jobs,
    cycle_after,
)
from shared.polling.job_listing import JOB_SELECT, LISTING_OVERLAP, listing_filter, listing_start
from shared.state.jobs import Cycle, JobHead, Tracking
from tests.support.builders import CREATED, NOW, batch_job, head

EVERY_JOB = JobPatterns()
MINUTE = timedelta(minutes=1)
DENIED = AccountDeniedError("AuthenticationFailed", "No.", status=403)
THROTTLED = ThrottledError("TooManyRequests", "Later.", status=429)
DOWN = BatchUnavailableError("InternalError", "Oops.", status=500)


def _known(*heads: JobHead) -> dict[str, KnownJob]:
    return {one.job_id.lower(): KnownJob(head=one, row=None) for one in heads}


def _names(choice: Choice) -> list[str]:
    return [due.job_id for due in choice.due]


def _cycle(**values: object) -> Cycle:
    given_values: dict[str, object] = {"started_at": NOW, "finished_at": NOW}
    return Cycle(**(given_values | values))  # type: ignore[arg-type] # tests name fields, Cycle checks none


def _result(
    minute: float = 0,
    *,
    error: PrepwatchError | None = None,
    listed: bool | None = None,
    looked_at: Sequence[str] = (),
    waiting: Sequence[str] = (),
    sighted: Sequence[str] = (),
) -> CycleResult:
    started = NOW + minute * MINUTE
    return CycleResult(
        started_at=started,
        finished_at=started + timedelta(seconds=20),
        listed=error is None if listed is None else listed,
        looked_at=frozenset(looked_at),
        waiting=frozenset(waiting),
        sighted=frozenset(sighted),
        job_errors=0,
        error=error,
    )


# --- the job listing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cycle", "start"),
    [
        pytest.param(None, NOW - timedelta(hours=1), id="the first cycle ever: as far back as failures are news"),
        pytest.param(_cycle(), NOW - timedelta(hours=1), id="no complete listing yet"),
        pytest.param(_cycle(listed_from=CREATED), CREATED, id="since the last complete listing, however long ago"),
    ],
)
def test_from_when_on_completed_jobs_are_listed(cycle: Cycle | None, start: datetime) -> None:
    """Completed jobs are listed from where the last complete listing ended."""
    assert listing_start(cycle, timedelta(hours=1), NOW) == start


def test_the_listing_overlaps_the_last_complete_one() -> None:
    """A complete listing moves the start to ten minutes before its own, whatever came after; a failed one leaves it."""
    good = cycle_after(None, _result(0))
    for error in (DENIED, THROTTLED, DOWN):
        for minute, listed in ((5, True), (0, False)):
            bad = cycle_after(good, _result(5, error=error, listed=listed))
            assert bad.listed_from == NOW + minute * MINUTE - LISTING_OVERLAP


@pytest.mark.parametrize(
    ("state", "changed", "shown"),
    [
        ("active", -99, True),
        ("disabling", -99, True),
        ("disabled", -99, True),
        ("enabling", -99, True),
        ("terminating", -99, True),
        ("deleting", -99, True),
        ("completed", -99, False),
        ("completed", 0, True),
        ("completed", 1, True),
        ("hibernating", 1, True),
    ],
)
def test_the_filter_leaves_out_what_completed_before(state: str, changed: int, *, shown: bool) -> None:
    """Every job that lives is listed, completed ones from the start on, by a filter that Batch would take."""
    wire = {
        "id": "j",
        "state": state,
        "stateTransitionTime": (NOW + changed * MINUTE).isoformat().replace("+00:00", "Z"),
    }
    assert parse_filter(listing_filter(NOW), JOB_PROPERTIES)(wire) is shown
    assert JOB_SELECT.split(",")[0] == "id"


# --- the choice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "job", "due"),
    [
        pytest.param(None, batch_job(), True, id="never seen"),
        pytest.param(head(), batch_job(), True, id="watched"),
        pytest.param(head(job_id="JOB-1"), batch_job(id="job-1"), True, id="spelt otherwise"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="completed"), False, id="settled"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="Completed"), False, id="settled, other casing"),
        pytest.param(head(tracking=Tracking.SETTLED), batch_job(state="active"), True, id="settled, active again"),
        pytest.param(
            head(tracking=Tracking.SETTLED), batch_job(state="completed", creation_time=NOW), True, id="created again"
        ),
        pytest.param(head(tracking=Tracking.NO_PREPARATION_TASK), batch_job(), False, id="nothing to watch"),
        pytest.param(
            head(tracking=Tracking.NO_PREPARATION_TASK), batch_job(creation_time=NOW), True, id="may have one now"
        ),
        pytest.param(head(tracking=Tracking.GONE), batch_job(), True, id="was gone, is there"),
        pytest.param(head(tracking=Tracking.UNREACHABLE), batch_job(), True, id="unreachable"),
        pytest.param(head(tracking=Tracking.STOPPED), batch_job(), False, id="stopped by a person"),
        pytest.param(
            head(tracking=Tracking.STOPPED, requested=True), batch_job(creation_time=NOW), False, id="stopped for good"
        ),
    ],
)
def test_a_listed_job(known: JobHead | None, job: BatchJob, *, due: bool) -> None:
    """A job of the listing is looked at unless there can be nothing new, or somebody said no."""
    choice = choose_jobs(_known(known) if known else {}, [job], EVERY_JOB, None)

    assert _names(choice) == [job.id] * due
    assert choice.untracked == ()
    if due and known:
        assert choice.due[0].known is not None


@pytest.mark.parametrize(
    ("tracking", "asked"),
    [
        (Tracking.WATCHING, True),
        (Tracking.UNREACHABLE, True),
        (Tracking.SETTLED, False),
        (Tracking.NO_PREPARATION_TASK, False),
        (Tracking.GONE, False),
        (Tracking.STOPPED, False),
    ],
)
def test_a_job_that_the_listing_leaves_out(tracking: Tracking, *, asked: bool) -> None:
    """A head that is not settled is asked for singly: only Batch's own answer makes a job gone."""
    choice = choose_jobs(_known(head(tracking=tracking)), [], EVERY_JOB, None)

    assert [(due.job_id, due.job) for due in choice.due] == [("Job-1", None)] * asked


@pytest.mark.parametrize(
    ("requested", "patterns", "tracked"),
    [
        (False, "*", True),
        (False, "job-*", True),
        (False, "other", False),
        (False, "*,!job-1", False),
        (True, "other", True),
        (True, "*,!job-1", True),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["left out", "listed"])
def test_what_the_settings_name(patterns: str, *, requested: bool, tracked: bool, listed: bool) -> None:
    """A watched job that the settings no longer name is closed, listed or not, unless a person asked for it."""
    known = _known(head(requested=requested))
    choice = choose_jobs(known, [batch_job()] if listed else [], JobPatterns.parse(patterns), None)

    assert bool(choice.due) is tracked
    assert choice.untracked == (() if tracked else tuple(known.values()))


def test_order() -> None:
    """Ending jobs come first, then those that wait, longest first, then the rest in the listing's order."""
    known = _known(*(head(job_id=name) for name in ("calm", "long", "short", "ending", "gone")))
    listed = [batch_job(id=name) for name in ("new", "calm", "short", "LONG")]
    listed.append(batch_job(id="ending", state="Terminating"))
    known["gone"] = KnownJob(head=head(job_id="gone", state="deleting"), row=None)
    waiting = {"long": NOW - 9 * MINUTE, "short": NOW - 2 * MINUTE}

    choice = choose_jobs(known, listed, EVERY_JOB, _cycle(waiting=waiting))
    assert _names(choice) == ["ending", "gone", "LONG", "short", "new", "calm"]


@given(
    st.integers(1, 4),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=8, max_size=24),
)
def test_carry_over_never_starves(room: int, standing: int, course: list[tuple[int, bool]]) -> None:
    """However few jobs a cycle has time for and however many new ones come, every job's turn comes.

    A job waits no longer than it takes to look at all jobs that were there in the cycle after its last turn.
    """
    jobs = [f"j{number}" for number in range(standing)]
    turn_of = dict.fromkeys(jobs, 0)
    population = [len(jobs)]
    heads: dict[str, KnownJob] = {}
    cycle: Cycle | None = None
    for minute, (new, listed) in enumerate(course):
        result = _result(minute, error=DOWN)
        if listed:
            fresh = [f"n{minute}-{number}" for number in range(new)]
            jobs = fresh + jobs
            population.append(len(jobs))
            turn = len(population) - 1
            turn_of |= dict.fromkeys(fresh, turn)
            names = _names(choose_jobs(heads, [batch_job(id=name) for name in jobs], EVERY_JOB, cycle))
            turn_of |= dict.fromkeys(names[:room], turn)
            for name in names[room:]:
                there = population[min(turn_of[name] + 1, turn)]
                assert turn - turn_of[name] <= there // room + 1, name
            sighted = [name for name in jobs if name not in heads]
            heads = _known(*(head(job_id=name) for name in jobs))
            result = _result(minute, looked_at=names[:room], waiting=names[room:], sighted=sighted)
        cycle = cycle_after(cycle, result)


# --- how a cycle went ---------------------------------------------------------------------------------------------


def _run(*results: CycleResult) -> Cycle:
    """The account's row after these results."""
    cycle: Cycle | None = None
    for result in results:
        cycle = cycle_after(cycle, result)
    assert cycle is not None
    return cycle


def test_a_good_cycle() -> None:
    """A complete listing without an account-wide error is good, whatever jobs had to wait; their waiting is stored."""
    cycle = _run(_result(0, looked_at=["a"], waiting=["b"]), _result(1, looked_at=["b"], waiting=["a"]))

    assert cycle == Cycle(
        started_at=NOW + MINUTE,
        finished_at=NOW + MINUTE + timedelta(seconds=20),
        read_up_to=NOW,
        listed_from=NOW + MINUTE - LISTING_OVERLAP,
        jobs=2,
        not_looked_at=1,
        waiting={"a": NOW},
        cycles=2,
        good_cycles=2,
    )


def test_how_long_a_job_waits_is_kept() -> None:
    """A job that waits on and on keeps the moment it was last looked at, also over cycles that failed."""
    waits = [_result(minute, waiting=["a"]) for minute in (1, 2)]
    cycle = _run(_result(0, looked_at=["a"]), *waits, _result(3, error=DOWN), _result(4, waiting=["a"]))

    assert cycle.waiting == {"a": NOW}


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from([None, DENIED, THROTTLED, DOWN])), max_size=20))
def test_what_is_read_never_goes_back(course: list[tuple[int, PrepwatchError | None]]) -> None:
    """Whatever overlapping cycles end in whatever order, neither what is read up to nor the last start goes back."""
    cycle: Cycle | None = None
    for minute, error in course:
        after = cycle_after(cycle, _result(minute, error=error))
        if cycle is not None:
            assert after.started_at >= cycle.started_at
            assert cycle.read_up_to is None or (after.read_up_to is not None and after.read_up_to >= cycle.read_up_to)
        cycle = after


# --- throttling ---------------------------------------------------------------------------------------------------


def _throttled(asked: timedelta | None) -> ThrottledError:
    return ThrottledError("TooManyRequests", "Later.", status=429, retry_after=asked)


def test_back_off_grows_and_ends() -> None:
    """Every throttled cycle in a row waits longer, up to five minutes; any other cycle begins anew."""
    cycle: Cycle | None = None
    waits = []
    for minute in range(7):
        cycle = cycle_after(cycle, _result(minute * 10, error=_throttled(None)))
        assert cycle.not_before is not None
        waits.append(cycle.not_before - cycle.finished_at)
    assert waits == [*THROTTLE_STEPS, THROTTLE_STEPS[-1], THROTTLE_STEPS[-1]]

    for error in (None, DOWN, DENIED):
        after = cycle_after(cycle, _result(99, error=error))
        assert (after.not_before, after.throttles) == (None, 0)


@pytest.mark.parametrize(
    ("throttles", "asked", "waited"),
    [
        pytest.param(0, timedelta(seconds=3), timedelta(seconds=3), id="at first what Batch asks"),
        pytest.param(0, timedelta(seconds=90), timedelta(seconds=90), id="at first what Batch asks, longer"),
        pytest.param(0, timedelta(0), timedelta(seconds=15), id="zero is no answer"),
        pytest.param(2, timedelta(seconds=3), timedelta(seconds=60), id="later no less than our own step"),
        pytest.param(2, timedelta(seconds=90), timedelta(seconds=90), id="later no less than what Batch asks"),
        pytest.param(0, timedelta(days=365), LONGEST_PATIENCE, id="never so long that we are blind"),
        pytest.param(9, timedelta(days=365), LONGEST_PATIENCE, id="never so long that we are blind, later"),
    ],
)
def test_retry_after(throttles: int, asked: timedelta, waited: timedelta) -> None:
    """Batch's Retry-After is honoured within our own steps and a bound."""
    cycle = cycle_after(_cycle(throttles=throttles), _result(0, error=_throttled(asked)))

    assert cycle.not_before == cycle.finished_at + waited
