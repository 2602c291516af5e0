"""Owns HTTP exchanges over requests: one request, one bounded answer, one total deadline.

It does not own the connections (`adapters.connections`), retries, redirects (never followed, their bodies never read),
cookies, proxies or credentials from the environment: it works below requests.Session, where all of these live. Nor
does it judge a status.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import requests
import urllib3
from msgspec import Struct

from shared.adapters.connections import HEADER_BYTES, ConnectionAdapter, trusted_authorities
from shared.adapters.sockets import LIMITS, CheckAddress, Limits, Resolve, TransportError
from shared.reprs import repr_without
from shared.webhook import SendFailure

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
        self._ssl_context = trusted_authorities(ca_bundle)
        self._pool = ConnectionAdapter(self._ssl_context, pool_size) if keep_alive else None

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
            bytes_left=max_body + max_body // 8 + HEADER_BYTES,
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
            # Not Request.prepare, which turns a user and password in the URL into a header, and looks for cookies.
            request = requests.PreparedRequest()
            request.prepare_method(method)
            request.prepare_url(url, None)
            request.prepare_headers(all_headers)
            request.prepare_body(body, None)
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
    def _adapter(self) -> Iterator[ConnectionAdapter]:
        if self._pool is not None:
            yield self._pool
            return
        adapter = ConnectionAdapter(self._ssl_context, pool_size=1)
        try:
            yield adapter
        finally:
            adapter.close()


def _exchange(
    adapter: ConnectionAdapter, request: requests.PreparedRequest, max_body: int
) -> Exchange | TransportError:
    status: int | None = None
    try:
        answer = adapter.send(request, stream=True)
        try:
            status = answer.status_code
            redirect = http.HTTPStatus.MULTIPLE_CHOICES <= status < http.HTTPStatus.BAD_REQUEST
            body = b"" if redirect else _read(answer.raw, max_body + 1)
        finally:
            answer.close()
    except TransportError as error:
        return TransportError(error.failure, error.words, status=status)
    except (OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException) as exc:
        failure, words = _judge(exc)
        return TransportError(failure, words, status=status)
    truncated = len(body) > max_body
    return Exchange(
        status=status,
        headers=answer.headers,
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
