"""The whole app over hours of virtual time, with a webhook of each format whose receiver keeps to its service's limits.

Owns one job in a Batch account in memory, and what every receiver got of it. The receivers are the local stack's, which
share no code with the app.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from local.batch_simulator.statuses import Cause, Info, Phase, failed, running, succeeded
from local.stack_settings import other_webhooks
from local.webhook_receiver.eventgrid import TOPIC_KEY, EventGridTopic
from local.webhook_receiver.pagerduty import ROUTING_KEY, Incident, PagerDutyService
from local.webhook_receiver.service import Request, Service, Verdict
from local.webhook_receiver.signed import SignedWebhook, key_of
from local.webhook_receiver.slack import SlackWebhook
from local.webhook_receiver.teams import TeamsWorkflow
from shared.batch.model import TaskCounts
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import START, FakeClock
from tests.support.stack import SECRET
from tests.support.whole_app import whole_app

JOB, POOL = "nightly", "pool-1"
CAUSE = Cause(category="usererror", code="BlobNotFound", message="One of the specified Azure Blob(s) is not found.")
HOST = "account.westeurope.batch.azure.com"
CHAT = ("teams", "slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request, and what its service made of it."""

    request: Request
    verdict: Verdict

    @property
    def text(self) -> str:
        """What people see."""
        return "\n".join(self.verdict.shows)


@dataclass(slots=True)
class Services:
    """A `shared.ports.Sender` that leads to the local receivers."""

    clock: FakeClock
    received: dict[str, list[Received]] = field(default_factory=dict)
    pagerduty: PagerDutyService = field(default_factory=lambda: PagerDutyService(ROUTING_KEY))
    _lock: Lock = field(default_factory=Lock)
    _services: dict[str, Service] = field(init=False)

    def __post_init__(self) -> None:
        """Open every service."""
        self._services = {
            "cloudevents": SignedWebhook(key=key_of(SECRET)),
            "teams": TeamsWorkflow(),
            "slack": SlackWebhook(),
            "pagerduty": self.pagerduty,
            "eventgrid": EventGridTopic(key=TOPIC_KEY),
        }

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Hand a request to the service that its path names, as the local stack does."""
        path = "/" + request.url.split("/", 3)[3]
        name = path[1:].partition("?")[0]
        headers = {header.lower(): value for header, value in request.headers.items()}
        with self._lock:
            came = Request(path=path, headers=headers, body=request.body, at=self.clock())
            verdict = self._services[name].receive(came)
            self.received.setdefault(name, []).append(Received(request=came, verdict=verdict))
        return _answer(verdict)

    def get(self, url: str) -> WebhookAnswer:
        """Nobody calls."""
        raise AssertionError(url)


class ServiceWorld:
    """A job whose nodes fare as a test says; `pass_by` lets the timer fire each minute."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.services = Services(self.clock)
        self.batch = FakeBatch(jobs={JOB: _job("active", START)}, tasks=TaskCounts(active=50, running=5))
        self._nodes: dict[str, Mapping[str, object]] = {}
        self._show()
        self.app = whole_app(
            f"https://{HOST}",
            clock=self.clock,
            sender=self.services,
            batch={HOST: self.batch},
            WEBHOOK_URL="http://127.0.0.1:9/cloudevents",
            WEBHOOKS=other_webhooks(9),
            LOCAL_ROUTING_KEY=ROUTING_KEY,
            LOCAL_TOPIC_KEY=TOPIC_KEY,
        )

    def pass_by(self, time: timedelta) -> None:
        """Let time pass, a cycle each minute."""
        for _ in range(time // timedelta(minutes=1)):
            self.clock.advance(timedelta(minutes=1))
            self.app.poll()

    def fail(self, *nodes: str) -> None:
        """Preparation has failed on these a moment ago."""
        end = self.clock()
        self._set(nodes, failed(JOB, Phase.PREPARATION, CAUSE, start=end - timedelta(seconds=5), end=end))

    def begin(self, *nodes: str) -> None:
        """Preparation runs on these."""
        self._set(nodes, running(JOB, Phase.PREPARATION, start=self.clock()))

    def succeed(self, *nodes: str) -> None:
        """Preparation has succeeded on these a moment ago."""
        end = self.clock()
        self._set(nodes, succeeded(JOB, Phase.PREPARATION, start=end - timedelta(seconds=5), end=end))

    def move_job(self, state: str) -> None:
        """The job goes to another state."""
        self.batch.jobs[JOB] = _job(state, self.clock())

    def delete_job(self) -> None:
        """The job vanishes."""
        del self.batch.jobs[JOB]

    def told(self, name: str) -> list[Received]:
        """What a webhook has received so far."""
        return self.services.received.get(name, [])

    def refused(self) -> list[str]:
        """What any service did not take, and why."""
        return [
            f"{name}: {each.verdict.reason}"
            for name, several in self.services.received.items()
            for each in several
            if not each.verdict.accepted
        ]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events that a webhook for events has received, each as often as it came."""
        bodies = [json.loads(each.request.body) for each in self.told(name)]
        return [event for body in bodies for event in (body if isinstance(body, list) else [body])]

    def failures(self, name: str) -> Counter[str]:
        """How often such a webhook was told that preparation failed on each node."""
        told = [event for event in self.events(name) if event["type"] == "prepwatch.preparation.failed"]
        return Counter(node["nodeId"] for event in told for node in event["data"]["nodes"])

    @property
    def incidents(self) -> list[Incident]:
        """The pager's incidents."""
        return self.services.pagerduty.incidents

    def _set(self, nodes: Iterable[str], preparation: Info) -> None:
        for node in nodes:
            self._nodes[node] = {"poolId": POOL, "nodeId": node, "jobPreparationTaskExecutionInfo": preparation}
        self._show()

    def _show(self) -> None:
        self.batch.nodes[JOB] = [dict(self._nodes[node]) for node in sorted(self._nodes)]


def _job(state: str, since: datetime) -> dict[str, Any]:
    return {
        "id": JOB,
        "state": state,
        "creationTime": START.isoformat(),
        "stateTransitionTime": since.isoformat(),
        "executionInfo": {"poolId": POOL},
        "jobPreparationTask": {"waitForSuccess": True},
    }


def _answer(verdict: Verdict) -> WebhookAnswer:
    return WebhookAnswer(
        status=verdict.status,
        failure=None,
        reason=verdict.reason,
        retry_after=verdict.headers.get("Retry-After"),
        body=verdict.answer.encode(),
        duration=timedelta(milliseconds=80),
    )
