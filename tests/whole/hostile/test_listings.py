"""The whole app against a Batch account that lies and breaks off, in one job among good ones."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.web.routes import Routes
from tests.support.hostile_batch import JSON, Play, account, error_reply, failed_node, json_answer, page, says
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer
from tests.support.stack import KEY
from tests.support.whole_app import WholeApp, stored_text, whole_app

SECRET = "5ecr3tC4n4ryV4lu3"


@pytest.fixture
def stranger() -> Iterator[ScriptedServer]:
    """A server that is not the account's, and must never hear of it."""
    with ScriptedServer(json_answer({"value": [failed_node("n-stranger")]})) as server:
        yield server


def raw(body: bytes, **changes: Any) -> Play:
    """Answers with these bytes, as JSON."""
    return says(ScriptedAnswer(**{"headers": JSON, "body": body, **changes}))


def endless(asked: Asked) -> ScriptedAnswer:
    """A page that names another page, always another."""
    number = int(urlsplit(asked.target).query.rpartition("skip=")[2] or 0) + 1 if "skip=" in asked.target else 1
    return page(link=f"http://{asked.headers['host']}/jobs/bad/jobpreparationandreleasetaskstatus?skip={number}")(asked)


def looping(asked: Asked) -> ScriptedAnswer:
    """A page that names itself."""
    return page(link=f"http://{asked.headers['host']}/jobs/bad/jobpreparationandreleasetaskstatus?skip=1")(asked)


def to_stranger(stranger: str) -> Play:
    """A page that names a page of somebody else."""
    return page(failed_node("n-9"), link=f"{stranger}/jobs/bad/jobpreparationandreleasetaskstatus?sig={SECRET}")


def redirect(stranger: str) -> Play:
    """Sends the caller elsewhere."""
    return says(ScriptedAnswer(status=307, headers={"Location": f"{stranger}/?sig={SECRET}"}))


def as_user_info(stranger: str) -> Play:
    """A link whose user part looks like the account's host."""

    def play(asked: Asked) -> ScriptedAnswer:
        return page(link=f"http://{asked.headers['host']}@{stranger.removeprefix('http://')}/jobs")(asked)

    return play


HTML = b"<html><title>502</title>password=" + SECRET.encode()
WHOLE = json.dumps({"value": [failed_node("n-1"), failed_node("n-2")]}).encode()


HOSTILE: list[Any] = [
    pytest.param(to_stranger, "ForeignLink", id="link to another host"),
    pytest.param(as_user_info, "ForeignLink", id="link with a user part"),
    pytest.param(lambda _: page(link="/jobs/bad"), "ForeignLink", id="relative link"),
    pytest.param(lambda _: page(link="file:///etc/passwd"), "ForeignLink", id="file link"),
    pytest.param(lambda _: page(link="http://["), "ForeignLink", id="link that is none"),
    pytest.param(lambda _: looping, "LoopingLink", id="looping link"),
    pytest.param(lambda _: endless, "TooManyPages", id="endless pages"),
    pytest.param(redirect, "Http307", id="redirect"),
    pytest.param(lambda _: raw(WHOLE[:-40]), "InvalidAnswer", id="truncated JSON"),
    pytest.param(
        lambda _: raw(WHOLE, headers={"Content-Length": str(len(WHOLE) + 9)}, hang_up=True),
        "ConnectionFailed",
        id="cut short",
    ),
    pytest.param(lambda _: says(ScriptedAnswer(status=0, hang_up=True)), "ConnectionFailed", id="no answer"),
    pytest.param(lambda _: raw(b""), "InvalidAnswer", id="empty"),
    pytest.param(lambda _: raw(b"[]"), "InvalidAnswer", id="no object"),
    pytest.param(lambda _: raw(b'{"value":7}'), "InvalidAnswer", id="value is a number"),
    pytest.param(lambda _: raw(b'{"values":[]}'), "InvalidAnswer", id="another object"),
    pytest.param(lambda _: raw(b'{"value":' + b"[" * 200_000), "InvalidAnswer", id="nested without end"),
    pytest.param(lambda _: raw(HTML, headers={"Content-Type": "text/html"}), "InvalidAnswer", id="HTML"),
    pytest.param(lambda _: raw(HTML, status=404), "Http404", id="404 that is not Batch's"),
    pytest.param(lambda _: raw(HTML, status=500), "Http500", id="500 in HTML"),
    pytest.param(lambda _: raw(HTML, status=418), "Http418", id="418"),
    pytest.param(lambda _: raw(b"", status=204), "Http204", id="204"),
    pytest.param(lambda _: says(error_reply(400, "InvalidInput")), "InvalidInput", id="400"),
    pytest.param(lambda _: says(error_reply(500, f"sig={SECRET}")), "sig=[redacted]", id="secret as code"),
]


def looked_at(app: WholeApp) -> None:
    """Poll, and see that no unknown error ended the cycle."""
    assert app.poll().skipped is None


@pytest.mark.parametrize(("make", "code"), HOSTILE)
def test_a_hostile_listing_harms_its_own_job_only(
    make: Callable[[str], Play], code: str, stranger: ScriptedServer
) -> None:
    """The job shows the error, keeps its last good nodes, and recovers; other jobs go on; no stranger is asked."""
    good = page(failed_node("n-1"))
    plays: dict[str, Play] = {"bad": good, "other": good}
    with account(plays) as batch:
        app = whole_app(batch.url)
        looked_at(app)
        before = app.nodes("bad")
        plays["bad"] = make(stranger.url)
        plays["other"] = page(failed_node("n-1"), failed_node("n-2"))
        report = app.poll()
        bad, stored = app.job("bad"), stored_text(list(app.rows()))
        assert (report.good, report.errors, bad["error"]["code"]) == (True, 1, code)
        assert app.nodes("bad") == before
        assert app.job("other")["error"] is None
        assert {node["nodeId"] for node in app.nodes("other")} == {"n-1", "n-2"}
        plays["bad"] = page(failed_node("n-3"))
        looked_at(app)

    assert app.job("bad")["error"] is None
    assert {node["nodeId"] for node in app.nodes("bad")} == {"n-1", "n-3"}
    told = {(event["data"]["jobId"], node["nodeId"]) for event in app.post.events() for node in event["data"]["nodes"]}
    assert told == {("bad", "n-1"), ("bad", "n-3"), ("other", "n-1"), ("other", "n-2")}
    assert stranger.log == []
    assert SECRET.encode() not in stored
    assert KEY.encode() not in stored


@pytest.mark.parametrize(
    "info",
    [
        pytest.param({"startTime": "0001-01-01T00:00:00Z", "endTime": "0001-01-01T00:00:00Z"}, id="the year one"),
        pytest.param({"endTime": "9999-12-31T23:59:59Z"}, id="the year 9999"),
        pytest.param({"startTime": None, "endTime": None}, id="no times"),
        pytest.param({"result": "Exploded", "failureInfo": None, "exitCode": 1}, id="a result that nobody knows"),
        pytest.param({"failureInfo": {}}, id="a failure without words"),
        pytest.param({"failureInfo": {"code": "x" * 100_000, "message": "\U0001f4a5" * 100_000}}, id="endless texts"),
        pytest.param(
            {"failureInfo": {"code": "C", "details": [{"name": "n" * 9999, "value": "v" * 9999}] * 999}},
            id="endless details",
        ),
        pytest.param({"exitCode": -2147483648, "retryCount": 4294967295}, id="numbers at the bounds"),
        pytest.param({"futureField": {"a": [1, 2, {"b": None}]}}, id="fields of a later version"),
    ],
)
def test_what_is_odd_but_readable_is_no_error(info: dict[str, Any]) -> None:
    """Values that no sane service gives are stored and shown as far as they can be, and told once at most."""
    with account({"odd": page(failed_node("n-1", **info)), "other": page(failed_node("n-1"))}) as batch:
        app = whole_app(batch.url)
        assert [app.poll().errors for _ in range(3)] == [0, 0, 0]

    assert app.job("odd")["error"] is None
    assert [node["nodeId"] for node in app.nodes("odd")] == ["n-1"]
    told = [event["data"]["jobId"] for event in app.post.events("preparation.failed")]
    assert told.count("other") == 1
    assert told.count("odd") <= 1
    assert all(len(request.body) <= 48 * 1024 for request in app.post.sent)


def test_the_same_node_twice_is_one_node() -> None:
    """Of several entries for a node the later run counts, whatever their order and the case of their ids."""
    ended = datetime.now(UTC)
    earlier = failed_node("n-1", now=ended - timedelta(minutes=5), result="success", failureInfo=None, exitCode=0)
    later = failed_node("N-1", now=ended)
    with account({"job": page(later, earlier, later), "mirrored": page(earlier, later)}) as batch:
        app = whole_app(batch.url)
        looked_at(app)
        looked_at(app)

    for job in ("job", "mirrored"):
        assert (app.job(job)["nodes"], app.job(job)["preparation"]["failed"]) == (1, 1)
    assert app.post.types() == ["preparation.failed"] * 2


def test_secrets_and_control_characters_in_texts_are_not_kept() -> None:
    """Whatever a text of Batch holds, no secret and no control character is stored, told or shown."""
    words = [
        f"https://x.blob.core.windows.net/c/f?sv=1&sig={SECRET}%3D",
        f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={SECRET}==;EndpointSuffix=core.windows.net",
        f"Authorization: Bearer {SECRET}",
        f"https://user:{SECRET}@registry.example/image",
        f'{{"password": "{SECRET}", "client_secret":"{SECRET}"}}',
        f"SharedAccessSignature sr=x&sig={SECRET}&se=1",
        "\x00\x07\x1b[2J\x7f\x9b31m\u202e\u200b\u2028 all red",
    ]
    text = " | ".join(words)
    changes: dict[str, Any] = {
        "state": "completed",
        "failureInfo": {
            "category": "UserError",
            "code": text,
            "message": text,
            "details": [{"name": "n", "value": text}],
        },
        "containerInfo": {"containerId": text, "state": text, "error": text},
        "taskRootDirectory": text,
        "taskRootDirectoryUrl": text,
    }
    node = failed_node("n-1", **changes) | {"nodeUrl": text}

    def hear(asked: Asked) -> ScriptedAnswer:
        if asked.method == "HEAD":
            return ScriptedAnswer(headers={"Content-Length": str(len(text.encode()))})
        return ScriptedAnswer(body=text.encode())

    plays = {"job": page(node), "broken": says(error_reply(500, text, text)), "slow": says(error_reply(400, "X", text))}
    with account(plays, other=hear) as batch:
        app = whole_app(batch.url, STDERR_TAIL_BYTES="4096")
        for _ in range(3):
            looked_at(app)
        shown = [
            app.answer(Routes.summary).body,
            app.answer(Routes.list_jobs).body,
            app.answer(Routes.list_nodes, route={"jobId": "job"}).body,
            app.answer(Routes.list_nodes, route={"jobId": "job"}, query={"live": "true"}).body,
            app.answer(Routes.list_nodes, route={"jobId": "broken"}, query={"live": "true"}).body,
        ]

    assert {asked.method for asked in batch.log} == {"GET", "HEAD"}
    told = [request.body for request in app.post.sent]
    assert set(app.post.types()) == {"preparation.failed", "job.unreachable"}
    (node_told,) = app.post.events("preparation.failed")[0]["data"]["nodes"]
    assert "all red" in node_told["stderrTail"]
    for place in (stored_text(list(app.rows())), *shown, *told):
        assert SECRET.encode() not in place
    for body in (*shown, *told):
        assert not {character for character in _texts(json.loads(body)) if _controls(character)}


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(map(_texts, value.values()))
    return "".join(map(_texts, value)) if isinstance(value, list) else str(value)


def _controls(character: str) -> bool:
    return (ord(character) < 32 and character not in "\t\n") or character in "\x7f\x9b\u202e\u200b\u2028"
