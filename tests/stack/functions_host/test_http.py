"""HTTP as the host serves it: what a function sees, what goes back, keys, admin."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from local.functions_host.host import Host, build
from local.functions_host.http_exchange import Request, trigger_data
from local.functions_host.keys import AuthLevel, Keys, load_keys
from tests.stack.functions_host.sample import SETTINGS, write_app
from tests.stack.functions_host.virtual import FakeQueues

KEYS = Keys(master="master", default="default", functions={"echo": "echo-key", "other": "other-key"})


@dataclass(frozen=True, slots=True)
class Served:
    """A host that answers on loopback."""

    url: str
    host: Host
    queues: FakeQueues
    keys: Keys | None

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """The answer to a request."""
        return requests.request(method, self.url + path, timeout=10, **options)

    def bodies(self, queue: str) -> list[str]:
        """The bodies on *queue*, as on the wire."""
        return [message.text for message in self.queues.queue(queue).messages]


def _serve(directory: Path, monkeypatch: pytest.MonkeyPatch, *, check_keys: bool) -> Iterator[Served]:
    monkeypatch.syspath_prepend("")
    queues = FakeQueues()
    host = build(
        write_app(directory),
        SETTINGS,
        port=0,
        state_dir=directory / "state",
        check_keys=check_keys,
        connect=lambda _: queues,
    )
    Thread(target=host.server.serve_forever, args=(0.01,), daemon=True).start()
    keys = load_keys(directory / "state" / "keys.json", []) if check_keys else None
    yield Served(f"http://127.0.0.1:{host.port}", host, queues, keys)
    host.server.shutdown()
    assert host.stop(timedelta(seconds=10))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The sample app without keys, as with Core Tools."""
    yield from _serve(tmp_path, monkeypatch, check_keys=False)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The sample app with keys."""
    yield from _serve(tmp_path, monkeypatch, check_keys=True)


def test_a_function_sees_the_request(served: Served) -> None:
    """Header names are lower case, empty query values are gone, repeated ones joined, the body is bytes."""
    answer = served.call("POST", "/api/echo/a%20b?x=1&empty=&x=2", data=b"body", headers={"X-Mixed": "Case"})
    seen = answer.json()
    assert answer.status_code == 202
    assert (seen["method"], seen["name"], seen["query"], seen["body"]) == ("POST", "a b", {"x": "1,2"}, "body")
    assert seen["url"] == served.url + "/api/echo/a%20b?x=1&empty=&x=2"
    assert seen["headers"]["x-mixed"] == "Case"
    assert not [name for name in seen["headers"] if name != name.lower()]


def test_header_names_go_to_the_worker_in_lower_case() -> None:
    """The host lowers header names and drops empty values before the worker gets them."""
    request = Request(method="GET", scheme_and_host="", target="/", headers=(("X-A", "B"), ("X-C", "")), body=b"")
    assert {name: datum.value for name, datum in trigger_data(request, {}).value["headers"].items()} == {"x-a": "B"}


def test_no_body_is_empty_bytes(served: Served) -> None:
    """A request without body gives the function b''."""
    assert served.call("GET", "/api/echo/x").json()["body"] == ""


def test_headers_status_and_cookies_go_back(served: Served) -> None:
    """Everything in HttpResponse arrives: headers, content type and cookies."""
    headers = served.call("GET", "/api/echo/x").headers
    assert (headers["x-seen"], headers["content-type"]) == ("yes", "application/json")
    assert headers["set-cookie"].startswith("a=b")


def test_a_string_is_a_plain_text_answer(served: Served) -> None:
    """A returned str is 200 text/plain."""
    answer = served.call("GET", "/api/plain")
    assert (answer.status_code, answer.content) == (200, b"text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        pytest.param("GET", "/api/odd/bytes", 200, b"\x00\xff", id="bytes"),
        pytest.param("GET", "/api/odd/empty", 204, b"", id="no-content"),
        pytest.param("GET", "/api/odd/raises", 500, b"", id="an-exception-is-500-without-detail"),
        pytest.param("GET", "/api/odd/number", 500, b"", id="another-type-is-500"),
        pytest.param("POST", "/api/plain", 404, b"", id="a-wrong-method-is-404"),
        pytest.param("HEAD", "/api/plain", 404, b"", id="get-implies-no-head"),
        pytest.param("GET", "/plain", 404, b"", id="without-the-prefix"),
    ],
)
def test_status_and_body(served: Served, method: str, path: str, status: int, body: bytes) -> None:
    """The host answers with the function's bytes, 500 with an empty body, or 404 for path and method alike."""
    answer = served.call(method, path)
    assert (answer.status_code, answer.content) == (status, body)


def test_a_request_ends_after_the_longest_time(served: Served) -> None:
    """Azure's load balancer gives up after 230 s; here the limit is set to nothing."""
    handler: Any = served.host.server.RequestHandlerClass
    front = handler.respond.__self__
    hasty = replace(front, longest_request=timedelta(0))
    request = Request(method="GET", scheme_and_host="", target="/api/odd/sleeps", headers=(), body=b"")
    assert front.longest_request == timedelta(seconds=230)
    assert hasty.respond(request).status == 504


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        pytest.param({}, "", 401, id="no-key"),
        pytest.param({"x-functions-key": "wrong"}, "", 401, id="unknown-key"),
        pytest.param({"x-functions-key": "{key}"}, "", 202, id="header"),
        pytest.param({}, "?code={key}", 202, id="query"),
        pytest.param({"x-functions-key": "wrong"}, "?code={key}", 401, id="the-header-wins"),
    ],
)
def test_keys_are_checked_before_the_worker(
    locked: Served, caplog: pytest.LogCaptureFixture, headers: dict[str, str], query: str, status: int
) -> None:
    """With keys on, a wrong one is 401 and the function is not run; x-functions-key wins over ?code=."""
    assert locked.keys is not None
    caplog.set_level(logging.INFO)
    filled = {name: value.format(key=locked.keys.default) for name, value in headers.items()}
    answer = locked.call("GET", "/api/echo/x" + query.format(key=locked.keys.default), headers=filled)
    assert answer.status_code == status
    assert ("Executing 'Functions.echo'" in caplog.text) is (status == 202)


def test_anonymous_functions_need_no_key(locked: Served) -> None:
    """An anonymous function answers without a key also when keys are checked."""
    assert locked.call("GET", "/api/plain").status_code == 200


def test_admin_needs_the_master_key(locked: Served) -> None:
    """The admin endpoints open to the master key only."""
    assert locked.keys is not None
    statuses = [
        locked.call("GET", "/admin/host/status", headers={"x-functions-key": key}).status_code
        for key in ("", locked.keys.default, locked.keys.master)
    ]
    assert statuses == [401, 401, 200]


@pytest.mark.parametrize(
    ("level", "function", "opening"),
    [
        pytest.param(AuthLevel.ANONYMOUS, "echo", {None, "wrong", "echo-key"}, id="anonymous"),
        pytest.param(AuthLevel.FUNCTION, "echo", {"master", "default", "echo-key"}, id="function"),
        pytest.param(AuthLevel.ADMIN, "echo", {"master"}, id="admin-function"),
        pytest.param(AuthLevel.ADMIN, None, {"master"}, id="admin-endpoint"),
    ],
)
def test_which_key_opens_what(level: AuthLevel, function: str | None, opening: set[str | None]) -> None:
    """The master key opens all, host and function keys open FUNCTION, another function's key nothing."""
    for key in (None, "wrong", "master", "default", "echo-key", "other-key"):
        if level is not AuthLevel.ANONYMOUS or key in opening:
            assert KEYS.allow(level=level, function=function, key=key) is (key in opening), key


def test_keys_stay_the_same(tmp_path: Path) -> None:
    """Keys are made once and kept, readable by their owner only."""
    path = tmp_path / "state" / "keys.json"
    first = load_keys(path, ["a"])
    assert load_keys(path, ["a"]) == first
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "body", "status", "queue", "wire"),
    [
        pytest.param(
            "poll", {"input": ""}, 202, "work", ["eyJwYXN0RHVlIjogZmFsc2V9", "WzEsMl0="], id="timer-is-not-past-due"
        ),
        pytest.param("work", {"input": "x"}, 202, "done", ["eA==", "Tm9uZQ==", "d29yaw=="], id="queue-gets-the-input"),
        pytest.param("work", {"input": "fail"}, 202, "done", [], id="no-output-after-a-failure"),
        pytest.param("nobody", {}, 404, "done", [], id="unknown"),
        pytest.param("echo", {}, 400, "done", [], id="http-has-its-route"),
    ],
)
def test_admin_runs_a_function(
    served: Served, name: str, body: dict[str, str], status: int, queue: str, wire: list[str]
) -> None:
    """POST /admin/functions/{name} accepts and runs; outputs are base64, and only sent after success."""
    answer = served.call("POST", f"/admin/functions/{name}", data=json.dumps(body))
    served.host.pool.shutdown()
    assert answer.status_code == status
    assert served.bodies(queue) == wire


def test_admin_refuses_what_is_no_json(served: Served) -> None:
    """A body that is no JSON object is 400."""
    assert served.call("POST", "/admin/functions/poll", data="[").status_code == 400


def test_a_new_message_wakes_the_listener(served: Served) -> None:
    """An output to a queue of the same host ends the pause of its listener."""
    wakes: list[Callable[[], bool]] = [listener.wake.is_set for listener in served.host.listeners.values()]
    assert [wake() for wake in wakes] == [False]
    served.call("POST", "/admin/functions/poll", data="{}")
    served.host.pool.shutdown()
    assert [wake() for wake in wakes] == [True]
