"""Owns which network addresses a webhook may be sent to.

It does not own name resolution: the transport asks for every address just before it connects to it.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# What no setting opens: whoever reaches these gets credentials, or reaches more than one host.
_NEVER: Final = tuple(
    (ip_network(network), words)
    for network, words in {
        "169.254.0.0/16": "link-local, where metadata services live",
        "fe80::/10": "link-local, where metadata services live",
        "168.63.129.16/32": "Azure's own WireServer",
        "fd00:ec2::254/128": "a metadata service",
        "fd20:ce::254/128": "a metadata service",
        "100.100.100.200/32": "a metadata service",
        "0.0.0.0/8": "the unspecified address, which means this machine",
        "::/128": "the unspecified address, which means this machine",
        "224.0.0.0/4": "multicast",
        "ff00::/8": "multicast",
        "255.255.255.255/32": "broadcast",
        # These wrap an IPv4 address for a translator: where they lead is decided elsewhere.
        "64:ff9b::/96": "a NAT64 address",
        "64:ff9b:1::/48": "a NAT64 address",
        "2002::/16": "a 6to4 address",
        "192.88.99.0/24": "a 6to4 relay",
        "2001::/32": "a Teredo address",
    }.items()
)
# ipaddress says is_global for most of IPv6; only this part of it is given out.
_GIVEN_OUT_IPV6: Final = IPv6Network("2000::/3")
# Not public either, but unknown to the ipaddress of some Python versions that we support.
_DOCUMENTATION: Final = IPv6Network("3fff::/20")
_PROTOCOL_ASSIGNMENTS: Final = IPv4Network("192.0.0.0/24")


def check_address(address: IPAddress, allowed: Sequence[IPNetwork] = ()) -> str | None:
    """Return why *address* must not be called, in words for the operator, or None if it may be.

    *allowed* opens addresses that are not public. It never opens metadata services, link-local, multicast
    and wrapped addresses. An IPv4 address mapped into IPv6 is judged as the IPv4 address that it is.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    for network, words in _NEVER:
        if address in network:
            return f"{address} is {words}; no setting opens it"
    if any(address in network for network in allowed) or _is_public(address):
        return None
    return f"{address} is not a public address; WEBHOOK_ALLOWED_CIDRS can open it"


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, IPv6Address):
        return address.is_global and address in _GIVEN_OUT_IPV6 and address not in _DOCUMENTATION
    return address.is_global and address not in _PROTOCOL_ASSIGNMENTS
