"""What the commands of dev.py hand on, install and say."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import dev
from benchmarks.__main__ import _WHAT, _scenarios

ROOT = Path(__file__).resolve().parents[2]
SLOWLY = "import time; time.sleep(0.5)"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What would have been run."""
    calls: list[tuple[str, ...]] = []

    def call(*arguments: str) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr(dev, "make_venv", lambda: None)
    monkeypatch.setattr(dev, "make_node_modules", lambda: None)
    monkeypatch.setattr(dev, "call", call)
    return calls


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout in which nothing has been installed."""
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "INSTALL_LOG", tmp_path / ".local" / "install.log")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "runs"),
    [
        (["preflight"], ("infra.hooks.preflight",)),
        (["smoke", "--account", "https://a.example"], ("local.smoke", "--account", "https://a.example")),
        (["smoke", "--", "--account", "https://a.example"], ("local.smoke", "--account", "https://a.example")),
        (["soak", "--minutes", "60", "--seed", "7"], ("trials.soak", "--minutes", "60", "--seed", "7")),
        (["bench", "cost", "memory"], ("benchmarks", "cost", "memory")),
        (["bench", "--help"], ("benchmarks", "--help")),
        (["run", "-h"], ("local.run", "--help")),
        (["soak", "--", "--help"], ("trials.soak", "--help")),
    ],
)
def test_arguments_are_handed_on(
    called: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, typed: list[str], runs: tuple[str, ...]
) -> None:
    """What stands behind a command goes to what it runs, with and without --, the question for help too."""
    monkeypatch.setattr(sys, "argv", ["dev.py", *typed])
    assert dev.main() == 0
    assert called == [runs]


def test_only_a_command_is_required(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Typed alone it asks for a command, and for nothing else."""
    monkeypatch.setattr(sys, "argv", ["dev.py"])
    with pytest.raises(SystemExit):
        dev.main()
    assert capsys.readouterr().err.endswith("required: COMMAND\n")


@pytest.mark.parametrize("command", ["test", "test-fast", "lock"])
def test_what_has_no_help_of_its_own_is_explained_here(
    called: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Asked for help, commands that run other people's tools say what they do, and do nothing."""
    monkeypatch.setattr(sys, "argv", ["dev.py", command, "--help"])
    assert dev.main() == 0
    assert called == []
    assert capsys.readouterr().out.strip() == (dev.COMMANDS[command].__doc__ or "")


@pytest.mark.parametrize("module", sorted(dev.PROGRAMS.values()))
def test_programs_explain_their_arguments(module: str) -> None:
    """--help of everything that a command runs names each argument, and starts nothing."""
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout.startswith("usage: ")
    assert "Owns" not in ended.stdout


def test_the_bench_explains_each_scenario() -> None:
    """Every scenario has its line in the help, and every line a scenario."""
    assert set(_WHAT) == set(_scenarios("", ""))


@pytest.mark.parametrize(
    ("check", "tests", "failed"), [(0, 0, ""), (1, 0, "ruff"), (0, 1, "pytest"), (1, 1, "ruff, pytest")]
)
def test_all_that_fails_is_said(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    check: int,
    tests: int,
    failed: str,
) -> None:
    """Checks and tests run whatever comes of the others; what a check says is shown only if it fails."""
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "CHECKS", [["ruff", "check"], ["mypy"]])
    monkeypatch.setattr(dev, "make_node_modules", lambda: None)
    for name, exit_code in (("ruff", check), ("mypy", 0), ("pytest", tests)):
        (place / f"{name}.py").write_text(f"import sys\nprint('{name} says', sys.argv[1:])\nsys.exit({exit_code})")

    assert bool(dev.test(["-k", "diff"])) == bool(failed)

    said = capfd.readouterr()
    assert "'-k', 'diff'" in said.out
    assert ("ruff says ['check']" in said.out) == bool(check)
    assert "mypy says" not in said.out
    assert [line for line in said.err.splitlines() if line.startswith("dev.py: failed")] == (
        [f"dev.py: failed: {failed.replace('ruff', 'ruff check')}"] if failed else []
    )


def test_an_installation_shows_that_it_goes_on(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While an installer works, a line now and then says for how long it has."""
    monkeypatch.setattr(dev, "PROGRESS_SECONDS", 0.1)
    dev.install("pip install", sys.executable, "-c", SLOWLY)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert set(lines) <= {"        pip install: 0 s", "        pip install: 1 s"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("NewConnectionError(...): [Errno -3] Temporary failure in name resolution", "registry can't be reached"),
        ("npm error code EAI_AGAIN\nnpm error errno EAI_AGAIN", "registry can't be reached"),
        ("Traceback\n  urllib3.exceptions.ReadTimeoutError: ReadTimeout", "registry can't be reached"),
        ("WARNING: x\nERROR: No matching distribution found for y.\nmore", "failed: ERROR: No matching distribution"),
        ("You need the package python3-venv.\nmore", "failed: You need the package python3-venv. All"),
        ("", "failed: it did not say why"),
    ],
)
def test_a_failed_installation_says_why_in_a_line(place: Path, said: str, why: str) -> None:
    """Whatever an installer says, its end is one line with the reason and where the whole is."""
    program = f"import sys; print({said!r}); sys.exit(1)"
    with pytest.raises(SystemExit) as ended:
        dev.install("pip install", sys.executable, "-c", program)
    text = str(ended.value)
    assert text.startswith("dev.py: pip install failed: ")
    assert why in text
    assert "\n" not in text
    assert (place / ".local" / "install.log").read_text(encoding="utf-8").strip() == said


@pytest.mark.parametrize(
    ("stamp", "made"), [("Python 3.10, {recipe}", []), ("{recipe}", []), ("other", ["npm ci"]), (None, ["npm ci"])]
)
def test_node_modules_are_those_of_the_lock_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, stamp: str | None, made: list[str]
) -> None:
    """They are fetched when the lock file changes, and not for another version of Python."""
    installed: list[str] = []
    monkeypatch.setattr(dev, "NODE_MODULES", place)
    monkeypatch.setattr(dev, "install", lambda what, *_: installed.append(what))
    (place / "package-lock.json").write_text("{}", encoding="utf-8")
    recipe = dev.fingerprint_of(place / "package-lock.json")
    if stamp is not None:
        (place / ".made-from").write_text(stamp.format(recipe=recipe), encoding="utf-8")
    dev.make_node_modules()
    assert installed == made
    dev.make_node_modules()
    assert installed == made


def test_another_python_makes_the_environment_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled for one version of Python is not taken for another."""
    installed: list[str] = []
    monkeypatch.setattr(dev, "VENV", place)
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "install", lambda what, *_: installed.append(what))
    dev.make_venv()
    dev.make_venv()
    monkeypatch.setattr(sys, "version_info", SimpleNamespace(major=3, minor=99))
    dev.make_venv()
    assert installed == ["making .venv", "pip install"] * 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is held back through the signal mask")
def test_a_ctrl_c_before_the_stack_stands_ends_it_without_a_traceback(tmp_path: Path) -> None:
    """Pressed at any moment, Ctrl-C ends `make run` in silence."""
    for seconds in (0.3, 1.0):
        with subprocess.Popen(
            [sys.executable, "-c", RUN, "--state", str(tmp_path), "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        assert "Traceback" not in said, said
        assert process.returncode in {0, 1}


RUN = """
import sys
from pathlib import Path
from types import SimpleNamespace
import dev
dev.make_node_modules = lambda: None
dev.PYTHON = Path(sys.executable)
print("here", flush=True)
dev.run(sys.argv[1:])
"""
