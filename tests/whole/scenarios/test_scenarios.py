"""What holds for all stories."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def test_every_transcript_has_its_story() -> None:
    """No transcript outlives its story."""
    told = [file.read_text(encoding="utf-8") for file in FOLDER.glob("test_*.py")]
    stories = set(re.findall(r"(?m)^def test_(\w+)\(told: Story\)", "\n".join(told)))
    assert {path.stem for path in (FOLDER / "transcripts").iterdir()} == stories
