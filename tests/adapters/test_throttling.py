"""How everybody who asks an account waits while Batch wants to be left alone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import repeat

import pytest

from shared.adapters.throttling import Throttle
from shared.errors import ThrottledError
from tests.support.builders import NOW
from tests.support.fakes import FakeClock

SECOND = timedelta(seconds=1)
LATE = NOW + timedelta(hours=1)


def throttled(seconds: float | None = None) -> ThrottledError:
    """Batch's refusal, with or without Retry-After."""
    wait = None if seconds is None else seconds * SECOND
    return ThrottledError("TooManyRequests", "Later.", status=429, retry_after=wait)


def asking(*answers: ThrottledError | None) -> Callable[[], str]:
    """A request that is answered so, one after the other, and well in the end."""
    left: Iterator[ThrottledError | None] = iter([*answers, *repeat(None, 100)])

    def ask() -> str:
        if (error := next(left)) is not None:
            raise error
        return "well"

    return ask


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        pytest.param([], 0, id="not at all while all is well"),
        pytest.param([throttled(3)], 3, id="as long as Batch asks"),
        pytest.param([throttled(3), throttled(5)], 8, id="again"),
        pytest.param([throttled()], 1, id="else a second"),
        pytest.param([throttled(0)], 1, id="no time at all is none that was asked for"),
        pytest.param([throttled()] * 4, 1 + 2 + 4 + 8, id="then twice as long each time"),
        pytest.param([throttled()] * 8, 1 + 2 + 4 + 8 + 16 + 32 * 3, id="up to half a minute"),
        pytest.param([throttled(), throttled(10), throttled()], 1 + 10 + 4, id="whatever was asked for in between"),
    ],
)
def test_how_long(answers: list[ThrottledError], waited: float) -> None:
    """A refused request is sent again after what Batch asked for, else after 1, 2, 4 ... seconds."""
    clock = FakeClock(NOW)

    assert Throttle(clock, clock.pause).ask(asking(*answers), LATE) == "well"
    assert clock.now - NOW == waited * SECOND


def test_everybody_waits() -> None:
    """Who asks after a refusal waits for its end, too, without sending anything before."""
    clock = FakeClock(NOW)
    patience = Throttle(clock, clock.pause)
    with pytest.raises(ThrottledError):
        patience.ask(asking(throttled(30)), NOW + 10 * SECOND)

    assert clock.now == NOW
    assert patience.ask(asking(), LATE) == "well"
    assert clock.now == NOW + 30 * SECOND


def test_what_was_under_way_counts_once() -> None:
    """Eight requests that are refused at the same moment are one refusal: the wait is a second, not two minutes."""
    clock = FakeClock(NOW)
    patience = Throttle(clock, clock.pause)
    left = [throttled() for _ in range(8)]

    def ask() -> str:
        # While this one is under way, the others are refused.
        while left:
            error = left.pop()
            if left:
                with pytest.raises(ThrottledError):
                    patience.ask(ask, None)
            raise error
        return "well"

    assert patience.ask(ask, LATE) == "well"
    assert clock.now - NOW == SECOND


def test_an_answer_forgets() -> None:
    """After an answer the next wait begins with a second again."""
    clock = FakeClock(NOW)
    patience = Throttle(clock, clock.pause)
    for _ in range(3):
        patience.ask(asking(throttled()), LATE)

    assert clock.now - NOW == 3 * SECOND


def test_no_longer_than_there_is_time() -> None:
    """A wait that would end after the deadline is not begun: the refusal is raised, with what is left of the wait."""
    clock = FakeClock(NOW)
    patience = Throttle(clock, clock.pause)
    with pytest.raises(ThrottledError) as raised:
        patience.ask(asking(*[throttled(15)] * 9), NOW + 40 * SECOND)

    assert clock.now - NOW == 30 * SECOND
    assert raised.value.retry_after == 15 * SECOND


@pytest.mark.parametrize("can_wait", [True, False])
def test_who_has_no_deadline_does_not_wait(*, can_wait: bool) -> None:
    """A person who asks gets the refusal at once."""
    clock = FakeClock(NOW)
    patience = Throttle(clock, clock.pause if can_wait else None)
    with pytest.raises(ThrottledError):
        patience.ask(asking(throttled(3)), None)

    assert clock.now == NOW
