"""Deployments in which something was told, and how to ask for it again."""

from collections.abc import Mapping
from typing import Any

from shared.ports import Table
from shared.state.rows import range_of
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED

SECOND = {**SIGNED, "name": "second", "url": "https://b.example/hook"}


def redeliver_event(routes: Any, request: Request) -> Answer:
    """The route."""
    answer: Answer = routes.events.redeliver_event(request)
    return answer


def event_ids(deployment: Deployment) -> list[str]:
    """The ids of the events of jobs, as the list has them."""
    listed = deployment.ask(lambda routes, asked: routes.events.list_events(asked)).body["value"]
    return [event["id"] for event in listed if event["jobId"]]


def deliveries(deployment: Deployment, partition: str = ACCOUNT) -> list[str]:
    """The deliveries' states and webhooks, without the events' ids."""
    return [
        row.key.rpartition("|")[0]
        for state in DeliveryState
        for row in deployment.table.query(partition, *range_of(state.value))
    ]


def told_one(*webhooks: Mapping[str, object], status: int = 204, table: Table | None = None) -> Deployment:
    """An app that has told one failure, and what came of it is settled."""
    deployment = deploy(*webhooks, table=table)
    deployment.sender.answer = ACCEPTED if status == 204 else refusal(status)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    for _ in range(4):
        deployment.clock.advance(minutes=10)
        deployment.deliver()
    if status == 410:
        deployment.ask(lambda routes, asked: routes.webhooks.enable_webhook(asked), name="ops")
    return deployment
