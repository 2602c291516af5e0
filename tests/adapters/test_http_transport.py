"""Exchanges are bounded in time and size, share connections safely, and leave nothing behind."""

import logging
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest

from shared.adapters.http_transport import Exchange, HttpTransport
from shared.adapters.sockets import TransportError, open_socket
from shared.webhook import SendFailure
from tests.support.receivers import Receiver, answer, drips, hang_up, hangs, says

SOON = timedelta(seconds=0.4)
LATER = timedelta(seconds=10)
PAGE = 700_000


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    """Return a transport that keeps connections and goes anywhere."""
    transport = HttpTransport(allow_http=True)
    yield transport
    transport.close()


def get(transport: HttpTransport, url: str, *, deadline: timedelta = LATER, max_body: int = 1 << 20) -> Exchange:
    """Make an exchange without headers and body."""
    return transport.exchange("GET", url, {}, deadline=deadline, max_body=max_body)


def test_connection_is_kept(transport: HttpTransport) -> None:
    """Exchanges with one host share a connection when each was read to its end."""
    with Receiver(says(answer(200, b"page"), then_close=False)) as server:
        assert [get(transport, server.url()).body for _ in range(5)] == [b"page"] * 5

        assert server.connections == 1


def test_closed_connection_is_replaced(transport: HttpTransport) -> None:
    """A connection that the server has closed in the meantime is not used again."""
    closed = Event()

    def answer_and_close(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(answer(200))
        hang_up(connection)
        closed.set()

    with Receiver(answer_and_close) as server:
        for _ in range(3):
            closed.clear()
            assert get(transport, server.url()).status == 200
            assert closed.wait(5)

        assert server.connections == 3


def test_connection_of_a_late_answer_is_not_used_again(transport: HttpTransport) -> None:
    """What arrives after a deadline is never taken for the answer to the next request."""
    with Receiver(hangs(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla")) as server:
        with pytest.raises(TransportError) as late:
            get(transport, server.url(), deadline=SOON)
        server.script = says(answer(200, b"next"))

        assert get(transport, server.url()).body == b"next"
    assert (late.value.failure, late.value.status) == (SendFailure.TIMEOUT, 200)


def test_connection_of_a_cut_answer_is_not_used_again(transport: HttpTransport) -> None:
    """The rest of a body that was too long is never taken for the answer to the next request."""
    with Receiver(says(answer(200, b"x" * 100), then_close=False)) as server:
        cut = get(transport, server.url(), max_body=10)
        server.script = says(answer(200, b"next"))

        assert get(transport, server.url()).body == b"next"
    assert (cut.body, cut.truncated) == (b"x" * 10, True)


def test_deadline_belongs_to_one_exchange(transport: HttpTransport) -> None:
    """A kept connection takes the deadline of the exchange that uses it, not of the one that opened it."""

    def slowly(connection: socket.socket, request: bytes, stop: Event) -> None:
        stop.wait(0.3)
        connection.sendall(answer(200))

    with Receiver(slowly) as server:
        for _ in range(3):
            assert get(transport, server.url(), deadline=timedelta(seconds=2)).status == 200
        with pytest.raises(TransportError) as late:
            get(transport, server.url(), deadline=timedelta(seconds=0.1))

        assert server.connections == 1
    assert late.value.failure is SendFailure.TIMEOUT


def test_deadline_covers_sending_on_a_kept_connection(transport: HttpTransport) -> None:
    """A server that stops reading is left at the deadline, though it has answered on this connection before."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        finished = Event()

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer(200))
                finished.wait(5)

        serving = threads.submit(answer_once)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        get(transport, url)
        started = time.monotonic()
        with pytest.raises(TransportError) as late:
            transport.exchange("POST", url, {}, b"x" * 20_000_000, deadline=SOON, max_body=0)
        took = time.monotonic() - started
        finished.set()
        serving.result()

    assert late.value.failure is SendFailure.TIMEOUT
    assert took < 2


def test_threads_get_their_own_answers(transport: HttpTransport) -> None:
    """Many threads on one transport each get the answer to their own request."""

    def echo(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(answer(200, request.split()[1] * 100))

    with Receiver(echo) as server, ThreadPoolExecutor(8) as threads:
        paths = [f"/{number}" for number in range(200)]
        answers = list(threads.map(lambda path: get(transport, server.url(path)).body, paths))

        assert answers == [path.encode() * 100 for path in paths]
        assert server.connections <= 8


def test_slow_exchange_holds_up_no_other(transport: HttpTransport) -> None:
    """While one server drips its answer, another one is heard at once."""
    with (
        Receiver(drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as slow,
        Receiver(says(answer(200))) as quick,
        ThreadPoolExecutor(1) as threads,
    ):
        dripping = threads.submit(get, transport, slow.url(), deadline=timedelta(seconds=1))
        started = time.monotonic()
        assert get(transport, quick.url()).status == 200
        assert time.monotonic() - started < 1
        with pytest.raises(TransportError):
            dripping.result()


@pytest.mark.parametrize("framing", ["length", "chunked", "until closed"])
@pytest.mark.parametrize(("size", "truncated"), [(0, False), (999, False), (1000, False), (1001, True)])
def test_exactly_max_body_is_not_truncated(
    transport: HttpTransport, framing: str, size: int, *, truncated: bool
) -> None:
    """A body of exactly the permitted size is complete, one byte more is not."""
    body = b"x" * size
    data = {
        "length": answer(200, body),
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"%x\r\n%s\r\n" % (size, body) if size else b"")
        + b"0\r\n\r\n",
        "until closed": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }[framing]
    with Receiver(says(data)) as server:
        got = get(transport, server.url(), max_body=1000)

    assert (got.body, got.truncated) == (body[:1000], truncated)


def test_large_body_is_held_once(transport: HttpTransport) -> None:
    """A page of declared length is read straight into its one bytes object."""
    data = answer(200, b"x" * PAGE)
    with Receiver(says(data, then_close=False)) as server:
        get(transport, server.url())
        tracemalloc.start()
        try:
            got = get(transport, server.url())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert len(got.body) == PAGE
    assert peak < PAGE * 1.3


def test_headers_ignore_case(transport: HttpTransport) -> None:
    """An answer's headers are found under any spelling, and one sent twice is joined by commas."""
    with Receiver(says(answer(200, b"", "ETag: 0x1", "X-A: 1", "x-a: 2"))) as server:
        headers = get(transport, server.url()).headers

    assert headers["etag"] == "0x1"
    assert headers["X-A"] == "1, 2"


def test_request_is_sent_as_given(transport: HttpTransport) -> None:
    """Method, path, query and headers arrive as they were signed."""
    with Receiver(says(answer(200))) as server:
        url = server.url("/jobs/a%3Ab?$filter=x%20eq%20'y'&api-version=1")
        transport.exchange("GET", url, {"Authorization": "SharedKey a:b"}, deadline=LATER, max_body=0)

        (seen,) = server.requests
    assert seen.startswith(b"GET /jobs/a%3Ab?$filter=x%20eq%20'y'&api-version=1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: SharedKey a:b\r\n" in seen
    assert b"Connection: close" not in seen


def test_a_password_in_a_url_is_sent_to_nobody(transport: HttpTransport) -> None:
    """What stands before the host becomes no header: a credential is sent by who was asked to, and by nobody else."""
    with Receiver(says(answer(200))) as receiver:
        url = receiver.url("/").replace("http://", "http://user:password@")
        transport.exchange("GET", url, {}, deadline=LATER, max_body=0)
        seen = receiver.requests[0]
    assert b"authorization" not in seen.lower()
    assert b"password" not in seen


def test_deadline_in_the_past_sends_nothing(transport: HttpTransport) -> None:
    """Nobody is called when no time is left."""
    with Receiver(says(answer(200))) as server:
        with pytest.raises(TransportError) as late:
            get(transport, server.url(), deadline=timedelta())

        assert server.connections == 0
    assert late.value.failure is SendFailure.TIMEOUT


def test_socket_outside_an_exchange_is_refused() -> None:
    """A socket without limits can't come about by mistake."""
    with pytest.raises(LookupError):
        open_socket("127.0.0.1", 1)


def test_logs_of_others_go_on(transport: HttpTransport, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 is silent about our exchanges only."""
    caplog.set_level(logging.DEBUG, logger="urllib3")
    with Receiver(says(answer(200))) as server:
        get(transport, server.url("/ours"))
    logging.getLogger("urllib3.connectionpool").debug("theirs")

    assert [record.getMessage() for record in caplog.records] == ["theirs"]


INTERIM = {
    "none": b"",
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102 twice": b"HTTP/1.1 102 Processing\r\n\r\n" * 2,
    "103 with headers": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    "any other": b"HTTP/1.1 199 Whatever\r\nRetry-After: 9\r\n\r\n",
}


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM.keys())
def test_interim_answers_are_passed_over(transport: HttpTransport, interim: bytes) -> None:
    """What comes before the answer with a status of 1xx is not the answer, also on a connection that is kept."""
    with Receiver(says(interim + answer(200, b"page"), then_close=False)) as server:
        for _ in range(2):
            got = get(transport, server.url())
            assert (got.status, got.body, got.headers.get("retry-after")) == (200, b"page", None)

        assert server.connections == 1


@pytest.mark.parametrize("number", [99, 101, 2000])
def test_any_number_of_headers_is_read(transport: HttpTransport, number: int) -> None:
    """A hundred headers and more are read as long as they fit into 64 KiB."""
    headers = [f"X-{count}: {count}" for count in range(number)]
    with Receiver(says(answer(200, b"page", *headers))) as server:
        got = get(transport, server.url())
    assert (got.body, got.headers[f"X-{number - 1}"]) == (b"page", str(number - 1))


@pytest.mark.parametrize("max_body", [100, 1 << 20])
def test_headers_beyond_64_kib_are_refused(transport: HttpTransport, max_body: int) -> None:
    """However much of a body would be read, headers and interim answers may not be longer than 64 KiB."""
    floods = (answer(200, b"", *["X: y"] * 14_000), INTERIM["103 with headers"] * 1500 + answer(200))
    for flood in floods:
        with Receiver(says(flood)) as server, pytest.raises(TransportError) as refused:
            get(transport, server.url(), max_body=max_body)
        assert refused.value.failure is SendFailure.PROTOCOL
