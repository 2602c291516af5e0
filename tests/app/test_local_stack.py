"""What `make run` promises: failures arrive, each once as an event, through kills and pauses of the whole stack."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from local.azurite import SCRIPT
from local.memory import free_port
from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 60

pytestmark = pytest.mark.slow


class Stack:
    """A running stack that keeps its state in a folder, so that another can take it up."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start everything, and end everything in the end."""
        command = [sys.executable, "-m", "local.run", "--port", str(self.port), "--interval", "2"]
        command += ["--state", str(self.state), "--jobs", "6", "--nodes", "12", "--fail-rate", "0.4"]
        with (self.state / "stack.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
            try:
                self.wait_for(lambda: process.poll() is None and self._answers(), "the host")
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(LONGEST_SECONDS)

    def failed(self) -> set[tuple[str, ...]]:
        """Every occurrence that has failed so far, by the simulator's own record."""
        truth = _lines(self.state / "truth.jsonl")
        return {(line["job"], line["node"], line["phase"], _moment(line["startTime"])) for line in truth}

    def told(self) -> dict[tuple[str, ...], set[str]]:
        """The event ids under which each occurrence reached the receiver, signed right."""
        events: dict[tuple[str, ...], set[str]] = {}
        for line in _lines(self.state / "received.jsonl"):
            assert line["verified"], line
            event = json.loads(line["body"])
            if event["type"].endswith(".failed"):
                for node in event["data"]["nodes"]:
                    key = (event["data"]["jobId"], node["nodeId"], event["data"]["phase"], _moment(node["startTime"]))
                    events.setdefault(key, set()).add(event["id"])
        return events

    def kill_host(self) -> None:
        """Kill the Functions host in the middle of whatever it does."""
        mark = f"\0--port\0{self.port}\0"
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            command = entry.read_text(errors="replace")
            if "local.functions_host" in command and "local.leash" not in command and mark in command:
                os.kill(int(entry.parent.name), signal.SIGKILL)

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is true; fail with the stack's own words when it does not come."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come; the stack said:\n{(self.state / 'stack.log').read_text()[-4000:]}")
            time.sleep(0.2)

    def wait_until_told(self, failed: set[tuple[str, ...]]) -> None:
        """Wait until the receiver has heard of all of these."""
        self.wait_for(lambda: failed <= set(self.told()), "news of every failure")

    def summary(self) -> dict[str, object]:
        """What the summary says now."""
        with urlopen(f"http://127.0.0.1:{self.port}/api/summary?maxAge=0", timeout=30) as answer:
            body: dict[str, object] = json.load(answer)
        return body

    def _answers(self) -> bool:
        try:
            self.summary()
        except OSError:
            return False
        return True


def _lines(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    text = file.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _moment(text: str) -> str:
    return text.rstrip("Z").rstrip("0").rstrip(".")


def test_no_failure_is_missed_or_told_twice_through_a_kill_and_a_pause(tmp_path: Path) -> None:
    """Kill -9 of the host and a pause of the whole stack lose no failure, and give none a second event."""
    need(SCRIPT.exists(), "Azurite is not installed: `python3 dev.py test` installs it")
    need(Path("/proc").exists(), "the host's process is found through /proc, which this system lacks")
    stack = Stack(tmp_path)
    with stack.running():
        stack.wait_for(lambda: len(stack.failed()) >= 5, "the first failures")
        stack.kill_host()
        stack.wait_until_told(stack.failed())
        assert stack.summary()["status"] == "failing"
    before = stack.failed()
    time.sleep(8)
    with stack.running():
        stack.wait_for(lambda: len(stack.failed() - before) >= 3, "failures during the pause")
        stack.wait_until_told(stack.failed())

    told = stack.told()
    assert set(told) <= stack.failed()
    assert [key for key, ids in told.items() if len(ids) > 1] == []
