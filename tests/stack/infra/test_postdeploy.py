"""What people read after a deployment."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "infra" / "hooks" / "postdeploy.py"
KEY = "the-function-key"


def _load() -> ModuleType:
    """The script as a module; infra/hooks is no package, as azd runs a file."""
    spec = importlib.util.spec_from_file_location("postdeploy", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


postdeploy = _load()


@dataclass
class App:
    """A deployed app on loopback: its answers by method and path, and the calls that came."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, object]] = field(default_factory=dict)
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The outputs of a deployment that led to this app."""
        return {
            "SUMMARY_URL": f"{self.url}/api/summary",
            "DASHBOARD_URL": f"{self.url}/api/dashboard",
            "HEALTH_URL": f"{self.url}/api/health",
            "AZURE_FUNCTION_NAME": "func-x",
            "AZURE_RESOURCE_GROUP": "rg-x",
            "SIGN_IN": "false",
        }

    def report(self, **environment: str) -> str:
        """What the script prints, with a key at hand."""
        return "\n".join(postdeploy.report({**self.environment(), **environment}, lambda _group, _app: KEY))


@pytest.fixture
def app() -> Iterator[App]:
    """An app in which all is well: two webhooks, two checks."""
    state = App()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.calls.append((self.command, self.path, self.headers.get("x-functions-key")))
            status, body = state.answers.get((self.command, self.path), (404, None))
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    state.answers = {
        ("GET", "/api/health"): (200, None),
        ("GET", "/api/diagnostics"): (200, {"value": [{"name": "table", "ok": True}, {"name": "batch", "ok": True}]}),
        ("GET", "/api/webhooks"): (200, {"value": [{"name": "default"}, {"name": "ops"}]}),
        ("POST", "/api/webhooks/default/ping"): (202, {}),
        ("POST", "/api/webhooks/ops/ping"): (202, {}),
    }
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_is_well(app: App) -> None:
    """With nothing wrong it prints the addresses, how to get the key, and that all was tried."""
    said = app.report()

    for part in (
        f"{app.url}/api/summary",
        f"{app.url}/api/dashboard",
        f"{app.url}/api/health",
        "az functionapp keys list --resource-group rg-x --name func-x",
        "All is well",
    ):
        assert part in said


def test_each_webhook_is_pinged_with_the_key(app: App) -> None:
    """It asks diagnostics and pings every webhook once, each with the key in its header, never in an address."""
    app.report()

    assert app.calls == [
        ("GET", "/api/health", None),
        ("GET", "/api/diagnostics", KEY),
        ("GET", "/api/webhooks", KEY),
        ("POST", "/api/webhooks/default/ping", KEY),
        ("POST", "/api/webhooks/ops/ping", KEY),
    ]


def test_the_key_is_not_printed(app: App) -> None:
    """The key is used and not shown: consoles and workflow logs keep what they saw."""
    app.answers["POST", "/api/webhooks/ops/ping"] = (502, {"error": {"message": "refused"}})

    assert KEY not in app.report()


@pytest.mark.parametrize(
    ("call", "answer", "sentence"),
    [
        (
            ("GET", "/api/diagnostics"),
            (200, {"value": [{"name": "batch", "ok": False, "message": "403", "remedy": "az role assignment create"}]}),
            "batch: 403\n      az role assignment create",
        ),
        (("GET", "/api/diagnostics"), (500, None), "Diagnostics can't be had: it answered 500."),
        (("GET", "/api/diagnostics"), (200, {"welcome": 1}), "its answer is not a list of Prepwatch's"),
        (("GET", "/api/webhooks"), (200, {"value": []}), "No webhook is configured"),
        (
            ("GET", "/api/webhooks"),
            (503, {"error": {"message": "store unavailable"}}),
            "Webhooks can't be listed: it answered 503: store unavailable.",
        ),
        (
            ("POST", "/api/webhooks/ops/ping"),
            (502, {"error": {"message": "the receiver answered 404"}}),
            "Webhook ops did not take the ping: it answered 502: the receiver answered 404.",
        ),
        (("GET", "/api/health"), (503, None), "not healthy yet"),
    ],
    ids=["check", "no diagnostics", "another app", "no webhook", "no list", "ping refused", "stale"],
)
def test_what_is_not_well_is_said(app: App, call: tuple[str, str], answer: tuple[int, object], sentence: str) -> None:
    """Each thing that is not well is a line of its own, with the remedy when the app knows one."""
    app.answers[call] = answer

    said = app.report()

    assert "Not well yet:" in said
    assert sentence in said
    assert "All is well" not in said


def test_without_a_key_it_says_what_it_did_not_check(app: App) -> None:
    """Without the Azure CLI it asks nothing that needs a key, and says so instead of calling it well."""
    said = "\n".join(postdeploy.report(app.environment(), lambda _group, _app: None))

    assert "Not well yet:" in said
    assert "Not checked further" in said
    assert "All is well" not in said
    assert [path for _, path, _ in app.calls] == ["/api/health"]


def test_with_sign_in_no_key_is_asked_for(app: App) -> None:
    """Where people sign in there is no key; the person is sent to the page that needs the sign-in."""
    said = app.report(SIGN_IN="true")

    assert "sign in through Entra ID" in said
    assert f"{app.url}/api/diagnostics" in said
    assert "All is well" not in said
    assert [path for _, path, _ in app.calls] == ["/api/health"]


def test_an_app_that_comes_up_late_is_waited_for(app: App) -> None:
    """A start that takes a while is no trouble."""
    app.answers["GET", "/api/health"] = (404, None)
    timer = threading.Timer(0.1, app.answers.__setitem__, (("GET", "/api/health"), (200, None)))
    timer.start()

    assert postdeploy.wait_until_up(f"{app.url}/api/health", seconds=10, pause=0.02) is None
    timer.join()


def test_an_app_that_never_comes_up_is_named(app: App) -> None:
    """After the wait it says that the app does not run, and where its log is."""
    app.answers["GET", "/api/health"] = (404, None)

    assert "does not run: it answered 404" in str(postdeploy.wait_until_up(f"{app.url}/api/health", seconds=0))


def test_the_script_runs_by_itself(app: App, tmp_path: Path) -> None:
    """It runs with nothing but the standard library, and succeeds also when something is not well."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)],
        env={**app.environment(), "PATH": str(tmp_path), "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "Not checked further" in done.stdout


def test_outside_azd_it_says_what_is_missing(tmp_path: Path) -> None:
    """Run by hand without azd's environment it names what is missing and how to run it."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "SUMMARY_URL" in done.stdout
    assert "azd hooks run postdeploy" in done.stdout
