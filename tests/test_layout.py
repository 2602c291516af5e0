"""The house rules: how large files and folders get, what mirrors what, and what `make test-fast` leaves out."""

import ast
import re
import subprocess
from collections import Counter
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


def test_every_exception_from_a_tool_has_its_reason() -> None:
    """Whoever meets an ignored rule reads behind it why."""
    bare = re.compile(r"# (?:type: ignore|noqa)(?:\[[^\]]*\]|: [A-Z0-9, ]+)?\s*$", re.MULTILINE)
    code = {place(file): file.read_text(encoding="utf-8") for file in FILES if file.suffix == ".py"}
    assert {name: found for name, text in code.items() if (found := bare.findall(text))} == {}


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
    assert written == set().union(*map(left_out, (file for file in TESTS if "whole" not in file.parts)))
    assert "`tests/whole/`" in section


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("shared/*/__init__.py")))
def test_every_folder_has_its_tests_and_some_are_quick(folder: str) -> None:
    """tests/ mirrors the folders of the package, and `make test-fast` says something of each."""
    files = [file for file in TESTS if file.is_relative_to(ROOT / "tests" / folder)]
    assert any(left_out(file) != {place(file)} for file in files)


MOST_FILES, MOST_LINES = 20, 300


def test_no_folder_has_too_many_files() -> None:
    """A folder that one can look over; what programs write, and the root, where tools look, have their own size."""
    written = ("transcripts", "recorded")
    kept = [file.parent for file in FILES if not any(name in file.parts for name in written)]
    crowded = {place(folder): many for folder, many in Counter(kept).items() if many > MOST_FILES}
    assert set(crowded) <= {"."}, crowded


def test_no_file_is_too_long() -> None:
    """A file that one can read at a sitting, be it code, its tests, or the page."""
    lines = {
        place(file): len(file.read_text(encoding="utf-8").splitlines())
        for file in FILES
        if file.suffix in {".py", ".js", ".css", ".html"}
    }
    assert {name: many for name, many in lines.items() if many > MOST_LINES} == {}


def test_no_file_repeats_the_name_of_its_folder() -> None:
    """`delivery/delivery_run.py` would say twice where it is."""
    modules = [file for file in FILES if file.suffix == ".py" and file.is_relative_to(ROOT / "shared")]
    assert [place(file) for file in modules if file.stem.startswith(f"{file.parent.name}_")] == []


def test_little_of_the_tests_is_support() -> None:
    """Less than three of twenty lines under tests/ stand in modules that are no tests."""
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES if file.suffix == ".py"}
    every = {file: many for file, many in lines.items() if file.is_relative_to(ROOT / "tests")}
    support = {place(file): many for file, many in every.items() if file not in TESTS}
    assert sum(support.values()) < 0.15 * sum(every.values()), sorted(support.items(), key=lambda item: -item[1])[:10]


def public_names(file: Path) -> set[str]:
    """The names that a module defines for others: classes, functions, constants, aliases."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def test_no_public_name_means_two_things() -> None:
    """Whoever meets a name of shared/ in an import knows what it means without looking from where it comes."""
    modules = [file for file in FILES if file.suffix == ".py" and file.is_relative_to(ROOT / "shared")]
    homes: dict[str, list[str]] = {}
    for module in modules:
        for name in public_names(module):
            homes.setdefault(name, []).append(place(module))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_docstrings_name_modules_that_are_there() -> None:
    """Who owns what a module does not own is found under the name that its docstring gives."""
    folders = {folder.name for folder in (ROOT / "shared").iterdir() if folder.is_dir()}
    missing = {
        (place(file), name)
        for file in FILES
        if file.suffix == ".py" and file.is_relative_to(ROOT / "shared")
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", ast.get_docstring(ast.parse(file.read_text())) or "")
        if name.split(".")[0] in folders and not (ROOT / "shared" / f"{name.replace('.', '/')}.py").is_file()
    }
    assert missing == set()
