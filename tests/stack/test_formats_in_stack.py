"""What `make run` shows of a mass failure: each receiver keeps to its service's limits, and records what it took."""

from pathlib import Path

import pytest

from tests.stack.local_stack import Stack, failing_job

pytestmark = pytest.mark.slow

CHAT = ("teams", "slack")
EVENTS = ("", "eventgrid")
CYCLES_AFTER = 5


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
        assert summary["deliveries"] == {"due": 0, "dead": 0, "oldestDueSince": None}
        assert summary["webhooks"] == {"failing": [], "disabled": []}
        paged = [(line["incident"], line["shows"][0]) for line in stack.received("pagerduty")]

    for name in EVENTS:
        assert {occurrence: len(ids) for occurrence, ids in stack.told(name).items()} == dict.fromkeys(truth, 1)
    for name in CHAT:
        (message,) = stack.received(name)
        assert message["verified"], message["reason"]
        assert "Preparation: 2000 newly failed; all 2000 nodes take none of the job's tasks" in message["shows"]
    ((incident, words),) = paged
    assert incident == 1
    assert words.startswith("incident 1 opened, error: Preparation failed in nightly of ")
    assert "on all 2000 nodes: BlobNotFound" in words
