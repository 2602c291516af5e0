"""What people read after a deployment."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from shared.webhook import SendFailure, WebhookAnswer
from tests.stack.infra.deployed import KEY, SCRIPT, App, postdeploy, running_app
from tests.support.fakes import refusal
from tests.support.receivers import Receiver, says

NO_HOST = WebhookAnswer(
    status=None,
    failure=SendFailure.DNS,
    reason="no such host",
    retry_after=None,
    body=b"",
    duration=timedelta(milliseconds=7),
)


def test_all_is_well(app: App) -> None:
    """With nothing wrong it prints the addresses, how to get the key, and that all was tried."""
    said = app.report()

    for part in (
        f"{app.url}/api/summary",
        f"{app.url}/api/dashboard",
        f"{app.url}/api/health",
        "az functionapp keys list --resource-group rg-x --name func-x --subscription sub-x --query",
        "Everything works",
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
    app.sender.answer = refusal(502)

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
        (("GET", "/api/diagnostics"), (200, b"<html>Welcome</html>"), "its answer is not a list of Prepwatch's"),
        (("GET", "/api/diagnostics"), (200, {"value": "welcome"}), "its answer is not a list of Prepwatch's"),
        (("GET", "/api/webhooks"), (200, {"value": [{"id": 1}]}), "Webhooks can't be listed: its answer is not"),
        (("GET", "/api/webhooks"), (200, {"value": []}), "No webhook is configured"),
        (
            ("GET", "/api/webhooks"),
            (503, {"error": {"message": "store unavailable"}}),
            "Webhooks can't be listed: it answered 503: store unavailable.",
        ),
        (
            ("POST", "/api/webhooks/ops/ping"),
            (503, {"error": {"message": "store unavailable"}}),
            "Webhook ops was not pinged: it answered 503: store unavailable.",
        ),
        (("POST", "/api/webhooks/ops/ping"), (200, {"welcome": 1}), "Webhook ops was not pinged: its answer is not"),
        (
            ("GET", "/api/health"),
            (503, {"reasons": ["a webhook takes nothing"]}),
            "The app runs, but is not healthy: a webhook takes nothing.",
        ),
        (
            ("GET", "/api/health"),
            (500, {"error": {"message": "Settings are wrong: the diagnostics name them."}}),
            "The app runs, but can't work: it answered 500: Settings are wrong",
        ),
    ],
    ids=[
        "check",
        "no diagnostics",
        "another app",
        "a page",
        "another's list",
        "another's webhooks",
        "no webhook",
        "no list",
        "no ping",
        "another's ping",
        "not healthy",
        "settings",
    ],
)
def test_what_is_not_well_is_said(app: App, call: tuple[str, str], answer: tuple[int, object], sentence: str) -> None:
    """Each thing that is not well is a line of its own, with the remedy when the app knows one."""
    app.answers[call] = answer

    said = app.report()

    assert "Not well yet:" in said
    assert sentence in said
    assert "Everything works" not in said


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param(refusal(404), "status 404. Copy the webhook's URL again", id="a status"),
        pytest.param(NO_HOST, "no such host. Correct the host name in the webhook's URL", id="no answer"),
    ],
)
def test_a_webhook_that_refuses_the_ping_is_named(app: App, answer: WebhookAnswer, sentence: str) -> None:
    """The app answers 200 to a ping that its receiver refused: its reason and its advice are said for that webhook."""
    app.sender.by_url["https://a.example/hook"] = answer

    said = app.report()

    assert f"Webhook ops did not take the ping: {sentence}" in said
    assert "Webhook default" not in said
    assert "Everything works" not in said


def test_a_ping_too_soon_is_said(app: App) -> None:
    """Repeated within seconds the app refuses to ping again: that is said, and taken for nothing else."""
    app.report()

    said = app.report()

    assert "Webhook ops was not pinged: it answered 429: " in said
    assert "Everything works" not in said


def test_what_azure_refuses_is_said_in_its_own_words(app: App) -> None:
    """Without the key it asks nothing that needs one, and says why in the last line of the Azure CLI."""
    app.azure.refusal = "ERROR: (AuthorizationFailed) The client may not perform listkeys"

    said = app.report()

    assert "Not well yet:" in said
    assert f"Not checked further, as the function key can't be had: {app.azure.refusal}." in said
    assert f"Azure was not asked to read the Key Vault references again: {app.azure.refusal}." in said
    assert "Everything works" not in said
    assert [path for _, path, _ in app.calls] == ["/api/health"]


def test_with_sign_in_no_key_is_asked_for(app: App) -> None:
    """Where people sign in there is no key; the person is sent to the page that needs the sign-in."""
    said = app.report(SIGN_IN="true")

    assert "sign in through Entra ID" in said
    assert f"{app.url}/api/diagnostics" in said
    assert "Everything works" not in said
    assert [path for _, path, _ in app.calls] == ["/api/health"]


def test_a_new_app_is_not_waited_for_until_it_has_polled() -> None:
    """The real app says that it was never read: it runs, and what else is wrong is looked for at once."""
    with running_app(polls=0) as new:
        said = new.report()

    assert "The app runs, but is not healthy: an account has not been read for too long" in said
    assert new.calls[0] == ("GET", "/api/health", None)
    assert [path for _, path, _ in new.calls].count("/api/health") == 1


def test_an_app_that_comes_up_late_is_waited_for(app: App) -> None:
    """A start that takes a while is no trouble."""
    app.answers["GET", "/api/health"] = (404, None)
    timer = threading.Timer(0.1, app.answers.pop, (("GET", "/api/health"),))
    timer.start()

    assert postdeploy.wait_until_up(f"{app.url}/api/health", seconds=10, pause=0.02) is None
    timer.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, None), "it answered 404."),
        ((503, b"Function host is not running."), "it answered 503: Function host is not running."),
        ((503, b"<html>\n<h1>Service Unavailable</h1></html>"), "it answered 503: <html> <h1>Service Unavailable"),
        ((503, b""), "it answered 503."),
        ((502, b""), "it answered 502."),
        ((200, b"<html>Your app is up and running</html>"), "it answered 200: <html>Your app is up"),
    ],
    ids=["no function", "host", "front end", "silent", "gateway", "another app"],
)
def test_an_app_that_never_comes_up_is_named(app: App, answer: tuple[int, object], words: str) -> None:
    """Whatever the platform answers in its place, the app does not run after the wait; its log is where Flex has it."""
    app.answers["GET", "/api/health"] = answer

    said = str(postdeploy.wait_until_up(f"{app.url}/api/health", seconds=0))

    assert said.startswith(f"The app does not run: {words}")
    assert "Application Insights" in said
    assert "log tail" not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(b"no HTTP\r\n\r\n", "(no HTTP)", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "IncompleteRead", id="cut off"),
        pytest.param(b"", "closed connection", id="hung up"),
    ],
)
def test_an_answer_that_is_none_is_no_answer(answer: bytes, words: str) -> None:
    """Whatever breaks on the way is said as what the app did, and the step goes on."""
    with Receiver(says(answer)) as receiver, pytest.raises(postdeploy.AppError) as failed:
        postdeploy.call("GET", receiver.url())

    assert words in str(failed.value)


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
