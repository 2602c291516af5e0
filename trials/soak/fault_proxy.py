"""An HTTP proxy before one server that breaks chosen writes, so that a real part can fail like a network.

Owns the faults. Does not own what is sent: any storage service of Azurite will do.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

_HANG_LIMIT_SECONDS = 60  # nobody waits longer, whatever a test forgets
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class ProxyFault(StrEnum):
    """What happens to a write."""

    DROP_BEFORE = "drop_before"
    """The connection is reset; the server never hears of the write."""
    DROP_AFTER = "drop_after"
    """The server does the write, then the connection is reset."""
    UNAVAILABLE_AFTER = "503_after"
    """The server does the write, the client is told 503, and to come back in a minute."""
    HANG_AFTER = "hang_after"
    """The server does the write, the client hears nothing until `heal`."""


class QuietServer(ThreadingHTTPServer):
    """Serves clients that may die at any moment, which is no error of ours."""

    request_queue_size = 128  # the default of 5 makes bursts of connections wait

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show everything but that a client went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class FaultProxy:
    """Passes everything to *target* but the writes it was told to break; threads may share it.

    `writes` counts the writes seen (every method but GET and HEAD), broken ones too. Once all are
    broken they meet a fault, or get a status without the server being asked.
    """

    def __init__(self, target: str) -> None:
        self.writes = 0
        self._every: ProxyFault | HTTPStatus | None = None
        self._target = urlsplit(target).netloc
        self._broken: dict[int, ProxyFault] = {}
        self._healed = Event()
        self._lock = Lock()
        self._server = QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def break_write(self, fault: ProxyFault, *, nth: int = 1, times: int = 1) -> None:
        """Break the *nth* write from now on (1 is the next) and the ones after it, *times* in all."""
        with self._lock:
            self._healed.clear()
            self._broken.update((self.writes + nth + more, fault) for more in range(times))

    def break_all(self, fault: ProxyFault | HTTPStatus) -> None:
        """Break every write from now on."""
        with self._lock:
            self._healed.clear()
            self._every = fault

    def heal(self) -> None:
        """Break nothing any more, and let go of who hangs."""
        with self._lock:
            self._every = None
            self._broken.clear()
            self._healed.set()

    def _fault_of(self, method: str) -> ProxyFault | HTTPStatus | None:
        if method in {"GET", "HEAD"}:
            return None
        with self._lock:
            self.writes += 1
            return self._broken.pop(self.writes, self._every)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _close(self) -> None:
        self.heal()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes on or breaks what its `proxy` says."""

    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and content are two writes: the second would wait for 40 ms

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy._fault_of(self.command)
        if fault is ProxyFault.DROP_BEFORE:
            self._reset()
        elif isinstance(fault, HTTPStatus):
            self._say(fault, {}, b"")
        else:
            self._ask(fault, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

    def _ask(self, fault: ProxyFault | None, body: bytes) -> None:
        upstream = HTTPConnection(self.proxy._target)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            self._answer(fault, answer, answer.read())
        finally:
            upstream.close()

    def _answer(self, fault: ProxyFault | None, answer: HTTPResponse, content: bytes) -> None:
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        if fault is ProxyFault.HANG_AFTER:
            self.proxy._healed.wait(_HANG_LIMIT_SECONDS)
        if fault in {ProxyFault.HANG_AFTER, ProxyFault.DROP_AFTER}:
            self._reset()
            return
        if fault is ProxyFault.UNAVAILABLE_AFTER:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "60"}, b"")
        else:
            self._say(answer.status, headers, content)

    def _say(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """Close with RST, as a middlebox does, not with the polite FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Run a proxy before *target* (scheme, host and port) until the block is left."""
    proxy = FaultProxy(target)
    thread = Thread(target=proxy._serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy._close()
        thread.join()
