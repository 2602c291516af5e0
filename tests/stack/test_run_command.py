"""What `python -m local.run` refuses before it starts anything, each in a line of words."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.state_folder import OccupiedError, occupied

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; only ever used up by a failing test
HOLDS = """
import sys, time
from pathlib import Path
from local.state_folder import occupied
with occupied(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


def run(state: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """What the command says and returns; nothing that it is given lets it start."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BATCH_", "WEBHOOK"))}
    return subprocess.run(
        [sys.executable, "-m", "local.run", "--state", str(state), *arguments],
        cwd=ROOT,
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the folder for itself."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def test_a_second_stack_on_one_folder_is_refused(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """Two stacks would destroy each other's state: the second says who has it, and what to do."""
    ended = run(tmp_path, "--port", "0")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"another stack (process {holder.pid}) runs on the state folder {tmp_path}: "
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


def test_a_taken_port_is_refused_with_the_command_for_another(tmp_path: Path) -> None:
    """A port that another program has is named, with what to type."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run(tmp_path, "--port", str(port))

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"port {port} is taken by another program: end it, or take another port")
    assert 'make run ARGS="--port ' in ended.stderr


def test_wrong_settings_end_it_before_it_starts(tmp_path: Path) -> None:
    """Each setting that is wrong is a line, and nothing was started."""
    ended = run(
        tmp_path,
        *("--port", "0"),
        BATCH_ACCOUNT_URLS="https://real.westeurope.batch.azure.com/path",
        POLL_SCHEDULE="0\t* * * * *",
        RETENTION_DAYS="1",
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    lines = ended.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["BATCH_ACCOUNT_URLS", "POLL_SCHEDULE", "RETENTION_DAYS"]
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
def test_numbers_out_of_range_are_refused(tmp_path: Path, option: str, value: str, allowed: str) -> None:
    """An option says what it may be, before anything starts."""
    ended = run(tmp_path, f"{option}={value}")

    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert option in last
    assert allowed in last
