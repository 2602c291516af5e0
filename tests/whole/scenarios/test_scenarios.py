"""What people would have received: each story against its transcript in `transcripts/`.

REGENERATE_TRANSCRIPTS=1 writes the transcripts anew; read the difference before it is committed.
"""

import os
from pathlib import Path

import pytest

from tests.whole.scenarios.stories import STORIES
from tests.whole.scenarios.story import PEOPLE, tell
from tests.whole.simulation.people import WEBHOOKS

_TRANSCRIPTS = Path(__file__).parent / "transcripts"
_OTHER_PEOPLE = {"key_rotation": {"rotating": WEBHOOKS["rotating"]}}


@pytest.mark.parametrize("name", STORIES)
def test_people_receive_what_the_transcript_says(name: str) -> None:
    """Each receiver gets exactly these messages, at these times."""
    transcript = tell(STORIES[name], _OTHER_PEOPLE.get(name, PEOPLE))
    path = _TRANSCRIPTS / f"{name}.txt"
    if os.environ.get("REGENERATE_TRANSCRIPTS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(transcript)
    assert transcript == path.read_text(), "if people should receive this now, run REGENERATE_TRANSCRIPTS=1 pytest"


def test_every_transcript_has_its_story() -> None:
    """No transcript outlives its story."""
    assert {path.stem for path in _TRANSCRIPTS.iterdir()} == set(STORIES)
