"""The loopback server as a process of ours."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parent.parent


@contextmanager
def running_server() -> Iterator[str]:
    """Start it and give its address; it ends with the block, or with us."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(  # noqa: S603 - ours
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the loopback server has no pipes")
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
