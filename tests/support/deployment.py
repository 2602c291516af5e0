"""The whole app over fakes: settings as people write them, time and the outside in the test's hand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from shared.batch.model import BatchJob, ExecutionInfo, FailureInfo, JobPreparationTask, NodeStatus
from shared.composition import App, compose
from shared.parts import Outside
from shared.polling.counters import RequestCounter
from shared.ports import Lanes, Table
from shared.settings.settings import Settings, load_settings
from shared.web.errors import error_answer
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.app_settings import LEAST
from tests.support.fake_batch import FakeBatch
from tests.support.fake_table import FakeTable
from tests.support.fakes import START, FakeClock, FakeQueues, FakeSender, InlineLanes, nobody_waits
from tests.support.webhook_settings import ENVIRONMENT, SIGNED

NOW = START
ACCOUNT = "myaccount.westeurope.batch.azure.com"
OTHER_ACCOUNT = "other.northeurope.batch.azure.com"
_IDS = count(1)  # apps that share a table must not share ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedAnswer:
    """An answer with its body decoded."""

    status: int
    headers: Mapping[str, str]
    body: Any
    nudges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An app and its outside."""

    app: App
    table: Table
    batches: Mapping[str, FakeBatch]
    sender: FakeSender
    clock: FakeClock
    requests: Mapping[str, RequestCounter]
    queues: FakeQueues
    unreachable: dict[str, str]
    """Why an address can't be called, by address."""

    @property
    def batch(self) -> FakeBatch:
        """The first account."""
        return self.batches[ACCOUNT]

    def poll(self, account: str = ACCOUNT) -> None:
        """Run a cycle."""
        self.app.pollers[account].run()

    def deliver(self, account: str = ACCOUNT) -> None:
        """Deliver what is due."""
        self.app.deliveries.run(account, timedelta(seconds=60))

    def ask(
        self,
        handler: Callable[[Routes, Request], Answer],
        query: Mapping[str, str] | None = None,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **route: str,
    ) -> DecodedAnswer:
        """Call a route as the platform's translator does: errors become answers."""
        request = Request(
            url="https://app.example/api/x?code=key",
            query=query or {},
            route=route,
            headers=headers or {},
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        )
        try:
            answer = handler(self.app.routes, request)
        except Exception as error:  # noqa: BLE001 - as function_app does
            answer = error_answer(error)
        decoded = json.loads(answer.body) if answer.body else None
        return DecodedAnswer(status=answer.status, headers=answer.headers, body=decoded, nudges=tuple(answer.nudges))


def build(settings: Settings | Mapping[str, str], **parts: Any) -> tuple[App, Outside]:
    """The app of these settings, the one place where tests build it; `parts` take the place of fakes in its outside.

    Empty settings are left out.
    """
    if not isinstance(settings, Settings):
        settings = load_settings({name: value for name, value in settings.items() if value})
    fakes: dict[str, Any] = {
        "table": FakeTable(),
        "batch": {},
        "sender": FakeSender(),
        "lanes": InlineLanes(),
        "clock": FakeClock(),
        "queues": FakeQueues(),
        "pause": nobody_waits,
        "new_id": lambda: f"id-{next(_IDS)}",
    }
    outside = Outside(**{**fakes, **parts})
    return compose(settings, outside), outside


def deploy(
    *webhooks: Mapping[str, object],
    batches: Mapping[str, FakeBatch] | None = None,
    table: Table | None = None,
    clock: FakeClock | None = None,
    sender: FakeSender | None = None,
    lanes: Lanes | None = None,
    accounts: int = 1,
    **environment: str,
) -> Deployment:
    """An app with these webhooks (none given: one that is signed, named ops); the outside is empty.

    `batches` by host stand for the accounts, empty ones if none are given.
    """
    if batches is None:
        batches = {host: FakeBatch() for host in (ACCOUNT, OTHER_ACCOUNT)[:accounts]}
    settings = load_settings(
        {
            **LEAST,
            **ENVIRONMENT,
            "BATCH_ACCOUNT_URLS": ",".join(f"https://{host}" for host in batches),
            "WEBHOOKS": json.dumps(list(webhooks) or [SIGNED]),
            **environment,
        }
    )
    clock, sender, queues = clock or FakeClock(), sender or FakeSender(), FakeQueues()
    unreachable: dict[str, str] = {}
    app, outside = build(
        settings,
        batch=batches,
        clock=clock,
        sender=sender,
        pause=clock.pause,
        requests={host: RequestCounter() for host in batches},
        check_address=unreachable.get,
        queues=queues if settings.queue_storage is not None else None,
        **{name: part for name, part in {"table": table, "lanes": lanes}.items() if part is not None},
    )
    return Deployment(
        app=app,
        table=outside.table,
        batches=batches,
        sender=sender,
        clock=clock,
        requests=outside.requests,
        queues=queues,
        unreachable=unreachable,
    )


def a_job(job_id: str = "job-1", *, state: str = "active", created: datetime = NOW - timedelta(hours=2)) -> BatchJob:
    """A job with a preparation task."""
    return BatchJob(
        id=job_id,
        state=state,
        creation_time=created,
        state_transition_time=created,
        job_preparation_task=JobPreparationTask(wait_for_success=True),
    )


def a_run(*, failed: bool = False, ended: datetime = NOW - timedelta(minutes=5), code: str = "Oops") -> ExecutionInfo:
    """A completed run of ten seconds."""
    return ExecutionInfo(
        start_time=ended - timedelta(seconds=10),
        end_time=ended,
        state="completed",
        result="failure" if failed else "success",
        exit_code=1 if failed else 0,
        failure_info=FailureInfo(category="userError", code=code, message=f"It went wrong: {code}") if failed else None,
    )


def a_node(
    node_id: str = "node-1",
    *,
    pool_id: str = "pool-1",
    preparation: ExecutionInfo | None = None,
    release: ExecutionInfo | None = None,
) -> NodeStatus:
    """The status of a node."""
    return NodeStatus(pool_id=pool_id, node_id=node_id, preparation=preparation, release=release)
