"""No secret of ours or of Batch's texts comes out by any error path: logs, exceptions, answers, rows, events.

The functions of function_app.py are called as the host calls them, with its log levels, at the level DEBUG.
"""

import base64
import json
import logging
import re
import socket
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from threading import Event
from typing import Any

import azure.functions as func
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from msgspec.structs import replace

import function_app
from shared.adapters.batch_auth import TokenAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.event_grid_token import EventGridToken
from shared.adapters.http_transport import HttpTransport
from shared.adapters.lanes import ThreadLanes
from shared.adapters.table_store import open_table
from shared.adapters.webhook_sender import WebhookSender
from shared.composition import build_app, compose, utc_now
from shared.errors import SettingsError, StoreError
from shared.messages.eventgrid import token_scope
from shared.parts import Outside
from shared.ports import Put
from shared.settings.settings import load_settings
from shared.state.rows import range_of
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from shared.web.operations import ROUTES
from shared.web.routes import Routes
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeQueues, nobody_waits
from tests.support.hostile_batch import account, error_reply, failed_node, page
from tests.support.receivers import Receiver, Script, answer, floods, hangs, header_of, resets, says
from tests.support.scripted_http import Asked, Reply
from tests.support.whole_app import rows_of, stored_text

KEY_BYTES = b"c4n4ry of the batch account"
BATCH_KEY = base64.b64encode(KEY_BYTES).decode()
STORAGE_KEY = base64.b64encode(b"c4n4ry of the storage account").decode()
STORAGE_SAS = "c4n4rySasSignature%2Bx"
HOOK_SECRET = "whsec_" + base64.b64encode(b"c4n4ry, a signing secret of ours").decode()
HOOK_PATH = "c4n4ryPathOfHook?sig=c4n4rySigOfHook"
BEAT_PATH = "c4n4ryPathOfHeartbeat"
TOKEN = "eyJ0eXAiOiJKV1QifQ.c4n4ryOfTheToken0123456789.c4n4ryOfTheSignature"
TEXT_SECRET = "c4n4ryInBatchText"
TEAMS_PATH = "workflows/c4n4ryOfTeams/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers&sig=c4n4rySig_OfTeams"
SLACK_PATH = "services/T0C4N4RY/B0C4N4RY/c4n4ryOfSlack0123456789"
PAGER_KEY = "c4n4ry0123456789abcdef0123456789"
GRID_KEY = base64.b64encode(b"c4n4ry\xff\xfe of a topic").decode()
GRID_HOST = "https://topic.westeurope-1.eventgrid.azure.net"
CANARIES = (
    TEAMS_PATH,
    SLACK_PATH,
    "T0C4N4RY",
    PAGER_KEY,
    GRID_KEY,
    BATCH_KEY,
    KEY_BYTES.decode(),
    STORAGE_KEY,
    STORAGE_SAS,
    HOOK_SECRET,
    HOOK_SECRET.removeprefix("whsec_"),
    HOOK_PATH,
    BEAT_PATH,
    TOKEN,
    TEXT_SECRET,
    "c4n4ry",  # whatever was cut out of one of them
)


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything is logged; in the end no record, formatted with its traceback, may hold a canary."""
    caplog.set_level(logging.DEBUG)
    assert not logging.getLogger("prepwatch").disabled
    yield
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s")
    for record in caplog.get_records("call"):
        nothing_in(formatter.format(record))


def nothing_in(*texts: object) -> None:
    """Fail when a canary is in one of these."""
    for text in texts:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        found = [canary for canary in CANARIES if canary in said]
        assert found == [], said[:2000]


def trace_of(error: BaseException) -> str:
    """What a log shows of an exception."""
    return "".join(traceback.format_exception(error)) + repr(error)


HOOK_NAMES = ("second", "teams", "slack", "pager", "topic", "entra")


def environment(batch_url: str, hook_url: str, **changes: str) -> dict[str, str]:
    """Settings with a canary in every place for a secret."""
    hooks = [
        {"name": "second", "format": "cloudevents", "urlSetting": "HOOK", "secretSettings": ["OLD", "NEW"]},
        {"name": "teams", "format": "teams", "urlSetting": "TEAMS"},
        {"name": "slack", "format": "slack", "urlSetting": "SLACK"},
        {"name": "pager", "format": "pagerduty", "url": f"{hook_url}/enqueue", "keySetting": "PAGER"},
        {"name": "topic", "format": "eventgrid", "url": f"{hook_url}/api/events", "keySetting": "GRID"},
        {"name": "entra", "format": "eventgrid", "url": f"{GRID_HOST}/api/events"},
    ]
    return {
        "POLL_SCHEDULE": "0 * * * * *",
        "AzureWebJobsStorage": f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={STORAGE_KEY}",
        "BATCH_ACCOUNT_URLS": batch_url,
        "BATCH_ACCOUNT_NAME": "a",
        "BATCH_ACCOUNT_KEY": BATCH_KEY,
        "WEBHOOK_URL": f"{hook_url}/{HOOK_PATH}",
        "WEBHOOK_SECRET": HOOK_SECRET,
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "WEBHOOKS": json.dumps(hooks),
        "TEAMS": f"{hook_url}/{TEAMS_PATH}",
        "SLACK": f"{hook_url}/{SLACK_PATH}",
        "PAGER": PAGER_KEY,
        "GRID": GRID_KEY,
        "HOOK": f"{hook_url}/{HOOK_PATH}2",
        "OLD": HOOK_SECRET,
        "NEW": HOOK_SECRET,
        "HEARTBEAT_URL": f"{hook_url}/{BEAT_PATH}",
        "STDERR_TAIL_BYTES": "1000",
        "POLL_BUDGET_SECONDS": "2",
        **changes,
    }


class Credential:
    """Gives the canary token, or fails with it in the error's text."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, until tomorrow."""
        if self._failure is not None:
            raise self._failure
        return AccessToken(TOKEN, int((datetime.now(UTC) + timedelta(days=1)).timestamp()))


@dataclass(slots=True)
class LateClock:
    """The system's clock, set ahead, so that chat is told within a test."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Now, and then some."""
        return utc_now() + self.ahead


@dataclass(frozen=True, slots=True)
class Rerouted:
    """The real sender, which finds the Event Grid topic where the other receivers are."""

    sender: WebhookSender
    receiver: str

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """As the sender does."""
        return self.sender.send(replace(request, url=request.url.replace(GRID_HOST, self.receiver)))

    def get(self, url: str) -> WebhookAnswer:
        """As the sender does."""
        return self.sender.get(url)


@cache
def _transport() -> HttpTransport:
    """One for all: loading the certificate authorities takes a tenth of a second."""
    return HttpTransport(allow_http=True)


@cache
def _sender(patience: timedelta) -> WebhookSender:
    """One for all, for the same reason."""
    return WebhookSender(allowed_cidrs=(ip_network("127.0.0.0/8"),), allow_http=True, deadline=patience)


def outside_of(
    settings: dict[str, str], credential: Credential | None = None, patience: timedelta = timedelta(seconds=1)
) -> tuple[FakeTable, Outside]:
    """Real clients and a table in memory; with a credential, tokens instead of the key."""
    loaded = load_settings(settings)
    table, transport, sender = FakeTable(), _transport(), _sender(patience)
    auth = TokenAuth(credential or Credential(), scope="https://b//.default", clock=utc_now)
    batch = {
        account.label: BatchClient(account.url, auth=auth, transport=transport, clock=utc_now)
        for account in loaded.accounts
    }
    numbers = iter(range(10**6))
    return table, Outside(
        table=table,
        batch=batch,
        sender=Rerouted(sender, settings["WEBHOOK_URL"].removesuffix(f"/{HOOK_PATH}")),
        lanes=ThreadLanes(),
        clock=LateClock(),
        queues=FakeQueues(),
        pause=nobody_waits,
        new_id=lambda: f"id-{next(numbers)}",
        authorize=EventGridToken(credential or Credential(), token_scope),
        check_address=sender.check,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request to one of the HTTP functions."""

    function: str
    query: dict[str, str] = field(default_factory=dict)
    route: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def handler(self, routes: Routes, request: Request) -> Answer:
        """Let the app answer it."""
        owners = (routes, routes.events, routes.webhooks, routes.mutes, routes.system)
        owner = next(one for one in owners if hasattr(one, self.function))
        answered: Answer = getattr(owner, self.function)(request)
        return answered

    def said(self) -> tuple[bytes, bytes]:
        """Body and headers of the answer."""
        request = func.HttpRequest(
            method="GET", url="http://localhost/api/x", params=self.query, route_params=self.route, body=self.body
        )
        got = function_app.serve(request, self.handler)
        return got.get_body(), str(dict(got.headers)).encode()


def asks_of_event(event_id: str) -> list[Ask]:
    """What can be asked of an event."""
    return [Ask(function=name, route={"eventId": event_id}) for name in ("get_event", "redeliver_event")]


MUTE = {"jobs": ["x"], "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
ASKED = (
    Ask(function="summary", query={"maxAge": "0"}),
    Ask(function="summary"),
    Ask(function="summary", query={"maxAge": "x"}),
    Ask(function="list_jobs"),
    Ask(function="list_nodes", route={"jobId": "job"}),
    Ask(function="list_nodes", route={"jobId": "job"}, query={"live": "true", "$filter": f"sig={TEXT_SECRET}"}),
    Ask(function="list_live_nodes", route={"jobId": "job"}),
    *(Ask(function="explain_node", route={"jobId": job, "nodeId": "n"}) for job in ("job", "ok")),
    Ask(function="list_pools"),
    Ask(function="list_pool_nodes", route={"poolId": "pool"}),
    Ask(function="list_events"),
    Ask(function="trends"),
    Ask(function="redeliver_events", body=b'{"state":"dead"}'),
    Ask(function="dismiss_deliveries", body=b"{}"),
    *(Ask(function="ping_webhook", route={"name": name}) for name in ("default", *HOOK_NAMES)),
    Ask(function="disable_webhook", route={"name": "second"}),
    Ask(function="enable_webhook", route={"name": "second"}),
    Ask(function="list_webhooks"),
    *(Ask(function="list_messages", route={"name": name}) for name in ("default", *HOOK_NAMES)),
    Ask(
        function="put_mute",
        route={"name": "x"},
        body=json.dumps({**MUTE, "createdBy": "me", "comment": f"password={TEXT_SECRET}"}).encode(),
    ),
    Ask(function="list_mutes"),
    Ask(function="delete_mute", route={"name": "x"}),
    Ask(function="metrics"),
    Ask(function="openapi"),
    Ask(function="diagnostics"),
    Ask(function="track_job", route={"jobId": "job"}),
    Ask(function="untrack_job", route={"jobId": "job"}),
    Ask(function="health"),
)


def call_everything(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> list[bytes]:
    """Call the app's functions over an app; bodies and headers of all answers, and what exceptions would show."""
    monkeypatch.setattr(function_app, "prepwatch", make)
    said = [run(make, "poll"), run(make, "purge")]
    said.extend(part for ask in ASKED for part in ask.said())
    events = sorted({found.decode() for found in re.findall(rb"[0-9]{13}-[a-z2-7]{24}", b"".join(said))})
    said.extend(part for event in events or ["none"] for ask in asks_of_event(event) for part in ask.said())
    said.append(run(make, "poll"))
    return said


def run(make: Callable[[], Any], use_case: str) -> bytes:
    """Let a timer fire, a while later: its answer, or what its exception would show."""
    try:
        app = make()
        app.parts.outside.clock.ahead += timedelta(seconds=20)
        return repr(next(iter(app.pollers.values())).run() if use_case == "poll" else app.purger.run()).encode()
    except (SettingsError, StoreError) as error:
        return trace_of(error).encode()


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


def echoing(status: int) -> Callable[[Asked], Reply]:
    """Refuses everything, repeating the credential and a secret in every text."""

    def play(asked: Asked) -> Reply:
        text = f"{asked.headers.get('authorization')} ?sig={TEXT_SECRET}&AccountKey={TEXT_SECRET}"
        code = {401: "InvalidAuthenticationInfo", 404: "JobNotFound", 409: "JobPreparationTaskNotSpecified"}
        body = {
            "code": code.get(status, f"password={TEXT_SECRET}"),
            "message": {"value": text},
            "values": [{"key": "AuthenticationErrorDetail", "value": text}, {"key": text, "value": text}],
        }
        headers = {"request-id": f"Bearer {TOKEN}", "Location": f"http://127.0.0.1:9/?sig={TEXT_SECRET}"}
        return Reply(status=status, headers=headers, body=json.dumps(body).encode())

    return play


STATUSES = (200, 204, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503)
QUICK = {(200, False), (302, True), (401, True), (409, False), (503, True)}


@pytest.mark.parametrize(
    ("status", "whole"),
    [
        pytest.param(
            status,
            whole,
            id=f"{'the account' if whole else 'one job'}-{status}",
            marks=() if (status, whole) in QUICK else pytest.mark.slow,
        )
        for whole in (False, True)
        for status in STATUSES
    ],
)
def test_errors_of_batch(status: int, *, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Batch refuses, for a job or for the account, and whatever it repeats, nothing of it comes out."""
    play = echoing(status)
    listing = (
        (lambda: play(Asked(method="GET", target="", headers={"authorization": f"Bearer {TOKEN}"}))) if whole else None
    )
    with (
        account({"job": play, "ok": page(failed_node("n"))}, jobs=listing, other=play) as batch,
        Receiver(says(answer(200))) as receiver,
    ):
        settings = environment(batch.url, receiver.url(""))
        table, outside = outside_of(settings)
        app = compose(load_settings(settings), outside)
        said = call_everything(monkeypatch, lambda: app)
        for _ in range(2):
            said += call_everything(monkeypatch, lambda: app)
    nothing_in(stored_text(list(rows_of(table))), *said)
    # A pager is known by the key in its messages: that one is not for anybody else.
    nothing_in(*(request.partition(b"\r\n\r\n")[2].replace(PAGER_KEY.encode(), b"") for request in receiver.requests))


@pytest.mark.parametrize(
    "failure",
    [
        ClientAuthenticationError(f"Bearer {TOKEN} client_secret={TEXT_SECRET}"),
        ServiceRequestError(f"https://login/?client_secret={TEXT_SECRET}"),
        RuntimeError(f"access_token={TEXT_SECRET}"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_errors_of_the_credential(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an identity's error quotes goes no further."""
    with account({"job": page(failed_node("n"))}) as batch, Receiver(says(answer(200))) as receiver:
        settings = environment(batch.url, receiver.url(""))
        table, outside = outside_of(settings, Credential(failure))
        app = compose(load_settings(settings), outside)
        said = call_everything(monkeypatch, lambda: app)
    nothing_in(stored_text(list(rows_of(table))), *said)
    assert b"CredentialUnavailable" in b"".join(said) or b"ConnectionFailed" in b"".join(said)


def repeats(before: bytes, after: bytes = b"\r\n\r\n") -> Script:
    """Sends the request's own first line back, where a client would quote it."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        says(before + request.split(b"\r\n")[0] + after)(connection, request, stop)

    return script


def repeats_all(status: int) -> Script:
    """Answers with the whole request, its headers and body, in a body and in headers."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        words = request.decode("latin-1")
        error = {"odata.error": {"code": "InvalidInput", "message": {"lang": "en", "value": words}}}
        line = words.split("\r\n")[0]
        headers = ("Content-Type: application/json", f"Location: /{line}", f"Retry-After: {line}", f"X-Line: {line}")
        says(answer(status, json.dumps(error).encode(), *headers))(connection, request, stop)

    return script


BAD_SERVERS: dict[str, Script] = {
    "reset": resets(),
    "closed": says(b""),
    "cut": says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    "repeats as status line": repeats(b""),
    "repeats as phrase": repeats(b"HTTP/1.1 500 "),
    "repeats as chunk size": repeats(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "redirect": says(answer(302, b"", "Location: /else?sig=c4n4ry")),
    "malformed headers": says(b"HTTP/1.1 500 No\r\nA: b\r\nno colon here\r\nContent-Length: 0\r\n\r\n"),
    **{f"repeats with {status}": repeats_all(status) for status in (400, 404, 410, 500)},
}


STORES = [
    *(pytest.param("http", script, id=name) for name, script in BAD_SERVERS.items()),
    pytest.param("https", says(b"no TLS"), id="no TLS"),
]


@pytest.mark.parametrize(("scheme", "script"), STORES)
@pytest.mark.parametrize(
    "credential",
    [f"AccountName=a;AccountKey={STORAGE_KEY}", f"SharedAccessSignature=sv=1&sig={STORAGE_SAS}"],
    ids=["key", "signature"],
)
def test_errors_of_the_store(scheme: str, script: Script, credential: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an account key nor a shared access signature comes out of a table that fails in any way."""
    with Receiver(script) as server:
        connection = f"TableEndpoint={scheme}://127.0.0.1:{server.port}/a;{credential}"
        settings = environment("https://a.example", "https://hook.example", AzureWebJobsStorage=connection)
        _, outside = outside_of(settings)
        table = open_table(connection, "prepwatch", answer_timeout=timedelta(milliseconds=100))
        app = compose(load_settings(settings), replace(outside, table=table))
        monkeypatch.setattr(function_app, "prepwatch", lambda: app)
        request = func.HttpRequest(method="GET", url="http://localhost/api/x", params={}, body=b"")
        got = function_app.serve(request, Routes.summary)
        nothing_in(got.get_body())
        for call in (
            lambda: table.transact("p", [Put(key="k", columns={"v": 1})]),
            lambda: list(table.query("p", "a", "b")),
            next(iter(app.pollers.values())).run,
        ):
            with pytest.raises(StoreError) as raised:
                call()
            nothing_in(trace_of(raised.value))


HOOKS = BAD_SERVERS | {
    "hangs": hangs(),
    "success": says(answer(200)),
    "too much": floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
}


@pytest.mark.parametrize("script", HOOKS.values(), ids=HOOKS)
def test_errors_of_webhooks(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a receiver does, with a message or a heartbeat, its URL and secret stay between us and it."""
    with account({"job": page(failed_node("n"))}) as batch, Receiver(script) as receiver:
        settings = environment(batch.url, receiver.url(""))
        # Every message of the test waits so long for a receiver that hangs.
        table, outside = outside_of(
            settings, patience=timedelta(milliseconds=100 if script is HOOKS["hangs"] else 1000)
        )
        app = compose(load_settings(settings), outside)
        said = call_everything(monkeypatch, lambda: app)
    assert any(header_of(request, "webhook-id") for request in receiver.requests)
    rows = list(rows_of(table))
    nothing_in(stored_text(rows), *said)
    start = range_of(DeliveryState.DONE.value)[0] if script is HOOKS["success"] else "d"
    assert any(row.key.startswith(start) for row in rows)


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
        _, outside = outside_of(settings)
        app = compose(load_settings(settings), replace(outside, sender=_Broken()))
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
