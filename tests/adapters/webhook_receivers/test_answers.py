"""Whatever a receiver answers is reported as it is, and only once, with at most 8 KiB of it."""

import socket
from collections.abc import Iterator
from threading import Event

import pytest

from shared.adapters.webhook_sender import WebhookSender
from shared.webhook import SendFailure, WebhookRequest
from tests.support.receivers import Receiver, Script, answer, floods, hangs, header_of, says

KIB = 1024


def request_to(url: str, body: bytes = b"{}") -> WebhookRequest:
    """Return a message for *url*."""
    return WebhookRequest(url=url, headers={"Content-Type": "application/json", "webhook-id": "e1"}, body=body)


@pytest.fixture(scope="module")
def any_status() -> Iterator[Receiver]:
    """Return a receiver that answers the status that the path names."""

    def obey(connection: socket.socket, request: bytes, stop: Event) -> None:
        says(answer(request.split()[1].decode().lstrip("/"), b"as asked"))(connection, request, stop)

    with Receiver(obey) as receiver:
        yield receiver


@pytest.mark.parametrize("status", range(200, 600))
def test_status_is_reported(patient_sender: WebhookSender, any_status: Receiver, status: int) -> None:
    """Each final status is reported as it came, and a redirect is not followed."""
    before = any_status.connections

    got = patient_sender.send(request_to(any_status.url(f"/{status}")))

    assert (got.status, got.failure) == (status, None)
    assert f"answered {status}" in got.reason
    assert ("redirects are not followed" in got.reason) == (300 <= status < 400)
    assert any_status.connections == before + 1
    if status not in {204, 304} and not 300 <= status < 400:
        assert got.body == b"as asked"


def test_early_hints_before_the_answer(sender: WebhookSender) -> None:
    """A 103 before a 200 is passed over: the message and the heartbeat were taken, and are not sent again."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    with Receiver(says(hints + answer(200, b"ok"))) as receiver:
        for got in (sender.send(request_to(receiver.url())), sender.get(receiver.url())):
            assert (got.status, got.body, got.failure) == (200, b"ok", None)


def test_interim_answer_alone_is_no_answer(sender: WebhookSender) -> None:
    """100 Continue and then nothing is a closed connection."""
    with Receiver(says(b"HTTP/1.1 100 Continue\r\n\r\n")) as receiver:
        got = sender.send(request_to(receiver.url()))

    assert (got.status, got.failure) == (None, SendFailure.CONNECTION)


@pytest.mark.parametrize(
    "value",
    ["120", "0", "-1", "9" * 400, "Sun, 22 Nov 2026 12:01:00 GMT", "garbage \xe4", "1, 2"],
    ids=["seconds", "zero", "negative", "huge", "date", "garbage", "list"],
)
def test_retry_after_is_passed_on_raw(patient_sender: WebhookSender, value: str) -> None:
    """The header comes back as the receiver wrote it."""
    with Receiver(says(answer(429, b"", f"Retry-After: {value}"))) as receiver:
        assert patient_sender.send(request_to(receiver.url())).retry_after == value


def test_absent_retry_after_is_none(patient_sender: WebhookSender) -> None:
    """Without the header there is nothing to obey."""
    with Receiver(says(answer(503))) as receiver:
        assert patient_sender.send(request_to(receiver.url())).retry_after is None


def test_message_arrives_as_given(patient_sender: WebhookSender) -> None:
    """The body's exact bytes and the headers arrive by POST, on a connection of their own."""
    body = bytes(range(256)) * 200
    with Receiver(says(answer(200))) as receiver:
        patient_sender.send(request_to(receiver.url("/hook?sig=%2Fa"), body))

        (seen,) = receiver.requests
    assert seen.startswith(b"POST /hook?sig=%2Fa HTTP/1.1\r\n")
    assert seen.endswith(b"\r\n\r\n" + body)
    assert header_of(seen, "webhook-id") == "e1"
    assert header_of(seen, "content-type") == "application/json"
    assert header_of(seen, "connection") == "close"
    assert header_of(seen, "accept-encoding") == "identity"
    assert header_of(seen, "user-agent") == "prepwatch"


def test_heartbeat_is_a_get(patient_sender: WebhookSender) -> None:
    """The heartbeat is called by GET, without a body."""
    with Receiver(says(answer(200, b"OK"))) as receiver:
        assert patient_sender.get(receiver.url("/ping/fail")).status == 200

        (seen,) = receiver.requests
    assert seen.startswith(b"GET /ping/fail HTTP/1.1\r\n")
    assert seen.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("size", [0, 1, 8 * KIB - 1, 8 * KIB, 8 * KIB + 1, 200 * KIB])
@pytest.mark.parametrize("framing", ["length", "chunked", "until closed"])
def test_body_is_kept_up_to_8_kib(patient_sender: WebhookSender, size: int, framing: str) -> None:
    """A body is kept whole up to 8 KiB, however it is framed, and cut there."""
    body = b"x" * size
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (body[i : i + 5000] for i in range(0, size, 5000))
    )
    data = {
        "length": answer(200, body),
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        "until closed": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }[framing]
    with Receiver(says(data)) as receiver:
        got = patient_sender.send(request_to(receiver.url()))

    assert (got.status, got.failure) == (200, None)
    assert got.body == body[: 8 * KIB]


@pytest.mark.parametrize(
    "script",
    [
        floods(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65536),
        floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", b"x" * 65536),
        floods(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08", b"\0" * 65536),
        floods(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"x" * 65536),
    ],
    ids=["1 GB length", "until closed", "endless chunks", "one huge chunk", "gzip bomb", "negative length"],
)
def test_endless_body_is_cut(patient_sender: WebhookSender, script: Script) -> None:
    """A body without end counts as an answer, of which 8 KiB are kept as they came."""
    with Receiver(script) as receiver:
        got = patient_sender.send(request_to(receiver.url()))

    assert (got.status, got.failure) == (200, None)
    assert len(got.body) == 8 * KIB


def test_body_of_a_redirect_is_not_read(patient_sender: WebhookSender) -> None:
    """A redirect is an answer as soon as its headers are there, though its body never comes."""
    with Receiver(hangs(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 1000000000\r\n\r\n")) as receiver:
        got = patient_sender.send(request_to(receiver.url()))

        assert receiver.connections == 1
    assert (got.status, got.failure, got.body) == (302, None, b"")
