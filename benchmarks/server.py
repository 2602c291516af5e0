"""`python -m benchmarks.server`: a Batch account whose every answer is ready in memory, in a process of its own.

Owns serving prebuilt bytes as fast as plain sockets allow, and counting requests. Does not own what they say (`pages`),
and checks neither signatures nor parameters. A POST is a webhook and is answered 204. Ends with its standard input.

    PUT /_world    builds another account (see `pages.World`) and sets the counts to zero
    GET /_counts   how many requests came since: {"jobs": ..., "job": ..., "statuses": ..., "webhooks": ...}
"""

import json
import socketserver
import sys
import threading
import time
from collections import Counter
from io import BufferedIOBase
from urllib.parse import unquote

from benchmarks.pages import (
    World,
    job_body,
    job_id,
    job_pages,
    node_count_pages,
    node_pages,
    pages_of,
    pool_body,
    pool_id,
)

_Key = tuple[str, str, bool]  # path, skip token, whether completed jobs are filtered out


class Account:
    """All answers of one world."""

    def __init__(self, world: World, base: str) -> None:
        self.delay_seconds = world.delay_ms / 1000
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._answers: dict[_Key, tuple[str, bytes]] = {}
        for filtered in (False, True):
            for token, body in job_pages(world, with_completed=not filtered, base=base):
                self._answers["/jobs", token, filtered] = "jobs", _answer(200, body)
        for token, body in node_count_pages(world, base):
            self._answers["/nodecounts", token, False] = "nodeCounts", _answer(200, body)
        for number in range(world.pools):
            path = f"/pools/{pool_id(number)}"
            self._answers[path, "", False] = "pool", _answer(200, pool_body(world, number))
            for token, body in node_pages(world, number, base):
                self._answers[f"{path}/nodes", token, False] = "nodes", _answer(200, body)
        for number in range(world.active):
            path = f"/jobs/{job_id(number)}"
            self._answers[path, "", False] = "job", _answer(200, job_body(world, number))
            counts = b'{"active":1,"running":1,"completed":0,"succeeded":0,"failed":0}'
            self._answers[f"{path}/taskcounts", "", False] = "taskCounts", _answer(200, counts)
            self._answers[f"{path}/tasks", "", False] = "tasks", _answer(200, b'{"value":[]}')
            for token, body in pages_of(world, number, base):
                key = f"{path}/jobpreparationandreleasetaskstatus", token, False
                self._answers[key] = "statuses", _answer(200, body)

    def answer(self, target: str) -> bytes:
        """The answer to a GET, counted."""
        path, _, query = target.partition("?")
        options = dict(part.partition("=")[::2] for part in query.split("&"))
        token = options.get("%24skipToken", options.get("$skipToken", ""))
        filtered = "stateTransitionTime ge" in unquote(options.get("%24filter", ""))
        kind, answer = self._answers.get((path, token, filtered), ("unknown", _answer(404, b"{}")))
        self.count(kind)
        return answer

    def count(self, kind: str) -> None:
        """Note a request."""
        with self._lock:
            self.counts[kind] += 1


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    account: Account

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, target, _ = line.decode("latin-1").split(" ", 2)
            body = self.rfile.read(_content_length(self.rfile))
            self.wfile.write(self._answer(method, target, body))

    def _answer(self, method: str, target: str, body: bytes) -> bytes:
        if method == "PUT":
            self.server.account = Account(World(**json.loads(body)), self.server.base)
            return _answer(204, b"")
        account = self.server.account
        if target == "/_counts":
            return _answer(200, json.dumps(account.counts).encode())
        if account.delay_seconds:
            time.sleep(account.delay_seconds)
        if method == "POST":
            account.count("webhooks")
            return _answer(204, b"")
        return account.answer(target)


def _content_length(lines: BufferedIOBase) -> int:
    length = 0
    while (line := lines.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return length


def _answer(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def main() -> None:
    """Serve until standard input ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.account = Account(World(), server.base)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.base, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
