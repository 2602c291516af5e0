"""Owns the Python that Azure runs the app with, and .venv-worker, the packages that it is deployed with there.

Does not own what is run in it: the production worker library (`tests/stack/worker`), and what an import costs
(`benchmarks/imports.py`).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_HOME = _ROOT / ".venv-worker"
_REQUIREMENTS = _ROOT / "requirements-worker.txt"  # what is deployed, and the worker library
_OLDEST = (3, 13)  # what infra/ deploys; azure-functions-runtime 1.x asks for it too
MISSING = "Python >= 3.13 was not found: install one as python3.13 on PATH or name it in PREPWATCH_PYTHON313"


def deployed_python() -> Path | None:
    """The interpreter of .venv-worker, which is made or renewed when its requirements changed.

    None when this machine has no Python >= 3.13.

    Raises:
        RuntimeError: Its packages could not be installed; the message holds what the installer said.
    """
    base = next((path for path in _candidates() if _is_new_enough(path)), None)
    if base is None:
        return None
    _ROOT.joinpath(".local").mkdir(exist_ok=True)
    with (_ROOT / ".local" / "venv-worker.lock").open("w", encoding="utf-8") as lock:
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
        done = subprocess.run([python, "-c", ask], capture_output=True, check=False, timeout=30)  # noqa: S603 - a Python
    except OSError:
        return False
    return done.returncode == 0


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
    done = subprocess.run(  # noqa: S603 - our own tools
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False, cwd=_ROOT
    )
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stderr}")
