"""The nodes of watched pools that can't work, from what Batch counts and lists to what webhooks are sent."""

import json
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from shared.batch.pool_model import NodeError
from shared.errors import PoolNotFoundError
from shared.ports import MAX_ROWS, Delete
from shared.state.rows import pool_key
from tests.pools.watched_pool import app, asked, breaks, heals, poll, stored
from tests.support.deployment import ACCOUNT
from tests.support.fake_table import FakeTable
from tests.support.webhook_settings import GRID, SIGNED

MINUTE = timedelta(minutes=1)


def test_a_failed_node_is_told_once_and_its_recovery_too() -> None:
    """One event for the failure, nothing while it lasts, one when the node is idle again."""
    deployment = app()
    assert poll(deployment) == []
    breaks(deployment, "n-1", works=7)
    assert poll(deployment) == [("node.failed", "pools/cpu", ["n-1"])]
    assert poll(deployment) == []
    assert poll(deployment, after=11 * MINUTE) == []
    heals(deployment, "n-1")
    assert poll(deployment) == [("node.recovered", "pools/cpu", ["n-1"])]
    assert poll(deployment) == []


def test_nothing_is_asked_and_nothing_written_while_nothing_changes() -> None:
    """A healthy pool costs no listing, a broken one none until its counts change or ten minutes pass; neither a row."""
    deployment = app()
    poll(deployment)
    assert asked(deployment) == []
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    assert asked(deployment) == ["list_nodes"]
    assert isinstance(deployment.table, FakeTable)
    before = deployment.table.get(ACCOUNT, pool_key("cpu"))
    for _ in range(9):
        poll(deployment)
    assert asked(deployment) == []
    poll(deployment)
    assert asked(deployment) == ["list_nodes"]
    assert deployment.table.get(ACCOUNT, pool_key("cpu")) == before


def test_a_pool_that_is_deleted_tells_that_its_nodes_are_gone() -> None:
    """Two listings, five minutes apart, without the pool are two without its nodes."""
    deployment = app()
    breaks(deployment, "n-1", "n-2", works=2)
    poll(deployment)
    del deployment.batch.node_counts["cpu"]
    deployment.batch.refused = None
    deployment.batch.pools["cpu"] = PoolNotFoundError("PoolNotFound", "no", status=404)
    deployment.batch.pool_nodes["cpu"] = []
    told = [event for _ in range(8) for event in poll(deployment)]
    assert told == [("node.recovered", "pools/cpu", ["n-1", "n-2"])]


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, True),
        ({"jobs": ["job-*"]}, True),
        ({"jobs": ["other"]}, False),
        ({"pools": ["gpu"]}, False),
        ({"pools": ["CPU"]}, True),
        ({"events": ["node.*"]}, True),
        ({"events": ["preparation.*"]}, False),
    ],
)
@pytest.mark.parametrize("form", [SIGNED, {**GRID, "keySetting": "TOPIC_KEY"}], ids=["cloudevents", "eventgrid"])
def test_a_team_hears_of_the_pools_of_its_jobs(
    form: Mapping[str, object], filters: Mapping[str, object], *, heard: bool
) -> None:
    """A filter of jobs lets pass the pool that one of them uses; pools and types are filtered as ever."""
    deployment = app({**form, **filters})
    breaks(deployment, "n-1", works=7)
    assert bool(poll(deployment)) is heard


def test_chat_and_pager_are_not_sent_events_of_nodes() -> None:
    """They hear how things stand, not every event."""
    deployment = app({"name": "chat", "format": "slack", "url": "https://hooks.slack.com/services/T/B/x"})
    breaks(deployment, "n-1", works=7)
    assert poll(deployment) == []


@pytest.mark.parametrize(("tracked", "heard"), [("!*", False), ("gpu", False), ("c?u", True)])
def test_only_tracked_pools_are_watched(tracked: str, *, heard: bool) -> None:
    """TRACKED_POOLS takes the place of the pools that jobs use."""
    deployment = app(tracked=tracked)
    breaks(deployment, "n-1", works=7)
    assert bool(poll(deployment)) is heard


def test_what_stood_long_before_is_not_told_at_first_sight() -> None:
    """A pool that is first seen with nodes that failed two days ago tells nothing of them, and counts them."""
    deployment = app()
    breaks(deployment, "n-1", works=7, minutes=2 * 24 * 60)
    assert poll(deployment) == []
    assert len(stored(deployment).open) == 1


def test_what_failed_during_an_outage_is_told() -> None:
    """After six hours without a poll, what failed within them is news."""
    deployment = app()
    poll(deployment)
    deployment.clock.advance(timedelta(hours=6))
    breaks(deployment, "n-1", works=7, minutes=4 * 60)
    assert poll(deployment) == [("node.failed", "pools/cpu", ["n-1"])]


@pytest.mark.parametrize("hours", [26, 50])
def test_a_pool_that_is_used_again_is_as_broken_as_it_is(hours: int) -> None:
    """After a day without a job its nodes are over; the next job's day begins with their failure, and has its end."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    job = deployment.batch.jobs.pop("job-1")
    told = [event for _ in range(hours) for event in poll(deployment, after=60 * MINUTE)]
    deployment.batch.jobs["job-1"] = job
    told += poll(deployment) + poll(deployment)
    assert len(stored(deployment).open) == 1
    heals(deployment, "n-1")
    told += poll(deployment)
    assert [kind for kind, _, _ in told] == ["node.recovered", "node.failed", "node.recovered"]


def test_what_gets_worse_is_told_as_a_failure_of_its_own() -> None:
    """A node that was out of reach shows an error: another `node.failed` of the same occurrence, and one end."""
    deployment = app()
    breaks(deployment, "n-1", works=7, minutes=40)
    (broken, *others) = deployment.batch.pool_nodes["cpu"]
    errors = (NodeError(code="DiskFull", message="full"),)
    told = []
    for shown in (replace(broken, state="unusable"), replace(broken, state="unusable", errors=errors)):
        deployment.batch.pool_nodes["cpu"] = [shown, *others]
        told += [event for _ in range(12) for event in poll(deployment)]
    heals(deployment, "n-1")
    told += poll(deployment)
    assert [kind for kind, _, _ in told] == ["node.failed", "node.failed", "node.recovered"]
    bodies = [json.loads(sent.body) for sent in deployment.sender.sent]
    nodes = [body["data"]["nodes"][0] for body in bodies if body.get("subject") == "pools/cpu"]
    assert [node["unableReason"] for node in nodes] == ["unusable", "nodeError", "nodeError"]
    assert len({node["occurrenceId"] for node in nodes}) == 1


def test_a_lost_commit_tells_nothing_twice() -> None:
    """When the record's row is taken away, the events that are there stand for it: the same ids come out."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    (row,) = deployment.table.query(ACCOUNT, "pool|", "pool}")
    assert isinstance(deployment.table, FakeTable)
    before = len(list(deployment.table.query(ACCOUNT, "event|", "event}")))
    forget(deployment.table, row.key)
    deployment.batch.node_counts["cpu"]["idle"] = 6
    assert poll(deployment) == []
    assert len(list(deployment.table.query(ACCOUNT, "event|", "event}"))) == before


def forget(table: FakeTable, key: str) -> None:
    """Take a row out of the table."""
    row = table.get(ACCOUNT, key)
    assert row is not None
    table.transact(ACCOUNT, [Delete(key=key, etag=row.etag)])


def test_thousands_of_nodes_are_told_in_bounded_transactions() -> None:
    """Three thousand nodes that fail at once are told once each, in events of 25, and lie in one row."""
    deployment = app()
    names = [f"tvm-{number:04d}" for number in range(3000)]
    breaks(deployment, *names, works=0)
    told = poll(deployment)
    assert sorted(node for _, _, nodes in told for node in nodes) == names
    assert max(len(nodes) for _, _, nodes in told) <= 25
    assert isinstance(deployment.table, FakeTable)
    assert max(len(operations) for _, operations in deployment.table.writes) <= MAX_ROWS
    assert len(stored(deployment).open) == 3000
    assert all(node.event_id for node in stored(deployment).open)
    assert poll(deployment) == []


def test_what_is_over_is_purged_after_a_day() -> None:
    """The record goes with the purge of the day after, and no sooner."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    heals(deployment, "n-1")
    poll(deployment)
    deployment.app.purger.run()
    assert stored(deployment) is not None
    deployment.clock.advance(timedelta(days=1, minutes=1))
    deployment.app.purger.run()
    assert stored(deployment) is None


def test_what_a_failed_start_task_wrote_is_in_the_event() -> None:
    """The ends of its stderr and stdout are read when the failure is told, of the first few nodes of each cause."""
    deployment = app(tail="60")
    deployment.batch.tail = b"mount: //share: permission denied, token=hunter22222\n"
    breaks(deployment, *(f"n-{number:02d}" for number in range(12)))
    poll(deployment)
    (event,) = [body for sent in deployment.sender.sent if "nodes" in (body := json.loads(sent.body))["data"]]
    nodes = event["data"]["nodes"]
    assert [set(node) >= {"stderrTail", "stdoutTail"} for node in nodes] == [True] * 10 + [False] * 2
    assert "denied" in nodes[0]["stderrTail"]
    assert "hunter" not in json.dumps(event)
    assert deployment.batch.files[:2] == ["startup/stderr.txt", "startup/stdout.txt"]


def test_no_file_of_a_node_that_hangs_elsewhere() -> None:
    """Of nodes that are unusable no start task says why: nothing is read."""
    deployment = app(tail="60")
    breaks(deployment, "n-1", minutes=40)
    deployment.batch.pool_nodes["cpu"] = [
        msgspec.structs.replace(node, state="unusable") if node.id == "n-1" else node
        for node in deployment.batch.pool_nodes["cpu"]
    ]
    assert [kind for kind, _, _ in poll(deployment)] == ["node.failed"]
    assert deployment.batch.files == []
