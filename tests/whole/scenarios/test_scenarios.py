"""What holds for all stories."""

import re
from pathlib import Path

from tests.whole.scenarios.standing_still import STANDSTILLS

FOLDER = Path(__file__).parent


def test_every_transcript_has_its_story() -> None:
    """No transcript outlives its story."""
    assert {path.stem for path in (FOLDER / "transcripts").iterdir()} == _stories("test_*.py")


def test_every_story_of_jobs_that_seem_to_stand_still_is_held_to_the_table() -> None:
    """Of each it is said when all formats are to have heard, or that none is to hear a word of a standstill."""
    assert set(STANDSTILLS) == _stories("test_standstills.py") | _stories("test_quiet_pools.py")


def _stories(pattern: str) -> set[str]:
    told = [file.read_text(encoding="utf-8") for file in FOLDER.glob(pattern)]
    return set(re.findall(r"(?m)^def test_(\w+)\(told: Story\)", "\n".join(told)))
