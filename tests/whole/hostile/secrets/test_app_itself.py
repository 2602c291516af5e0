"""No secret comes out of wrong settings or a defect of our own; and the search for them is one."""

import json
from typing import Any

import azure.functions as func
import pytest

import function_app
from shared.composition import build_app
from shared.errors import SettingsError
from shared.web.operation_table import ROUTES
from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.hostile_batch import account, error_reply, failed_node, page
from tests.whole.hostile.secrets.app import app_with_secrets
from tests.whole.hostile.secrets.canaries import BATCH_KEY, environment, nothing_in, trace_of
from tests.whole.hostile.secrets.every_function import ASKED, asks_of_event, call_everything


def test_every_function_is_asked() -> None:
    """No route is left out of what these tests call; the dashboard holds no data at all."""
    asked = {ask.function for ask in (*ASKED, *asks_of_event("x"))}
    assert asked == {route.function for route in ROUTES} - {"dashboard"}


WRONG = {
    "BATCH_ACCOUNT_URLS": "https://user:c4n4ry@a.example/c4n4ry?c4n4ry",
    "BATCH_ACCOUNT_KEY": "c4n4ry!",
    "AzureWebJobsStorage": "AccountKey=c4n4ry",
    "WEBHOOK_URL": "ftp://c4n4ry/c4n4ry",
    "WEBHOOK_SECRET": "c4n4ry",
    "WEBHOOKS": '[{"name":"x","format":"slack","url":"https://hooks.slack.com/c4n4ry","secrets":["c4n4ry"]}, c4n4ry',
    "HEARTBEAT_URL": "c4n4ry",
    "POLL_SCHEDULE": "c4n4ry",
    "TRACKED_JOBS": "c4n4ry[",
    "STATE_TABLE": "c4n4ry-",
}


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of problems that every function gives names settings and holds no value."""
    with pytest.raises(SettingsError) as raised:
        build_app(WRONG)
    nothing_in(trace_of(raised.value))
    said = call_everything(monkeypatch, lambda: build_app(WRONG))
    nothing_in(*said)
    assert b"BATCH_ACCOUNT_KEY" in b"".join(said)


class _Broken:
    """Stands for a part with a defect: whatever is done with it raises, its arguments being secrets."""

    def send(self, request: WebhookRequest) -> Any:
        """Fail with the secrets in hand."""
        raise KeyError(len(request.body))

    def get(self, url: str) -> Any:
        """Fail with the secret URL in hand."""
        return len(url) / 0


@pytest.mark.defects
def test_defects(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody expected is a 500 without details, and its traceback shows no secret either."""
    with account({"job": page(failed_node("n"))}) as batch:
        settings = environment(batch.url, "http://127.0.0.1:9")
        app, _ = app_with_secrets(settings, sender=_Broken())
        monkeypatch.setattr(function_app, "prepwatch", lambda: app)
        for _ in range(2):
            try:
                next(iter(app.pollers.values())).run()
            except Exception as error:  # noqa: BLE001 - whatever comes is what is looked at
                nothing_in(trace_of(error))
        assert "delivery-defect" in caplog.text
        nothing_in(caplog.text)
        request = func.HttpRequest(method="GET", url="http://localhost/api/x", params={"maxAge": "0"}, body=b"")
        got = function_app.serve(request, Routes.summary)
    nothing_in(got.get_body())
    assert (got.status_code, json.loads(got.get_body())["error"]["code"]) == (500, "InternalError")


def test_the_search_finds_what_is_there() -> None:
    """A search that finds nothing at all would prove nothing."""
    with pytest.raises(AssertionError):
        nothing_in(error_reply(500, "X", f"key {BATCH_KEY}").body)
