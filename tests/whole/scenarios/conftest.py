"""Each test here is a story: what it lets happen, and in `transcripts/` what everybody has received in the end.

REGENERATE_TRANSCRIPTS=1 writes the transcripts anew; read the difference before it is committed.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.whole.scenarios.standing_still import STANDSTILLS, heard, in_time
from trials.simulation.fault_rates import Chance
from trials.simulation.story import PEOPLE, Story
from trials.simulation.system import START, System
from trials.simulation.webhooks import WEBHOOKS

TRANSCRIPTS = Path(__file__).parent / "transcripts"
_RARELY_POLLED = frozenset({
    "spot_pool_with_a_few_bad_nodes",
    "one_of_eight_nodes_is_always_unusable",
    "nodes_fail_hour_by_hour",
    "half_of_a_pool_waits_for_its_start_task",
    "pool_deleted_with_everything",
    "muted_pool",
    "what_still_stands_in_the_morning",
})  # fmt: skip
"""Stories that go on for long: nobody is blind between two of their polls."""
_OTHER_PEOPLE = {
    "key_rotation": {"rotating": WEBHOOKS["rotating"]},
    # Who hears of a standstill, and when, is held for every format.
    **{name: {**PEOPLE, "topic": {"format": "eventgrid"}} for name in STANDSTILLS},
}


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Iterator[Story]:
    """A system to tell the story of the test with; each receiver then got exactly the transcript, at its times."""
    name = request.function.__name__.removeprefix("test_")
    settings = {"STALE_AFTER_SECONDS": "7200"} if name in _RARELY_POLLED else {}
    with System(Chance(name), names="A", webhooks=_OTHER_PEOPLE.get(name, PEOPLE), settings=settings) as system:
        story = Story(system)
        yield story
        transcript = f"{request.function.__doc__}\n\n{story.transcript()}"
        told_of_standstills = heard(system.monitor.receipts)
    path = TRANSCRIPTS / f"{name}.txt"
    if os.environ.get("REGENERATE_TRANSCRIPTS") == "1":
        path.write_text(transcript)
    assert transcript == path.read_text(), "if people should receive this now, run REGENERATE_TRANSCRIPTS=1 pytest"
    if name in STANDSTILLS:
        _hold_to_the_table(name, told_of_standstills)


def _hold_to_the_table(name: str, told: dict[str, list[tuple[datetime, str]]]) -> None:
    """Each format was told of each of the story's standstills once, in time and with its reason, and of no other."""
    rows = [(START + after, reason) for after, reason in STANDSTILLS[name]]
    for form, its in told.items():
        assert len(its) == len(rows), f"{form} was told {its}"
        assert all(in_time(since, reason, one) for (since, reason), one in zip(rows, its, strict=True)), (
            f"{form}: {its}"
        )
