"""The parts of the local stack are kept running, and not one of them is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from local.supervisor import Part, PartError, StopAskedForError, Supervisor, stopped_by_signals
from tests.stack.processes import has_proc, is_alive, wait_until_gone
from tests.support.needs import need

# Only a supervisor that does not stop by itself gets this far.
LIMIT = timedelta(seconds=20)
TELL_PID_AND_WAIT = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
DEAF = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True);"
    "[time.sleep(1) for _ in range(600)]"
)
# Starts a part that ends with its parent, and waits to be killed.
OWNER = """
import os, sys
from local.supervisor import Part, Supervisor
command = [sys.executable, "-m", "local.ends_with_parent", "-m", "waiting_part"]
with Supervisor(lambda name, line: print(line, flush=True)) as supervisor:
    supervisor.start(Part(name="x", command=command, environment=os.environ, is_ready=lambda: True, restarts=True))
    supervisor.watch()
"""


@dataclass
class PartLines:
    """What the parts said; *react* is called with all pids whenever a part tells its own."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    react: Callable[[list[int]], None] = lambda _pids: None

    def __call__(self, name: str, line: str) -> None:
        """Take a line."""
        self.lines.append((name, line))
        if line.isdigit():
            self.pids.append(int(line))
            self.react(self.pids)


@pytest.fixture
def said() -> PartLines:
    """Return what the supervisor tells to."""
    return PartLines()


@pytest.fixture
def supervisor(said: PartLines) -> Iterator[Supervisor]:
    """Return a supervisor without parts; its parts end with the test."""
    need(has_proc(), "looks at processes through /proc")
    with Supervisor(said) as supervisor:
        yield supervisor


def part(name: str, script: str = TELL_PID_AND_WAIT, *, restarts: bool = True, ready: bool = True) -> Part:
    """Return a part that runs a line of Python."""
    return Part(
        name=name,
        command=[sys.executable, "-c", script],
        environment=os.environ,
        is_ready=lambda: ready,
        restarts=restarts,
    )


def test_a_part_that_gives_up_again_and_again_is_given_up(said: PartLines) -> None:
    """A part that can't run, such as an app that can't be indexed, ends the stack instead of restarting for ever."""
    with Supervisor(said) as supervisor:
        supervisor.start(part("app", "raise SystemExit(1)"))
        with pytest.raises(PartError, match="app ended by itself 3 times in a row"):
            supervisor.watch(LIMIT)
    assert [line for _, line in said.lines] == ["ended, starting it again: exit code 1"] * 2


def test_a_part_may_end_by_itself(said: PartLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends by itself does so with its own exit code and words, although a thread of it waits for its owner."""
    (tmp_path / "ending_part.py").write_text("import time\ntime.sleep(0.5)\nraise SystemExit('the disk is full')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path.cwd())]))
    command = [sys.executable, "-m", "local.ends_with_parent", "-m", "ending_part"]
    with Supervisor(said) as supervisor, pytest.raises(PartError, match="exit code 1, after 'the disk is full'"):
        supervisor.start(replace(part("host", ready=False), command=command))

    assert said.lines == [("host", "the disk is full")]


def test_a_killed_part_is_started_again(said: PartLines) -> None:
    """A part without a memory comes back after kill -9, and the end is said in words."""
    need(has_proc(), "looks at processes through /proc")
    with Supervisor(said) as supervisor:
        said.react = lambda pids: os.kill(pids[0], signal.SIGKILL) if len(pids) == 1 else supervisor.stop()
        supervisor.start(part("host"))
        supervisor.watch(LIMIT)

    assert ("host", "ended, starting it again: signal SIGKILL") in said.lines
    assert len(said.pids) == 2
    assert not any(is_alive(pid) for pid in said.pids)


def test_the_end_of_a_memory_ends_the_stack(said: PartLines, supervisor: Supervisor) -> None:
    """A part that can't be started again without loss ends the stack by its name."""
    said.react = lambda pids: os.kill(pids[0], signal.SIGKILL)
    supervisor.start(part("batch", restarts=False))

    with pytest.raises(PartError, match=r"batch ended, and with it what it remembered: signal SIGKILL"):
        supervisor.watch(LIMIT)


def test_a_part_that_cannot_start_is_named(said: PartLines, supervisor: Supervisor) -> None:
    """A part that ends before it is ready is not tried again; its own words are said."""
    with pytest.raises(PartError, match="host ended before all was ready: exit code 3, after 'port is taken'"):
        supervisor.start(part("host", "print('port is taken'); raise SystemExit(3)", ready=False))

    assert said.lines == [("host", "port is taken")]


def test_a_stop_is_heard_while_a_part_starts(said: PartLines, supervisor: Supervisor) -> None:
    """Ctrl-C works at once, not only when all parts are ready."""
    said.react = lambda _pids: supervisor.stop()

    with pytest.raises(StopAskedForError):
        supervisor.start(part("host", ready=False))


def test_sigterm_ends_all_parts(said: PartLines) -> None:
    """SIGTERM to the supervisor's process ends every part that runs, and the handlers are given back."""
    need(has_proc(), "looks at processes through /proc")
    before = signal.getsignal(signal.SIGTERM)
    with Supervisor(said) as supervisor, stopped_by_signals(supervisor):
        said.react = lambda pids: os.kill(os.getpid(), signal.SIGTERM) if len(pids) == 2 else None
        supervisor.start(part("receiver"))
        supervisor.start(part("host"))
        supervisor.watch(LIMIT)

    assert len(said.pids) == 2
    assert not any(is_alive(pid) for pid in said.pids)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_part_that_ignores_the_end_is_killed(said: PartLines) -> None:
    """A part that does not end in time is killed, so that nothing is left."""
    need(has_proc(), "looks at processes through /proc")
    with Supervisor(said, grace=timedelta(seconds=0.2)) as supervisor:
        said.react = lambda _pids: supervisor.stop()
        supervisor.start(part("host", DEAF))
        supervisor.watch(LIMIT)

    assert not is_alive(said.pids[0])


def test_parts_end_with_a_killed_stack(tmp_path: Path) -> None:
    """After kill -9 of the stack itself, its parts end by themselves."""
    need(has_proc(), "looks at processes through /proc")
    (tmp_path / "waiting_part.py").write_text(TELL_PID_AND_WAIT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    with subprocess.Popen([sys.executable, "-c", OWNER], env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        owner.kill()

    assert wait_until_gone(pid)
