"""What has lasted since before an upgrade, and what the older version did not know of: told once, and no storm."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.batch.pool_model import ComputeNode
from shared.state.rows import unpack_body
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock
from tests.support.hostile_batch import job_of
from tests.support.whole_app import rows_of
from tests.whole.upgrade.test_golden_tables import golden, kind_of, later
from trials.upgrade import ACCOUNT, END, MINUTE, app_over, load, nodes_at


@golden
def test_a_preparation_that_hangs_since_before_the_upgrade(file: Path) -> None:
    """It is told as slow once it is, from when it began, though the old version did not count what has not ended."""
    table, (_, batch) = load(file), later()
    clock = FakeClock(END + timedelta(hours=1))
    batch.nodes["nightly"] = nodes_at(clock.now)
    app = app_over(table, clock, batch)
    for _ in range(3):
        app.poll(ACCOUNT)
        clock.advance(MINUTE)
    slow = [event["data"] for event in _stored(table) if event["type"] == "prepwatch.preparation.slow"]
    assert [[node["nodeId"] for node in data["nodes"]] for data in slow] == [["slow"]]
    assert slow[0]["nodes"][0]["runningSince"] == "2026-11-01T11:58:30Z"


@golden
def test_a_pool_that_broke_before_the_upgrade(file: Path) -> None:
    """Jobs that stand still because of it are told once, with the reason, and its nodes as far as they are news.

    The old version knew nothing of pools: what broke days before is no news, what broke a moment before is.
    """
    table, (_, batch) = load(file), later()
    clock = FakeClock(END + MINUTE)
    batch.jobs = {name: job_of(name, executionInfo={"poolId": "pool-1"}) for name in batch.jobs if name != "over"}
    old, young = END - timedelta(days=2), END - 5 * MINUTE
    batch.node_counts["pool-1"] = {"starttaskfailed": 12}
    batch.pool_nodes["pool-1"] = [
        ComputeNode(id=f"tvm-{number}", state="starttaskfailed", state_transition_time=old if number else young)
        for number in range(12)
    ]
    before = {event["id"] for event in _stored(table)}
    app = app_over(table, clock, batch)
    for _ in range(20):
        app.poll(ACCOUNT)
        clock.advance(MINUTE)
    new = [event for event in _stored(table) if event["id"] not in before]
    stuck = sorted((event["data"]["jobId"], event["data"]["reason"]) for event in new if "job.stuck" in event["type"])
    # Of the three others that are watched the old version had told it.
    assert stuck == [(name, "startTaskFailed") for name in ("nightly", "plain", "unreachable")]
    failed = [event["data"]["nodes"] for event in new if event["type"] == "prepwatch.node.failed"]
    assert [[node["nodeId"] for node in nodes] for nodes in failed] == [["tvm-0"]]


def _stored(table: FakeTable) -> list[dict[str, Any]]:
    return [json.loads(unpack_body(row)) for row in rows_of(table) if kind_of(row) == "event"]
