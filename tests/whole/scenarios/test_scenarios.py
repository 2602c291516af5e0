"""What holds for all stories."""

import re

from tests.whole.scenarios.story import TRANSCRIPTS


def test_every_transcript_has_its_story() -> None:
    """No transcript outlives its story."""
    told = [file.read_text(encoding="utf-8") for file in TRANSCRIPTS.parent.glob("test_*.py")]
    stories = set(re.findall(r"(?m)^def test_(\w+)\(told: Story\)", "\n".join(told)))
    assert {path.stem for path in TRANSCRIPTS.iterdir()} == stories
