"""A loopback HTTP server that answers by script and writes down what it was asked.

Owns sockets and the log. Does not know what it plays: a test hands it the answers.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came: `target` is the raw request target, header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedAnswer:
    """One answer; a body in parts is sent part by part, chunked unless `headers` give a Content-Length.

    `hang_up` closes the connection behind the body, or instead of any answer when `status` is 0.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    hang_up: bool = False


class ScriptedServer:
    """Listens between enter and exit; the last of several replies is given for ever, a function is asked each time."""

    def __init__(self, *replies: ScriptedAnswer, respond: Callable[[Asked], ScriptedAnswer] | None = None) -> None:
        self.log: list[Asked] = []
        self.closing = threading.Event()
        self._replies = replies
        self._respond = respond
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The origin, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply_to(self, asked: Asked) -> ScriptedAnswer:
        """Log the request and take the next reply."""
        with self._lock:
            self.log.append(asked)
            place = len(self.log) - 1
        if self._respond is not None:
            return self._respond(asked)
        return self._replies[min(place, len(self._replies) - 1)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, script: ScriptedServer) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gives up is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(headers.get("content-length", 0)))  # a body left unread would reset the connection
        reply = self.server.script.reply_to(Asked(method=self.command, target=self.path, headers=headers))
        self.close_connection = self.close_connection or reply.hang_up
        if reply.status == 0:
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        sized = any(name.lower() == "content-length" for name in reply.headers)
        parts = [reply.body] if isinstance(reply.body, bytes) else reply.body
        chunked = not sized and not isinstance(reply.body, bytes)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not sized and isinstance(reply.body, bytes):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        for part in parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked and not reply.hang_up:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """What was asked goes into the script's log."""

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - names of the base class
