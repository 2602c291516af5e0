"""A preparation that becomes slow on a node that is not at work: waited for where it may go on, else lost."""

from collections.abc import Iterator, Sequence

import pytest

from shared.batch.pool_model import ComputeNode
from shared.errors import BatchUnavailableError
from tests.support.fake_batch import FakeBatch
from tests.whole.troubles.waiting_job import Story


class _SaysOnlyWhoWorks(FakeBatch):
    """A Batch account that does not answer which nodes are out of reach, while `silent`."""

    silent = False

    def list_nodes(
        self, pool_id: str, *, odata_filter: str | None, **options: object
    ) -> Iterator[Sequence[ComputeNode]]:
        """The nodes, unless those out of reach are asked for."""
        if self.silent and "offline" in (odata_filter or ""):
            raise BatchUnavailableError("InternalError", "boom", status=500)
        return super().list_nodes(pool_id, odata_filter=odata_filter, select=None)


def _becomes_slow(story: Story, state: str) -> None:
    """The preparation of a node, which has this state by then, goes on for an hour."""
    story.job()
    story.pool(n1="running", n2="idle")
    story.prepares("n1")
    story.minutes(55)
    story.pool(n1=state, n2="idle")
    story.minutes(12)


@pytest.mark.parametrize(
    ("state", "waits"),
    [("unusable", True), ("unknown", True), ("offline", True), ("rebooting", False), ("leavingpool", False)],
)
def test_only_what_may_go_on_is_waited_for(state: str, *, waits: bool) -> None:
    """A node that Batch can't reach may be at it; one that begins anew or leaves is not, and nobody asks again."""
    story = Story()
    _becomes_slow(story, state)
    assert (bool(story.head.unfinished), story.head.preparation.slow) == (waits, 0)


def test_who_is_out_of_reach_is_asked_again() -> None:
    """While Batch does not say it nothing is lost: once the node works again its preparation is told as slow."""
    batch = _SaysOnlyWhoWorks()
    batch.silent = True
    story = Story(batch=batch)
    _becomes_slow(story, "unknown")
    batch.silent = False
    story.pool(n1="running", n2="idle")
    story.minutes(1)
    assert story.head.preparation.slow == 1
