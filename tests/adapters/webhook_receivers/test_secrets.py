"""The URL and the headers of a webhook are credentials: no failure shows them."""

import logging
import socket
import ssl
import traceback
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from threading import Event
from typing import assert_never

import pytest

from shared.adapters.http_transport import HttpTransport
from shared.adapters.sockets import AddressInfo, TransportError
from shared.adapters.webhook_sender import WebhookSender
from shared.webhook import SendFailure, WebhookRequest
from tests.adapters.certificates import Authority
from tests.adapters.webhook_receivers.conftest import DEADLINE
from tests.support.receivers import Receiver, Script, answer, floods, hangs, resets, says

CANARY = "c4n4ry"
PATH = f"/{CANARY}?sig={CANARY}#{CANARY}"


def echoes(before: bytes, after: bytes = b"\r\n\r\n") -> Script:
    """Send the request's first line back where http.client would quote it."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        says(before + request.split(b"\r\n")[0] + after)(connection, request, stop)

    return script


SCRIPTS: dict[str, Script] = {
    "hang": hangs(),
    "reset": resets(),
    "closed": says(b""),
    "cut": says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    "echo as status line": echoes(b""),
    "echo as status": echoes(b"HTTP/1.1 "),
    "echo as phrase": echoes(b"HTTP/1.1 500 "),
    "echo as chunk size": echoes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "echo as length": echoes(b"HTTP/1.1 200 OK\r\nContent-Length: 1,"),
    "malformed headers": says(b"HTTP/1.1 500 No\r\nA: b\r\nno colon here\r\nContent-Length: 0\r\n\r\n"),
    "too much": floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "redirect": says(answer(302, b"", "Location: /else")),
    "success": says(answer(200)),
}


def no_name(host: str, port: int, *, type: int) -> list[AddressInfo]:  # noqa: A002 - getaddrinfo's name
    """Resolve nothing."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_receivers_make_nothing_leak(sender: WebhookSender, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a receiver does, path, query, headers and body are in no answer and no log, debug included."""
    caplog.set_level(logging.DEBUG)
    with Receiver(script) as receiver:
        request = WebhookRequest(url=receiver.url(PATH), headers={"Authorization": CANARY}, body=CANARY.encode())
        got = sender.send(request)

    assert CANARY not in repr(got)
    assert CANARY not in got.reason
    assert CANARY not in repr(request)
    assert CANARY not in caplog.text


def exchange(transport: HttpTransport, url: str, headers: dict[str, str] | None = None) -> TransportError:
    """Return the error of an exchange that fails."""
    with pytest.raises(TransportError) as caught:
        transport.exchange("GET", url, headers or {}, deadline=DEADLINE, max_body=10)
    return caught.value


@pytest.fixture
def stranger(tmp_path: Path) -> ssl.SSLContext:
    """Return the TLS of a server whose authority is unknown."""
    return Authority(tmp_path).server("127.0.0.1")


_NOTHING_SENT = {SendFailure.CREDENTIAL, SendFailure.DEFECT}


@pytest.mark.parametrize("failure", [failure for failure in SendFailure if failure not in _NOTHING_SENT])
def test_errors_carry_nothing_along(failure: SendFailure, stranger: ssl.SSLContext) -> None:
    """The traceback of every kind of failure, with all that is chained to it, is free of the URL."""
    url = f"https://127.0.0.1:1{PATH}"
    match failure:
        case SendFailure.BAD_URL:
            error = exchange(HttpTransport(), f"https://*/{CANARY}")
        case SendFailure.BAD_HEADER:
            error = exchange(HttpTransport(), url, {"Authorization": f"{CANARY}\n"})
        case SendFailure.DNS:
            error = exchange(HttpTransport(resolve=no_name), url)
        case SendFailure.BLOCKED_ADDRESS:
            error = exchange(HttpTransport(check_address=lambda address: f"{address} is forbidden"), url)
        case SendFailure.CONNECTION:
            error = exchange(HttpTransport(), url)
        case SendFailure.TLS:
            with Receiver(hangs(), tls=stranger) as receiver:
                error = exchange(HttpTransport(), receiver.url(PATH))
        case SendFailure.TIMEOUT | SendFailure.PROTOCOL:
            with Receiver(hangs() if failure is SendFailure.TIMEOUT else echoes(b"")) as receiver:
                error = exchange(HttpTransport(allow_http=True), receiver.url(PATH))
        case SendFailure.CREDENTIAL | SendFailure.DEFECT:
            pytest.fail("no exchange ends so: nothing was sent without a token, or by a defect of ours")
        case _:
            assert_never(failure)

    assert error.failure is failure
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in "".join(traceback.format_exception(error))


def test_settings_are_not_shown() -> None:
    """A sender's own representation tells nothing."""
    sender = WebhookSender(allowed_cidrs=[ip_network("10.0.0.0/8")], deadline=timedelta(seconds=1))

    assert "10.0.0.0" not in repr(sender)
