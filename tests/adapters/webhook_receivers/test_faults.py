"""Whatever goes wrong at a receiver is an answer with the right failure, soon and in little memory."""

import socket
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_network
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.sockets import AddressInfo, Resolve
from shared.adapters.webhook_sender import WebhookSender
from shared.webhook import SendFailure, WebhookAnswer, WebhookRequest
from tests.adapters.webhook_receivers.conftest import DEADLINE
from tests.support.receivers import FakeResolve, Receiver, Script, answer, drips, floods, hangs, resets, says

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NOTHING_MORE_THAN = 1_000_000

LATE = SendFailure.TIMEOUT
BROKEN = SendFailure.CONNECTION
GARBLED = SendFailure.PROTOCOL

FAULTS: dict[str, tuple[Script, int | None, SendFailure]] = {
    "hang": (hangs(), None, LATE),
    "hang in the status line": (hangs(b"HTTP/1.1 20"), None, LATE),
    "hang in the headers": (hangs(OK + b"Server: x\r\n"), None, LATE),
    "hang before the body": (hangs(OK + b"Content-Length: 5\r\n\r\n"), 200, LATE),
    "hang within 1 GB": (hangs(OK + b"Content-Length: 1000000000\r\n\r\nxxx"), 200, LATE),
    "dripped status line": (drips(b"HTTP/1.1 200 ", b"O"), None, LATE),
    "dripped header": (drips(OK + b"X: ", b"x"), None, LATE),
    "dripped headers": (drips(OK, b"X: y\r\n"), None, LATE),
    "dripped interim answers": (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), None, LATE),
    "dripped body": (drips(OK + b"Content-Length: 5000\r\n\r\n", b"x"), 200, LATE),
    "dripped body until closed": (drips(OK + b"\r\n", b"x"), 200, LATE),
    "dripped chunks": (drips(CHUNKED, b"1\r\nx\r\n"), 200, LATE),
    "dripped chunk size": (drips(CHUNKED, b"0"), 200, LATE),
    "dripped trailers": (drips(CHUNKED + b"0\r\n", b"X: y\r\n"), 200, LATE),
    "closed at once": (says(b""), None, BROKEN),
    "reset at once": (resets(), None, BROKEN),
    "reset in the headers": (resets(OK), None, BROKEN),
    "reset in the body": (resets(OK + b"Content-Length: 50\r\n\r\nxxx"), 200, BROKEN),
    "closed in the body": (says(OK + b"Content-Length: 50\r\n\r\nxxx"), 200, BROKEN),
    "closed in a chunk": (says(CHUNKED + b"50\r\nxxx"), 200, BROKEN),
    "chunk size is no number": (says(CHUNKED + b"zz\r\nxxx"), 200, BROKEN),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.6\r\n"), None, GARBLED),
    "status is no number": (says(b"HTTP/1.1 two OK\r\n\r\n"), None, GARBLED),
    "status of four digits": (says(b"HTTP/1.1 2000 OK\r\n\r\n"), None, GARBLED),
    "HTTP/2": (says(b"\0\0\x12\x04\0\0\0\0\0\r\n"), None, GARBLED),
    "line without end": (floods(OK + b"X: ", b"x" * 65536), None, GARBLED),
    "headers without end": (floods(OK, b"X: y\r\n" * 1000), None, GARBLED),
    "large headers": (floods(OK, b"X: " + b"y" * 30_000 + b"\r\n"), None, GARBLED),
    "interim answers without end": (floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), None, GARBLED),
    "two lengths": (says(OK + b"Content-Length: 1, 2\r\n\r\nx"), None, GARBLED),
    "chunk of size -1": (floods(CHUNKED + b"-1\r\n", b"x" * 65536), 200, GARBLED),
    "trailers without end": (floods(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), 200, GARBLED),
}


def send(sender: WebhookSender, url: str, body: bytes = b"{}") -> WebhookAnswer:
    """Send one message and prove that it ended within the deadline and a second."""
    started = time.monotonic()
    got = sender.send(WebhookRequest(url=url, headers={}, body=body))
    took = timedelta(seconds=time.monotonic() - started)
    assert took < DEADLINE + timedelta(seconds=1)
    assert timedelta() < got.duration <= took
    return got


@pytest.mark.parametrize(("script", "status", "failure"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_named(sender: WebhookSender, script: Script, status: int | None, failure: SendFailure) -> None:
    """Each fault is reported as what it is, in time, and keeps nothing of what the receiver sent."""
    with Receiver(script) as receiver:
        tracemalloc.start()
        try:
            got = send(sender, receiver.url())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert (got.status, got.failure) == (status, failure)
    assert (got.body, got.retry_after) == (b"", None)
    assert got.reason
    assert peak < NOTHING_MORE_THAN


def test_receiver_that_does_not_read_is_late(sender: WebhookSender) -> None:
    """A message that is taken slowly or not at all ends at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        got = send(sender, f"http://127.0.0.1:{listener.getsockname()[1]}/", b"x" * 20_000_000)

    assert (got.status, got.failure) == (None, SendFailure.TIMEOUT)


def test_closed_port_is_a_connection_failure(sender: WebhookSender) -> None:
    """Nobody listening is told apart from silence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    got = send(sender, f"http://127.0.0.1:{port}/")

    assert (got.status, got.failure) == (None, SendFailure.CONNECTION)
    assert "refused" in got.reason


def unknown_name(host: str, port: int, *, type: int) -> list[AddressInfo]:  # noqa: A002 - getaddrinfo's name
    """Resolve nothing, as the system's resolver says it."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def sender_resolving(resolve: Resolve) -> WebhookSender:
    """Return a sender that asks *resolve* for addresses."""
    return WebhookSender(allowed_cidrs=[ip_network("127.0.0.0/8")], allow_http=True, deadline=DEADLINE, resolve=resolve)


def test_unknown_host_is_a_dns_failure() -> None:
    """A name that does not exist is reported with the resolver's words."""
    got = send(sender_resolving(unknown_name), "http://receiver.example/")

    assert (got.status, got.failure) == (None, SendFailure.DNS)
    assert "Name or service not known" in got.reason


def test_host_without_address_is_a_dns_failure() -> None:
    """A name that resolves to nothing is no reason to crash."""
    assert send(sender_resolving(FakeResolve([])), "http://receiver.example/").failure is SendFailure.DNS


def test_silent_resolver_is_late() -> None:
    """Though getaddrinfo itself waits on, the caller is free at the deadline."""
    released = Event()

    def hanging(host: str, port: int, *, type: int) -> list[AddressInfo]:  # noqa: A002 - getaddrinfo's name
        released.wait(10)
        return []

    got = send(sender_resolving(hanging), "http://receiver.example/")
    released.set()

    assert (got.status, got.failure) == (None, SendFailure.TIMEOUT)


def test_second_address_is_tried() -> None:
    """A host whose first address refuses is reached at its second."""
    with Receiver(says(answer(200)), host="127.0.0.2") as receiver:
        resolve = FakeResolve(["127.0.0.3", "127.0.0.2"])

        assert send(sender_resolving(resolve), receiver.url(host="receiver.example")).status == 200


def test_silent_address_leaves_time_for_the_second() -> None:
    """A host whose first address swallows every packet is reached at its second."""
    with Receiver(says(answer(200)), host="127.0.0.2") as receiver, ExitStack() as sockets:
        silent = sockets.enter_context(socket.create_server(("127.0.0.3", receiver.port), backlog=0))
        for _ in range(4):  # a full queue of connections that nobody accepts
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        resolve = FakeResolve(["127.0.0.3", "127.0.0.2"])

        assert send(sender_resolving(resolve), receiver.url(host="receiver.example")).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver.example/x",
        "https://",
        "http://:80/",
        "http://[::1/",
        "http://a:99999/",
        "http://a:x/",
        "http://*.example/",
        "http://" + "a" * 300 + "/",
        "http://a..b/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "httpx://127.0.0.1/",
        "javascript:alert(1)",
    ],
)
def test_bad_url_is_named(sender: WebhookSender, url: str) -> None:
    """What is no http address fails as such, without a socket."""
    got = send(sender, url)

    assert (got.status, got.failure) == (None, SendFailure.BAD_URL)
    assert "URL" in got.reason


def test_plain_http_needs_the_setting() -> None:
    """Without allow_http only https is sent to."""
    strict = WebhookSender(allowed_cidrs=[ip_network("127.0.0.0/8")], deadline=DEADLINE)
    with Receiver(says(answer(200))) as receiver:
        got = send(strict, receiver.url())

        assert receiver.connections == 0
    assert got.failure is SendFailure.BAD_URL
    assert "https://" in got.reason
    assert "http://" not in got.reason


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nb: c"}, {"X": "€"}, {"X y\n": "a"}, {"X": " a"}],
    ids=["line break in the value", "not latin-1", "line break in the name", "leading blank"],
)
def test_bad_header_is_named(sender: WebhookSender, headers: dict[str, str]) -> None:
    """A header that HTTP can't carry fails as such and smuggles nothing."""
    with Receiver(says(answer(200))) as receiver:
        got = sender.send(WebhookRequest(url=receiver.url(), headers=headers, body=b""))

        assert receiver.requests == []
    assert got.failure is SendFailure.BAD_HEADER


@pytest.mark.parametrize(
    "frame",
    [
        lambda data: data,
        lambda data: b"HTTP/1.1 " + data,
        lambda data: OK + data,
        lambda data: CHUNKED + data,
        lambda data: OK + b"Content-Length: " + data,
    ],
    ids=["anything", "status line", "headers", "chunks", "length"],
)
def test_no_bytes_raise(sender: WebhookSender, frame: Callable[[bytes], bytes]) -> None:
    """No bytes that a receiver can send raise."""
    with Receiver(says(b"")) as receiver:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(data=st.binary(max_size=60) | st.from_regex(rb"[-+0-9a-f \r\n:;,x]{0,40}", fullmatch=True))
        def never_raises(data: bytes) -> None:
            receiver.script = says(frame(data))
            send(sender, receiver.url())

        never_raises()
