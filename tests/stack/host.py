"""The Functions host as a process with the real app in it, for tests that come from outside."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_READY = re.compile(r"Host ready: (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHost:
    """Where the host listens, and the key that opens every function."""

    url: str
    key: str


@contextmanager
def running_host(state: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[RunningHost]:
    """The app under the host stand-in on a free port; it checks keys and keeps its state under *state*."""
    command = [sys.executable, "-m", "local.functions_host", "--port", "0", "--keys", "--state-dir", str(state)]
    command += arguments
    settings = {**os.environ, **environment, "PYTHONUNBUFFERED": "1", "FUNCTIONS_WORKER_RUNTIME": "python"}
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if ready := _READY.search(line):
                    break
            else:
                raise AssertionError(f"the host ended before it was ready:\n{''.join(said)}")
            # Nobody reads on: without this the host would wait for room in the pipe.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield RunningHost(url=ready[1], key=json.loads((state / "keys.json").read_text())["default"])
        finally:
            process.terminate()
            process.wait(30)
