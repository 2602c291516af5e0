"""The local stack as processes, and its own records of what happened and of what arrived."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from local.azurite import SCRIPT
from local.batch_simulator.statuses import Cause, Phase, failed
from local.memory import free_port
from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 150  # whoever is killed in an attempt holds its delivery for a minute, and a cycle for half of one
CAUSE = Cause(category="usererror", code="BlobNotFound", message="One of the specified Azure Blob(s) is not found.")


def failing_job(job_id: str, nodes: int) -> dict[str, object]:
    """A job on whose every node preparation has failed a moment ago."""
    end = datetime.now(UTC)
    info = failed(job_id, Phase.PREPARATION, CAUSE, start=end - timedelta(seconds=5), end=end)
    statuses = [{"nodeId": f"tvmps_{number:064x}_d", "preparation": info} for number in range(nodes)]
    return {"id": job_id, "tasks": {"active": 6000}, "statuses": statuses}


class Stack:
    """A running stack that keeps its state in a folder, so that another can take it up; *story* is its options."""

    def __init__(self, state: Path, *story: str) -> None:
        need(SCRIPT.exists(), "Azurite is not installed: `python3 dev.py test` installs it")
        self.state = state
        self.port = free_port()
        self._story = story

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start everything, and end everything in the end."""
        command = [sys.executable, "-m", "local.run", "--port", str(self.port), "--interval", "2"]
        command += ["--state", str(self.state), *self._story]
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

    def received(self, name: str = "") -> list[dict[str, Any]]:
        """What a receiver has recorded: the signed one's, or that of the format of this name."""
        return _lines(self.state / f"received{name and '-'}{name}.jsonl")

    def told(self, name: str = "") -> dict[tuple[str, ...], list[str]]:
        """The ids of the events that brought each occurrence to such a receiver, which took them all."""
        events: dict[tuple[str, ...], list[str]] = {}
        for line in self.received(name):
            assert line["verified"], line
            body = json.loads(line["body"])
            for event in body if isinstance(body, list) else [body]:
                if event["type"].endswith(".failed"):
                    for node in event["data"]["nodes"]:
                        occurrence = (event["data"]["jobId"], node["nodeId"], event["data"]["phase"])
                        events.setdefault((*occurrence, _moment(node["startTime"])), []).append(event["id"])
        return events

    def kill_host(self) -> None:
        """Kill the Functions host in the middle of whatever it does."""
        mark, killed = f"\0--port\0{self.port}\0", 0
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            command = entry.read_text(errors="replace")
            if "local.functions_host" in command and mark in command:
                os.kill(int(entry.parent.name), signal.SIGKILL)
                killed += 1
        assert killed == 1

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is true; fail with the stack's own words when it does not come."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come; the stack said:\n{(self.state / 'stack.log').read_text()[-4000:]}")
            time.sleep(0.2)

    def wait_until_told(self, failed: set[tuple[str, ...]], name: str = "") -> None:
        """Wait until a receiver has heard of all of these."""
        self.wait_for(lambda: failed <= set(self.told(name)), "news of every failure")

    def summary(self) -> dict[str, Any]:
        """What the summary says after a cycle of its own."""
        with urlopen(f"http://127.0.0.1:{self.port}/api/summary?maxAge=0", timeout=30) as answer:
            body: dict[str, Any] = json.load(answer)
        return body

    def status(self) -> str | None:
        """The summary's status, None while the host does not answer, as after a kill."""
        try:
            status: str = self.summary()["status"]
        except OSError:
            return None
        return status

    def change_job(self, order: Mapping[str, object]) -> None:
        """Let something happen to a job of the simulated account, or begin it."""
        port = json.loads((self.state / "stack.json").read_text())["batch_port"]
        body = json.dumps(order).encode()
        with urlopen(Request(f"http://127.0.0.1:{port}/_sim/jobs", data=body, method="POST"), timeout=30) as answer:
            assert json.load(answer) == {"done": True}

    def _answers(self) -> bool:
        return self.status() is not None


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    text = file.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _moment(text: str) -> str:
    return text.rstrip("Z").rstrip("0").rstrip(".")
