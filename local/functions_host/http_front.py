"""Owns the host's HTTP endpoints: routes, keys, admin and the 230 s limit; does not own what functions answer."""

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from azure.functions.meta import Datum

from local.functions_host.functions import Function
from local.functions_host.http_exchange import Request, Response, answer, trigger_data
from local.functions_host.keys import AuthLevel, Keys
from local.functions_host.routing import Route, find_route

_LOG = logging.getLogger(__name__)
_ADMIN = "/admin/"
_ADMIN_FUNCTIONS = "/admin/functions/"
_ADMIN_STATUS = "/admin/host/status"
LONGEST_REQUEST = timedelta(seconds=230)  # Azure's load balancer gives up then, the function goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFront:
    """Answers requests; *keys* is None when no keys are checked, as with Core Tools.

    *run* starts an HTTP function, *run_by_name* any other for the admin endpoint with its input (False: unknown).
    """

    routes: tuple[Route, ...]
    functions: Mapping[str, Function]
    keys: Keys | None
    run: Callable[[Function, Datum], "Future[Datum | None]"]
    run_by_name: Callable[[str, str], bool]
    longest_request: timedelta = LONGEST_REQUEST

    def respond(self, request: Request) -> Response:
        """The answer to *request*."""
        if request.path.lower().startswith(_ADMIN):
            return self._admin(request)
        found = find_route(self.routes, request.method, request.path)
        if found is None:
            return Response(status=404)
        route, parameters = found
        function = self.functions[route.function]
        level = AuthLevel(function.trigger.properties.get("authLevel") or AuthLevel.FUNCTION)
        if not self._allowed(request, level, function.name):
            return Response(status=401)
        running = self.run(function, trigger_data(request, parameters))
        ended, _ = wait([running], timeout=self.longest_request.total_seconds())
        if not ended:
            return Response(status=504)
        try:
            return answer(running.result())
        except Exception:  # noqa: BLE001 - whatever a function raises is a 500; the invoker has logged it
            return Response(status=500)

    def _admin(self, request: Request) -> Response:
        if not self._allowed(request, AuthLevel.ADMIN, None):
            return Response(status=401)
        if request.method == "GET" and request.path == _ADMIN_STATUS:
            body = json.dumps({"state": "Running"}).encode()
            return Response(status=200, headers=(("content-type", "application/json"),), body=body)
        if request.method != "POST" or not request.path.startswith(_ADMIN_FUNCTIONS):
            return Response(status=404)
        name = request.path.removeprefix(_ADMIN_FUNCTIONS)
        if name in self.functions:
            return Response(status=400, body=b"An HTTP function is run by a request to its route.")
        try:
            document = json.loads(request.body or b"{}")
            given = document.get("input")
        except (ValueError, AttributeError):
            return Response(status=400, body=b'The body must be JSON: {"input": "..."}')
        text = "" if given is None else given if isinstance(given, str) else json.dumps(given)
        return Response(status=202 if self.run_by_name(name, text) else 404)

    def _allowed(self, request: Request, level: AuthLevel, function: str | None) -> bool:
        key = request.header("x-functions-key") or request.query().get("code")
        return self.keys is None or self.keys.allow(level=level, function=function, key=key)


def serve(front: HttpFront, port: int) -> ThreadingHTTPServer:
    """A server bound to loopback *port* (0: a free one); its serve_forever() answers with *front*."""

    class Handler(_Handler):
        respond = staticmethod(front.respond)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    respond: Callable[[Request], Response]

    def _answer(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(Response(status=411))
            return
        request = Request(
            method=self.command,
            scheme_and_host=f"http://{self.headers.get('Host', 'localhost')}",
            target=self.path,
            headers=tuple(self.headers.items()),
            body=self.rfile.read(int(length)),
        )
        self._send(self.respond(request))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - looked up so

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

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        _LOG.debug(format, *args)
