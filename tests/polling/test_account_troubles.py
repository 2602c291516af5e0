"""When an account's trouble is told, and when its end: once each, at the right time, and ever more rarely."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from shared.errors import AccountDeniedError, BatchUnavailableError, HostileAnswerError, PrepwatchError, ThrottledError
from shared.polling.account_troubles import finish_cycle
from shared.polling.cycle_rules import CycleResult
from shared.polling.last_cycle import believable_cycle
from shared.state.accounts import Cycle
from shared.state.jobs import NOT_POLLED
from tests.support.builders import NOW, ORIGIN

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
STALE_AFTER = timedelta(minutes=5)
DENIED = AccountDeniedError("AuthenticationFailed", "No.", status=403)
THROTTLED = ThrottledError("TooManyRequests", "Later.", status=429)
DOWN = BatchUnavailableError("InternalError", "Oops.", status=500)
NONSENSE = HostileAnswerError("InvalidAnswer", "x")
U, R = "unreachable", "reachable"

Polls = list[tuple[float, PrepwatchError | None]]
"""The minutes at which cycles end, and how."""


def _result(minute: float, error: PrepwatchError | None = None) -> CycleResult:
    started = NOW + minute * MINUTE
    return CycleResult(
        started_at=started,
        finished_at=started,
        listed=error is None,
        looked_at=frozenset(),
        not_looked_at=frozenset(),
        job_errors=0,
        error=error,
    )


def _told(polls: Polls) -> tuple[list[tuple[float, str]], Cycle]:
    """What is told in which minute, no event twice, and the row in the end."""
    cycle: Cycle | None = None
    told, ids = [], set[str]()
    for minute, error in polls:
        cycle, events = finish_cycle(ORIGIN, cycle, _result(minute, error), STALE_AFTER)
        told += [(minute, event.type.value.removeprefix("prepwatch.account.")) for event in events]
        assert not ids & {event.id for event in events}
        ids |= {event.id for event in events}
    assert cycle is not None
    return told, cycle


@pytest.mark.parametrize(
    ("polls", "told"),
    [
        pytest.param([(0, None), (1, DENIED), (2, None)], [], id="refused once"),
        pytest.param([(0, None), (1, DENIED), (2, DENIED)], [], id="refused for a minute"),
        pytest.param([(0, None), (1, DENIED), (2, DENIED), (3, DENIED)], [(3, U)], id="refused for two minutes"),
        pytest.param([(0, DENIED), (1, DENIED), (2, DENIED)], [(2, U)], id="refused from the start"),
        pytest.param([(0, None), (2, DENIED), (4, DENIED)], [(4, U)], id="polled every other minute"),
        pytest.param([(0, None), (1, DENIED), (1.5, DENIED), (2, DENIED)], [], id="asked for often meanwhile"),
        pytest.param([(0, None), (1, DENIED), (2, None), (3, DENIED), (4, None)], [], id="never twice in a row"),
        pytest.param([(0, None), (1, DENIED), (2, DOWN), (3, DENIED), (4, DENIED)], [], id="another error between"),
        pytest.param([(0, None), *((m, DENIED) for m in range(1, 20))], [(3, U)], id="once"),
        pytest.param([(0, None), (60, DENIED)], [(60, U)], id="refused and blind by then"),
        pytest.param([(0, None), (1, THROTTLED)], [], id="throttled"),
        pytest.param([(0, None), (1, DOWN), (4, DOWN)], [], id="down for four minutes"),
        pytest.param([(0, None), (1, DOWN), (5.1, DOWN)], [(5.1, U)], id="down for five minutes"),
        pytest.param([(0, DOWN), (4, DOWN)], [], id="down since the first cycle, four minutes"),
        pytest.param([(0, DOWN), (6, DOWN)], [(6, U)], id="down since the first cycle, six minutes"),
        pytest.param([(0, None), (4, THROTTLED), (6, THROTTLED)], [(6, U)], id="throttled for long"),
        pytest.param([(0, None), (9, NONSENSE)], [(9, U)], id="nonsense"),
        pytest.param([(0, None), (1, DOWN), (2, None)], [], id="a short fault"),
        pytest.param(
            [(0, DENIED), (1, DENIED), (2, DENIED), (3, None), (4, None)], [(2, U), (3, R)], id="back, told once"
        ),
        pytest.param(
            [(0, None), (1, DENIED), (2, DENIED), (3, DENIED), (4, DOWN), (9, DOWN)], [(3, U)], id="another error after"
        ),
    ],
)
def test_what_is_told_of_an_account(polls: Polls, told: list[tuple[float, str]]) -> None:
    """A refusal is told when cycles two minutes apart met it in a row, whatever makes blind then; its end at once."""
    found, cycle = _told(polls)

    assert found == told
    assert (cycle.trouble is not None) is (polls[-1][1] is not None)


def _each(period: int, refused: int) -> Callable[[int], bool]:
    """Refused for the first minutes of each period."""
    return lambda minute: minute % period < refused


@pytest.mark.parametrize(
    ("is_refused", "told"),
    [
        pytest.param(_each(2, 1), [], id="every other minute: it is read every other minute"),
        pytest.param(_each(4, 3), [(2, U), (3, R), (6, U), (124, R)], id="three minutes of four"),
        pytest.param(_each(10, 3), [(2, U), (3, R), (12, U), (18, R), (22, U), (123, R)], id="three minutes of ten"),
        pytest.param(
            _each(30, 3),
            [(2, U), (3, R), (32, U), (38, R), (62, U), (73, R), (92, U), (113, R)],
            id="three minutes of thirty",
        ),
        pytest.param(
            _each(7, 6), [(2, U), (6, R), (9, U), (123, R)], id="blind again and again: what began is told on time"
        ),
    ],
)
def test_flapping_access_gives_growing_pauses(is_refused: Callable[[int], bool], told: list[tuple[float, str]]) -> None:
    """In two hours of access that comes and goes the ends are told ever later; what comes back sooner was not over."""
    polls = [(minute, DENIED if minute < 120 and is_refused(minute) else None) for minute in range(300)]
    found, cycle = _told([(float(minute), error) for minute, error in polls])

    assert (found, cycle.recurrence.event_id) == (told, None)


def test_after_a_quiet_hour_an_end_is_told_at_once_again() -> None:
    """What fails again after an hour without trouble has a series of its own."""
    outage: Polls = [(0, DENIED), (1, DENIED), (2, DENIED), (3, None)]
    again: Polls = [(minute + 70, error) for minute, error in outage]
    well: Polls = [(minute, None) for minute in range(4, 70)]

    assert _told([*outage, *well, *again])[0] == [(2, U), (3, R), (72, U), (73, R)]


def test_a_clock_that_jumped_back_holds_no_end_back_for_hours() -> None:
    """An end that is held back is told within its pause, though its beginning was noted hours from now."""
    _, cycle = _told([(m, None if m % 10 >= 3 else DENIED) for m in range(15)])
    assert cycle.recurrence.event_id is not None
    told, jumped = [], NOW - 3 * HOUR
    for minute in range(8):
        at = jumped + minute * MINUTE
        result = _result((at - NOW) / MINUTE)
        cycle, events = finish_cycle(ORIGIN, believable_cycle(cycle, at), result, STALE_AFTER)
        told += [(minute, event.type.value) for event in events]
    assert told == [(5, "prepwatch.account.reachable")]


@pytest.mark.parametrize(
    ("read_up_to", "told"), [(NOW, False), (NOW - STALE_AFTER + timedelta(seconds=1), False), (NOW - STALE_AFTER, True)]
)
def test_a_timer_that_stopped(read_up_to: datetime, *, told: bool) -> None:
    """That nothing was polled for too long is told, with its end, by the first cycle that reads everything."""
    cycle = Cycle(started_at=read_up_to, finished_at=read_up_to, read_up_to=read_up_to)
    after, events = finish_cycle(ORIGIN, cycle, _result(0), STALE_AFTER)

    kinds = ["prepwatch.account.unreachable", "prepwatch.account.reachable"] if told else []
    assert [event.type.value for event in events] == kinds
    assert all(NOT_POLLED.encode() in event.body for event in events[:1])
    assert after.trouble is None


def test_a_timer_that_stops_again_and_again_is_one_trouble() -> None:
    """Who is polled every ten minutes, and should be every minute, hears of that twice, not at each poll."""
    assert _told([(minute, None) for minute in range(0, 120, 10)])[0] == [(10, U), (10, R), (20, U)]
