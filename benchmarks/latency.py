"""From a status change in the simulated account to the webhook's arrival, through the whole local stack.

Owns reading the stack's two records: what the simulator did and what the receiver got. A failure counts from its end,
which is when listings begin to show it, and until the first event that names its node has arrived.
"""

import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_SECONDS = 100
_FAILURES = 200
_TYPES = {"prepwatch.preparation.failed": "preparation", "prepwatch.release.failed": "release"}
_Occurrence = tuple[str, str, str, str]  # job, node, phase, start


def latency() -> dict[str, float]:
    """The median and the 99th percentile in seconds of the first 200 failures that had time to arrive.

    Raises:
        RuntimeError: The stack did not start, or told too few failures.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        command = [sys.executable, "-m", "local.run", "--port", str(_free_port()), "--state", str(state)]
        story = ["--jobs", "16", "--nodes", "60", "--fail-rate", "0.4", "--interval", "5", "--duration", str(_SECONDS)]
        # One webhook, as the ways of reading that it is held against.
        environment = {**os.environ, "WEBHOOKS": "[]"}
        ended = subprocess.run(  # noqa: S603 - the project's own program
            [*command, *story], cwd=_ROOT, env=environment, check=False, capture_output=True, text=True
        )
        if ended.returncode:
            raise RuntimeError(f"the local stack ended with {ended.returncode}: {ended.stderr[-500:]}")
        happened = _happened(state / "truth.jsonl")
        arrived = _arrived(state / "received.jsonl")
    began = min(arrived.values(), default=None)
    if began is None:
        raise RuntimeError("no webhook arrived")
    latest = max(arrived.values())
    waits = [
        (arrived.get(occurrence, latest) - at).total_seconds()
        for occurrence, at in sorted(happened.items(), key=lambda item: item[1])
        if at > began and (occurrence in arrived or (latest - at).total_seconds() > 10)
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
    for line in received.read_text().splitlines():
        one = json.loads(line)
        event: dict[str, Any] = one["body"] if isinstance(one["body"], dict) else json.loads(one["body"])
        phase = _TYPES.get(event["type"])
        for node in event["data"].get("nodes", ()) if phase else ():
            occurrence = (event["data"]["jobId"], node["nodeId"], str(phase), _moment(node["startTime"]).isoformat())
            found.setdefault(occurrence, _moment(one["receivedAt"]))
    return found


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
