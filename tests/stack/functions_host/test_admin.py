"""What the local host answers under /admin, as the real one does."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.keys import AuthLevel, Keys, load_keys
from tests.stack.functions_host.sample import APP
from tests.stack.functions_host.served import JSON, Served, serve

MORE = """

@app.timer_trigger(arg_name="timer", schedule="%NOT_SET%")
def broken(timer: func.TimerRequest) -> None:
    pass


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def off(timer: func.TimerRequest) -> None:
    pass
"""


KEYS = Keys(master="master", default="default", functions={"echo": "echo-key", "other": "other-key"})


@pytest.mark.parametrize(
    ("key", "status"),
    [("", 401), ("wrong", 401), ("{echo}", 401), ("{default}", 403), ("{master}", 200)],
    ids=["none", "unknown", "a-functions", "the-hosts", "master"],
)
@pytest.mark.parametrize("path", ["/admin/host/status", "/admin/functions", "/ADMIN/Functions/poll/status/"])
def test_admin_needs_the_master_key(locked: Served, path: str, key: str, status: int) -> None:
    """Admin endpoints open to the master key; one of functions is known but refused, any other is asked for anew."""
    keys = locked.keys
    assert keys is not None
    known = key.format(master=keys.master, default=keys.default, **keys.functions)
    answer = locked.call("GET", path, headers={"x-functions-key": known})
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize(
    ("key", "function", "level"),
    [
        pytest.param(None, "echo", AuthLevel.ANONYMOUS, id="none"),
        pytest.param("", "echo", AuthLevel.ANONYMOUS, id="empty"),
        pytest.param("wrong", "echo", AuthLevel.ANONYMOUS, id="unknown"),
        pytest.param("other-key", "echo", AuthLevel.ANONYMOUS, id="another-functions"),
        pytest.param("echo-key", "echo", AuthLevel.FUNCTION, id="its-own"),
        pytest.param("echo-key", None, AuthLevel.ANONYMOUS, id="a-functions-at-admin"),
        pytest.param("default", None, AuthLevel.FUNCTION, id="the-hosts"),
        pytest.param("master", "echo", AuthLevel.ADMIN, id="master"),
    ],
)
def test_what_a_key_opens(key: str | None, function: str | None, level: AuthLevel) -> None:
    """The master key opens all, the host's key and a function's own open it at level FUNCTION, others nothing."""
    assert KEYS.level(key, function) is level


def test_which_level_covers_which() -> None:
    """A level covers itself and those below it."""
    covered = {level: [needed for needed in AuthLevel if level.covers(needed)] for level in AuthLevel}
    assert [len(covered[level]) for level in (AuthLevel.ANONYMOUS, AuthLevel.FUNCTION, AuthLevel.ADMIN)] == [1, 2, 3]


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
        pytest.param("WORK", {"Input": "x"}, 202, "done", ["eA==", "Tm9uZQ==", "d29yaw=="], id="queue-gets-the-input"),
        pytest.param("work", {"input": "fail"}, 202, "done", [], id="no-output-after-a-failure"),
        pytest.param("nobody", {}, 404, "done", [], id="unknown"),
        pytest.param("echo", {}, 400, "done", [], id="http-has-its-route"),
        pytest.param("work", {"input": {}}, 400, "done", [], id="an-input-that-is-no-text"),
        pytest.param("work", None, 400, "done", [], id="null"),
    ],
)
def test_admin_runs_a_function(
    served: Served, name: str, body: dict[str, str], status: int, queue: str, wire: list[str]
) -> None:
    """POST /admin/functions/{name} accepts and runs; outputs are base64, and only sent after success."""
    answer = served.call("POST", f"/admin/functions/{name}", data=json.dumps(body), headers=JSON)
    served.host.pool.shutdown()
    assert answer.status_code == status
    assert served.bodies(queue) == wire


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, "{}", 415),
        ({"content-type": "text/plain"}, "{}", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, "{}", 415),
        ({"content-type": "text/plain"}, "[", 415),
        ({"content-type": "application/json"}, "[", 400),
        ({"content-type": "application/json"}, "[]", 400),
        ({"content-type": "application/json"}, "", 400),
        ({"content-type": "application/json"}, "{}", 202),
        ({"content-type": "Application/JSON; charset=utf-8"}, "{}", 202),
        ({"content-type": "application/problem+json"}, "{}", 202),
    ],
)
def test_admin_takes_json_that_says_so(served: Served, headers: dict[str, str], body: str, status: int) -> None:
    """Running a function needs a JSON content type, else 415, and JSON, else 400."""
    assert served.call("POST", "/admin/functions/poll", data=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("/admin/host/status", {"state": "Running"}, id="host"),
        pytest.param("/admin/functions/poll/status", {}, id="sound"),
        pytest.param(
            "/admin/functions/BROKEN/status", {"errors": ["'%NOT_SET%' does not resolve to a value."]}, id="in-error"
        ),
        pytest.param("/admin/functions/off/status", {}, id="disabled"),
    ],
)
def test_admin_tells_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, told: dict[str, Any]
) -> None:
    """Each function has its status: nothing, or why it is in error."""
    for served in serve(tmp_path, monkeypatch, check_keys=False, source=APP + MORE):
        assert served.call("GET", path).json() == told


def test_admin_lists_the_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function is listed from A to Z, those in error and those switched off too, HTTP ones with their address."""
    for served in serve(tmp_path, monkeypatch, check_keys=False, source=APP + MORE):
        listed = served.call("GET", "/admin/functions/").json()
        assert [function["name"] for function in listed] == ["broken", "echo", "odd", "off", "plain", "poll", "work"]
        assert [function["name"] for function in listed if function["isDisabled"]] == ["off"]
        assert served.call("GET", "/admin/functions/Echo").json() == {
            "name": "echo",
            "href": served.url + "/admin/functions/echo",
            "invoke_url_template": served.url + "/api/echo/{name}",
            "language": "python",
            "isDisabled": False,
        }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/functions/nobody"),
        ("GET", "/admin/functions/nobody/status"),
        ("POST", "/admin/functions"),
        ("GET", "/admin/other"),
        ("GET", "/admin/functions/poll/other"),
        ("DELETE", "/admin/host/status"),
    ],
)
def test_admin_has_no_more_than_that(served: Served, method: str, path: str) -> None:
    """What is no admin endpoint, and no function, is 404."""
    assert served.call(method, path).status_code == 404
