"""HTTP as the host serves it: what a function sees, what goes back, keys, admin."""

import http.client
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from local.functions_host.http_exchange import Request, trigger_data
from tests.stack.functions_host.served import JSON, Served, serve


def test_a_function_sees_the_request(served: Served) -> None:
    """Header names are lower case, empty query values are gone, repeated ones joined, the body is bytes."""
    answer = served.call("POST", "/api/echo/a%20b?x=1&empty=&x=2", data=b"body", headers={"X-Mixed": "Case"})
    seen = answer.json()
    assert answer.status_code == 202
    assert (seen["method"], seen["name"], seen["query"], seen["body"]) == ("POST", "a b", {"x": "1,2"}, "body")
    assert seen["url"] == served.url + "/api/echo/a%20b?x=1&empty=&x=2"
    assert served.call("GET", "/api/echo/a%3Ab?q=%3A").json()["url"] == served.url + "/api/echo/a:b?q=%3A"
    assert seen["headers"]["x-mixed"] == "Case"
    assert not [name for name in seen["headers"] if name != name.lower()]


def test_header_names_go_to_the_worker_in_lower_case() -> None:
    """The host lowers header names before the worker gets them, joins repeated ones and passes on empty ones."""
    headers = (("X-A", "B"), ("x-a", "C"), ("X-D", ""))
    request = Request(method="GET", scheme_and_host="", target="/", headers=headers, body=b"")
    seen = trigger_data(request, "/", {}).value["headers"]
    assert {name: datum.value for name, datum in seen.items()} == {"x-a": "B,C", "x-d": ""}


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
        pytest.param("PROPFIND", "/api/plain", 404, b"", id="any-method-at-all"),
        pytest.param("GET", "/api/echo/a%00b", 400, b"", id="a-null-character"),
        pytest.param("GET", "/api/echo/" + 9000 * "a", 414, b"", id="a-line-of-more-than-8192-bytes"),
        pytest.param("GET", "/api/echo/" + 70_000 * "a", 414, b"", id="a-line-that-nobody-reads"),
        pytest.param("GET", "/admin", 404, b"", id="admin-alone"),
        pytest.param("GET", "/plain", 404, b"", id="without-the-prefix"),
    ],
)
def test_status_and_body(served: Served, method: str, path: str, status: int, body: bytes) -> None:
    """The host answers with the function's bytes, 500 with an empty body, or 404 for path and method alike."""
    answer = served.call(method, path)
    assert (answer.status_code, answer.content) == (status, body)


@pytest.mark.parametrize(
    ("settings", "status"), [({}, 200), ({"AzureWebJobsDisableHomepage": "True"}, 204)], ids=["shown", "switched-off"]
)
def test_the_root_has_the_platforms_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], status: int
) -> None:
    """`/` says that the app is up, to anybody, unless AzureWebJobsDisableHomepage is true."""
    for served in serve(tmp_path, monkeypatch, check_keys=True, **settings):
        answer = served.call("GET", "/")
        assert (answer.status_code, b"up and running" in answer.content) == (status, status == 200)


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        pytest.param("Content-Length: 4\r\n\r\nbody", 202, "body", id="with-a-length"),
        pytest.param("Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 202, "", id="in-chunks"),
        pytest.param(
            "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n1\r\ny\r\n0\r\nX-T: 1\r\n\r\n",
            202,
            "",
            id="in-chunks-with-all-that-may-be-there",
        ),
        pytest.param("Transfer-Encoding: chunked\r\n\r\nbody\r\n", 400, None, id="no-chunk"),
        pytest.param("Content-Length: four\r\n\r\nbody", 400, None, id="no-length"),
        pytest.param("Content-Length: -4\r\n\r\nbody", 400, None, id="less-than-nothing"),
        pytest.param("Content-Length: 104857601\r\n\r\n", 413, None, id="more-than-100-mib"),
    ],
)
def test_how_a_body_arrives(served: Served, sent: str, status: int, body: str | None) -> None:
    """A body arrives when its length was announced; one in chunks arrives empty, and the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", served.host.port, timeout=10)
    connection.connect()
    connection.sock.sendall(f"POST /api/echo/x HTTP/1.1\r\nHost: x\r\n{sent}".encode())
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    content = answer.read()
    assert answer.status == status
    if body is not None:
        assert json.loads(content)["body"] == body
        connection.request("GET", "/api/plain")
        assert connection.getresponse().read() == b"text"
    connection.close()


def test_paths_go_to_functions_as_the_server_reads_them(served: Served) -> None:
    """What a function gets of a path: decoded, but for slashes and what is no UTF-8; dots are followed."""
    connection = http.client.HTTPConnection("127.0.0.1", served.host.port, timeout=10)
    seen = []
    for path in ("/api/echo/a%2Fb", "/api/echo/%FF", "/api/odd/%2E%2E/echo/sched%3Ajob-1", "/API/Echo/%20/"):
        connection.request("GET", path)
        seen.append(json.loads(connection.getresponse().read())["name"])
    connection.close()
    assert seen == ["a%2Fb", "%FF", "sched:job-1", " "]


def test_sixty_calls_run_at_once(served: Served) -> None:
    """The host gives Python a thousand threads: sixty calls that wait for each other all get through."""
    everybody = Barrier(60)
    function = served.host.index.functions[0]
    waiting = replace(function, call=lambda **_: str(everybody.wait(timeout=60)), takes_context=False)
    front: Any = served.host.server.RequestHandlerClass
    front = replace(front.respond.__self__, functions={function.name: waiting})
    asked = Request(method="GET", scheme_and_host="", target="/api/echo/x", headers=(), body=b"")
    with ThreadPoolExecutor(60) as callers:
        statuses = list(callers.map(lambda _: front.respond(asked).status, range(60)))
    assert statuses == [200] * 60


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


def test_a_new_message_wakes_the_listener(served: Served) -> None:
    """An output to a queue of the same host ends the pause of its listener."""
    wakes = [listener.wake.is_set for listener in served.host.listeners.values()]
    assert [wake() for wake in wakes] == [False]
    served.call("POST", "/admin/functions/poll", data="{}", headers=JSON)
    served.host.pool.shutdown()
    assert [wake() for wake in wakes] == [True]
