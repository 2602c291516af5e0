"""Any JSON value in any field of one entry of a listing, and the whole app behind it."""

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.batch.model import UNREADABLE
from shared.batch.pool_wire import decode_node_counts, decode_nodes, decode_tasks
from shared.web.routes import Routes
from tests.support.fakes import FakeClock
from tests.support.hostile_batch import JSON, Play, account, failed_node, job_of, page
from tests.support.scripted_http import ScriptedAnswer, ScriptedServer
from tests.support.whole_app import WholeApp, whole_app

CLOCK = FakeClock()
GOOD = ("n-1", "n-2", "n-3")

_DEEP = "a list in a list in a list ..."
_TIMES = [
    *("", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *("Tue, 29 Jul 2025 21:49:13 GMT", "2026-11-27T10:20:31.1234567Z", "2026-11-27", "24:00", "/Date(1)/", "now"),
    *("9999-12-31T23:59:59-14:00", "2500-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-11-27T10:20:31+99:99"),
]
_WORDS = ["running", "completed", "COMPLETED", "success", "failure", "Failed", "active", "deleting", "disabled", "\0"]
_texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    _texts,
    st.sampled_from(_TIMES),
    st.sampled_from(_WORDS),
    st.sampled_from(["\ud83d", "\udca9\ud83d", "x" * 5000, "\x1b[31m\u202e"]),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
) | st.just(_DEEP)


def _paths(entry: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where an entry has values, itself included."""
    yield path
    items = entry.items() if isinstance(entry, dict) else enumerate(entry) if isinstance(entry, list) else ()
    for key, value in items:
        yield from _paths(value, (*path, key))


def _with(entry: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return value
    changed = deepcopy(entry)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def _odd(entry: Any) -> st.SearchStrategy[Any]:
    """The entry with any value in up to three places."""
    one = st.tuples(st.sampled_from(list(_paths(entry))), _values)

    def change(changes: Sequence[tuple[Sequence[str | int], Any]]) -> Any:
        # The deepest first, so that each place is still there.
        changed = entry
        for path, value in sorted(changes, key=lambda each: -len(each[0])):
            changed = _with(changed, path, value)
        return changed

    return st.lists(one, min_size=1, max_size=3).map(change)


def _body(value: Any, *, ascii_only: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=ascii_only)
    return text.replace(f'"{_DEEP}"', "[" * 3000 + "]" * 3000).encode("utf-8", "surrogatepass")


def _page(entries: Sequence[Any], *, ascii_only: bool) -> Play:
    reply = ScriptedAnswer(headers=JSON, body=_body({"value": entries}, ascii_only=ascii_only))
    return lambda _: reply


def _told(app: WholeApp) -> list[tuple[str, str]]:
    """Job and node of every failure that was told."""
    return [
        (event["data"]["jobId"], node["nodeId"])
        for event in app.post.events("preparation.failed")
        for node in event["data"]["nodes"]
    ]


def _whole(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with every field of the operation."""
    run = entry["jobPreparationTaskExecutionInfo"] | {
        "lastRetryTime": "2026-11-01T10:00:00Z",
        "exitCode": 1,
        "taskRootDirectoryUrl": "https://a.example/files",
        "containerInfo": {"containerId": "c", "state": "exited", "error": "e"},
    }
    run["failureInfo"] = run["failureInfo"] | {"details": [{"name": "FilePath", "value": "f"}]}
    return entry | {"jobPreparationTaskExecutionInfo": run, "jobReleaseTaskExecutionInfo": deepcopy(run)}


@pytest.fixture(scope="module")
def plays() -> dict[str, Play]:
    """What the jobs of the account say, to be changed by each example."""
    return {}


@pytest.fixture(scope="module")
def listing() -> list[Play]:
    """What the account says of its jobs, when it is there."""
    return []


@pytest.fixture(scope="module")
def batch(plays: dict[str, Play], listing: list[Play]) -> Iterator[ScriptedServer]:
    """The account."""
    with account(plays, jobs=lambda: listing[0](_ASKED)) as server:
        yield server


_ASKED: Any = None
_fuzzed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_fuzzed
@given(
    odd=_odd(_whole(failed_node("odd", now=CLOCK.now))),
    place=st.integers(0, len(GOOD)),
    ascii_only=st.booleans(),
    known=st.booleans(),
)
def test_any_value_in_one_entry_of_a_status_listing_costs_only_that_entry(
    odd: Any,
    place: int,
    *,
    ascii_only: bool,
    known: bool,
    batch: ScriptedServer,
    plays: dict[str, Play],
    listing: list[Play],
) -> None:
    """Whatever it is, whether its node is known or not: the others are recorded and told once, and it is no defect."""
    node = failed_node("odd", now=CLOCK.now)
    entries = [failed_node(name, now=CLOCK.now) for name in GOOD]
    listing[:] = [_page([job_of("job")], ascii_only=True)]
    plays.clear()
    plays["job"] = page(node)
    app = whole_app(batch.url, clock=FakeClock())
    if known:
        app.poll()
    plays["job"] = _page([*entries[:place], odd, *entries[place:]], ascii_only=ascii_only)
    reports = [app.poll() for _ in range(3)]
    error = app.job("job")["error"]
    live = app.ask(Routes.list_live_nodes, route={"jobId": "job"})

    assert {node["nodeId"] for node in live["value"]} >= set(GOOD)
    told = [(job, name) for job, name in _told(app) if name in GOOD]
    assert sorted(told) == [("job", name) for name in GOOD]
    assert app.nodes_of("job") >= set(GOOD)
    assert all(report.good for report in reports)
    assert error is None or error["code"] == UNREADABLE
    assert [report.errors for report in reports] == [int(error is not None)] * 3
    assert len(app.post.events("job.unreachable")) == int(error is not None)


_RUN = _whole(failed_node("odd", now=CLOCK.now))["jobPreparationTaskExecutionInfo"]
_OF_POOLS: dict[str, tuple[Callable[[bytes], Sequence[Any]], str, dict[str, Any]]] = {
    "nodes": (
        decode_nodes,
        "id",
        {"id": "odd", "state": "idle", "errors": [_RUN["failureInfo"]], "startTaskInfo": _RUN},
    ),
    "tasks": (decode_tasks, "id", {"id": "odd", "state": "running", "nodeInfo": {"poolId": "p", "nodeId": "n"}}),
    "counts": (decode_node_counts, "poolId", {"poolId": "odd", "dedicated": {"idle": 1}, "lowPriority": {"idle": 2}}),
}


@pytest.mark.parametrize("listing_of", _OF_POOLS)
@_fuzzed
@given(data=st.data(), place=st.integers(0, len(GOOD)), ascii_only=st.booleans())
def test_any_value_in_one_entry_of_a_listing_of_pools_costs_only_that_entry(
    listing_of: str, data: st.DataObject, place: int, *, ascii_only: bool
) -> None:
    """Of nodes, tasks and node counts the others are read as ever, and what is read can be stored."""
    read, key, entry = _OF_POOLS[listing_of]
    entries: list[Any] = [entry | {key: name} for name in GOOD]
    body = _body([*entries[:place], data.draw(_odd(entry)), *entries[place:]], ascii_only=ascii_only)
    found = read(body)
    alone = read(_body(entries, ascii_only=ascii_only))

    assert [one for one in found if one in alone] == list(alone)
    assert msgspec.msgpack.encode(found)


@_fuzzed
@given(
    odd=_odd(job_of("odd", executionInfo={"poolId": "p", "endTime": "2026-11-01T10:00:00Z"})), ascii_only=st.booleans()
)
def test_any_value_in_one_entry_of_the_job_listing_costs_only_that_job(
    odd: Any, *, ascii_only: bool, batch: ScriptedServer, plays: dict[str, Play], listing: list[Play]
) -> None:
    """Whatever it is, the other jobs are read and told of, and what can't be read is told at the job or the account."""
    plays.clear()
    plays.update({name: page(failed_node("n-1", now=CLOCK.now)) for name in ("first", "last", "odd")})
    listing[:] = [_page([job_of("first"), odd, job_of("last")], ascii_only=ascii_only)]
    app = whole_app(batch.url, clock=FakeClock())
    reports = [app.poll() for _ in range(3)]
    summary = app.summary()

    assert sorted(told for told in _told(app) if told[0] in {"first", "last"}) == [("first", "n-1"), ("last", "n-1")]
    assert [app.job(name)["error"] for name in ("first", "last")] == [None, None]
    assert all(report.good for report in reports)
    about_account = summary["accounts"][0]["error"]
    about_job = next((job["error"] for job in summary["value"] if job["jobId"] == "odd"), None)
    assert {error["code"] for error in (about_account, about_job) if error} <= {
        UNREADABLE,
        "JobNotFound",
        "InvalidAnswer",
    }
    assert len(app.post.events("account.unreachable")) == int(about_account is not None)
    assert about_account is None or summary["status"] != "ok"
