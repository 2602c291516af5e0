"""Runs, tests and maintains Prepwatch: `python3 dev.py COMMAND [ARGUMENT ...]`; --help names the commands.

Plain standard library, because it makes what everything else needs: .venv (from requirements-dev.txt) and
node_modules (from package-lock.json), again whenever those files change. What the commands do is decided
elsewhere: the local stack in local/, the tools' configuration in pyproject.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NODE_MODULES = ROOT / "node_modules"
REQUIREMENTS = ROOT / "requirements-dev.txt"
INSTALL_LOG = ROOT / ".local" / "install.log"
PROGRESS_SECONDS = 10
OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ConnectionResetError|ProxyError|getaddrinfo"
    r"|name resolution|Name or service not known|Network is unreachable|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT"
)
LOWEST_PYTHON = (3, 11)
DEPLOYED_PYTHON = "3.13"

CHECKS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["interrogate", "-vv", "--omit-covered-files", "tests"],
    ["local.node", "exec", "--", "prettier", "--check", "shared/web/dashboard/*.js"],
    ["local.node", "exec", "--", "tsc", "--project", "jsconfig.json"],
]
COMPILE = ["uv", "pip", "compile", "--quiet", "pyproject.toml", "--custom-compile-command", "python3 dev.py lock"]


def start(*arguments: str, heard: bool = True) -> subprocess.Popen[str]:
    """Start a module of .venv in the project's folder; what it says is kept for whoever asks unless it is *heard*."""
    # Tests start many interpreters: what one has compiled is kept for the others, whatever the environment says.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.Popen(  # noqa: S603 - our own tools
        [str(PYTHON), "-m", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=None if heard else subprocess.PIPE,
        stderr=None if heard else subprocess.STDOUT,
        text=True,
    )


def call(*arguments: str) -> int:
    """Run a module of .venv in the project's folder and return its exit code."""
    return start(*arguments).wait()


def passes(check: list[str]) -> bool:
    """Whether a check finds nothing; what it finds is shown."""
    running = start(*check, heard=False)
    said, _ = running.communicate()
    if running.returncode:
        print(f"\ndev.py: {' '.join(check)}\n{said}", flush=True)
    return not running.returncode


def must(exit_code: int, what: str) -> None:
    """End with a message unless *exit_code* is 0; what was said before explains the rest."""
    if exit_code:
        sys.exit(f"dev.py: {what} failed, see above. After mending it, run the same command again.")


def install(what: str, *command: str) -> None:
    """Run an installer and show that it goes on; when it fails, end with why, in a line instead of all it said."""
    INSTALL_LOG.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    with INSTALL_LOG.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603 - our own tools
        try:
            while process.poll() is None:
                try:
                    process.wait(PROGRESS_SECONDS)
                except subprocess.TimeoutExpired:
                    print(f"        {what}: {time.monotonic() - began:.0f} s", flush=True)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        why = reason(INSTALL_LOG.read_text(encoding="utf-8", errors="replace"))
        sys.exit(
            f"dev.py: {what} failed: {why}. All it said is in {INSTALL_LOG.relative_to(ROOT)}. "
            "After mending it, run the same command again."
        )


def reason(said: str) -> str:
    """Return in a line why an installer failed."""
    if OFFLINE.search(said):
        return "the package registry can't be reached (no network, or a proxy to be named in HTTPS_PROXY)"
    lines = [line.strip().rstrip(".") for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it did not say why"])[0]


def is_current(made: Path, recipe: str) -> bool:
    """Tell whether *made* was completed from this *recipe*, or from this one and more."""
    stamp = made / ".made-from"
    return stamp.exists() and stamp.read_text().endswith(recipe)


def complete(made: Path, recipe: str) -> None:
    """Note that *made* is complete; an interrupted installation has no note, so it is repeated."""
    (made / ".made-from").write_text(recipe)


def fingerprint_of(file: Path) -> str:
    """Return what a file says in short: another is a new installation."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_venv() -> None:
    """Make .venv unless it is what requirements-dev.txt asks for, with this version of Python."""
    recipe = f"Python {sys.version_info.major}.{sys.version_info.minor}, {fingerprint_of(REQUIREMENTS)}"
    if PYTHON.exists() and is_current(VENV, recipe):
        return
    print("dev.py: making .venv from requirements-dev.txt: fetches 220 MB from the Python package index", flush=True)
    print("        (Node.js for the storage emulator, the tests), takes 800 MB here; about a minute", flush=True)
    install("making .venv", sys.executable, "-m", "venv", "--clear", str(VENV))
    pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    install("pip install", *pip, "-r", str(REQUIREMENTS))
    complete(VENV, recipe)


def make_node_modules() -> None:
    """Make node_modules unless it is what package-lock.json asks for, whatever the version of Python."""
    recipe = fingerprint_of(ROOT / "package-lock.json")
    if is_current(NODE_MODULES, recipe):
        return
    print("dev.py: making node_modules from package-lock.json: fetches 110 MB from the npm registry", flush=True)
    print("        (Azurite, the storage emulator; what reads the scripts), takes 340 MB; half a minute", flush=True)
    # No package here needs its install script, so none gets to run one.
    npm = (str(PYTHON), "-m", "local.node", "ci", "--ignore-scripts", "--loglevel=error")
    install("npm ci", *npm)
    complete(NODE_MODULES, recipe)


def run(arguments: list[str]) -> int:
    """Start the local stack, to be ended by Ctrl-C."""
    make_node_modules()
    command = [str(PYTHON), "-m", "local.run", *arguments]
    os.chdir(ROOT)
    if os.name == "posix":
        # Held back until the stack has parts to end for it, a Ctrl-C breaks off nothing half done.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.execv(command[0], command)  # noqa: S606 - signals shall reach the stack itself
    try:
        return subprocess.call(command)  # noqa: S603 - the project's own program
    except KeyboardInterrupt:  # the stack got it too
        return 0


def test(arguments: list[str]) -> int:
    """Do everything that CI does; extra arguments go to pytest."""
    make_node_modules()
    # Many tests wait, for a receiver or a process of their own: a third worker and the checks use two cores meanwhile.
    # Each worker begins at another end: what a folder's tests share (a compiler, a browser, a stage) is made once.
    tests = start("pytest", "-n", "3", "--dist", "worksteal", *arguments)
    failed = [" ".join(check) for check in CHECKS if not passes(check)]
    if tests.wait():
        failed.append("pytest")
    if failed:
        print(f"dev.py: failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


def test_fast(arguments: list[str]) -> int:
    """Run what covers every rule once, without Azurite, a browser, time that passes and repetition."""
    chosen = ["-m", "not azurite and not browser and not slow", "--hypothesis-profile", "quick"]
    chosen += ["--ignore", "tests/whole"]
    return call("pytest", "-n", "3", "--dist", "worksteal", *chosen, *arguments)


def soak(arguments: list[str]) -> int:
    """Run the app under faults for five minutes and judge it; `soak --minutes 60 --seed 7`."""
    make_node_modules()
    return call("trials.soak", *arguments)


def bench(arguments: list[str]) -> int:
    """Measure everything side by side and write benchmarks/latest.md; `bench cost memory` measures these only."""
    make_node_modules()
    return call("benchmarks", *arguments)


def lock(arguments: list[str]) -> int:
    """Write requirements*.txt from the ranges in pyproject.toml; `lock --upgrade` takes the newest."""
    developed = ["--universal", "--python-version", ".".join(map(str, LOWEST_PYTHON))]
    developed += ["--group", "dev", "--group", "local", "-o", "requirements-dev.txt"]
    must(call(*COMPILE, *arguments, *developed), "locking what develops it")
    # No marker for another Python: a build by that one shall fail, instead of making a package that can't be imported.
    deployed = ["--python-version", DEPLOYED_PYTHON, "--python-platform", "linux", "-c", "requirements-dev.txt"]
    must(call(*COMPILE, *arguments, *deployed, "-o", "requirements.txt"), "locking what is deployed")
    worker = ["--group", "worker", "-c", "requirements.txt", "-o", "requirements-worker.txt"]
    return call(*COMPILE, *arguments, "--universal", "--python-version", DEPLOYED_PYTHON, *worker)


def preflight(_arguments: list[str]) -> int:
    """Say before `azd up` what would end the deployment, or be wrong after it, each with the line that mends it."""
    return call("infra.hooks.preflight")


def smoke(arguments: list[str]) -> int:
    """Do every read that Prepwatch does on a real account, `--account URL`, and record the answers scrubbed."""
    return call("local.smoke", *arguments)


COMMANDS = {
    "run": run,
    "test": test,
    "test-fast": test_fast,
    "bench": bench,
    "soak": soak,
    "preflight": preflight,
    "smoke": smoke,
    "lock": lock,
}


# What explains its arguments itself.
PROGRAMS = {"run": "local.run", "bench": "benchmarks", "soak": "trials.soak", "smoke": "local.smoke"}


def main() -> int:
    """Do what the command line says."""
    explained = "\n".join(f"  {name:<10} {(command.__doc__ or '')}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        description="Runs, tests and maintains Prepwatch. The commands:\n" + explained,
        epilog='`make COMMAND ARGS="ARGUMENT ..."` does the same.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those above")
    more = parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="`COMMAND --help` explains them"
    )
    more.required = False  # argparse would name it beside COMMAND when that is missing
    chosen = parser.parse_args()
    if sys.version_info < LOWEST_PYTHON:
        sys.exit(f"dev.py: needs Python 3.11 or newer, this is {sys.version.split()[0]}: try python3.13 dev.py")
    arguments = chosen.arguments[1:] if chosen.arguments[:1] == ["--"] else chosen.arguments
    asks_for_help = bool({"-h", "--help"} & set(arguments))
    if asks_for_help and chosen.command not in PROGRAMS:
        print(COMMANDS[chosen.command].__doc__)
        return 0
    make_venv()
    return call(PROGRAMS[chosen.command], "--help") if asks_for_help else COMMANDS[chosen.command](arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("dev.py: stopped")
