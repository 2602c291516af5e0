"""From a status change in the simulated account to the webhook's arrival, through the whole local stack.

Owns reading the stack's two records: what the simulator did and what the receiver got. A failure counts from its end,
which is when listings begin to show it, and until the first event that names its node has arrived. Start tasks fail in
the same run.
"""

import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeVar

from benchmarks.start_tasks import fail_start_tasks

_ROOT = Path(__file__).parent.parent
_SECONDS = 100
_FAILURES = 200
_IN_TIME = 10  # seconds that what failed had before the last webhook arrived, if it is to count as not told
_TYPES = {"prepwatch.preparation.failed": "preparation", "prepwatch.release.failed": "release"}
_Occurrence = tuple[str, str, str, str]  # job, node, phase, start
_Name = TypeVar("_Name", str, _Occurrence)


def latency() -> dict[str, float]:
    """The median and the 99th percentile in seconds of the first 200 failures that had time to arrive.

    Under `start_task_...` they are those of start tasks.

    Raises:
        RuntimeError: The stack did not start, or told too few failures.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        command = [sys.executable, "-m", "local.run", "--port", str(_free_port()), "--state", str(state)]
        story = ["--jobs", "16", "--nodes", "60", "--fail-rate", "0.4", "--interval", "5", "--duration", str(_SECONDS)]
        # One webhook, as the ways of reading that it is held against.
        environment = {**os.environ, "WEBHOOKS": "[]"}
        start_tasks = _let_live([*command, *story], environment)
        happened = _happened(state / "truth.jsonl")
        arrived = _arrived(state / "received.jsonl")
        nodes_told = _nodes_told(state / "received.jsonl")
    of_start_tasks = _waits(start_tasks, nodes_told)
    return _waits(happened, arrived) | {f"start_task_{name}": number for name, number in of_start_tasks.items()}


def _let_live(command: list[str], environment: Mapping[str, str]) -> dict[str, datetime]:
    """Run the stack to its end; when a start task failed on which node meanwhile.

    Raises:
        RuntimeError: The stack did not start, or ended with an error.
    """
    said: list[str] = []
    simulator: list[str] = []
    answers = Event()
    stack = subprocess.Popen(  # noqa: S603 - the project's own program
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def listen() -> None:
        for line in stack.stdout or ():
            said.append(line)
            if found := re.search(r"Batch account \S+ at (http://[^\s,]+)", line):
                simulator.append(found[1])
                answers.set()

    listener = Thread(target=listen)
    listener.start()
    is_there = answers.wait(_SECONDS)
    end = monotonic() + _SECONDS - 2 * _IN_TIME
    failed = fail_start_tasks(simulator[0], lambda: stack.poll() is None and monotonic() < end) if is_there else {}
    listener.join()
    if stack.wait() or not is_there:
        raise RuntimeError(f"the local stack ended with {stack.returncode}: {''.join(said)[-500:]}")
    return failed


def _waits(happened: Mapping[_Name, datetime], arrived: Mapping[_Name, datetime]) -> dict[str, float]:
    """How long what happened took to arrive, as far as it had time to.

    Raises:
        RuntimeError: Too little of it was told.
    """
    began = min(arrived.values(), default=None)
    if began is None:
        raise RuntimeError("no webhook arrived")
    latest = max(arrived.values())
    waits = [
        (arrived.get(what, latest) - at).total_seconds()
        for what, at in sorted(happened.items(), key=lambda item: item[1])
        if at > began and (what in arrived or (latest - at).total_seconds() > _IN_TIME)
    ][:_FAILURES]
    if len(waits) < _FAILURES // 2:
        raise RuntimeError(f"only {len(waits)} failures were told")
    waits.sort()
    return {
        "median": statistics.median(waits),
        "p99": waits[math.ceil(len(waits) * 0.99) - 1],
        "failures": len(waits),
    }


def _happened(truth: Path) -> dict[_Occurrence, datetime]:
    found = {}
    for line in truth.read_text().splitlines():
        one = json.loads(line)
        if one["endTime"] and one["startTime"]:
            occurrence = (one["job"], one["node"], one["phase"], _moment(one["startTime"]).isoformat())
            found[occurrence] = _moment(one["endTime"])
    return found


def _arrived(received: Path) -> dict[_Occurrence, datetime]:
    found: dict[_Occurrence, datetime] = {}
    for event, at in _events(received):
        phase = _TYPES.get(event["type"])
        for node in event["data"].get("nodes", ()) if phase else ():
            occurrence = (event["data"]["jobId"], node["nodeId"], str(phase), _moment(node["startTime"]).isoformat())
            found.setdefault(occurrence, at)
    return found


def _nodes_told(received: Path) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for event, at in _events(received):
        for node in event["data"]["nodes"] if event["type"] == "prepwatch.node.failed" else ():
            found.setdefault(node["nodeId"], at)
    return found


def _events(received: Path) -> Iterator[tuple[dict[str, Any], datetime]]:
    for line in received.read_text().splitlines():
        one = json.loads(line)
        yield one["body"] if isinstance(one["body"], dict) else json.loads(one["body"]), _moment(one["receivedAt"])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
