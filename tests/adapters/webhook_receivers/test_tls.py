"""Only a certificate that is trusted for the host name lets a message out."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.adapters.webhook_sender import WebhookSender
from shared.webhook import SendFailure, WebhookAnswer, WebhookRequest
from tests.adapters.certificates import Authority
from tests.adapters.webhook_receivers.conftest import DEADLINE
from tests.support.receivers import FakeResolve, Receiver, Script, answer, drips, hangs, header_of, says

HOST = "receiver.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return one authority for all tests here."""
    return Authority(tmp_path_factory.mktemp("ca"))


def send(receiver: Receiver, *, bundle: Path | None) -> WebhookAnswer:
    """Send to *receiver* under its host name."""
    sender = WebhookSender(
        allowed_cidrs=[ip_network("127.0.0.0/8")],
        deadline=DEADLINE,
        ca_bundle=bundle,
        resolve=FakeResolve(["127.0.0.1"]),
    )
    return sender.send(
        WebhookRequest(
            url=receiver.url("/hook", scheme="https", host=HOST), headers={"X-Key": "k"}, body=b"x" * 100_000
        )
    )


def test_trusted_certificate_passes(authority: Authority) -> None:
    """SNI, certificate and Host header go by the host name, though the connection goes to an address."""
    asked: list[str | None] = []
    context = authority.server(HOST)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with Receiver(says(answer(200, b"ok")), tls=context) as receiver:
        got = send(receiver, bundle=authority.bundle)

        (seen,) = receiver.requests
        assert header_of(seen, "host") == f"{HOST}:{receiver.port}"
    assert (got.status, got.failure, got.body) == (200, None, b"ok")
    assert asked == [HOST]
    assert seen.endswith(b"x" * 100_000)


@pytest.mark.parametrize(
    ("certified", "trusted", "words"),
    [(HOST, False, "self-signed|unable to get local issuer"), ("other.example", True, "Hostname mismatch")],
    ids=["unknown authority", "wrong host"],
)
def test_untrusted_certificate_stops_the_message(
    authority: Authority, certified: str, *, trusted: bool, words: str
) -> None:
    """A certificate of an unknown authority or of another host gets nothing of the message."""
    with Receiver(says(answer(200)), tls=authority.server(certified)) as receiver:
        got = send(receiver, bundle=authority.bundle if trusted else None)

        assert receiver.requests == []
    assert (got.status, got.failure) == (None, SendFailure.TLS)
    assert any(word in got.reason for word in words.split("|"))


def test_plain_http_is_no_tls(authority: Authority) -> None:
    """A server that speaks http where https is expected is a TLS failure."""
    with Receiver(hangs(), greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as receiver:
        got = send(receiver, bundle=authority.bundle)

        assert receiver.requests == []
    assert (got.status, got.failure) == (None, SendFailure.TLS)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (hangs(), None),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), None),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), 200),
    ],
    ids=["hang", "dripped headers", "dripped body"],
)
def test_deadline_holds_inside_tls(authority: Authority, script: Script, status: int | None) -> None:
    """Slow answers end at the deadline inside TLS too."""
    with Receiver(script, tls=authority.server(HOST)) as receiver:
        got = send(receiver, bundle=authority.bundle)

    assert (got.status, got.failure) == (status, SendFailure.TIMEOUT)
    assert got.duration < DEADLINE + timedelta(seconds=1)


def test_deadline_holds_in_the_handshake(authority: Authority) -> None:
    """A server that accepts and never shakes hands is left at the deadline."""
    with Receiver(hangs()) as silent:
        got = send(silent, bundle=authority.bundle)

    assert (got.status, got.failure) == (None, SendFailure.TIMEOUT)
    assert got.duration < DEADLINE + timedelta(seconds=1)
