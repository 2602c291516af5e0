"""The HTTP server on loopback: sockets, credentials, faults and the log around the operations.

Owns the order in which a request meets them. Does not know what an operation answers.
"""

import socket
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from local.batch_simulator import admin
from local.batch_simulator.auth import Gate
from local.batch_simulator.faults import Fault, Faults, LoggedRequest, RequestLog
from local.batch_simulator.operations import find_operation, perform
from local.batch_simulator.protocol import (
    Answer,
    BatchError,
    Request,
    check_request_headers,
    error_answer,
    format_http_date,
    with_common_headers,
)
from local.batch_simulator.world import World


def now_utc() -> datetime:
    """The clock of a world that lives in real time."""
    return datetime.now(UTC)


class Simulator:
    """A Batch account over HTTP; a context manager that listens between enter and exit.

    `port` 0 takes a free one; `token` is the one bearer token that is accepted, None accepts none. Before
    every request the world is advanced to `clock()`, which is also what dates of requests are held against.
    """

    def __init__(
        self,
        world: World,
        *,
        account: str,
        key: str,
        port: int = 0,
        token: str | None = None,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self.world = world
        self.faults = Faults()
        self.log = RequestLog()
        self._gate = Gate(account=account, key=key, token=token)
        self._clock = clock
        self._stopping = threading.Event()
        self._server = _Server(port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The account's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[LoggedRequest]:
        """What the account was asked so far, without /_sim/."""
        return self.log.all()

    def inject(
        self,
        match: str,
        status: int | None = None,
        code: str | None = None,
        *,
        message: str | None = None,
        retry_after: float | str | None = None,
        times: int | None = 1,
        delay_seconds: float = 0.0,
        body: str | None = None,
        cut: bool = False,
    ) -> None:
        """Let the next `times` requests that match go wrong (None: all of them).

        `match` is an operation's name (such as Job_List) or a regular expression found in the path; the rest
        is described at `faults.Fault`.
        """
        fault = Fault(
            status=status,
            code=code,
            message=message,
            retry_after=None if retry_after is None else str(retry_after),
            delay_seconds=delay_seconds,
            body=body,
            cut=cut,
        )
        self.faults.inject(match, fault, times=times)

    def answer(self, request: Request) -> Answer | None:
        """What the account answers; None when the connection is to be cut."""
        if request.path.startswith(admin.PREFIX):
            self.world.advance(self._clock())
            return admin.administer(self.world, self.faults, self.log, request)
        operation = _operation_name(request)
        fault = self.faults.take(operation, request.path)
        if fault is not None and fault.delay_seconds:
            self._stopping.wait(fault.delay_seconds)
        answer = self._answer_account(request, fault)
        cut = fault is not None and fault.cut
        self.log.add(
            LoggedRequest(
                method=request.method,
                path=request.path,
                query="&".join(f"{name}={value}" for name, value in request.query.items()),
                operation=operation,
                status=0 if cut else answer.status,
                when=self._clock(),
            )
        )
        return None if cut else answer

    def _answer_account(self, request: Request, fault: Fault | None) -> Answer:
        request_id, now = str(uuid.uuid4()), self._clock()
        self.world.advance(now)
        try:
            if fault is not None and fault.status is not None:
                answer = _fault_answer(fault)
            else:
                self._gate.check(request, now)
                check_request_headers(request)
                answer = perform(self.world, request)
        except BatchError as exc:
            answer = error_answer(exc, base_url=request.base_url, request_id=request_id, now=now)
        return with_common_headers(answer, request, request_id)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


def _operation_name(request: Request) -> str:
    try:
        return find_operation(request)[0].name
    except BatchError as exc:
        return exc.code


def _fault_answer(fault: Fault) -> Answer:
    status = fault.status or HTTPStatus.INTERNAL_SERVER_ERROR
    if fault.body is not None:
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        return Answer(status=status, body=fault.body.encode(), headers=headers)
    raise BatchError(fault.code or "InternalError", status=status, message=fault.message, retry_after=fault.retry_after)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # the default of 5 makes the kernel drop bursts of connections
    daemon_threads = False  # so that closing waits for the answers under way

    def __init__(self, port: int, simulator: Simulator) -> None:
        self.simulator = simulator
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that a stopped simulator is really gone."""
        with self._guard:
            for connection in self._connections:
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error; everything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _respond(self) -> None:
        parts = urlsplit(self.path)
        host = self.headers.get("Host") or "{}:{}".format(*self.server.server_address[:2])
        request = Request(
            method=self.command,
            path=parts.path,
            query={name: values[0] for name, values in parse_qs(parts.query).items()},
            headers={name.lower(): value for name, value in self.headers.items()},
            base_url=f"http://{host}",
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        answer = self.server.simulator.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        length = len(answer.body) if answer.content_length is None else answer.content_length
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(length),
            "Date": format_http_date(now_utc()),
            **answer.headers,
        }
        reason = self.responses.get(HTTPStatus(answer.status), ("",))[0] if _is_known(answer.status) else ""
        head = f"HTTP/1.1 {answer.status} {reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        # One write for all: two would wait for each other's acknowledgement on a kept connection.
        self.wfile.write(head.encode("latin-1") + (b"" if self.command == "HEAD" else answer.body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Requests go into the simulator's own log."""

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - names of the base class


def _is_known(status: int) -> bool:
    return status in {known.value for known in HTTPStatus}
