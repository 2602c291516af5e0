"""Up to which moment an account is read, and what is said when that lies too far back."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from shared.errors import BatchUnavailableError, PrepwatchError, ThrottledError
from shared.polling.account_troubles import finish_cycle
from shared.polling.cycle_rules import CycleResult
from shared.polling.job_listing import LISTING_OVERLAP
from shared.state.accounts import Cycle
from shared.state.jobs import NOT_POLLED, TOO_MUCH_TO_READ
from tests.support.builders import NOW, ORIGIN

MINUTE = timedelta(minutes=1)
STALE_AFTER = timedelta(minutes=5)
THROTTLED = ThrottledError("TooManyRequests", "Later.", status=429)
DOWN = BatchUnavailableError("InternalError", "Oops.", status=500)


def _cycle(
    minute: float,
    looked_at: Sequence[str] = (),
    waiting: Sequence[str] = (),
    sighted: Sequence[str] = (),
    *,
    error: PrepwatchError | None = None,
    listed: bool = True,
) -> CycleResult:
    started = NOW + minute * MINUTE
    return CycleResult(
        started_at=started,
        finished_at=started + timedelta(seconds=20),
        listed=listed,
        looked_at=frozenset(looked_at),
        not_looked_at=frozenset(waiting),
        sighted=frozenset(sighted),
        job_errors=0,
        error=error,
    )


def _after(*results: CycleResult) -> tuple[Cycle, list[tuple[str, str]]]:
    """The cycle's row after these results; the type and error code of what was told."""
    cycle: Cycle | None = None
    told = []
    for result in results:
        cycle, events = finish_cycle(ORIGIN, cycle, result, STALE_AFTER)
        for event in events:
            error = msgspec.json.decode(event.body)["data"].get("error", {})
            told.append((event.type.value.removeprefix("prepwatch.account."), error.get("code", "")))
    assert cycle is not None
    return cycle, told


@pytest.mark.parametrize(
    ("results", "minute"),
    [
        pytest.param([_cycle(0, "ab")], 0, id="all were looked at"),
        pytest.param([_cycle(0, "ab"), _cycle(1, "a", "b")], 0, id="one waits: as of its last look"),
        pytest.param(
            [_cycle(0, "abc"), _cycle(1, "a", "bc"), _cycle(2, "b", "ac")], 0, id="the one that waits longest"
        ),
        pytest.param([_cycle(0, "abc"), _cycle(1, "a", "bc"), _cycle(2, "bc", "a")], 1, id="a round of two cycles"),
        pytest.param([_cycle(0, "a"), _cycle(1, "a", "n", "n")], 1, id="a new job counts from its first listing"),
        pytest.param([_cycle(0, "", "n", "n")], 0, id="also in the first cycle"),
        pytest.param([_cycle(0, "a"), _cycle(1, "a", "n", "n"), _cycle(2, "a", "n")], 1, id="and waits from then on"),
        pytest.param([_cycle(0, "ab"), _cycle(1, "a", "b", error=THROTTLED)], 0, id="throttled after the listing"),
        pytest.param([_cycle(0, "ab"), _cycle(1, "ab", error=THROTTLED)], 1, id="throttled, and all were looked at"),
        pytest.param([_cycle(0, "ab"), _cycle(9, error=DOWN, listed=False)], 0, id="not beyond the last listing"),
        pytest.param(
            [_cycle(0, "ab"), _cycle(1, "b", "a"), _cycle(2, "a", error=DOWN, listed=False)],
            1,
            id="part of a listing shows the one that waits",
        ),
        pytest.param(
            [_cycle(0, "ab"), _cycle(1, error=DOWN, listed=False), _cycle(2, "a", "b")],
            0,
            id="a failed cycle looked at nothing",
        ),
    ],
)
def test_read_up_to(results: list[CycleResult], minute: float) -> None:
    """The oldest last look at a job that is due, a new one's first listing, and no later than the last listing."""
    cycle, _ = _after(*results)

    assert cycle.read_up_to == NOW + minute * MINUTE


def test_never_read() -> None:
    """Before the first complete listing there is no such moment."""
    cycle, _ = _after(_cycle(0, error=DOWN, listed=False), _cycle(1, "a", error=DOWN, listed=False))

    assert cycle.read_up_to is None


def test_a_row_of_before_is_read() -> None:
    """The moment of the last good cycle, which rows had before, is the first that an account is read up to."""
    row = msgspec.msgpack.encode(
        {"started_at": NOW, "finished_at": NOW, "last_good_at": NOW - MINUTE, "listed_from": NOW - LISTING_OVERLAP}
    )
    before = msgspec.msgpack.decode(row, type=Cycle)
    after, events = finish_cycle(ORIGIN, before, _cycle(1, "a", "b"), STALE_AFTER)

    assert before.read_up_to == NOW - MINUTE
    assert (after.read_up_to, events) == (NOW, ())


_TURNS = ("ab", "cd", "ef")
_ROUND = [
    _cycle(minute, _TURNS[minute % 3], "".join(turn for turn in _TURNS if turn != _TURNS[minute % 3]))
    for minute in range(12)
]


@pytest.mark.parametrize(
    ("results", "told"),
    [
        pytest.param([_cycle(0, "abcdef"), *_ROUND[1:]], [], id="a round of three cycles is well"),
        pytest.param(
            [_cycle(0, "ab"), *(_cycle(minute, "a", "b") for minute in range(1, 9))],
            [("unreachable", TOO_MUCH_TO_READ)],
            id="one that never ends is too much, told once",
        ),
        pytest.param(
            [_cycle(0, "ab"), *(_cycle(minute, "a", "b") for minute in range(1, 9)), _cycle(9, "ab")],
            [("unreachable", TOO_MUCH_TO_READ), ("reachable", "")],
            id="and so is its end",
        ),
        pytest.param(
            [_cycle(0, "ab"), *(_cycle(minute, "a", "b", error=THROTTLED) for minute in range(1, 9))],
            [("unreachable", "TooManyRequests")],
            id="throttled all the time",
        ),
        pytest.param(
            [_cycle(0, "ab"), *(_cycle(minute, "ab", error=THROTTLED) for minute in range(1, 9))],
            [],
            id="throttled, and all were looked at",
        ),
        pytest.param(
            [_cycle(0, "ab"), _cycle(60, "a", "b"), _cycle(61, "ab")],
            [("unreachable", NOT_POLLED), ("reachable", "")],
            id="after a stop the round takes two cycles",
        ),
    ],
)
def test_blind(results: list[CycleResult], told: list[tuple[str, str]]) -> None:
    """An account is blind by what it is read up to, whatever single cycles came to; too much to read is a reason."""
    assert _after(*results)[1] == told


def test_too_much_to_read_names_what_helps() -> None:
    """Who has more jobs than a round has time for is told the numbers, and the settings that help."""
    cycle, _ = _after(_cycle(0, "ab"), *(_cycle(minute, "a", "b") for minute in range(1, 9)))

    assert cycle.trouble is not None
    for words in ("1 of 2", "300 s", "POLL_CONCURRENCY", "POLL_BUDGET_SECONDS", "TRACKED_JOBS", "STALE_AFTER_SECONDS"):
        assert words in cycle.trouble.message
