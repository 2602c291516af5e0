"""Owns the host's HTTP server: routes, keys and the 230 s limit; does not own what functions and admin answer.

Limits and statuses are Kestrel's, as the host sets it up.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from azure.functions.meta import Datum

from local.functions_host.admin import Admin
from local.functions_host.functions import Function
from local.functions_host.http_exchange import Request, Response, answer, trigger_data
from local.functions_host.keys import AuthLevel, Keys
from local.functions_host.routing import BadPathError, Route, decode_path, find_route

_LOG = logging.getLogger(__name__)
LONGEST_REQUEST = timedelta(seconds=230)  # Azure's load balancer gives up then, the function goes on
_LONGEST_REQUEST_LINE = 8192
_LARGEST_BODY = 100 * 1024 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_HOMEPAGE = Response(
    status=200,
    headers=(("content-type", "text/html"),),
    body=b"<!DOCTYPE html><title>Functions</title><p>Your Azure Function App is up and running.\n",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFront:
    """Answers requests by the first of *routes*; *keys* is None when none are checked, as with Core Tools.

    *run* starts an HTTP function. *homepage* says whether `/` shows a page.
    """

    routes: tuple[Route, ...]
    functions: Mapping[str, Function]
    keys: Keys | None
    run: Callable[[Function, Datum], "Future[Datum | None]"]
    admin: Admin
    homepage: bool
    longest_request: timedelta = LONGEST_REQUEST

    def respond(self, request: Request) -> Response:
        """The answer to *request*."""
        try:
            path = decode_path(request.path)
        except BadPathError:
            return Response(status=400)
        if path.lower().startswith("/admin/"):
            return self._admin(request, path)
        found = find_route(self.routes, request.method, path)
        if found is not None:
            return self._call(request, path, *found)
        if path == "/":
            return _HOMEPAGE if self.homepage else Response(status=204)
        return Response(status=404)

    def _call(self, request: Request, path: str, route: Route, parameters: Mapping[str, str]) -> Response:
        function = self.functions[route.function]
        needed = AuthLevel(function.trigger.properties.get("authLevel") or AuthLevel.FUNCTION)
        if not self._level(request, function.name).covers(needed):
            return Response(status=401)
        running = self.run(function, trigger_data(request, path, parameters))
        ended, _ = wait([running], timeout=self.longest_request.total_seconds())
        if not ended:
            return Response(status=504)
        try:
            return answer(running.result())
        except Exception:  # noqa: BLE001 - whatever a function raises is a 500; the invoker has logged it
            return Response(status=500)

    def _admin(self, request: Request, path: str) -> Response:
        shown = self._level(request, None)
        if shown is AuthLevel.ANONYMOUS:
            return Response(status=401, headers=(("WWW-Authenticate", "Bearer"),))
        if shown is not AuthLevel.ADMIN:
            return Response(status=403)
        return self.admin.respond(request, path)

    def _level(self, request: Request, function: str | None) -> AuthLevel:
        return AuthLevel.ADMIN if self.keys is None else self.keys.level(request.key(), function)


def serve(front: HttpFront, port: int) -> ThreadingHTTPServer:
    """A server bound to loopback *port* (0: a free one); its serve_forever() answers with *front*."""

    class Handler(_Handler):
        respond = staticmethod(front.respond)

    return _Server(("127.0.0.1", port), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # Kestrel's own

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that went away before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _BadRequestError(Exception):
    """The request can't be read to its end, so that nothing behind it can be either."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    respond: Callable[[Request], Response]

    def __getattr__(self, name: str) -> Any:
        # The base class looks for do_GET, do_PATCH and so on; a method that no route has is a 404 as well.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        try:
            request = self._request()
        except _BadRequestError as exc:
            self.close_connection = True
            self._send(Response(status=exc.status))
            return
        self._send(self.respond(request))

    def _request(self) -> Request:
        if len(self.raw_requestline) > _LONGEST_REQUEST_LINE:
            raise _BadRequestError(414)
        return Request(
            method=self.command,
            scheme_and_host=f"http://{self.headers.get('Host', 'localhost')}",
            target=self.requestline.split()[1],  # self.path has lost what `//` it began with
            headers=tuple(self.headers.items()),
            body=self._body(),
        )

    def _body(self) -> bytes:
        # The host hands over a body only when its length was announced: one in chunks is read and dropped.
        if "Transfer-Encoding" in self.headers:
            self._skip_chunks()
            return b""
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdecimal()):
            raise _BadRequestError(400)
        if int(length) > _LARGEST_BODY:
            raise _BadRequestError(413)
        return self.rfile.read(int(length))

    def _skip_chunks(self) -> None:
        while True:
            size = _CHUNK_SIZE.fullmatch(self.rfile.readline(_LONGEST_REQUEST_LINE))
            if size is None:
                raise _BadRequestError(400)
            if int(size[1], 16) == 0:
                break
            self.rfile.read(int(size[1], 16))
            self.rfile.readline(_LONGEST_REQUEST_LINE)
        while self.rfile.readline(_LONGEST_REQUEST_LINE).strip():
            pass  # what trails the last chunk

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if response.status not in {204, 304}:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in {204, 304}:
            self.wfile.write(response.body)

    def send_error(self, code: int, *_: object) -> None:
        """Answer what the base class can't read with the status alone."""
        self.close_connection = True
        self._send(Response(status=code))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        _LOG.debug(format, *args)
