"""One entry of a listing that nobody can read, or that is only odd, among good ones."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.batch.model import UNREADABLE
from shared.polling.cycle import CycleReport
from shared.web.routes import Routes
from tests.support.fakes import FakeClock
from tests.support.hostile_batch import JSON, Play, account, failed_node, job_of, json_answer, page
from tests.support.scripted_http import Asked, ScriptedAnswer
from tests.support.whole_app import WholeApp, codes, whole_app

MINUTE = timedelta(minutes=1)
CLOCK = FakeClock()


def _node(name: str, **changes: Any) -> dict[str, Any]:
    return failed_node(name, now=CLOCK.now, **changes)


def _raw(*entries: bytes) -> Play:
    reply = ScriptedAnswer(headers=JSON, body=b'{"value":[%b]}' % b",".join(entries))
    return lambda _: reply


def _json(entry: object) -> bytes:
    return json.dumps(entry).encode()


def _poll_after(app: WholeApp, clock: FakeClock) -> CycleReport:
    clock.advance(MINUTE)
    return app.poll()


UNREADABLE_ENTRIES: dict[str, Any] = {
    "a number": 7,
    "null": None,
    "a time that is a number": _node("odd", startTime=7),
    "a time that is a word": _node("odd", startTime="yesterday"),
    "a day that is none": _node("odd", endTime="2026-02-30T00:00:00Z"),
    "an exit code that is a text": _node("odd", exitCode="1"),
    "an exit code beyond bounds": _node("odd", exitCode=2**80),
    "retries beyond bounds": _node("odd", retryCount=1e300),
    "a failure that is a list": _node("odd", failureInfo=[1]),
    "a state that is an object": _node("odd", state={"x": 1}),
    "no node id": {"poolId": "p"},
    "a control character in the id": {"poolId": "p", "nodeId": "n\x00"},
    "an endless id": {"poolId": "p", "nodeId": "n" * 5000},
    "a pool that is a list": {"poolId": [], "nodeId": "odd"},
}


@pytest.mark.parametrize("odd", UNREADABLE_ENTRIES.values(), ids=UNREADABLE_ENTRIES.keys())
def test_an_entry_that_cannot_be_read_is_counted_shown_and_told_once_if_it_stays(odd: Any) -> None:
    """The others are recorded and told at once; the job says how many can't be read and why, until they can be."""
    clock = FakeClock()
    plays = {"job": page(_node("n-1"), odd, _node("n-2"))}
    with account(plays) as batch:
        app = whole_app(batch.url, clock=clock)
        reports = [_poll_after(app, clock) for _ in range(5)]
        error = app.job("job")["error"]
        kinds = sorted(app.post.types())
        plays["job"] = page(_node("n-1"), _node("odd"), _node("n-2"))
        _poll_after(app, clock)

    assert [(report.good, report.errors) for report in reports] == [(True, 1)] * 5
    assert error["code"] == UNREADABLE
    assert error["message"].startswith("One entry of the job's status listing can't be read: ")
    assert kinds == ["job.unreachable", "preparation.failed"]
    assert (app.job("job")["error"], app.nodes_of("job")) == (None, {"n-1", "n-2", "odd"})
    assert sorted(app.post.types()) == ["job.reachable", "job.unreachable", *["preparation.failed"] * 2]


def test_several_entries_that_cannot_be_read_are_counted() -> None:
    """Each is counted once a cycle, wherever it stands, and nothing is written while nothing changes."""
    clock = FakeClock()
    with account(
        {"job": _raw(b"7", *map(_json, (_node("n-1"), _node("n-1", exitCode="x"), _node("odd", state=[]))))}
    ) as batch:
        app = whole_app(batch.url, clock=clock)
        for _ in range(4):
            _poll_after(app, clock)
        before = {row.key: row.etag for row in app.rows() if row.key.startswith(("job|", "node|"))}
        _poll_after(app, clock)
        after = {row.key: row.etag for row in app.rows() if row.key.startswith(("job|", "node|"))}

    assert app.job("job")["error"]["message"].startswith("3 entries of the job's status listing can't be read: ")
    assert (app.nodes_of("job"), app.post.types().count("preparation.failed")) == ({"n-1"}, 1)
    assert before == after


READABLE: dict[str, bytes] = {
    "half a surrogate pair": _json(_node("odd", result="failure\ud83d")),
    "bytes that are no UTF-8": _json(_node("odd")).replace(b"UserError", b"User\xffError"),
    "a bare line feed": _json(_node("odd")).replace(b"UserError", b"User\nError"),
    "a leap second": _json(_node("odd", startTime="2016-12-31T23:59:60Z")),
    "a time of RFC 1123": _json(_node("odd", endTime="Tue, 03 Nov 2026 21:49:13 GMT")),
    "no start": _json(_node("odd", startTime=None)),
    "an empty start": _json(_node("odd", startTime="")),
    "the last moment of .NET": _json(_node("odd", endTime="9999-12-31T23:59:59.9999999Z")),
    "beyond the last moment": _json(_node("odd", endTime="9999-12-31T23:59:59-14:00")),
    "an end before its start": _json(_node("odd", startTime="2026-12-31T00:00:00Z")),
}


@pytest.mark.parametrize("odd", READABLE.values(), ids=READABLE.keys())
def test_an_entry_that_is_only_odd_is_recorded_and_told_like_any_other(odd: bytes) -> None:
    """What can be read without guessing is read: the failure is told once, and the job is in no trouble."""
    good = _json(_node("n-1"))
    with account({"job": _raw(good, odd)}) as batch:
        app = whole_app(batch.url, clock=FakeClock())
        reports = [app.poll() for _ in range(3)]

    assert [(report.good, report.errors) for report in reports] == [(True, 0)] * 3
    assert (app.nodes_of("job"), app.job("job")["error"]) == ({"n-1", "odd"}, None)
    told = [node["nodeId"] for event in app.post.events("preparation.failed") for node in event["data"]["nodes"]]
    assert sorted(told) == ["n-1", "odd"]


HALF = "a\ud83db"
"""What `json.dumps` writes as an escape that stands for nothing, which strict readers refuse."""


def test_half_a_surrogate_pair_in_any_text_is_one_mark_for_whoever_is_told() -> None:
    """In every text of an entry and of its job it costs a character: the row, the event and its bytes are written."""
    failure = {"category": HALF, "code": HALF, "message": HALF, "details": [{"name": HALF, "value": HALF}]}
    texts = {"failureInfo": failure, "taskRootDirectory": HALF, "containerInfo": {"containerId": HALF, "state": HALF}}
    with account(
        {"job": _raw(_json(_node("n-1", **texts) | {"nodeUrl": HALF}))},
        jobs=lambda: json_answer({"value": [job_of("job", displayName=HALF)]}),
    ) as batch:
        app = whole_app(batch.url, clock=FakeClock())
        report = app.poll()
    (event,) = app.post.events("preparation.failed")
    (told,) = event["data"]["nodes"]

    assert (report.errors, app.nodes_of("job")) == (0, {"n-1"})
    assert told["failureInfo"]["details"] == [{"name": "a\ufffdb", "value": "a\ufffdb"}]
    assert (told["failureInfo"]["message"], told["taskRootDirectory"], told["nodeUrl"]) == ("a\ufffdb",) * 3


def test_a_run_whose_start_appears_late_is_told_once() -> None:
    """A failure that is listed without a start, and then with one, is the same failure."""
    plays = {"job": page(_node("n-1", startTime=None))}
    with account(plays) as batch:
        app = whole_app(batch.url, clock=FakeClock())
        app.poll()
        plays["job"] = page(_node("n-1"))
        app.poll()
        plays["job"] = page(_node("n-1", startTime=None))
        app.poll()

    assert app.post.types() == ["preparation.failed"]


def test_a_job_whose_creation_time_appears_late_keeps_its_nodes() -> None:
    """The nodes that were stored before are found, told once, and dropped with the job when another takes its id."""
    clock = FakeClock()
    plays = {"job": page(_node("n-1"))}
    job: dict[str, Any] = job_of("job", creationTime=None)
    with account(plays, jobs=lambda: json_answer({"value": [job]}), other=lambda _: json_answer(job)) as batch:
        app = whole_app(batch.url, clock=clock)
        _poll_after(app, clock)
        job["creationTime"] = "2026-11-01T11:00:00Z"
        plays["job"] = page(_node("n-1"), _node("n-2"))
        _poll_after(app, clock)
        job["creationTime"] = None
        _poll_after(app, clock)
        shown = app.nodes_of("job"), app.job("job")["error"], app.job("job")["nodes"]
        job["creationTime"] = clock.now.isoformat()
        _poll_after(app, clock)

    assert shown == ({"n-1", "n-2"}, None, 2)
    assert (app.nodes_of("job"), app.job("job")["error"]) == (set(), None)
    told = [node["nodeId"] for event in app.post.events("preparation.failed") for node in event["data"]["nodes"]]
    assert told == ["n-1", "n-2"]
    assert not [row.key for row in app.rows() if row.key.startswith("node|job|unknown")]


def test_a_job_that_cannot_be_read_in_the_job_listing_is_watched_all_the_same() -> None:
    """With an id, its nodes are read and told, known before or not, and the job says what can't be read."""
    clock = FakeClock()
    jobs: list[Any] = [job_of("known"), job_of("other")]
    plays = {name: page(_node("n-1")) for name in ("known", "other", "new")}
    with account(plays, jobs=lambda: json_answer({"value": jobs})) as batch:
        app = whole_app(batch.url, clock=clock)
        _poll_after(app, clock)
        jobs[:] = [job_of("known", creationTime="yesterday"), job_of("other"), job_of("new", state=[])]
        plays["known"] = page(_node("n-1"), _node("n-2"))
        reports = [_poll_after(app, clock) for _ in range(4)]
        errors = {name: app.job(name)["error"] for name in plays}
        jobs[:] = [job_of(name) for name in plays]
        _poll_after(app, clock)

    assert [(report.good, report.errors) for report in reports] == [(True, 2)] * 4
    assert errors["other"] is None
    assert {errors[name]["code"] for name in ("known", "new")} == {UNREADABLE}
    assert "creationTime" in errors["known"]["message"]
    assert "state" in errors["new"]["message"]
    assert (app.nodes_of("known"), app.nodes_of("new")) == ({"n-1", "n-2"}, {"n-1"})
    kinds = [kind for kind in app.post.types() if kind != "preparation.failed"]
    assert sorted(kinds) == ["job.reachable"] * 2 + ["job.unreachable"] * 2
    assert [app.job(name)["error"] for name in plays] == [None] * 3


def test_jobs_without_a_name_are_told_at_the_account_if_they_stay() -> None:
    """What can't even be named is counted and shown at the account, which is read all the same."""
    clock = FakeClock()
    jobs: list[Any] = [job_of("job"), 7, {"state": "active"}]
    with account({"job": page(_node("n-1"))}, jobs=lambda: json_answer({"value": jobs})) as batch:
        app = whole_app(batch.url, clock=clock)
        reports = [_poll_after(app, clock) for _ in range(2)]
        before = codes(app)
        reports += [_poll_after(app, clock) for _ in range(3)]
        shown = app.summary()["accounts"][0]
        told = codes(app)
        jobs.clear()
        jobs.append(job_of("job"))
        _poll_after(app, clock)

    assert [(report.good, report.errors) for report in reports] == [(True, 2)] * 5
    assert (before, told) == ([], [("account.unreachable", UNREADABLE)])
    assert shown["error"]["message"].startswith("2 entries of the job listing can't be read: ")
    assert not shown["stale"]
    assert codes(app)[1:] == [("account.reachable", "")]
    assert app.post.types().count("preparation.failed") == 1


def test_a_job_that_answers_with_another_id_is_no_answer() -> None:
    """What Batch says of another job is not written under this one."""
    clock = FakeClock()
    jobs: list[Any] = [job_of("job")]
    plays = {"job": page(_node("n-1"))}
    other = json_answer(job_of("other", state="completed"))
    with account(plays, jobs=lambda: json_answer({"value": jobs}), other=lambda _: other) as batch:
        app = whole_app(batch.url, clock=clock)
        _poll_after(app, clock)
        jobs.clear()
        plays.clear()
        _poll_after(app, clock)

    assert [job["jobId"] for job in app.summary()["value"]] == ["job"]
    assert (app.job("job")["state"], app.job("job")["error"]["code"]) == ("active", "InvalidAnswer")


def test_times_are_shown_as_batch_wrote_them() -> None:
    """The event, the stored nodes and the live ones show all digits of a time, and a second look tells nothing anew."""
    times = {"startTime": "2026-11-01T10:20:31.9999999Z", "endTime": "2026-11-01T10:20:32.1234567Z"}
    plays = {"job": page(_node("n-1", **times))}
    with account(plays) as batch:
        app = whole_app(batch.url, clock=FakeClock(), FIRST_SIGHT_SECONDS="31536000")
        app.poll()
        plays["job"] = page(_node("n-1", **times), _node("n-2", **times))
        app.poll()
        live = app.ask(Routes.list_live_nodes, route={"jobId": "job"})["value"]
        stored = app.nodes("job")

    told = [node for event in app.post.events("preparation.failed") for node in event["data"]["nodes"]]
    runs = [*told, *(node["preparation"]["execution"] for node in stored)]
    runs += [node["jobPreparationTaskExecutionInfo"] for node in live]
    assert [node["nodeId"] for node in told] == ["n-1", "n-2"]
    assert len(runs) == 6
    assert all({name: run[name] for name in times} == times for run in runs)


@pytest.mark.parametrize(
    "created", ["2026-11-01T09:00:00.1234567Z", "2026-11-01T09:00:00.9999999Z", "2026-11-01T09:00:00Z"]
)
def test_when_a_job_was_created_is_shown_as_batch_wrote_it(created: str) -> None:
    """The event and the list of jobs show all digits of the time, and a job of the same time is no other job."""
    job, listed = job_of("job", creationTime=created), page(_node("n-1"))

    def other(asked: Asked) -> ScriptedAnswer:
        return listed(asked) if "jobpreparationandreleasetaskstatus" in asked.target else json_answer(job)

    with account({}, jobs=lambda: json_answer({"value": [job]}), other=other) as batch:
        app = whole_app(batch.url, clock=FakeClock(), FIRST_SIGHT_SECONDS="31536000")
        app.poll()
        app.poll()
        (tracked,) = app.ask(Routes.list_jobs)["value"]

    (event,) = app.post.events("preparation.failed")
    assert (event["data"]["jobCreationTime"], tracked["creationTime"]) == (created, created)
