"""An app whose only job uses a pool, what happens to the pool, and what is told of it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from shared.batch.model import JobExecutionInfo
from shared.batch.pool_model import ComputeNode
from shared.state.rows import pool_key, unpack_record
from tests.support.deployment import ACCOUNT, Deployment, a_job, deploy

MINUTE = timedelta(minutes=1)


def app(*webhooks: Mapping[str, object], tracked: str = "", max_nodes: str = "", tail: str = "") -> Deployment:
    """An app with an active job in pool `cpu`, all of whose nodes work."""
    deployment = deploy(
        *webhooks, TRACKED_POOLS=tracked, EVENT_MAX_NODES=max_nodes, STDERR_TAIL_BYTES=tail, TOPIC_KEY="t" * 44
    )
    deployment.batch.add(msgspec.structs.replace(a_job(), execution_info=JobExecutionInfo(pool_id="cpu")))
    deployment.batch.node_counts["cpu"] = {"idle": 8}
    return deployment


def breaks(deployment: Deployment, *nodes: str, works: int = 8, minutes: float = 0) -> None:
    """The start task of these nodes failed so long ago; others work."""
    at = deployment.clock() - minutes * MINUTE
    deployment.batch.pool_nodes["cpu"] = [
        *(ComputeNode(id=node, state="starttaskfailed", state_transition_time=at) for node in nodes),
        *(ComputeNode(id=f"idle-{number}", state="idle") for number in range(works)),
    ]
    counts = {"idle": works, "starttaskfailed": len(nodes)}
    deployment.batch.node_counts["cpu"] = {state: number for state, number in counts.items() if number}


def heals(deployment: Deployment, *nodes: str) -> None:
    """All nodes work, these among them."""
    deployment.batch.pool_nodes["cpu"] = [ComputeNode(id=node, state="idle") for node in nodes]
    deployment.batch.node_counts["cpu"] = {"idle": max(len(nodes), 1)}


def poll(deployment: Deployment, *, after: timedelta = MINUTE) -> list[tuple[str, str, list[str]]]:
    """Poll so much later: type, subject and nodes of each event about a pool that is sent."""
    deployment.clock.advance(after)
    sent = len(deployment.sender.sent)
    deployment.poll()
    bodies = [json.loads(request.body) for request in deployment.sender.sent[sent:]]
    events = [event for body in bodies for event in (body if isinstance(body, list) else [body])]
    return [
        (
            event["type"].removeprefix("prepwatch."),
            event["subject"],
            [node["nodeId"] for node in event["data"]["nodes"]],
        )
        for event in events
        if event.get("subject", "").startswith("pools/")
    ]


def asked(deployment: Deployment) -> list[str]:
    """What of pools Batch was asked since the last call, the counts left out."""
    methods = [method for method, _ in deployment.batch.pools_asked if method != "list_node_counts"]
    deployment.batch.pools_asked.clear()
    return methods


def stored(deployment: Deployment) -> Any:
    """What is recorded of the pool."""
    row = deployment.table.get(ACCOUNT, pool_key("cpu"))
    return unpack_record(row) if row is not None else None
