"""How long Python takes to import the app, and the libraries that it can't do without.

Each import runs in a process of its own, by turns, the bytecode compiled before.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_LIBRARIES = "import azure.functions, requests, azure.identity, azure.data.tables, msgspec"
_TIMED = "import time; began = time.process_time(); {}; print(time.process_time() - began)"
_REPEATS = 21


def imports() -> dict[str, float]:
    """The median CPU seconds of both imports."""
    taken: dict[str, list[float]] = {"app": [], "libraries": []}
    with tempfile.TemporaryDirectory() as bytecode:
        environment = _with_bytecode(bytecode)
        for _ in range(1 + _REPEATS):
            taken["app"].append(_seconds("import function_app", environment))
            taken["libraries"].append(_seconds(_LIBRARIES, environment))
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}


def _with_bytecode(folder: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}


def _seconds(statement: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    done = subprocess.run(command, cwd=_ROOT, env=environment, check=True, capture_output=True)  # noqa: S603 - ours
    return float(done.stdout)
