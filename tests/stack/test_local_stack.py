"""What `make run` promises: failures arrive, each once as an event, through kills and pauses of the whole stack."""

import time
from pathlib import Path

import pytest

from tests.stack.local_stack import Stack, failing_job
from tests.support.needs import need

pytestmark = pytest.mark.slow


def test_no_failure_is_missed_or_told_twice_through_a_kill_and_a_pause(tmp_path: Path) -> None:
    """Kill -9 of the host and a pause of the whole stack lose no failure, and give none a second event."""
    need(Path("/proc").exists(), "the host's process is found through /proc, which this system lacks")
    stack = Stack(tmp_path, "--jobs", "6", "--nodes", "12", "--fail-rate", "0.4")
    with stack.running():
        stack.wait_for(lambda: len(stack.failed()) >= 5, "the first failures")
        stack.kill_host()
        stack.wait_until_told(stack.failed())
        stack.wait_for(lambda: stack.status() == "failing", "a summary of the failures")
    before = stack.failed()
    time.sleep(8)
    with stack.running():
        stack.change_job(failing_job("after-the-pause", 3))
        assert len(stack.failed() - before) >= 3
        stack.wait_until_told(stack.failed())

    told = stack.told()
    assert set(told) <= stack.failed()
    assert [key for key, ids in told.items() if len(set(ids)) > 1] == []
