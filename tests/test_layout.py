"""The house rules: how large files and folders get, what mirrors what, and what `make test-fast` leaves out."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git as developers have it
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
TESTS = [file for file in FILES if file.name.startswith("test_") and file.suffix == ".py"]
TESTING = (ROOT / "docs/testing.md").read_text(encoding="utf-8")


def place(file: Path) -> str:
    """A path as people write it."""
    return file.relative_to(ROOT).as_posix()


def is_slow(marked: ast.expr) -> bool:
    """Tell whether an expression marks what it stands at as slow."""
    return any(isinstance(part, ast.Attribute) and part.attr == "slow" for part in ast.walk(marked))


def left_out(file: Path) -> set[str]:
    """What of a test module is marked slow as a whole: itself, or single tests; cases of a table don't count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    marks = [node.value for node in tree.body if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node)]
    if any(map(is_slow, marks)):
        return {place(file)}
    return {
        f"{place(file)}::{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "pytest.mark.slow" for decorator in node.decorator_list)
    }


def test_what_test_fast_leaves_out_is_written_down() -> None:
    """A test without any quick case stands in docs/testing.md with its reason; what stands there is one."""
    section = TESTING.split("## What `make test-fast` leaves out")[1].split("\n## ")[0]
    written = set(re.findall(r"`(tests/[\w/.]+\.py(?:::\w+)?)`", section))
    assert written == set().union(*map(left_out, TESTS))


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("shared/*/__init__.py")))
def test_every_folder_has_its_tests_and_some_are_quick(folder: str) -> None:
    """tests/ mirrors the folders of the package, and `make test-fast` says something of each."""
    files = [file for file in TESTS if file.is_relative_to(ROOT / "tests" / folder)]
    assert any(left_out(file) != {place(file)} for file in files)
