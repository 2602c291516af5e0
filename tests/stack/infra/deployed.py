"""An app that was just deployed, and the Azure CLI beside it, for the tests of the last step."""

import importlib.util
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tests.stack.browser.served_app import serving
from tests.support.deployment import deploy
from tests.support.fakes import FakeSender
from tests.support.webhook_settings import SECRET, SIGNED

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
    """A deployed app on loopback: the real one over fakes, and what the platform answers in its place."""

    url: str = ""
    sender: FakeSender = field(default_factory=FakeSender)
    """What the webhooks' receivers answer."""
    answers: dict[tuple[str, str], tuple[int, object]] = field(default_factory=dict)
    """By method and path, before the app is asked."""
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

    def around(self, functions: WSGIApplication) -> WSGIApplication:
        """The platform: it notes each call and lets it through to the app, unless it has an answer of its own."""

        def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]
            self.calls.append((method, path, environment.get("HTTP_X_FUNCTIONS_KEY")))
            if (method, path) not in self.answers:
                return functions(environment, start_response)
            status, body = self.answers[method, path]
            start_response(f"{status} {HTTPStatus(status).phrase}", [])
            return [body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()]

        return answer


@contextmanager
def running_app(polls: int = 1) -> Iterator[App]:
    """An app with two webhooks, in which all is well once it has polled."""
    state = App()
    deployment = deploy(
        SIGNED,
        sender=state.sender,
        WEBHOOK_URL="https://receiver.example/hook",
        WEBHOOK_SECRET=SECRET,
        PUBLIC_URL="https://func-x.azurewebsites.net",
    )
    for _ in range(polls):
        deployment.poll()
    with serving(lambda: deployment.app, around=state.around) as state.url:
        yield state
