"""Lets start tasks fail on nodes of the running local stack, one at a time, at moments drawn by chance.

Owns what the simulator is told for that. Does not own what is made of the moments (`latency`).
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from time import sleep

import requests

_POOLS = ("pool-cpu", "pool-gpu", "pool-spot")
"""The pools of the stack's jobs."""


def fail_start_tasks(simulator: str, goes_on: Callable[[], bool]) -> dict[str, datetime]:
    """When the start task failed on which node, about twice a second for as long as it `goes_on`."""
    chance = random.Random(1)
    failed: dict[str, datetime] = {}
    while goes_on():
        node = f"late-{len(failed):04d}"
        at = datetime.now(UTC)
        order = {"id": chance.choice(_POOLS), "nodes": [_node(node, at)]}
        requests.post(f"{simulator}/_sim/pools", json=order, timeout=10).raise_for_status()
        failed[node] = at
        sleep(chance.uniform(0.2, 0.7))
    return failed


def _node(node_id: str, at: datetime) -> dict[str, object]:
    moment = at.isoformat().replace("+00:00", "Z")
    failure = {"category": "usererror", "code": "FailureExitCode", "message": "The task exited with exit code 127."}
    ended = {"state": "completed", "startTime": moment, "endTime": moment, "exitCode": 127, "retryCount": 0}
    info = {**ended, "result": "failure", "failureInfo": failure}
    return {"id": node_id, "state": "starttaskfailed", "startTaskInfo": info}
