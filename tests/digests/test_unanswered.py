"""A standstill of which chat may have read without answering, and that is over before it could be told once more."""

import pytest

from shared.state.jobs import JobEnd
from shared.webhook import SendFailure
from tests.digests.paged_world import stands_still
from tests.digests.told_world import World
from tests.support.told_jobs import CHAT


def _unanswered(kind: str, failure: SendFailure) -> World:
    """A job that stands still without a failed node, and whose webhook does not answer."""
    world = World(kind)
    world.tick()
    world.sender.answers[kind], world.sender.failure = None, failure
    world.change("nightly", stuck=stands_still(world))
    world.tick()
    assert "stands still" in world.told(kind)[0].text
    world.sender.answers.clear()
    return world


def _about(world: World, kind: str) -> list[str]:
    """What was said of the job; who did not answer is pinged, too."""
    return [sent.text for sent in world.told(kind) if "nightly" in sent.text]


@pytest.mark.parametrize("kind", CHAT)
@pytest.mark.parametrize(
    ("failure", "ends"),
    [(SendFailure.TIMEOUT, 1), (SendFailure.PROTOCOL, 1), (SendFailure.CONNECTION, 0), (SendFailure.DNS, 0)],
)
def test_who_may_have_read_of_a_standstill_is_told_its_end(kind: str, failure: SendFailure, ends: int) -> None:
    """Who may have read of it is told its end, once; who can't have, nothing of what was over before it could be."""
    world = _unanswered(kind, failure)
    world.change("nightly", stuck=None)
    world.tick(60)
    last = _about(world, kind)[1:]
    assert len(last) == ends
    assert not last or "Moves again" in last[0]


@pytest.mark.parametrize("kind", CHAT)
def test_a_job_that_ends_meanwhile(kind: str) -> None:
    """The end of the job ends its standstill, too."""
    world = _unanswered(kind, SendFailure.TIMEOUT)
    world.change("nightly", stuck=None, closed=JobEnd.ENDED)
    world.tick(60)
    assert len(_about(world, kind)) == 2


@pytest.mark.parametrize("kind", CHAT)
def test_what_goes_on_is_told_once_more(kind: str) -> None:
    """While it goes on that is told once more, and then its end."""
    world = _unanswered(kind, SendFailure.TIMEOUT)
    world.tick(10)
    assert ["stands still" in text for text in _about(world, kind)] == [True, True]
    world.change("nightly", stuck=None)
    world.tick(60)
    assert len(_about(world, kind)) == 3
