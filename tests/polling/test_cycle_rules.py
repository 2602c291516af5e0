"""What a finished cycle leaves for the next."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import AccountDeniedError, BatchUnavailableError, PrepwatchError, ThrottledError
from shared.patterns import IdPatterns
from shared.polling.cycle_rules import (
    LONGEST_PATIENCE,
    THROTTLE_STEPS,
    CycleResult,
    KnownJob,
    choose_jobs,
    cycle_after,
)
from shared.polling.job_listing import LISTING_OVERLAP
from shared.state.accounts import Cycle
from tests.support.builders import NOW, batch_job, head

MINUTE = timedelta(minutes=1)
DENIED = AccountDeniedError("AuthenticationFailed", "No.", status=403)
THROTTLED = ThrottledError("TooManyRequests", "Later.", status=429)
DOWN = BatchUnavailableError("InternalError", "Oops.", status=500)


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
        not_looked_at=frozenset(waiting),
        sighted=frozenset(sighted),
        job_errors=0,
        error=error,
    )


def test_the_listing_overlaps_the_last_complete_one() -> None:
    """A complete listing moves the start to ten minutes before its own, whatever came after; a failed one leaves it."""
    good = cycle_after(None, _result(0))
    for error in (DENIED, THROTTLED, DOWN):
        for minute, listed in ((5, True), (0, False)):
            bad = cycle_after(good, _result(5, error=error, listed=listed))
            assert bad.listed_from == NOW + minute * MINUTE - LISTING_OVERLAP


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
            choice = choose_jobs(heads, [batch_job(id=name) for name in jobs], IdPatterns(), cycle)
            names = [due.job_id for due in choice.due]
            turn_of |= dict.fromkeys(names[:room], turn)
            for name in names[room:]:
                there = population[min(turn_of[name] + 1, turn)]
                assert turn - turn_of[name] <= there // room + 1, name
            sighted = [name for name in jobs if name not in heads]
            heads = {name: KnownJob(head=head(job_id=name), row=None) for name in jobs}
            result = _result(minute, looked_at=names[:room], waiting=names[room:], sighted=sighted)
        cycle = cycle_after(cycle, result)


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
    cycle = cycle_after(
        Cycle(started_at=NOW, finished_at=NOW, throttles=throttles), _result(0, error=_throttled(asked))
    )

    assert cycle.not_before == cycle.finished_at + waited


@pytest.mark.parametrize(
    ("looked_at", "error", "code"),
    [(["a"], THROTTLED, THROTTLED.code), ([], THROTTLED, None), (["a"], DENIED, None), (["a"], None, None)],
    ids=["throttled behind the jobs", "throttled before them", "refused", "well"],
)
def test_pools_that_a_cycle_did_not_come_to(
    looked_at: Sequence[str], error: PrepwatchError | None, code: str | None
) -> None:
    """Where jobs were read and nothing was left for pools, these count as not counted; else that says it."""
    cycle = cycle_after(None, _result(error=error, looked_at=looked_at))
    assert (cycle.pools_error, cycle.pools_error_since) == (code, NOW if code else None)
    later = cycle_after(cycle, _result(5, error=error, looked_at=looked_at))
    assert later.pools_error_since == cycle.pools_error_since
