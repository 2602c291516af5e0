"""Azurite starts, keeps what it is told to keep, and never outlives its owner."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient

from local.azurite import SCRIPT, Azurite, AzuriteError, running_azurite
from tests.stack.processes import has_proc, is_alive, wait_until_gone
from tests.support.needs import need

OWNER = """
import time
from local.azurite import running_azurite
with running_azurite() as azurite:
    print(azurite.pid, flush=True)
    time.sleep(60)
"""


def test_tables_answer_on_a_free_port(azurite: Azurite) -> None:
    """The connection string leads a client of Table storage to a running service."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        service.create_table("answers")

        assert "answers" in [table.name for table in service.list_tables()]


@pytest.mark.azurite
def test_a_state_folder_survives_a_restart(tmp_path: Path) -> None:
    """What was stored before the end is there after the next start with the same folder."""
    need(SCRIPT.exists(), "Azurite is not installed")
    with (
        running_azurite(state=tmp_path) as first,
        TableServiceClient.from_connection_string(first.connection_string) as service,
    ):
        service.create_table("kept")

    with (
        running_azurite(state=tmp_path) as second,
        TableServiceClient.from_connection_string(second.connection_string) as service,
    ):
        assert [table.name for table in service.list_tables()] == ["kept"]


def test_a_taken_port_is_named(azurite: Azurite) -> None:
    """A port that is in use ends the start at once, with what Azurite says about it."""
    taken = int(azurite.table.rsplit(":", 1)[1])

    with pytest.raises(AzuriteError, match=str(taken)), running_azurite(ports=(0, 0, taken)):
        pass


@pytest.mark.azurite
def test_it_does_not_outlive_a_killed_owner() -> None:
    """Azurite ends by itself when the process that started it is killed with -9."""
    need(SCRIPT.exists(), "Azurite is not installed")
    need(has_proc(), "looks at processes through /proc")
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        os.kill(owner.pid, signal.SIGKILL)

    assert wait_until_gone(pid)
