"""How long Python takes to import the app, and the libraries that it can't do without.

Each import runs in a process of its own, by turns, the bytecode compiled before; with the Python and the packages that
are deployed where this machine has such a Python, else with those of .venv.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from local.deployed_python import deployed_python

_ROOT = Path(__file__).parent.parent
_LIBRARIES = "import azure.functions, requests, azure.identity, azure.data.tables, msgspec"
_TIMED = "import time; began = time.process_time(); {}; print(time.process_time() - began)"
_REPEATS = 21


def imports() -> dict[str, float]:
    """The median CPU seconds of both imports, and the minor version of the Python that they were measured with."""
    python = str(deployed_python() or sys.executable)
    taken: dict[str, list[float]] = {"app": [], "libraries": []}
    with tempfile.TemporaryDirectory() as bytecode:
        environment = _with_bytecode(bytecode)
        for _ in range(1 + _REPEATS):
            taken["app"].append(_number(python, _TIMED.format("import function_app"), environment))
            taken["libraries"].append(_number(python, _TIMED.format(_LIBRARIES), environment))
        minor = _number(python, "import sys; print(sys.version_info.minor)", environment)
    return {**{name: statistics.median(seconds[1:]) for name, seconds in taken.items()}, "python_3": minor}


def _with_bytecode(folder: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}


def _number(python: str, program: str, environment: dict[str, str]) -> float:
    command = [python, "-c", program]
    done = subprocess.run(command, cwd=_ROOT, env=environment, check=True, capture_output=True)  # noqa: S603 - ours
    return float(done.stdout)
