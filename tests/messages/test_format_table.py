"""A format is one file, and what it says of its receiver is whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.messages.format import Format
from shared.messages.format_table import DEFAULT, FORMATS, format_of, render_notice
from shared.messages.notices import Notice, PageDetails, Severity
from tests.support.builders import webhook

SHARED = Path(__file__).parents[2] / "shared"
COMPOSITION = SHARED / "composition.py"


def _names(path: Path) -> Iterator[str]:
    """The formats that a module names, by a text or by importing their file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in FORMATS:
            yield str(node.value)
        if isinstance(node, ast.ImportFrom) and (node.module or "").removeprefix("shared.messages.") in FORMATS:
            yield str(node.module)


def test_no_other_module_knows_a_format() -> None:
    """Outside the formats' own files only the table imports one, and nobody spells the name of one.

    The composition hands Event Grid's addresses to the adapter that has its tokens.
    """
    own = {SHARED / "messages" / f"{name}.py" for name in (*FORMATS, "format_table")} | {COMPOSITION}
    found = {str(path): names for path in SHARED.rglob("*.py") if path not in own and (names := sorted(_names(path)))}
    assert found == {}
    assert list(_names(COMPOSITION)) == ["shared.messages.eventgrid"]


@pytest.mark.parametrize("known", FORMATS.values(), ids=list(FORMATS))
def test_each_writes_what_its_receiver_is_told(known: Format) -> None:
    """A format of state writes notices and one of events writes events; it is found by name, in its own file."""
    assert (known.write_notice is not None, known.write_event is not None) == (known.tells_state, not known.tells_state)
    assert format_of(webhook("ops", known.name)) is known
    assert (SHARED / "messages" / f"{known.name}.py").is_file()


def test_what_is_told_events_is_told_no_state() -> None:
    """To write words for a receiver of events is a defect, and says so."""
    notice = Notice(heading="x", severity=Severity.INFO, page=PageDetails(key="x", account="x", about="x", kind="x"))
    with pytest.raises(ValueError, match="cloudevents tells events"):
        render_notice(webhook("ops", DEFAULT.name), notice)
