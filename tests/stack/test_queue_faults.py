"""The whole app beside a queue service that refuses, is away or hangs: nothing but the nudges is late."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from local.azurite import KEY, Azurite
from local.batch_simulator.server import Simulator
from local.batch_simulator.statuses import Cause, Phase, failed
from local.batch_simulator.world import World
from tests.stack.host import RunningHost, running_host
from tests.support.stack import Receiver, app_environment, running_receiver
from trials.soak.fault_proxy import FaultProxy, ProxyFault, fault_proxy

TOKEN = "a-token-of-the-apps-identity"
PATIENCE = 30
WITHIN = 3
JOB = "job-1"
BODIES: Mapping[str, object] = {
    "put_mute": {"jobs": ["none"], "endsAt": "2099-01-01T00:00:00Z", "createdBy": "somebody", "comment": "quiet"},
    "redeliver_events": {"webhook": "default", "state": "dead"},
}


@contextmanager
def _identity() -> Iterator[str]:
    """What gives the app's identity its tokens, as App Service does; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"access_token": TOKEN, "expires_on": str(int(time.time()) + 86400), "token_type": "Bearer"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The app with two accounts, polled every other second, and a queue service that can be broken."""

    host: RunningHost
    worlds: tuple[World, ...]
    receiver: Receiver
    queue: FaultProxy

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the app."""
        headers = {"x-functions-key": self.host.key}
        return requests.request(method, f"{self.host.url}/api/{path}", headers=headers, timeout=60, **options)

    def fail(self, node: str) -> None:
        """Let preparation fail on a node in each account."""
        now = datetime.now(UTC)
        cause = Cause(code="BlobNotFound", message="The specified blob does not exist.", category="UserError")
        for world in self.worlds:
            broken = failed(JOB, Phase.PREPARATION, cause, start=now - timedelta(seconds=2), end=now)
            world.set_status(JOB, "pool-1", node, preparation=broken)

    def polls(self) -> tuple[str, ...]:
        """When each account was last polled well."""
        accounts = self.ask("GET", "summary").json()["accounts"]
        return tuple(account["lastGoodPoll"] or "" for account in accounts)


@pytest.fixture(scope="module")
def stack(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests; it runs as the instances of `poll` do on Flex Consumption, which listen to no queue."""
    worlds = tuple(World(now=datetime.now(UTC) - timedelta(hours=1)) for _ in range(2))
    for world in worlds:
        world.add_job(JOB, creation_time=datetime.now(UTC) - timedelta(minutes=5), pool="pool-1")
    with ExitStack() as parts:
        urls = []
        for number, world in enumerate(worlds):
            simulator = parts.enter_context(Simulator(world, account=f"account{number}", key=KEY, token=TOKEN))
            urls.append(simulator.url)
        receiver = parts.enter_context(running_receiver())
        queue = parts.enter_context(fault_proxy(azurite.queue))
        storage = azurite.connection_string.replace(f"{azurite.queue}/", f"{queue.url}/")
        environment = app_environment(
            ",".join(urls),
            receiver.url,
            storage,
            BATCH_ACCOUNT_NAME="",
            BATCH_ACCOUNT_KEY="",
            POLL_SCHEDULE="*/2 * * * * *",
            POLL_BUDGET_SECONDS="1",
            IDENTITY_ENDPOINT=parts.enter_context(_identity()),
            IDENTITY_HEADER="local",
        )
        state = tmp_path_factory.mktemp("queue-faults")
        host = parts.enter_context(running_host(state, environment, "--group", "poll"))
        stack = Stack(host=host, worlds=worlds, receiver=receiver, queue=queue)
        stack.fail("node-0")
        _wait_for(lambda: len(receiver.nodes("prepwatch.preparation.failed")) >= len(worlds), "the first failures")
        yield stack


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.1)


def _answers(stack: Stack) -> tuple[dict[str, int], dict[str, float]]:
    """The status of each route, asked about things that are there, and the seconds that it took."""
    account = {"account": stack.ask("GET", "summary").json()["accounts"][0]["account"]}
    event = stack.ask("GET", "events", params=account).json()["value"][0]["id"]
    there = {"jobId": JOB, "nodeId": "node-0", "eventId": event, "name": "default", "poolId": "pool"}
    statuses, seconds = {}, {}
    for path, methods in stack.ask("GET", "openapi.json").json()["paths"].items():
        for method in methods.keys() & {"get", "put", "post", "delete"}:
            operation = methods[method]["operationId"]
            answer = stack.ask(
                method.upper(), path.removeprefix("/api/").format(**there), params=account, json=BODIES.get(operation)
            )
            statuses[operation] = answer.status_code
            seconds[operation] = answer.elapsed.total_seconds()
    stack.ask("PUT", f"jobs/{JOB}", params=account)
    stack.ask("POST", "webhooks/default/enable")
    return statuses, seconds


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(HTTPStatus.FORBIDDEN, "403", id="refuses"),
        pytest.param(HTTPStatus.SERVICE_UNAVAILABLE, "503", id="unavailable"),
        pytest.param(ProxyFault.DROP_BEFORE, "queue service", id="unreachable"),
        pytest.param(ProxyFault.HANG_AFTER, "queue service", id="slow"),
    ],
)
def test_a_sick_queue_service_makes_nothing_but_nudges_late(
    stack: Stack, fault: ProxyFault | HTTPStatus, reason: str
) -> None:
    """Every route answers as without the fault and in time, both accounts are polled well, deliveries go out.

    Health, summary and diagnostics name what is wrong, and no longer once the queue takes nudges again.
    """
    before, _ = _answers(stack)
    stack.queue.break_all(fault)
    try:
        polled = stack.polls()
        known = len(stack.receiver.nodes("prepwatch.preparation.failed"))
        stack.fail(f"node-{fault}")
        _wait_for(
            lambda: len(stack.receiver.nodes("prepwatch.preparation.failed")) >= known + len(polled), "the failures"
        )
        _wait_for(lambda: all(now > then for now, then in zip(stack.polls(), polled, strict=True)), "good polls")

        after, seconds = _answers(stack)
        assert after == before
        assert {name: taken for name, taken in seconds.items() if taken > WITHIN} == {}

        summary, health = stack.ask("GET", "summary").json(), stack.ask("GET", "health")
        assert health.status_code == HTTPStatus.OK
        assert any("queue" in line for line in health.json()["reasons"]), health.json()
        assert any(reason in line for line in summary["reasons"]), summary["reasons"]
        failing = [check for check in stack.ask("GET", "diagnostics").json()["value"] if not check["ok"]]
        assert any(reason in check["message"] for check in failing), failing
    finally:
        stack.queue.heal()
    _wait_for(lambda: not any(reason in line for line in stack.ask("GET", "summary").json()["reasons"]), "the end")
