"""Receivers that behave in every way a network can think of, on raw sockets of this machine.

A receiver plays its script to each connection, after reading the request; what it saw is kept for assertions.
"""

import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self

from shared.adapters.sockets import AddressInfo

Script = Callable[[socket.socket, bytes, Event], None]
"""Gets the connection, the request as it arrived, and the event that ends every wait."""


class Receiver:
    """Listens until the with block ends; *requests* holds what arrived, *connections* counts.

    *greeting* is sent as soon as somebody connects.
    """

    def __init__(
        self,
        script: Script,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        greeting: bytes = b"",
    ) -> None:
        self.script = script
        self._greeting = greeting
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._stop = Event()
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [Thread(target=self._listen)]
        self._open: set[socket.socket] = set()

    def url(self, path: str = "/", *, scheme: str | None = None, host: str = "127.0.0.1") -> str:
        """Return the address of *path* here, under the scheme that is spoken unless another one is given."""
        return f"{scheme or ('https' if self._tls else 'http')}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        # A shutdown wakes the accept; closing alone would leave it waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(5)
                connection.sendall(self._greeting)
                wrapped = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                self._open.add(wrapped)
                with wrapped:
                    while (request := read_request(wrapped)) and not self._stop.is_set():
                        self.requests.append(request)
                        self.script(wrapped, request, self._stop)
        except (OSError, ValueError):
            return  # the client hung up, which many scripts are there to provoke


def read_request(connection: socket.socket) -> bytes:
    """Return one request with its body, or nothing when the client has closed."""
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(65536)
        if not received:
            return b""
        request += received
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < lengths[0]:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def header_of(request: bytes, name: str) -> str | None:
    """Return the value of a header of *request*, or None."""
    for line in request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def answer(status: int | str, body: bytes = b"", *headers: str) -> bytes:
    """Return a well-formed answer with a declared length."""
    lines = [f"HTTP/1.1 {status} Some words", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def says(data: bytes, *, then_close: bool = True) -> Script:
    """Send *data*, then close or wait for the next request on the same connection."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(data)
        if then_close:
            hang_up(connection)

    return script


def hangs(before: bytes = b"") -> Script:
    """Send *before*, then nothing more."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(before)
        stop.wait()

    return script


def drips(before: bytes, drop: bytes) -> Script:
    """Send *before*, then *drop* again and again, slowly, for ever."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(before)
        while not stop.wait(0.02):
            connection.sendall(drop)

    return script


def floods(before: bytes, wave: bytes) -> Script:
    """Send *before*, then *wave* again and again as fast as it is taken, for ever."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(before)
        while not stop.is_set():
            connection.sendall(wave)

    return script


def resets(before: bytes = b"") -> Script:
    """Send *before*, then break the connection with a TCP reset."""

    def script(connection: socket.socket, request: bytes, stop: Event) -> None:
        connection.sendall(before)
        # A reset discards what is still on its way, so it waits until all has been acknowledged.
        stop.wait(0.1 if before else 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return script


def hang_up(connection: socket.socket) -> None:
    """Close so that the client sees the end of the stream after all that was sent."""
    connection.shutdown(socket.SHUT_RDWR)


class FakeResolve:
    """Stands in for getaddrinfo: each call takes the next list of addresses, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = answers
        self.calls = 0

    def __call__(self, host: str, port: int, *, type: int) -> list[AddressInfo]:  # noqa: A002 - getaddrinfo's name
        """Return the addresses whose turn it is."""
        addresses = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                type,
                socket.IPPROTO_TCP,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]
