"""Owns HTTP exchanges over requests: one request, one bounded answer, one total deadline.

It does not own retries, redirects (never followed, their bodies never read), cookies, proxies or credentials
from the environment: it works below requests.Session, where all of these live. Nor does it judge a status.
"""

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import requests
import requests.adapters
import urllib3
import urllib3.connection
from msgspec import Struct

from shared.adapters.sockets import LIMITS, BoundedTLSSocket, CheckAddress, Limits, Resolve, TransportError, open_socket
from shared.reprs import repr_without
from shared.webhook import SendFailure

__all__ = ["CheckAddress", "Exchange", "HttpTransport", "Resolve", "TransportError"]

_HEADER_BYTES: Final = 64 * 1024
"""Room for headers and chunk framing beside the body."""
# A hundred, by http.client's own measure: gateways send more. The bytes bound them.
http.client._MAXHEADERS = _HEADER_BYTES  # type: ignore[attr-defined] # noqa: SLF001 - no public way to say so


_MOST_INTERIM_ANSWERS: Final = 100
_BAD_URL: Final = "the URL is not valid; it must be absolute, with a host"
_WRAPPERS: Final = (requests.RequestException, urllib3.exceptions.HTTPError)
_VERDICTS: Final[tuple[tuple[type[Exception], SendFailure, str], ...]] = (
    # The first that fits: each kind stands before the kinds that it is derived from.
    (TimeoutError, SendFailure.TIMEOUT, "the deadline passed before the answer was complete"),
    (ssl.SSLCertVerificationError, SendFailure.TLS, "the certificate is not trusted: {verify_message}"),
    (ssl.SSLError, SendFailure.TLS, "no TLS session: {reason}"),
    (http.client.RemoteDisconnected, SendFailure.CONNECTION, "the connection was closed without an answer"),
    (http.client.IncompleteRead, SendFailure.CONNECTION, "the answer broke off within its body"),
    (OSError, SendFailure.CONNECTION, "the connection broke: {strerror}"),
    (http.client.InvalidURL, SendFailure.BAD_URL, _BAD_URL),
)


class Exchange(Struct, frozen=True, kw_only=True):
    """A complete answer. *headers* ignore case; *body* is as it came, not decoded, and empty for a 3xx.

    *truncated* says that the body went on after the bytes that are kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool

    __repr__ = repr_without("headers", "body")


class HttpTransport:
    """Makes HTTP exchanges; usable from several threads at once.

    *allow_http* admits http:// beside https://. *check_address* is asked about every address of a host before
    a connection is opened; None allows all. Without *keep_alive* each exchange has a connection of its own, and so
    a check of its own. *ca_bundle* (PEM) replaces the certificate authorities of the system and of certifi.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        check_address: CheckAddress | None = None,
        keep_alive: bool = True,
        pool_size: int = 16,
        ca_bundle: Path | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._schemes = ("https", "http") if allow_http else ("https",)
        self._check_address = check_address
        self._resolve = resolve
        self._ssl_context = _ssl_context(ca_bundle)
        self._pool = _Adapter(self._ssl_context, pool_size) if keep_alive else None

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        deadline: timedelta,
        max_body: int,
    ) -> Exchange:
        """Send one request and return the answer, of whose body at most *max_body* bytes are read.

        *deadline* covers everything from name resolution to the last byte of the body.

        Raises:
            TransportError: there is no complete answer; the failure says why.
        """
        ends = time.monotonic() + deadline.total_seconds()
        request = self._prepare(method, url, headers, body)
        limits = Limits(
            deadline=ends,
            bytes_left=max_body + max_body // 8 + _HEADER_BYTES,
            check_address=self._check_address,
            resolve=self._resolve,
        )
        with self._adapter() as adapter:
            token = LIMITS.set(limits)
            try:
                outcome = _exchange(adapter, request, max_body)
            finally:
                LIMITS.reset(token)
        if isinstance(outcome, TransportError):
            # Raised out here: the errors of requests and urllib3 print the URL, so none may come along as context.
            raise outcome
        return outcome

    def close(self) -> None:
        """Close the idle connections."""
        if self._pool is not None:
            self._pool.close()

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.PreparedRequest:
        connection = {} if self._pool is not None else {"Connection": "close"}
        problem: TransportError
        try:
            all_headers = {"User-Agent": "prepwatch", **headers, **connection}
            "".join((*all_headers, *all_headers.values())).encode("latin-1")
            request = requests.Request(method, url, headers=all_headers, data=body).prepare()
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError):
            problem = TransportError(SendFailure.BAD_HEADER, "a request header holds what HTTP does not allow")
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
            problem = TransportError(SendFailure.BAD_URL, _BAD_URL)
        else:
            scheme = (request.url or "").partition("://")[0].lower()
            if scheme in self._schemes:
                return request
            problem = TransportError(
                SendFailure.BAD_URL, f"the URL must begin with {' or '.join(s + '://' for s in self._schemes)}"
            )
        raise problem

    @contextmanager
    def _adapter(self) -> Iterator["_Adapter"]:
        if self._pool is not None:
            yield self._pool
            return
        adapter = _Adapter(self._ssl_context, pool_size=1)
        try:
            yield adapter
        finally:
            adapter.close()


def _exchange(adapter: "_Adapter", request: requests.PreparedRequest, max_body: int) -> Exchange | TransportError:
    status: int | None = None
    try:
        response = adapter.send(request, stream=True)
        try:
            status = response.status_code
            redirect = http.HTTPStatus.MULTIPLE_CHOICES <= status < http.HTTPStatus.BAD_REQUEST
            body = b"" if redirect else _read(response.raw, max_body + 1)
        finally:
            response.close()
    except TransportError as error:
        return TransportError(error.failure, error.words, status=status)
    except (OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException) as exc:
        failure, words = _judge(exc)
        return TransportError(failure, words, status=status)
    truncated = len(body) > max_body
    return Exchange(
        status=status,
        headers=response.headers,
        body=body[:max_body] if truncated else body,
        truncated=truncated,
    )


def _read(raw: urllib3.HTTPResponse, limit: int) -> bytes:
    """Read up to *limit* bytes, a body of declared length straight into its one bytes object."""
    body = raw.read(limit, decode_content=False)
    # A connection cut within the body shows only when reading goes on.
    while len(body) < limit and (more := raw.read(limit - len(body), decode_content=False)):
        body += more
    return body


def _judge(exc: BaseException) -> tuple[SendFailure, str]:
    """Find the failure inside what requests and urllib3 have wrapped around it; none of their texts is kept."""
    inner: BaseException | None = exc
    # urllib3's IncompleteRead wraps nothing: it is http.client's own by a second base class.
    while isinstance(inner, _WRAPPERS) and not isinstance(inner, http.client.HTTPException):
        if isinstance(inner, requests.exceptions.InvalidURL):
            return SendFailure.BAD_URL, _BAD_URL
        inner = inner.__cause__ or inner.__context__
    for kind, failure, words in _VERDICTS:
        if isinstance(inner, kind):
            return failure, words.format(
                strerror=getattr(inner, "strerror", None) or "unknown error",
                verify_message=getattr(inner, "verify_message", ""),
                reason=getattr(inner, "reason", None) or "the connection was closed",
            )
    return SendFailure.PROTOCOL, "the answer is not valid HTTP"


@cache  # reading the authorities takes longer than all else that a transport does to begin
def _ssl_context(ca_bundle: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_bundle)
    if ca_bundle is None:
        context.load_verify_locations(requests.adapters.DEFAULT_CA_BUNDLE_PATH)
    context.sslsocket_class = BoundedTLSSocket
    return context


class _Response(http.client.HTTPResponse):
    """Passes over interim answers (1xx), and reads no more than 64 KiB before the body."""

    def begin(self) -> None:
        limits = LIMITS.get()
        for_body = max(0, limits.bytes_left - _HEADER_BYTES)
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


class _Adapter(requests.adapters.HTTPAdapter):
    """Connects through open_socket, and trusts what one SSLContext trusts."""

    def __init__(self, ssl_context: ssl.SSLContext, pool_size: int) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
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
