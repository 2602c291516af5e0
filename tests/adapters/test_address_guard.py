"""Webhooks reach public addresses and what the operator opened, never a metadata service."""

from ipaddress import ip_address, ip_network

import pytest

from shared.adapters.address_guard import check_address

EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]

PUBLIC = ["8.8.8.8", "20.50.2.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "2a01:111::1"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "::1",
    "fd12:3456::1",
    "fc00::1",
    "fec0::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "::127.0.0.1",
    "5f00::1",
    "4000::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
]
FORBIDDEN = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%1",
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "ff0e::1",
    "255.255.255.255",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "192.88.99.1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::ffff:169.254.169.254",
    "::ffff:168.63.129.16",
    "::ffff:0.0.0.0",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_free(text: str) -> None:
    """A public address needs no setting."""
    assert check_address(ip_address(text)) is None


@pytest.mark.parametrize("text", PRIVATE)
def test_private_address_needs_the_setting(text: str) -> None:
    """An address that is not public is refused with the setting's name, until that setting opens it."""
    assert "WEBHOOK_ALLOWED_CIDRS" in str(check_address(ip_address(text)))
    assert check_address(ip_address(text), EVERYTHING) is None


@pytest.mark.parametrize("text", FORBIDDEN)
def test_forbidden_address_stays_forbidden(text: str) -> None:
    """Metadata services, link-local, multicast and wrapped addresses stay closed though everything is opened."""
    assert "no setting opens it" in str(check_address(ip_address(text)))
    assert "no setting opens it" in str(check_address(ip_address(text), EVERYTHING))


def test_only_the_named_network_opens() -> None:
    """A network that is opened opens no other one."""
    allowed = [ip_network("10.1.0.0/16")]

    assert check_address(ip_address("10.1.2.3"), allowed) is None
    assert check_address(ip_address("::ffff:10.1.2.3"), allowed) is None
    assert check_address(ip_address("10.2.0.1"), allowed) is not None
    assert check_address(ip_address("::1"), allowed) is not None
