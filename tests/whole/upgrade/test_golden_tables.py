"""What an older version wrote is read and gone on from; what a newer one wrote is left alone."""

import copy
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from shared.api.summary import LastNudge
from shared.api.webhook_admin import Ping
from shared.digests.mutes import Mute
from shared.errors import StoreError
from shared.ports import Merge, Row
from shared.state.accounts import Cycle
from shared.state.chunks import decode_chunk, decode_record
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord
from shared.state.rows import ACCOUNTS, OWN, SCHEMA_VERSION, digests_of, from_row, pack, unpack, unpack_body
from shared.state.telling import Delivery, Pace, Told, WebhookState
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import ACCEPTED, START, FakeClock
from tests.support.hostile_batch import failed_node, job_of
from tests.support.whole_app import WholeApp, rows_of
from trials.upgrade import (
    ACCOUNT,
    END,
    FOLDER,
    MINUTE,
    REFUSED,
    WEBHOOKS,
    app_over,
    dump,
    load,
    nodes_at,
    play,
    table_of,
)

FILES = sorted(FOLDER.glob("v*.json"))
KINDS: Mapping[str, type[Struct]] = {
    "cycle": Cycle,
    "refresh": LastNudge,
    "job": JobHead,
    "due": Delivery,
    "dead": Delivery,
    "done": Delivery,
    "webhook": WebhookState,
    "mute": Mute,
    "ping": Ping,
}
OTHERS = {"node", "event", "digest"}
golden = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def later() -> tuple[FakeTable, FakeBatch]:
    """The account as it stands at the end of the story."""
    dumped, batch = _told()
    return table_of(dumped), copy.deepcopy(batch)


@cache
def _told() -> tuple[dict[str, Any], FakeBatch]:
    """The story, told once for all tests."""
    table = FakeTable()
    batch = play(table)
    return dump(table), batch


def kind_of(row: Row) -> str:
    """What a row is, by its key."""
    return row.key.partition("|")[0]


def test_every_version_has_its_file() -> None:
    """Each schema version up to the present has the table that it wrote."""
    assert [file.stem for file in FILES] == [f"v{version}" for version in range(1, SCHEMA_VERSION + 1)]


NEW_KINDS = {"incidents", "sent"}
"""Of rows that came without a new number of the schema, because versions before leave them alone."""


@golden
def test_every_row_of_an_older_version_is_read(file: Path) -> None:
    """Heads, chunks, events, deliveries, cycles and webhooks decode, and each kind is there."""
    rows = list(rows_of(load(file)))
    assert {kind_of(row) for row in rows} == {*KINDS, *OTHERS}
    nodes = 0
    for row in rows:
        if kind_of(row) == "node":
            records = [decode_record(entry) for entry in decode_chunk(unpack(row)).values()]
            nodes += len(records)
            assert all(record.node_id for record in records)
        elif kind_of(row) == "event":
            assert json.loads(unpack_body(row))["id"] == row.key.removeprefix("event|")
        elif row.key in {"digest|chat", "digest|pager"}:
            from_row(row, Pace)
        elif kind_of(row) != "digest":
            from_row(row, KINDS[kind_of(row)])
    assert nodes > 810
    for name in ("chat", "pager"):
        start, end = digests_of(name)
        owed = list(load(file).query(ACCOUNT, start, end))
        assert owed
        assert all(
            msgspec.msgpack.decode(said, type=Told)
            for row in owed
            if isinstance(said := row.columns.get("said"), bytes)
        )


@golden
def test_fields_with_defaults_may_be_missing(file: Path) -> None:
    """A row that lacks every field with a default, as one from before those fields would, is read with the defaults."""
    for row in rows_of(load(file)):
        if kind := KINDS.get(kind_of(row)):
            required = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
            values = msgspec.msgpack.decode(unpack(row))
            least = {name: value for name, value in values.items() if name in required}
            older = from_row(Row(key=row.key, columns=pack(msgspec.msgpack.encode(least)), etag=""), kind)
            assert older == msgspec.convert(least, kind, strict=False)
        elif kind_of(row) == "node":
            for entry in decode_chunk(unpack(row)).values():
                values = msgspec.msgpack.decode(entry.record)
                least = {name: values[name] for name in ("pool_id", "node_id")}
                assert msgspec.convert(least, NodeRecord) == NodeRecord(**least)


@golden
def test_fields_of_a_later_version_are_passed_over(file: Path) -> None:
    """A field that this version does not know, written without a new schema version, hinders nobody."""
    for row in rows_of(load(file)):
        if kind := KINDS.get(kind_of(row)):
            values = msgspec.msgpack.decode(unpack(row)) | {"of_a_later_version": [1, {"x": None}]}
            newer = Row(key=row.key, columns=pack(msgspec.msgpack.encode(values)), etag="")
            assert from_row(newer, kind) == from_row(row, kind)


@golden
def test_it_goes_on_where_the_older_version_stopped(file: Path) -> None:
    """Nothing is told a second time, what was due is sent with its id and bytes, and news are told once."""
    table, clock = load(file), FakeClock(END)
    _, batch = later()
    bodies = {row.key.removeprefix("event|"): unpack_body(row) for row in rows_of(table) if kind_of(row) == "event"}
    waiting = {tuple(row.key.split("|")[1:]) for row in rows_of(table) if kind_of(row) == "due"}
    app = app_over(table, clock, batch)
    app.post.by_url.update({f"https://{name}.example": ACCEPTED for name in WEBHOOKS})
    before = {event["id"] for event in map(json.loads, bodies.values())}

    for _ in range(3):
        clock.advance(MINUTE)
        app.poll(ACCOUNT)
    assert {event["type"] for event in app.post.events() if event["id"] not in before} <= {
        "prepwatch.webhook.recovered"
    }
    clock.advance(timedelta(hours=12))
    for _ in range(20):
        clock.advance(MINUTE)
        app.poll(ACCOUNT)
        app.poll(REFUSED)
    signed = [request for request in app.post.sent if "webhook-id" in request.headers]
    sent = {request.headers["webhook-id"]: request.body for request in signed}
    assert {identity for _, identity in waiting} <= set(sent)
    assert all(sent[identity] == body for identity, body in bodies.items() if identity in sent)

    new = [event for event in app.post.events() if event["id"] not in before]
    kinds = sorted({event["type"].removeprefix("prepwatch.") for event in new})
    # Nobody was watching for half a day, the refused account is well again, and a preparation hangs: that much is new.
    assert kinds == ["account.reachable", "account.unreachable", "preparation.slow", "webhook.recovered"]

    batch.nodes["nightly"] = [*nodes_at(END), failed_node("new", now=clock.now)]
    batch.jobs["another"], batch.nodes["another"] = job_of("another"), [failed_node("tvm-1", now=clock.now)]
    for _ in range(3):
        clock.advance(MINUTE)
        app.poll(ACCOUNT)
    failures = [event for event in app.post.events("preparation.failed") if event["id"] not in before]
    told = sorted((event["data"]["jobId"], node["nodeId"]) for event in failures for node in event["data"]["nodes"])
    assert told == [("another", "tvm-1"), ("nightly", "new")]
    tracking = {job["jobId"]: job["tracking"] for job in app.summary()["value"]}
    assert tracking["left-alone"] == "stopped"
    assert tracking["unreachable"] == "unreachable"
    assert app.nodes_of("nightly") == {node["nodeId"] for node in batch.nodes["nightly"] or ()}


def as_written_by(version: int, table: FakeTable, wanted: str = "") -> dict[tuple[str, str], Mapping[str, Any]]:
    """Mark rows whose keys begin so as written by a version; all rows as they then are."""
    for partition, rows in list(table.partitions.items()):
        for key in list(rows):
            if key.startswith(wanted):
                table.transact(partition, [Merge(key=key, columns={"v": version})])
    return contents(table)


def contents(table: FakeTable) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Every row's columns by partition and key."""
    return {(partition, key): row.columns for partition, rows in table.partitions.items() for key, row in rows.items()}


def use_everything(app: WholeApp, clock: FakeClock) -> None:
    """Run every use case, now and when everything is old, whatever they say."""
    for wait in (MINUTE, timedelta(days=60)):
        clock.advance(wait)
        for use_case in (
            lambda: app.poll(ACCOUNT),
            lambda: app.poll(REFUSED),
            lambda: app.app.deliveries.run(ACCOUNT, MINUTE),
            app.app.purger.run,
            lambda: app.summary(maxAge="0"),
            lambda: app.nodes("nightly"),
        ):
            try:
                use_case()
            except (StoreError, KeyError):
                continue


def test_rows_of_a_newer_version_are_left_alone() -> None:
    """After a downgrade nothing is overwritten, sent, or purged; callers are told that the state can't be read."""
    table, batch = later()
    before = as_written_by(SCHEMA_VERSION + 1, table)
    clock = FakeClock(END)
    app = app_over(table, clock, batch)
    use_everything(app, clock)
    # The purge has noted which accounts are watched, in a row that was not there.
    assert {place: row for place, row in contents(table).items() if place != (OWN, ACCOUNTS)} == before
    assert app.post.sent == []
    assert all(error["code"] == "UnreadableRow" for error in (each["error"] for each in app.summary()["accounts"]))


@pytest.mark.parametrize(
    "kind", ["event|", "due|", "dead|", "done|", "job|", "node|nightly|", "webhook|", "digest|chat|nightly", "mute|"]
)
def test_rows_of_one_kind_of_a_newer_version_are_left_alone(kind: str) -> None:
    """Whatever kind of row a newer version has changed, the present one does not touch these."""
    table, batch = later()
    before = as_written_by(SCHEMA_VERSION + 1, table, kind)
    clock = FakeClock(END)
    well = failed_node("slow", now=START, result="success", failureInfo=None, exitCode=0)
    batch.nodes["nightly"] = [*nodes_at(END)[:-1], well]  # what hangs would be told by now
    use_everything(app_over(table, clock, batch), clock)
    after = contents(table)
    marked = [place for place in before if place[1].startswith(kind)]
    assert marked
    assert {place: after.get(place) for place in marked} == {place: before[place] for place in marked}


def test_an_unreadable_head_is_the_error_of_that_job_only() -> None:
    """A head with a schema version nobody knows is shown as that job's error; the others are watched and shown."""
    table, batch = later()
    before = as_written_by(99, table, "job|nightly")[ACCOUNT, "job|nightly"]
    clock = FakeClock(END)
    app = app_over(table, clock, batch)
    batch.nodes["stuck"] = [failed_node("tvm-1", now=START), failed_node("tvm-2", now=END)]
    clock.advance(MINUTE)
    report = app.poll(ACCOUNT)
    assert (report.good, report.errors) == (True, 2)  # `unreachable` is the other one
    summary = app.summary()
    (nightly,) = [job for job in summary["value"] if job["jobId"] == "nightly"]
    assert (nightly["tracking"], nightly["error"]["code"]) == ("unreachable", "UnreadableRow")
    assert "version 99" in nightly["error"]["message"]
    assert summary["status"] == "failing"
    assert app.nodes_of("stuck") == {"tvm-1", "tvm-2"}
    assert table.partitions[ACCOUNT]["job|nightly"].columns == before
    known = app.ask(lambda routes, request: routes.list_jobs(request))["value"]
    assert len(known) == len(summary["value"])


def test_the_story_is_still_the_same() -> None:
    """What the recording script tells today has the kinds of rows of the checked-in file, so the file is no relic."""
    table, _ = later()
    recorded = load(FOLDER / f"v{SCHEMA_VERSION}.json")
    assert {kind_of(row) for row in rows_of(table)} - NEW_KINDS == {kind_of(row) for row in rows_of(recorded)}
