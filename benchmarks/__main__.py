"""`python -m benchmarks [SCENARIO ...]`: measures everything side by side, prints the table, writes latest.md.

Owns the order, the servers and the report. With scenarios named it measures and prints only these. Exits with 1 when a
row misses its target.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from benchmarks.imports import imports
from benchmarks.latency import latency
from benchmarks.rows import Found, Line, lines_of
from benchmarks.server_process import running_server
from benchmarks.throttling import throttling
from local.azurite import running_azurite

_ROOT = Path(__file__).parent.parent
_LATEST = Path(__file__).with_name("latest.md")
_IN_A_PROCESS = ("listing", "mass_failure", "growth", "many_jobs", "pools", "old_jobs", "cost")

_WHAT = {
    "listing": "one job of 10,000 nodes, beside the plain ways to read it",
    "mass_failure": "10,000 nodes that fail at once",
    "growth": "unchanged cycles of a small job and of a very large one",
    "many_jobs": "1,000 jobs, unchanged, and their summary",
    "pools": "300 jobs, unchanged, in 100 healthy pools and in one",
    "old_jobs": "50,000 completed jobs beside 10 active ones",
    "cost": "seconds of unchanged cycles where each call takes 50 ms longer",
    "memory": "the peak of one cycle over 100,000 nodes",
    "imports": "what is imported before the first call",
    "throttling": "an account whose Batch refuses some of what it is asked",
    "latency": "from a node's failure to the receiver",
}

Numbers = dict[str, float]


def _measured(name: str, *arguments: str) -> Numbers:
    """The numbers of a scenario, run in a process of its own.

    Raises:
        RuntimeError: It failed; the message holds the end of what it said.
    """
    command = [sys.executable, "-m", "benchmarks.scenarios", name, *arguments]
    ended = subprocess.run(command, cwd=_ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if ended.returncode:
        raise RuntimeError(f"{name} failed: {ended.stderr[-800:]}")
    numbers: Numbers = json.loads(ended.stdout)
    return numbers


def _scenarios(batch: str, storage: str) -> dict[str, Callable[[], Numbers]]:
    def memory() -> Numbers:
        table = f"b{uuid4().hex}"
        found: Numbers = {}
        for name, change in (("first_sight", ""), ("unchanged", ""), ("released", "released"), ("failed", "failed")):
            measured = _measured("memory", batch, storage, table, change)
            found |= {f"{name}_{what}": number for what, number in measured.items()}
        return found

    def process(name: str) -> Callable[[], Numbers]:
        return lambda: _measured(name, batch, storage)

    return {
        **{name: process(name) for name in _IN_A_PROCESS},
        "memory": memory,
        "imports": imports,
        "throttling": throttling,
        "latency": latency,
    }


def _scenario(name: str) -> str:
    if name not in _WHAT:
        raise argparse.ArgumentTypeError(f"there is no scenario {name!r}, only {', '.join(_WHAT)}")
    return name


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures Prepwatch side by side and writes benchmarks/latest.md.\n"
        "With scenarios named, it measures and prints only these and writes nothing:\n\n"
        + "\n".join(f"  {name:<12} {what}" for name, what in _WHAT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", type=_scenario, help="one of those above (default: all)")
    chosen = parser.parse_args().scenario
    found: dict[str, Numbers] = {}
    failed: list[str] = []
    with running_server() as batch, running_azurite() as azurite:
        scenarios = _scenarios(batch, azurite.connection_string)
        for name in chosen or scenarios:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                found[name] = scenarios[name]()
            except RuntimeError as error:
                failed.append(name)
                print(f"benchmarks: {error}", file=sys.stderr)
    lines = lines_of(found)
    for line in lines:
        print("\n".join(textwrap.wrap(f"{'ok  ' if line.met else 'MISS'} {line.what}", 118)))
        print(f"     {line.reached}   target {line.target}")
    if not chosen and not failed:
        _LATEST.write_text(_report(found, lines), encoding="utf-8")
    return int(bool(failed) or any(not line.met for line in lines))


def _report(found: Found, lines: list[Line]) -> str:
    rows = [f"| {line.what} | {line.target} | {line.reached} | {'yes' if line.met else '**no**'} |" for line in lines]
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - whichever git the developer has
        cwd=_ROOT,
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return "\n".join(
        [
            "# What Prepwatch costs",
            "",
            f"Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}, revision {revision or 'unknown'}: {machine}.",
            "Ratios of medians; CPU is of the measured process, user and system, all its threads. The loopback Batch",
            "account (prebuilt answers) and Azurite run in processes of their own. Entries are about 720 bytes long.",
            "",
            "| what | must reach | reached | met |",
            "|---|---|---|---|",
            *rows,
            "",
            "## The numbers behind it",
            "",
            "```json",
            json.dumps(found, indent=1, sort_keys=True),
            "```",
            "",
        ]
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("benchmarks: stopped, nothing was written")
