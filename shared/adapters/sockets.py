"""Owns the sockets of an HTTP exchange: which addresses they reach, until when, and how much they read.

It does not own HTTP. The limits are kept at every single socket operation, below http.client and urllib3:
their own timeouts start again with every byte that arrives, and their readers trust what a server declares.
"""

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from shared.webhook import SendFailure

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

AddressInfo = tuple[int, int, int, str, tuple[str | int | bytes, ...]]
CheckAddress = Callable[[IPv4Address | IPv6Address], str | None]
"""Says why an address must not be called, or None if it may be."""


class Resolve(Protocol):
    """Has the form of socket.getaddrinfo; errors are OSError."""

    def __call__(self, host: str, port: int, *, type: int) -> Sequence[AddressInfo]:  # noqa: A002 - getaddrinfo's name
        """Return where *host* can be reached."""


class TransportError(Exception):
    """An exchange ended without a complete answer; whether to try again is the caller's decision.

    The text is for people. It holds no part of the URL behind the host, no header and no body. *status* is
    None unless a status line had come before the failure.
    """

    def __init__(self, failure: SendFailure, words: str, *, status: int | None = None) -> None:
        super().__init__(words)
        self.failure = failure
        self.words = words
        self.status = status


class Limits(Struct, kw_only=True):
    """What the running exchange may still do; *deadline* is in seconds of time.monotonic()."""

    deadline: float
    bytes_left: int
    check_address: CheckAddress | None
    resolve: Resolve

    def seconds_left(self) -> float:
        """Return the time left, which is more than zero.

        Raises:
            TransportError: the deadline has passed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _too_late()
        return left

    def bytes_to_read(self, wanted: int) -> int:
        """Return how many of the *wanted* bytes may be read now, at least one.

        Raises:
            TransportError: the server has sent more than any answer that would be used.
        """
        if self.bytes_left <= 0:
            raise TransportError(SendFailure.PROTOCOL, "the answer's headers or framing are too long")
        return min(wanted, self.bytes_left)


LIMITS: Final[ContextVar[Limits]] = ContextVar("limits of the running exchange")
"""Set around each exchange; a socket used outside of one raises LookupError instead of going unlimited."""


def open_socket(host: str, port: int) -> socket.socket:
    """Resolve *host* once, check every address found, and connect to the first of them that answers.

    Raises:
        TransportError: not resolved, an address that is refused, none that answers, or too late.
    """
    limits = LIMITS.get()
    found = _resolve(limits, host, port)
    if limits.check_address is not None:
        for *_, address in found:
            if refusal := limits.check_address(ip_address(str(address[0]))):
                raise TransportError(SendFailure.BLOCKED_ADDRESS, f"the address is not allowed: {refusal}")
    error: OSError | None = None
    for attempts_left, info in zip(range(len(found), 0, -1), found, strict=True):
        try:
            # A share of the time for each, so that a dead first address leaves some for the next.
            return _connect(limits, info, limits.seconds_left() / attempts_left)
        except OSError as exc:
            error = exc
    if error is None:
        raise TransportError(SendFailure.DNS, "the host name has no address")
    if isinstance(error, TimeoutError):
        raise _too_late()
    raise TransportError(SendFailure.CONNECTION, f"could not connect: {error.strerror or 'unknown error'}")


def _resolve(limits: Limits, host: str, port: int) -> Sequence[AddressInfo]:
    answers: SimpleQueue[Sequence[AddressInfo] | OSError | UnicodeError] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(limits.resolve(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as exc:
            answers.put(exc)

    # getaddrinfo knows no timeout: a thread of its own is left behind when it takes too long. Not from a
    # pool, which hung lookups would fill, and a daemon, which never holds up the end of the process.
    Thread(target=work, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=limits.seconds_left())
    except Empty:
        raise _too_late() from None
    if isinstance(answer, OSError):
        raise TransportError(SendFailure.DNS, f"the host name could not be resolved: {answer.strerror}")
    if isinstance(answer, UnicodeError):
        raise TransportError(SendFailure.BAD_URL, "the host name in the URL is not a valid one")
    return answer


def _connect(limits: Limits, info: AddressInfo, timeout_seconds: float) -> socket.socket:
    family, kind, protocol, _, address = info
    sock = _BoundedSocket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_seconds)
        sock.connect(address)
        # The TLS handshake keeps to the timeout that it finds, as a whole.
        sock.settimeout(limits.seconds_left())
    except BaseException:
        sock.close()
        raise
    return sock


def _too_late() -> TransportError:
    return TransportError(SendFailure.TIMEOUT, "the deadline passed before the answer was complete")


class _BoundedSocket(socket.socket):
    """Keeps to LIMITS in the operations that http.client uses."""

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        limits = LIMITS.get()
        self.settimeout(limits.seconds_left())
        count = super().recv_into(buffer, limits.bytes_to_read(nbytes or memoryview(buffer).nbytes), flags)
        limits.bytes_left -= count
        return count

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        self.settimeout(LIMITS.get().seconds_left())
        super().sendall(data, flags)


class BoundedTLSSocket(ssl.SSLSocket):
    """The same above TLS; set as sslsocket_class of an SSLContext."""

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        """Receive until the deadline, and no more than is left to read."""
        limits = LIMITS.get()
        self.settimeout(limits.seconds_left())
        count = super().recv_into(buffer, limits.bytes_to_read(nbytes or memoryview(buffer).nbytes), flags)
        limits.bytes_left -= count
        return count

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send until the deadline; sendall is made of this."""
        self.settimeout(LIMITS.get().seconds_left())
        return super().send(data, flags)
