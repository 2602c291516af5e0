"""A row that can't be read, or is of a newer version, harms nobody or is said, and is left as it is."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from msgspec import Struct
from msgspec.structs import replace

from shared.batch.model import BatchJob, FailureInfo, JobExecutionInfo
from shared.batch.pool_model import ComputeNode, StartTaskInfo
from shared.nudges.nudger import NudgeHealth
from shared.ports import Column, Merge, Put, Row
from shared.state.rows import LAST_NUDGE, NUDGES, OWN, RUNNING, to_columns
from shared.web.http import Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeSender, refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK

HEART = "https://heart.example/x"
NEWER: Mapping[str, Column] = {"v": 99}
DAMAGED: Mapping[str, Column] = {"data0": b"\xc1", "said": b"\xc1"}
_OK = refusal(200, b"ok")
_PAGED = refusal(202, b'{"status":"success"}')


class Case(Struct, frozen=True, kw_only=True):
    """What breaks: the rows whose keys begin with `keys`; what is said then, and the webhook that is told nothing."""

    keys: str
    partition: str = ACCOUNT
    said: str = ""
    deaf: str | None = None


CASES = [
    Case(keys="digest|chat", said="webhook chat is sent nothing: Row digest|chat", deaf="chat"),
    Case(keys="digest|pager", said="webhook pager is sent nothing: Row digest|pager", deaf="pager"),
    Case(keys="incidents|pager", said="webhook pager is sent nothing: Row incidents|pager", deaf="pager"),
    Case(keys="webhook|ops", partition=OWN, said="webhook ops is sent nothing: Row webhook|ops", deaf="ops"),
    Case(keys="digest|chat|job-1", said="webhook chat is not told everything: Row digest|chat|job-1"),
    Case(keys="digest|chat|pool|pool-1", said="webhook chat is not told everything: Row digest|chat|pool|pool-1"),
    Case(keys="digest|pager|pool|pool-1", said="webhook pager is not told everything: Row digest|pager|pool|pool-1"),
    Case(keys="due|", said="webhook ops is not told everything: Row due|ops|"),
    Case(keys="pool|pool-1", said="nodes of a pool are not watched: Row pool|pool-1"),
    Case(keys="nudges", partition=OWN, said="whether nudges are taken is not known: Row nudges"),
    Case(keys="event|", said="webhook ops is not told everything: Row event|"),
    # These harm nobody: a mute that can't be read holds nothing back, the others only spare work or are history.
    Case(keys="mute|", partition=OWN),
    Case(keys="refresh"),
    Case(keys="running"),
    Case(keys="ping|ops", partition=OWN),
    Case(keys="diagnostics", partition=OWN),
    Case(keys="sent|"),
    Case(keys="done|"),
]


def _app() -> tuple[Deployment, FakeTable]:
    """A failed job and a pool in trouble that everybody knows of, and a row of each kind."""
    table = FakeTable()
    sender = FakeSender(_OK, by_url={"https://events.pagerduty.com/v2/enqueue": _PAGED})
    app = deploy(SIGNED, SLACK, PAGER, table=table, sender=sender, HEARTBEAT_URL=HEART)
    since = NOW - timedelta(minutes=1)
    broken = StartTaskInfo(
        state="completed", exit_code=1, result="failure", failure_info=FailureInfo(category="userError", code="Exit")
    )
    app.batch.node_counts = {"pool-1": {"starttaskfailed": 4, "idle": 4}}
    app.batch.pool_nodes["pool-1"] = [
        ComputeNode(
            id=f"n-{number}",
            state="starttaskfailed",
            state_transition_time=since,
            allocation_time=since,
            start_task_info=broken,
        )
        for number in range(4)
    ]
    app.batch.add(_used("job-1"), a_node(preparation=a_run(failed=True)))
    _poll(app, minutes=15)
    sender.by_url["https://a.example/hook"] = refusal(500)
    app.batch.add(_used("job-0"), a_node(preparation=a_run(failed=True)))
    _poll(app, minutes=3)
    del sender.by_url["https://a.example/hook"]
    some = to_columns(NudgeHealth())
    table.transact(ACCOUNT, [Put(key=LAST_NUDGE, columns=some), Put(key=RUNNING, columns=some)])
    table.transact(OWN, [Put(key=key, columns=some) for key in (NUDGES, "mute|m", "ping|ops", "diagnostics")])
    return app, table


def _used(job_id: str) -> BatchJob:
    return replace(a_job(job_id), execution_info=JobExecutionInfo(pool_id="pool-1"))


def _poll(app: Deployment, *, minutes: int) -> None:
    for _ in range(minutes):
        app.poll()
        app.clock.advance(minutes=1)


def _rows(table: FakeTable, case: Case) -> Iterator[Row]:
    exact = not case.keys.endswith("|")
    for key, row in list(table.partitions[case.partition].items()):
        if key == case.keys if exact else key.startswith(case.keys):
            yield row


def _failing(app: Deployment) -> list[str]:
    """The webhooks that the numbers say are failing."""
    answer = app.app.routes.system.metrics(
        Request(url="https://x/api/metrics", query={}, route={}, headers={}, body=b"")
    )
    lines = answer.body.decode().splitlines()
    found = [line for line in lines if line.startswith("prepwatch_webhook_failing{") and line.endswith(" 1")]
    return [line.split('"')[1] for line in found]


def _hears(app: Deployment, name: str) -> bool:
    where = {"ops": "a.example", "chat": "slack.com", "pager": "pagerduty.com"}[name]
    return any(where in request.url and b"job-2" in request.body for request in app.sender.sent)


@pytest.mark.parametrize("columns", [NEWER, DAMAGED], ids=["newer", "damaged"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.keys)
def test_a_row_that_cannot_be_read_harms_nobody_or_is_said(case: Case, columns: Mapping[str, Column]) -> None:
    """Summary, diagnostics, health, heartbeat, numbers and webhooks agree about who is not told; the row stays."""
    app, table = _app()
    broken = {row.key: {**row.columns, **columns} for row in _rows(table, case)}
    assert broken
    table.transact(case.partition, [Merge(key=key, columns=columns) for key in broken])
    app.batch.add(_used("job-2"), a_node("node-2", preparation=a_run(failed=True, ended=app.clock())))
    _poll(app, minutes=40)
    told = app.ask(Routes.summary)
    usual = ("preparation failed", "4 nodes of pool")
    said = [reason for reason in told.body["reasons"] if not reason.startswith(usual)]
    assert any(case.said in reason for reason in said) if case.said else said == []
    assert all("delete that row from partition" in reason for reason in said if "Row " in reason)
    assert told.body["webhooks"]["failing"] == ([case.deaf] if case.deaf else [])
    assert _failing(app) == ([case.deaf] if case.deaf else [])
    assert app.ask(Routes.health).status == (503 if case.deaf else 200)
    assert app.sender.called[-1] == (f"{HEART}/fail" if case.deaf else HEART)
    checks = app.ask(lambda routes, request: routes.system.diagnostics(request)).body["value"]
    wrong = [check["name"] for check in checks if not check["ok"]]
    of_pools = [f"reading of {ACCOUNT}" for reason in said if reason.startswith("nodes of a pool")]
    of_webhooks = [f"messages to {reason.split()[1]}" for reason in said if reason.startswith("webhook ")]
    assert wrong == of_pools + of_webhooks
    assert [name for name in ("ops", "chat", "pager") if not _hears(app, name)] == ([case.deaf] if case.deaf else [])
    hooks = app.ask(lambda routes, request: routes.webhooks.list_webhooks(request))
    if hooks.status == 200:
        standing = {hook["name"]: hook["state"] for hook in hooks.body["value"]}
        assert [name for name, state in standing.items() if state != "ok"] == ([case.deaf] if case.deaf else [])
    else:  # which names the row
        assert case.keys in hooks.body["error"]["message"]
    if case.said:
        assert {key: table.partitions[case.partition][key].columns for key in broken} == broken
    # With something due the summary also reads when it last nudged.
    app.sender.answer = refusal(500)
    app.batch.add(_used("job-3"), a_node("node-3", preparation=a_run(failed=True, ended=app.clock())))
    app.poll()
    assert app.ask(Routes.summary).status == 200
