"""What `python -m local.run` refuses before it starts anything, each in a line of words."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.run import main
from local.state_folder import OccupiedError, occupied

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; only ever used up by a failing test
HOLDS = """
import sys, time
from pathlib import Path
from local.run import main
from local.state_folder import occupied
with occupied(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set is not there."""
    for name in os.environ:
        if name.startswith(("BATCH_", "WEBHOOK", "POLL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the folder for itself."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def test_a_second_stack_on_one_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two stacks would destroy each other's state: the second says who has it, and what to do."""
    with occupied(tmp_path):
        assert main(["--state", str(tmp_path), "--port", "0"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"another stack (process {os.getpid()}) runs on the state folder {tmp_path}: "
        "end it, or give --state another folder and --port another port\n"
    )


def test_a_folder_is_free_again_however_its_owner_ended(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """After kill -9 the folder is free, and has been nobody else's before."""
    with pytest.raises(OccupiedError), occupied(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait(PATIENCE)
    with occupied(tmp_path):
        pass
    with occupied(tmp_path):
        pass


def test_a_taken_port_is_refused_with_the_command_for_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that another program has is named, with what to type."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["--state", str(tmp_path), "--port", str(port)]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"port {port} is taken by another program: end it, or take another port")
    assert 'make run ARGS="--port ' in said


def test_wrong_settings_end_it_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each setting that is wrong is a line, and nothing was started."""
    monkeypatch.setenv("BATCH_ACCOUNT_URLS", "https://real.westeurope.batch.azure.com/path")
    monkeypatch.setenv("POLL_SCHEDULE", "0\t* * * * *")
    monkeypatch.setenv("RETENTION_DAYS", "1")
    assert main(["--state", str(tmp_path), "--port", "0"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split(" ")[0] for line in said.err.splitlines()] == [
        "BATCH_ACCOUNT_URLS",
        "POLL_SCHEDULE",
        "RETENTION_DAYS",
    ]
    assert not (tmp_path / "azurite").exists()


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--port", "65536", "is not 0 to 65535"),
        ("--port", "-1", "is not 0 to 65535"),
        ("--port", "http", "is no whole number"),
        ("--interval", "7", "divides neither a minute nor"),
        ("--interval", "0", "is not 1 to 3600"),
        ("--duration", "nan", "is not 0 or more"),
        ("--jobs", "-1", "is not 0 to 1000"),
        ("--nodes", "-3", "is not 1 to 10000"),
        ("--nodes", "1.5", "is no whole number"),
        ("--fail-rate", "1.1", "is not 0 to 1"),
        ("--fail-rate", "nan", "is not 0 to 1"),
        ("--fail-rate", "often", "is no number"),
        ("--seed", "x", "is no whole number"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, allowed: str
) -> None:
    """An option says what it may be, before anything starts."""
    with pytest.raises(SystemExit) as ended:
        main([f"--state={tmp_path}", f"{option}={value}"])

    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert option in last
    assert allowed in last
