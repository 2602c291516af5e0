"""An app that was just deployed, and the Azure CLI beside it, for the tests of the last step."""

import importlib.util
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

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
class Azure:
    """An Azure CLI: what it answers of the app's references, one answer after the other, and what it was asked."""

    references: list[dict[str, str]] = field(default_factory=lambda: [{"HEARTBEAT_URL": "Resolved"}])
    refusal: str = ""
    asked: list[list[str]] = field(default_factory=list)

    def run(self, arguments: Sequence[str]) -> str:
        """Answer as az does, or refuse."""
        self.asked.append(list(arguments))
        if self.refusal:
            raise postdeploy.AzError(self.refusal)
        if arguments[0] == "functionapp":
            return KEY
        if "post" in arguments:
            return ""
        status = self.references.pop(0) if len(self.references) > 1 else self.references[0]
        value = [{"name": name, "properties": {"status": one}} for name, one in status.items()]
        return json.dumps({"value": value})


@dataclass
class App:
    """A deployed app on loopback: its answers by method and path, and the calls that came."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, object]] = field(default_factory=dict)
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    azure: "Azure" = field(default_factory=Azure)

    def environment(self) -> dict[str, str]:
        """The outputs of a deployment that led to this app."""
        return {
            "SUMMARY_URL": f"{self.url}/api/summary",
            "DASHBOARD_URL": f"{self.url}/api/dashboard",
            "HEALTH_URL": f"{self.url}/api/health",
            "AZURE_FUNCTION_NAME": "func-x",
            "AZURE_RESOURCE_GROUP": "rg-x",
            "AZURE_SUBSCRIPTION_ID": "sub-x",
            "SIGN_IN": "false",
        }

    def report(self, **environment: str) -> str:
        """What the script prints."""
        return "\n".join(postdeploy.report({**self.environment(), **environment}, self.azure.run))


@contextmanager
def running_app() -> Iterator[App]:
    """An app in which all is well: two webhooks, two checks."""
    state = App()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.calls.append((self.command, self.path, self.headers.get("x-functions-key")))
            status, body = state.answers.get((self.command, self.path), (404, None))
            content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
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
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
