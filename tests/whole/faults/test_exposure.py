"""A failure is owed when somebody who looked well must have seen it, and only then."""

from datetime import UTC, datetime, timedelta

import pytest

from local.batch_simulator.causes import PREPARATION_CAUSES
from local.batch_simulator.life.jobs import Life
from local.batch_simulator.life.pace import Pace
from local.batch_simulator.statuses import Phase, failed, running
from local.batch_simulator.world import World
from trials.soak.checker import Occurrence, true_occurrence
from trials.soak.exposure import ExposedLife, Poll, Span, owed, read_polls, read_spans, to_json

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FAILURE = Occurrence("align", NOW, "pool-1", "n1", "preparation", NOW)


def at(minute: float) -> datetime:
    """A moment of these stories."""
    return NOW + timedelta(minutes=minute)


def poll(begun: float, ended: float, *troubled: str) -> Poll:
    """A cycle between two minutes."""
    return Poll(begun=at(begun), ended=at(ended), troubled=frozenset(troubled))


@pytest.mark.parametrize(
    ("last", "polls", "is_owed"),
    [
        pytest.param(5, [poll(2, 3)], True, id="listed during a whole cycle"),
        pytest.param(5, [poll(0.5, 3)], False, id="listed since after the cycle began"),
        pytest.param(5, [poll(4, 6)], False, id="gone before the cycle ended"),
        pytest.param(5, [poll(2, 3, "align")], False, id="a cycle in trouble with its job"),
        pytest.param(5, [poll(2, 3, "render")], True, id="a cycle in trouble with another job"),
        pytest.param(5, [], False, id="no cycle ended well"),
        pytest.param(None, [], True, id="listed still"),
    ],
)
def test_what_is_owed(last: float | None, polls: list[Poll], *, is_owed: bool) -> None:
    """A failure listed from the first minute on is owed just when a cycle that ended well lies within its listing."""
    spans = [Span(at(1), None if last is None else at(last))]
    assert (
        owed({FAILURE: read_spans(to_json(spans))}, read_polls(each.to_json() for each in polls)) == {FAILURE}
    ) is is_owed


def test_a_failure_is_listed_until_something_takes_its_place() -> None:
    """The spans of a failure begin when somebody asks first and end when somebody asked last; it may come back."""
    world = World(now=NOW)
    life = ExposedLife(Life(world, Pace(jobs=0), seed=1, start=NOW), world)
    world.life = life
    world.add_job("align", creation_time=NOW)
    run = failed("align", Phase.PREPARATION, PREPARATION_CAUSES[0], start=NOW, end=NOW)
    again = running("align", Phase.PREPARATION, start=at(3))
    for minute, info in enumerate([run, run, again, again, run]):
        world.set_status("align", "pool-1", "n1", preparation=info)
        world.advance(at(minute))
    failure = true_occurrence(world.failures[0].to_json())
    assert life.spans(failure) == [Span(at(0), at(1)), Span(at(4), None)]
    world.delete_job("align")
    world.advance(at(5))
    assert life.spans(failure)[1] == Span(at(4), at(4))
