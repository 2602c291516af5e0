"""No message reaches an address that is not allowed, by whatever name it goes."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest

from shared.adapters.http_transport import HttpTransport
from shared.adapters.sockets import TransportError
from shared.adapters.webhook_sender import DEADLINE, WebhookSender
from shared.webhook import SendFailure, WebhookRequest
from tests.support.receivers import FakeResolve, Receiver, answer, header_of, says


def message(url: str) -> WebhookRequest:
    """Return a message for *url*."""
    return WebhookRequest(url=url, headers={}, body=b"{}")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
        "0",
        "[::]",
        "user:password@127.0.0.1",
        "8.8.8.8@127.0.0.1",
        "①②⑦.⓪.⓪.①",
        "169.254.169.254",
        "168.63.129.16",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
    ],
)
def test_forbidden_host_is_not_called(host: str) -> None:
    """Every spelling of this machine and of metadata services is refused before a socket opens."""
    sender = WebhookSender(allow_http=True, deadline=DEADLINE)
    with Receiver(says(answer(200))) as canary:
        posted = sender.send(message(f"http://{host}:{canary.port}/"))
        heartbeat = sender.get(f"http://{host}:{canary.port}/")

        assert canary.connections == 0
    for got in (posted, heartbeat):
        assert got.failure in {SendFailure.BLOCKED_ADDRESS, SendFailure.BAD_URL, SendFailure.DNS}
        assert got.status is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_refusal_is_told_as_such(host: str) -> None:
    """A refused address is reported as blocked, with the setting that opens it."""
    got = WebhookSender(allow_http=True, deadline=DEADLINE).send(message(f"http://{host}:9/"))

    assert got.failure is SendFailure.BLOCKED_ADDRESS
    assert "WEBHOOK_ALLOWED_CIDRS" in got.reason


def test_one_forbidden_address_forbids_the_host() -> None:
    """A host with an allowed and a forbidden address is not called at either."""
    sender = WebhookSender(
        allow_http=True,
        allowed_cidrs=[ip_network("127.0.0.1/32")],
        deadline=DEADLINE,
        resolve=FakeResolve(["127.0.0.1", "10.0.0.1"]),
    )
    with Receiver(says(answer(200))) as canary:
        got = sender.send(message(canary.url(host="receiver.example")))

        assert canary.connections == 0
    assert got.failure is SendFailure.BLOCKED_ADDRESS


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "::1"], []],
    ids=", ".join,
)
def test_a_check_forbids_what_a_message_would_not_reach(addresses: list[str]) -> None:
    """The diagnostics ask of a host what the sender asks: the same question of all its addresses."""
    sender = WebhookSender(
        allow_http=True,
        allowed_cidrs=[ip_network("127.0.0.1/32")],
        deadline=DEADLINE,
        resolve=FakeResolve(addresses),
    )
    with Receiver(says(answer(204))) as receiver:
        url = receiver.url(host="receiver.example")
        got = sender.send(message(url))
        assert (sender.check(url) is None) == (got.failure is None) == (addresses == ["127.0.0.1"])


def only_2(address: IPv4Address | IPv6Address) -> str | None:
    """Allow 127.0.0.2 alone."""
    return None if str(address) == "127.0.0.2" else f"{address} is forbidden"


@pytest.mark.parametrize("keep_alive", [False, True])
def test_rebinding_reaches_nothing(*, keep_alive: bool) -> None:
    """What was checked is what is connected to: a name that changes in between is not asked for again."""
    resolve = FakeResolve(["127.0.0.2"], ["127.0.0.1"])
    transport = HttpTransport(allow_http=True, check_address=only_2, keep_alive=keep_alive, resolve=resolve)
    with Receiver(says(answer(200)), host="0.0.0.0") as canary:  # noqa: S104 - both addresses of the name
        seen = transport.exchange("GET", canary.url(host="a.example"), {}, deadline=DEADLINE, max_body=10)
        asked_for_the_first = resolve.calls
        transport.close()  # what is kept open was checked; the next one is new
        with pytest.raises(TransportError) as refused:
            transport.exchange("GET", canary.url(host="a.example"), {}, deadline=DEADLINE, max_body=10)

        assert canary.connections == 1
    transport.close()
    assert seen.status == 200
    assert asked_for_the_first == 1
    assert refused.value.failure is SendFailure.BLOCKED_ADDRESS


def test_environment_is_ignored(sender: WebhookSender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither proxies nor the credentials of a .netrc come from the environment."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Receiver(says(answer(502))) as proxy, Receiver(says(answer(200))) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        assert sender.send(message(receiver.url())).status == 200

        assert proxy.connections == 0
        assert header_of(receiver.requests[0], "authorization") is None


def test_cookies_are_not_kept(sender: WebhookSender) -> None:
    """What one answer sets, the next message does not carry."""
    with Receiver(says(answer(200, b"", "Set-Cookie: a=b"))) as receiver:
        sender.send(message(receiver.url()))
        sender.send(message(receiver.url()))

        assert [header_of(seen, "cookie") for seen in receiver.requests] == [None, None]
