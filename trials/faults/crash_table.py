"""Reads docs/crash-table.md, so that what people read is what the tests check."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/crash-table.md"
_ROW = re.compile(r"\| `(?P<point>\w+:(?:before|after))` \| (?P<text>.+) \| (?P<duplicate>yes|no) \|")


def may_duplicate() -> dict[str, bool]:
    """Whether a message may arrive twice, for each point of the table."""
    return {row["point"]: row["duplicate"] == "yes" for row in _ROW.finditer(DOCUMENT.read_text(encoding="utf-8"))}
