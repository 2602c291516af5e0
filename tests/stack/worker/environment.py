"""Owns the Python environment in which the production worker library runs; does not own what is run there."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[3]
_HOME = ROOT / ".venv-worker"
_REQUIREMENTS = ROOT / "requirements-worker.txt"  # what is deployed, and the worker library
_OLDEST = (3, 13)  # azure-functions-runtime 1.x
_MISSING = (
    "azure-functions-runtime needs Python >= 3.13 and none was found: install one as python3.13 on PATH "
    "or name it in PREPWATCH_PYTHON313"
)


def worker_python() -> Path:
    """The interpreter of .venv-worker, which is made or renewed when its requirements changed.

    Skips the test when there is no Python >= 3.13; fails it instead when PREPWATCH_REQUIRE_ALL is 1.
    """
    base = next((path for path in _candidates() if _is_new_enough(path)), None)
    need(base is not None, _MISSING)
    assert base is not None
    ROOT.joinpath(".local").mkdir(exist_ok=True)
    with (ROOT / ".local" / "venv-worker.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests' processes would make it at once
        return _environment(base)


def _candidates() -> Iterator[Path]:
    chosen = os.environ.get("PREPWATCH_PYTHON313")
    if chosen:
        yield Path(chosen)
        return
    yield Path(sys.executable)
    found = shutil.which("python3.13")
    if found:
        yield Path(found)
    yield from sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python"))


def _is_new_enough(python: Path) -> bool:
    # A pyenv shim is on PATH for versions that it refuses to start, so the interpreter itself is asked.
    ask = f"import sys; sys.exit(sys.version_info < {_OLDEST})"
    try:
        return subprocess.run([python, "-c", ask], capture_output=True, check=False, timeout=30).returncode == 0
    except OSError:
        return False


def _environment(base: Path) -> Path:
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes() + str(base).encode()).hexdigest()
    stamp, python = _HOME / "stamp", _HOME / "bin" / "python"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    _uv("venv", "--clear", "--python", str(base), str(_HOME))
    _uv("pip", "install", "--compile-bytecode", "--python", str(python), "-r", str(_REQUIREMENTS))
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        pytest.fail(f"uv {' '.join(arguments)} failed:\n{done.stderr}")
