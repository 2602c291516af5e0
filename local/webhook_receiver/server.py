"""The HTTP server on loopback: one port, a path for each format.

Owns sockets and the way from a path to its receiver. Does not know what a receiver answers.
"""

from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.webhook_receiver.receiver import Receiver

LARGEST_BODY_BYTES = 1024 * 1024
ELSEWHERE = "cloudevents"


def serve(receivers: Mapping[str, Receiver], port: int) -> ThreadingHTTPServer:
    """Return a server on loopback, whose serve_forever() is for the caller; port 0 takes a free one.

    The path begins with the name of a receiver; any other path is that of `cloudevents`.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
                self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Content-Length missing or above 1 MiB")
                return
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            name = self.path.removeprefix("/").partition("?")[0].partition("/")[0]
            verdict = receivers.get(name, receivers[ELSEWHERE]).receive(self.path, headers, body)
            answer = verdict.answer.encode()
            self.send_response(verdict.status)
            for header, value in verdict.headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay silent: the receivers tell each request themselves."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
