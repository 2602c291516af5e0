"""No secret comes out of a table or a receiver that fails in any way, and repeats what it was sent."""

import json
import socket
from datetime import timedelta
from threading import Event

import azure.functions as func
import pytest

import function_app
from shared.adapters.table_store import open_table
from shared.errors import StoreError
from shared.ports import Put
from shared.state.rows import range_of
from shared.state.telling import DeliveryState
from shared.web.routes import Routes
from tests.support.hostile_batch import account, failed_node, page
from tests.support.receivers import Receiver, Script, answer, floods, hangs, header_of, resets, says
from tests.support.whole_app import rows_of, stored_text
from tests.whole.hostile.secrets.app import app_with_secrets
from tests.whole.hostile.secrets.canaries import STORAGE_KEY, STORAGE_SAS, environment, nothing_in, trace_of
from tests.whole.hostile.secrets.every_function import call_everything


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
        table = open_table(connection, "prepwatch", answer_timeout=timedelta(milliseconds=100))
        app, _ = app_with_secrets(settings, table=table)
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
        app, table = app_with_secrets(
            settings, patience=timedelta(milliseconds=100 if script is HOOKS["hangs"] else 1000)
        )
        said = call_everything(monkeypatch, lambda: app)
    assert any(header_of(request, "webhook-id") for request in receiver.requests)
    rows = list(rows_of(table))
    nothing_in(stored_text(rows), *said)
    start = range_of(DeliveryState.DONE.value)[0] if script is HOOKS["success"] else "d"
    assert any(row.key.startswith(start) for row in rows)
