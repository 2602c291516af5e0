"""A Batch account, a receiver and the settings of an app between them, all on loopback and in this process.

Owns the parts around the app. Does not own Azurite (`tests.support.azurite`).
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook as Verifier

from local.batch_simulator.server import Simulator
from local.batch_simulator.world import World

ACCOUNT = "prepwatchsim"
KEY = "bm90IGEgc2VjcmV0LCBvbmx5IGZvciB0ZXN0cw=="
SECRET = "whsec_" + "dGhpcyBpcyBub3QgYSBzZWNyZXQsIGl0IGlzIGEgdGVzdA=="


@dataclass(slots=True)
class Receiver:
    """A webhook receiver that refuses what is not signed right; `status` is what it answers to the rest."""

    url: str = ""
    status: int = 204
    received: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Verify and keep a delivery; the status to answer."""
        Verifier(SECRET).verify(body, dict(headers))
        self.bodies.append((headers["webhook-id"], body))
        if self.status < 300:
            self.received.append(json.loads(body))
        return self.status

    def nodes(self, kind: str) -> list[tuple[str, str]]:
        """Job and node of everything told under a type, sorted."""
        return sorted(
            (event["data"]["jobId"], node["nodeId"])
            for event in self.received
            if event["type"] == kind
            for node in event["data"]["nodes"]
        )


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running_account() -> Iterator[tuple[World, Simulator]]:
    """An empty Batch account whose world the test scripts; its clock is the system's."""
    world = World(now=datetime.now(UTC) - timedelta(hours=1))
    with Simulator(world, account=ACCOUNT, key=KEY) as simulator:
        yield world, simulator


def app_environment(batch_url: str, webhook_url: str, storage: str, **changes: str) -> dict[str, str]:
    """The settings of an app between an account, a receiver and a storage; its table is new."""
    return {
        "AzureWebJobsStorage": storage,
        "STATE_TABLE": f"t{uuid4().hex}",
        "BATCH_ACCOUNT_URLS": batch_url,
        "BATCH_ACCOUNT_NAME": ACCOUNT,
        "BATCH_ACCOUNT_KEY": KEY,
        "WEBHOOK_URL": webhook_url,
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "POLL_SCHEDULE": "0 * * * * *",
        **changes,
    }
