"""The HTTP connections of requests and urllib3, and that they obey the limits of their exchange.

Owns the connections. Does not own the limits or the sockets that keep them (`adapters.sockets`), or an exchange
(`adapters.http_transport`). Nothing of what urllib3 would log about an exchange is logged.
"""

import http.client
import logging
import socket
import ssl
from functools import cache
from pathlib import Path
from typing import Any, Final

import requests.adapters
import urllib3
import urllib3.connection

from shared.adapters.sockets import LIMITS, BoundedTLSSocket, TransportError, open_socket
from shared.webhook import SendFailure

HEADER_BYTES: Final = 64 * 1024
"""Room for headers and chunk framing beside the body."""
# A hundred, by http.client's own measure: gateways send more. The bytes bound them.
http.client._MAXHEADERS = HEADER_BYTES  # type: ignore[attr-defined] # noqa: SLF001 - no public way to say so

_MOST_INTERIM_ANSWERS: Final = 100


@cache  # reading the authorities takes longer than all else that a transport does to begin
def trusted_authorities(ca_bundle: Path | None) -> ssl.SSLContext:
    """The certificate authorities of *ca_bundle* (PEM); None: those of the system and of certifi."""
    context = ssl.create_default_context(cafile=ca_bundle)
    if ca_bundle is None:
        context.load_verify_locations(requests.adapters.DEFAULT_CA_BUNDLE_PATH)
    context.sslsocket_class = BoundedTLSSocket
    return context


class _Response(http.client.HTTPResponse):
    """Passes over interim answers (1xx), and reads no more than 64 KiB before the body."""

    def begin(self) -> None:
        limits = LIMITS.get()
        for_body = max(0, limits.bytes_left - HEADER_BYTES)
        limits.bytes_left -= for_body
        try:
            super().begin()
        finally:
            limits.bytes_left += for_body

    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 alone, and takes any other 1xx for the answer itself.
        for _ in range(_MOST_INTERIM_ANSWERS):
            version, status, reason = super()._read_status()  # type: ignore[misc] # not in the stubs
            if not http.HTTPStatus.CONTINUE <= status < http.HTTPStatus.OK:
                return version, status, reason
            while self.fp.readline().strip(b"\r\n"):
                pass  # its headers are not the answer's
        raise TransportError(SendFailure.PROTOCOL, "there are too many interim answers")


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return open_socket(self._dns_host, self.port)


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return open_socket(self._dns_host, self.port)


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class ConnectionAdapter(requests.adapters.HTTPAdapter):
    """Connects through open_socket, and trusts what one SSLContext trusts."""

    def __init__(self, ssl_context: ssl.SSLContext, pool_size: int) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools whose connections are ours."""
        super().init_poolmanager(*args, ssl_context=self._ssl_context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the pool as it is: requests would load all authorities again for each connection."""


class _SilentDuringExchange(logging.Filter):
    """Drops what urllib3 logs about our exchanges: the path of the URL, which may be a credential."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - where it is made decides
        return LIMITS.get(None) is None


for _name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_SilentDuringExchange())
