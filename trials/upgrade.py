"""The story whose rows are kept for ever: `python -m trials.upgrade` writes them as this version does.

Owns what happens in it, and the form of the file. Run it once when the schema version has grown, and check the file
in; what an older version wrote is never written again (`--again` is for a version that was not released yet).
"""

import argparse
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.batch.model import TaskCounts
from shared.errors import AccountDeniedError
from shared.ports import BatchService, Column, Insert
from shared.state.rows import SCHEMA_VERSION
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import START, FakeClock, FakeSender, refusal
from tests.support.hostile_batch import failed_node, job_of
from tests.support.whole_app import WholeApp, whole_app

FOLDER = Path(__file__).parents[1] / "tests/whole/upgrade"
ACCOUNT, REFUSED = "a.westeurope.batch.example", "refused.westeurope.batch.example"
WEBHOOKS = {"good": 204, "picky": 400, "down": 500, "gone": 410}
CHAT, PAGER = "https://hooks.slack.com/services/T/B/x", "https://events.pagerduty.com/v2/enqueue"
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, no secret here").decode()
MINUTE = timedelta(minutes=1)
END = START + 12 * MINUTE


def play(table: FakeTable) -> FakeBatch:
    """Let the story happen in a table; the account as it stands at END."""
    clock, refused = FakeClock(), FakeBatch()
    batch = FakeBatch(tasks=TaskCounts(active=1), tail=b"No space left on device")
    app = app_over(table, clock, batch, refused)
    for job in ("nightly", "sched:job-1", "stuck", "vanishing", "unreachable", "left-alone", "asked-for", "plain"):
        batch.jobs[job] = job_of(job)
        batch.nodes[job] = [failed_node("tvm-1", now=START)]
    batch.nodes["nightly"] = nodes_at(START)
    batch.nodes["plain"] = None
    batch.jobs["over"] = job_of("over", state="completed")
    batch.nodes["over"] = [_released("tvm-2")]
    app.answer(Routes.track_job, route={"jobId": "asked-for"}, query={"account": ACCOUNT})
    app.poll()
    mute = {"jobs": ["stuck"], "startsAt": "2026-11-01T12:00:00Z", "endsAt": "2026-11-02T12:00:00Z", "comment": "!"}
    app.answer(_put_mute, route={"name": "night"}, body=json.dumps(mute | {"createdBy": "somebody"}).encode())
    app.answer(_ping, route={"name": "good"})
    app.answer(Routes.untrack_job, route={"jobId": "left-alone"}, query={"account": ACCOUNT})
    del batch.jobs["vanishing"]
    batch.nodes["unreachable"] = [{"poolId": "pool-1"}]
    refused.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "No.", status=403, request_id="r-1")
    for minute in range(1, 13):
        clock.now = START + minute * MINUTE
        batch.nodes["nightly"] = nodes_at(clock.now)
        app.poll(ACCOUNT)
        app.poll(REFUSED)
    app.summary()
    return batch


def app_over(table: FakeTable, clock: FakeClock, batch: FakeBatch, refused: FakeBatch | None = None) -> WholeApp:
    """The app of the story over a table."""
    accounts: Mapping[str, BatchService] = {ACCOUNT: batch, REFUSED: refused or FakeBatch()}
    webhooks: list[dict[str, Any]] = [
        {"name": name, "format": "cloudevents", "url": f"https://{name}.example/", "secrets": [SECRET]}
        for name in WEBHOOKS
    ]
    webhooks.append({"name": "chat", "format": "slack", "url": CHAT})
    webhooks.append({"name": "pager", "format": "pagerduty", "keySetting": "PAGER_KEY"})
    by_url = {f"https://{name}.example": refusal(status, b"ok") for name, status in WEBHOOKS.items()}
    post = FakeSender(by_url={**by_url, CHAT: refusal(200, b"ok"), PAGER: refusal(202, b"ok")})
    return whole_app(
        "",
        clock=clock,
        table=table,
        post=post,
        batch=accounts,
        BATCH_ACCOUNT_URLS=",".join(f"https://{account}" for account in accounts),
        BATCH_ACCOUNT_KEY="",
        BATCH_ACCOUNT_NAME="",
        WEBHOOK_URL="",
        WEBHOOK_SECRET="",
        WEBHOOKS=json.dumps(webhooks),
        STDERR_TAIL_BYTES="100",
        PAGER_KEY="0123456789abcdef0123456789abcdef",
    )


def nodes_at(now: datetime) -> list[dict[str, Any]]:
    """The nodes of the job `nightly` in a minute of the story: more than one chunk, some failed, one recovered."""
    minute = (now - START) // MINUTE
    well = {"result": "success", "failureInfo": None, "exitCode": 0}
    many = [failed_node(f"tvm-{number:04}", now=START, **well) for number in range(810)]
    failed = [failed_node(f"bad-{number}", now=START + number * MINUTE) for number in range(min(minute + 1, 4))]
    again = failed_node("bad-0", now=START + 5 * MINUTE, **well)
    running = failed_node("slow", now=START, state="running", endTime=None, retryCount=2, **well | {"result": None})
    return [*many, *(failed if minute < 5 else [again, *failed[1:]]), running]


def dump(table: FakeTable) -> dict[str, Any]:
    """A table as JSON."""
    return {
        partition: {key: {name: _plain(value) for name, value in row.columns.items()} for key, row in rows.items()}
        for partition, rows in table.partitions.items()
    }


def load(file: Path) -> FakeTable:
    """The table of a file, as it was."""
    return table_of(json.loads(file.read_text()))


def table_of(dumped: Mapping[str, Any]) -> FakeTable:
    """The table that was dumped."""
    table = FakeTable()
    for partition, rows in dumped.items():
        for key, columns in rows.items():
            table.transact(
                partition, [Insert(key=key, columns={name: _rich(value) for name, value in columns.items()})]
            )
    return table


def _put_mute(routes: Routes, request: Request) -> Answer:
    return routes.mutes.put_mute(request)


def _ping(routes: Routes, request: Request) -> Answer:
    return routes.webhooks.ping_webhook(request)


def _released(node: str) -> dict[str, Any]:
    entry = failed_node(node, now=START - 2 * MINUTE, result="success", failureInfo=None, exitCode=0)
    release = failed_node(node, now=START)["jobPreparationTaskExecutionInfo"]
    return entry | {"jobReleaseTaskExecutionInfo": release}


def _plain(value: Column) -> object:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def _rich(value: Any) -> Column:
    match value:
        case {"bytes": str(text)}:
            return base64.b64decode(text)
        case {"time": str(text)}:
            return datetime.fromisoformat(text)
        case str() | int():
            return value
    raise ValueError(f"A column holds {value!r}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file of this schema version."""
    parser = argparse.ArgumentParser(prog="python -m trials.upgrade", description=__doc__)
    parser.add_argument("--again", action="store_true", help="overwrite the file of a version not yet released")
    again = parser.parse_args(arguments).again
    file = FOLDER / f"v{SCHEMA_VERSION}.json"
    if file.exists() and not again:
        print(f"{file.name} is there: what a released version wrote stays as it is", file=sys.stderr)
        return 1
    table = FakeTable()
    play(table)
    file.write_text(json.dumps(dump(table), indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
