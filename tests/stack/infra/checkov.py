"""Owns where tests find checkov: in an environment of its own, as it pins older versions of what others use."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv-checkov"
PINNED = "checkov==3.3.30"
# The parser that checkov pins knows no lambdas, and files that it can't parse are passed over in silence.
PARSER = "pycep-parser==0.7.1"


def checkov() -> Path:
    """Return checkov's program, after installing it at the first call; skips the test when it can't be had."""
    program = VENV / ("Scripts/checkov.cmd" if os.name == "nt" else "bin/checkov")
    stamp = VENV / ".made-from"
    recipe = f"{PINNED} {PARSER}"
    if not (stamp.exists() and stamp.read_text() == recipe):
        failed = _install()
        need(failed is None, f"checkov can't be installed: {failed}")
        stamp.write_text(recipe)
    return program


def _install() -> str | None:
    """Make the environment; returns the end of what went wrong, None when nothing did."""
    overrides = VENV / "overrides.txt"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)],
        [*uv, "pip", "install", "--quiet", "--python", str(VENV), "--overrides", str(overrides), PINNED],
    ):
        if "install" in command:
            overrides.write_text(PARSER)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stderr.strip()[-300:]
    return None
