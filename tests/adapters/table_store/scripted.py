"""A table service that answers by a script, and the answers that tests write into it."""

import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from local.azurite import ACCOUNT, KEY
from shared.adapters.table_store import TableStore, open_table


class Answer(NamedTuple):
    """One scripted answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


CUT = {"Content-Length": "99"}


class Script(ThreadingHTTPServer):
    """A table service that gives these answers in turn, then the last one for ever; `asked` holds the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def store(self) -> TableStore:
        """A store that asks this service."""
        endpoint = f"http://127.0.0.1:{self.server_port}/{ACCOUNT}"
        connection_string = f"AccountName={ACCOUNT};AccountKey={KEY};TableEndpoint={endpoint}"
        return open_table(connection_string, "scripted", answer_timeout=timedelta(seconds=1))


class _Handler(BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        answer = self.server.answers[0]
        if len(self.server.answers) > 1:
            del self.server.answers[0]
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        promised = answer.headers.get("Content-Length", str(len(answer.body)))
        self.close_connection = promised != str(len(answer.body)) or "Transfer-Encoding" in answer.headers

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


def refusal(status: int, code: str, message: str) -> Answer:
    """An error as the service words it."""
    body = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}}).encode()
    return Answer(status, body, {"Content-Type": "application/json", "x-ms-error-code": code})


def page(*keys: str, follow: str | None) -> Answer:
    """A page of a range; *follow* is the row that the next page begins with."""
    rows = [{"odata.etag": "e", "PartitionKey": "p", "RowKey": key} for key in keys]
    headers = {"Content-Type": "application/json"}
    if follow is not None:
        headers |= {"x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": follow}
    return Answer(200, json.dumps({"value": rows}).encode(), headers)


def row(**members: object) -> dict[str, object]:
    """A row as the service answers it, with what OData adds."""
    known = {"odata.metadata": "https://x/$metadata#t/@Element", "odata.etag": "e", "PartitionKey": "p", "RowKey": "r"}
    return known | members
