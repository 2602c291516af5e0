"""What `make run` shows of a mass failure: each receiver keeps to its service's limits, and records what it took."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.batch_simulator.statuses import Cause, Phase, failed
from tests.stack.local_stack import Stack

pytestmark = pytest.mark.slow

CAUSE = Cause(category="usererror", code="BlobNotFound", message="One of the specified Azure Blob(s) is not found.")
CHAT = ("teams", "slack")
EVENTS = ("", "eventgrid")
CYCLES_AFTER = 5


def failing_job(job_id: str, nodes: int) -> dict[str, object]:
    """A job on whose every node preparation has failed a moment ago."""
    end = datetime.now(UTC)
    info = failed(job_id, Phase.PREPARATION, CAUSE, start=end - timedelta(seconds=5), end=end)
    statuses = [{"nodeId": f"tvmps_{number:064x}_d", "preparation": info} for number in range(nodes)]
    return {"id": job_id, "tasks": {"active": 6000}, "statuses": statuses}


def test_2000_nodes_failing_at_once(tmp_path: Path) -> None:
    """They give each chat one message, the pager one incident, and those who get events each failure exactly once."""
    stack = Stack(tmp_path, "--jobs", "0")
    with stack.running():
        stack.change_job(failing_job("nightly", 2000))
        truth = stack.failed()
        assert len(truth) == 2000
        for name in EVENTS:
            stack.wait_until_told(truth, name)
        for name in (*CHAT, "pagerduty"):
            stack.wait_for(lambda name=name: bool(stack.received(name)), f"a message to {name}")  # type: ignore[misc]  # a default binds it
        for _ in range(CYCLES_AFTER):
            stack.summary()
        summary = stack.summary()
        assert (summary["deliveries"], summary["webhooks"]) == ({"due": 0, "dead": 0}, {"failing": [], "disabled": []})
        paged = [(line["incident"], line["shows"][0]) for line in stack.received("pagerduty")]
        stack.change_job({"id": "nightly", "state": "completed"})
        stack.wait_for(lambda: len(stack.received("pagerduty")) > len(paged), "the incident's end")

    for name in EVENTS:
        assert {occurrence: len(ids) for occurrence, ids in stack.told(name).items()} == dict.fromkeys(truth, 1)
    for name in CHAT:
        (message,) = stack.received(name)
        assert message["verified"], message["reason"]
        assert "Preparation: 2000 newly failed, 2000 of 2000 nodes are held up" in message["shows"]
    assert paged == [(1, "incident 1 opened, error: nightly: preparation failed on 2000 of 2000 nodes")]
    assert stack.received("pagerduty")[-1]["shows"][0].startswith("incident 1 resolved")
