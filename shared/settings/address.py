"""Owns which http addresses are accepted in settings, and their normal form.

It opens no connection and resolves no name: which network a request may reach is decided when it is sent.
"""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from shared.settings.reader import InvalidValueError

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_VISIBLE = re.compile(r"[!-~]+")
DEFAULT_PORTS = {"https": 443, "http": 80}


class HttpAddress(Struct, frozen=True, kw_only=True):
    """An accepted address in its normal form; `repr` shows the host only, for the rest may be a secret."""

    host: str
    """The host, with its port if that is not the scheme's own: what the product calls an account's label."""
    origin: str
    """Scheme and host, without a slash at the end."""
    name: str
    """The host without its port, and without the brackets of IPv6."""
    _rest: str

    @property
    def url(self) -> str:
        """The whole address; as it was given, but without a path that is nothing but a slash."""
        return self.origin + self._rest

    def __repr__(self) -> str:
        return f"HttpAddress({self.host})"


def parse_address(
    text: str, *, allow_path: bool = True, allow_query: bool = False, allow_http: bool = False
) -> HttpAddress:
    """Read an address: https, or http towards this machine itself, or any http if `allow_http`.

    Raises:
        InvalidValueError: not such an address; refuse the setting.
    """
    parts, port = _split(text)
    name = (parts.hostname or "").lower()
    if _HOST.fullmatch(name) is None and not is_ip(name):
        raise InvalidValueError("has no usable host", "write a host name in ASCII, international ones as xn--...")
    if parts.username is not None or parts.password is not None:
        raise InvalidValueError("has a user or password in its address", "leave out everything up to the @")
    if parts.scheme == "http" and not allow_http and not is_loopback(name):
        raise InvalidValueError("is http, which anybody on the way can read", "write https://")
    if port == 0:
        raise InvalidValueError("has the port 0, where nothing listens", "name the port, or leave it out")
    if parts.path.strip("/") and not allow_path:
        raise InvalidValueError("has a path", "write scheme and host only, for example https://host.example")
    if parts.fragment or (parts.query and not allow_query):
        raise InvalidValueError("has a query or fragment", "leave out everything from the ? or # on")
    bracketed = f"[{name}]" if ":" in name else name
    host = bracketed if port in {None, DEFAULT_PORTS[parts.scheme]} else f"{bracketed}:{port}"
    path = "" if parts.path == "/" and not parts.query else parts.path
    rest = f"{path}?{parts.query}" if parts.query else path
    return HttpAddress(host=host, origin=f"{parts.scheme}://{host}", name=name, _rest=rest)


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine itself."""
    return name == "localhost" or (is_ip(name) and ip_address(name).is_loopback)


def is_ip(name: str) -> bool:
    """Whether a host is written as an address, without brackets."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _split(text: str) -> tuple[SplitResult, int | None]:
    mend = "write https:// and a host, for example https://host.example"
    if _VISIBLE.fullmatch(text) is None:
        raise InvalidValueError("has white space or non-ASCII characters", "percent-encode them, or take them out")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidValueError("is not a web address", mend)
    return parts, port
