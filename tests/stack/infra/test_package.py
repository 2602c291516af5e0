"""What .funcignore leaves in the package."""

import fnmatch
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.stack.package import ROOT, build_package, package_files

WANTED = ["function_app.py", "host.json", "requirements.txt", "shared/__init__.py", "shared/inner/data.json"]
UNWANTED = [
    *(".env", ".funcignore", "azure.yaml", "dev.py", "local.settings.json", "pyproject.toml", "requirements-dev.txt"),
    *("infra/main.bicep", "local/run.py", "tests/test_x.py", "docs/shared/x.md", "tests/shared/x.py"),
    *(".venv/lib/x.py", "node_modules/shared/index.js", ".local/state.db", ".git/config"),
    *("__pycache__/x.pyc", "shared/__pycache__/x.pyc", "shared/inner/__pycache__/y.pyc", "shared/stray.pyc"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with everything that lies about on somebody's desk."""
    for name in (*WANTED, *UNWANTED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    shutil.copy(ROOT / ".funcignore", tmp_path)
    return tmp_path


def _loosely_read(root: Path) -> list[str]:
    """Read .funcignore as the looser tools do: the last matching line wins, and * matches slashes too."""
    lines = [line for line in (root / ".funcignore").read_text().splitlines() if line and not line.startswith("#")]

    def ignored(name: str, *, folder: bool) -> bool:
        for line in reversed(lines):
            pattern = line.removeprefix("!")
            if pattern.endswith("/") and not folder:
                continue
            pattern = pattern.rstrip("/")
            against = name if pattern.startswith("/") else name.rsplit("/", 1)[-1]
            if fnmatch.fnmatchcase(against, pattern.removeprefix("/")):
                return not line.startswith("!")
        return False

    def walk(folder: Path) -> list[str]:
        found = []
        for path in folder.iterdir():
            name = path.relative_to(root).as_posix()
            if not ignored(name, folder=path.is_dir()):
                found += walk(path) if path.is_dir() else [name]
        return found

    return sorted(walk(root))


def test_only_what_the_app_imports_is_left_in(checkout: Path) -> None:
    """Whatever else lies in the folder, secrets and virtual environments too, stays out of the package."""
    assert package_files(checkout) == WANTED


def test_tools_that_read_loosely_agree(checkout: Path) -> None:
    """A tool for which * matches slashes and the last matching line decides leaves in the same files."""
    assert _loosely_read(checkout) == WANTED


def test_the_zip_holds_exactly_the_package(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The zip has those files with their contents, and two builds give the same bytes."""
    out = tmp_path_factory.mktemp("zip")
    first, second = build_package(out / "a.zip", checkout), build_package(out / "b.zip", checkout)

    with zipfile.ZipFile(first) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {name: name for name in WANTED}
    assert first.read_bytes() == second.read_bytes()


def test_the_package_is_locked_for_the_deployed_python_alone() -> None:
    """No requirement is for another Python: a build by that one fails, instead of making what can't run."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line and not line.lstrip().startswith("#")]

    assert len(pinned) > 10
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    # Its 2.x exists for 3.13 and newer only: with it no older Python gets through.
    assert any(line.startswith("azure-functions==2.") for line in pinned)


def test_the_package_of_this_checkout_is_the_app() -> None:
    """Of this checkout the package takes the host's files and the whole package shared."""
    shared = {path.relative_to(ROOT).as_posix() for path in (ROOT / "shared").rglob("*.py")}

    assert {"host.json", "requirements.txt"} | shared <= set(package_files())
    assert {name.split("/")[0] for name in package_files()} <= {
        "function_app.py",
        "host.json",
        "requirements.txt",
        "shared",
    }
