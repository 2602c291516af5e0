"""Every command that a document prints is one that its program takes as it stands."""

import argparse
import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dev import COMMANDS
from dev import PROGRAMS as OWN
from tests.printed.command_line import OUTPUT, PROGRAMS, parse_words, run_by

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))] if page.name != "CHANGELOG.md"
]
TRIED = {
    "sh": "here",
    "kusto": "tests/stack/alerts/test_queries.py",
    "yaml": "tests/stack/alerts/test_prometheus.py",
    "json": "tests/test_documents.py, tests/test_events_page.py",
    "http": "tests/test_events_page.py",
    "python": "tests/test_events_page.py",
    "js": "tests/test_events_page.py",
    "csharp": "tests/test_events_page.py",
    "text": "nothing to copy: what the app says",
    "": "nothing to copy: drawings",
}
"""By language of a block where it is tried."""
TARGETS = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
NAMES = "|".join(map(re.escape, [*PROGRAMS, "make", "python3", "python", "read"]))
EXAMPLES = {"curl -u"}
"""What docs/security.md calls options that hand over a password."""
FENCE = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```$")
IN_A_SENTENCE = re.compile(rf"(?<!`)`((?:[A-Z]+=\$\()?(?:{NAMES})\s[^`]+)`")


class _ParsedError(Exception):
    """A program of ours has read its arguments."""


def _printed() -> Iterator[object]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [block for language, block in FENCE.findall(text) if language == "sh"]
        named = [" ".join(found.split()) for found in IN_A_SENTENCE.findall(FENCE.sub("", text))]
        for found in [*blocks, *sorted({*named} - EXAMPLES)]:
            yield pytest.param(found.replace(r"\|", "|"), id=f"{page.stem}: {found.splitlines()[0][:60]}")


@pytest.mark.parametrize("text", list(_printed()))
def test_a_printed_command_is_taken(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bash can read it, each program in it is known, and takes its options and words and misses none."""
    assert _take_all(text, tmp_path, monkeypatch)


def _take_all(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read the commands of a piece of text, and return how many there are.

    Raises:
        ValueError: bash can't read it, or a program does not take its command.
    """
    commands = run_by(text, folder)
    for command in commands:
        _take(command, monkeypatch)
    return len(commands)


def _take(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a command as its program does: one of the project by its own code, others by their usage.

    Raises:
        ValueError: There is no such program or command, or it does not take these arguments.
    """
    match list(words):
        case ["cd", _]:
            pass
        case ["make", target, *rest]:
            _known(target, TARGETS)
            if rest:
                (arguments,) = rest
                _take_own(OWN.get(target), shlex.split(arguments.removeprefix("ARGS=")), monkeypatch)
        case ["python3", "dev.py", command, *rest]:
            _known(command, COMMANDS)
            _take_own(OWN.get(command), rest, monkeypatch)
        case ["python3" | "python", "-m", module, *rest]:
            _take_own(module, rest, monkeypatch)
        case ["python3", "-c", code]:
            compile(code, "printed", "exec")
        case _:
            parse_words(words)


def _known(name: str, names: Sequence[str] | dict[str, Any]) -> None:
    if name not in names:
        raise ValueError(f"there is no {name!r}")


def _take_own(module: str | None, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand arguments to the parser of a program of the project; one without a parser, or pytest, takes any.

    Raises:
        ValueError: There is no such program, or it does not take these arguments.
    """
    if module is None:
        return
    found = importlib.util.find_spec(module)
    if found is None:
        raise ValueError(f"there is no module {module!r}")
    if not arguments:
        return  # it is only named
    name = module if found.submodule_search_locations is None else f"{module}.__main__"
    if "argparse" not in (ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"):
        return
    own = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, *_handed: object) -> None:
        own(parser, list(arguments))
        raise _ParsedError

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", read)
        patched.setattr(sys, "argv", [module, *arguments])
        try:
            importlib.import_module(name).main()
        except _ParsedError:
            return
        except SystemExit as refused:
            raise ValueError(f"{module} does not take {arguments}") from refused


def test_every_block_of_a_document_is_tried() -> None:
    """A block is in a language that a test reads, or has nothing to copy."""
    languages = {
        language for page in PAGES for language in re.findall(r"(?m)^ *```(\w+)", page.read_text(encoding="utf-8"))
    }
    assert languages - set(TRIED) == set()


def test_commands_are_found() -> None:
    """Those in blocks, and those in sentences, of every program but one."""
    found = "\n".join(str(one.values[0]) for one in _printed())  # type: ignore[attr-defined]  # pytest's own value
    assert {name for name in PROGRAMS if not re.search(rf"\b{name}\b", found)} == set()
    assert len(list(_printed())) > 50


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kubectl get pods", "no program"),
        ("azd environment set A B", "no command"),
        ("azd env set A", "required: VALUE"),
        ("azd up --force", "unrecognized arguments: --force"),
        ("az functionapp keys list -n NAME", "--resource-group"),
        ("az ad app update --id A --app-role '[]'", "unrecognized"),
        ("SECRET=$(az keyvault secrets show --name N)", "no command"),
        ("gh attestation verify --repo A/B", "required: ARTIFACT"),
        ("git clone <the address> here", "the"),
        ("cat a | wc -l", "no program"),
        ("make runs", "no 'runs'"),
        ('make soak ARGS="--hours 1"', "does not take"),
        ("python3 dev.py smoke --url U", "does not take"),
        ("python -m trials.nothing", "no module"),
        ("azd up && (", "syntax error"),
    ],
)
def test_what_is_wrong_is_found(text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown program or command, an option or a word that is missing or too many, and what bash can't read."""
    with pytest.raises(ValueError, match=re.escape(why)):
        _take_all(text, tmp_path, monkeypatch)


def test_bash_hands_over_what_it_reads(tmp_path: Path) -> None:
    """Quotes, comments, what is printed by another command and what follows a pipe are told apart."""
    text = 'A=$(azd env get-value A | cut -d/ -f3) # not this\naz rest --url "x $A" --body \'{"a": 1}\' && cd here'
    handed = run_by(text, tmp_path)
    # Both ends of a pipe run at the same time.
    assert sorted(handed[:2]) == [["azd", "env", "get-value", "A"], ["cut", "-d/", "-f3"]]
    assert handed[2:] == [
        ["az", "rest", "--url", f"x {OUTPUT}", "--body", '{"a": 1}'],
        ["cd", "here"],
    ]
