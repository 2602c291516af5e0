"""A strictly compiled TypeScript client reads what the app answers."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.node import node
from shared.ports import ListingPage
from shared.web.http import Request
from shared.web.openapi import document, operation_id
from shared.web.operation_table import ROUTES
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "node_modules"
STRICT = ("--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noEmit", "--pretty", "false")
PARTS = {"jobId": "job-1", "nodeId": "node-1", "poolId": "pool-1", "name": "ops"}
BODIES: dict[str, object] = {
    "redeliver_events": {"state": "dead"},
    "dismiss_deliveries": {},
    "put_mute": {
        "jobs": ["other-*"],
        "startsAt": "2099-03-02T00:00:00Z",
        "endsAt": "2099-03-03T00:00:00Z",
        "createdBy": "Ann",
        "comment": "planned",
    },
}
LAST = {"disable_webhook", "untrack_job"}
SIBLINGS = ("events", "pools", "webhooks", "mutes", "system")
CLIENT = """
import type { components, operations } from "./api";

type Json<Reply> = Reply extends { content: { "application/json": infer Body } } ? Body : never;
type Good<Replies> = { [Status in keyof Replies & (200 | 201 | 202)]: Json<Replies[Status]> };
type Answer<Name extends keyof operations> =
  Good<operations[Name]["responses"]>[keyof Good<operations[Name]["responses"]>];
type Schemas = components["schemas"];

export function worst(summary: Answer<"summary">): string {
  const [job] = summary.value;
  if (summary.status === "ok" || job === undefined) return summary.accounts[0]?.lastGoodPoll ?? "never";
  const [cause] = job.causes;
  return `${job.jobId} ${cause?.phase === "preparation"} ${job.error?.requestId ?? ""} ${job.tracking === "gone"}`;
}
export function codes(nodes: Answer<"listNodes">): Array<number | undefined> {
  return nodes.value.map((node) => node.preparation?.execution.exitCode ?? undefined);
}
export function further(live: Answer<"listLiveNodes">): string | undefined {
  return live["odata.nextLink"] ?? undefined;
}
export const again: Schemas["RedeliveriesRequest"] = { state: "dead" };
// @ts-expect-error - no such status
export const mistyped = (summary: Answer<"summary">): boolean => summary.status === "fialing";
// @ts-expect-error - Batch leaves it out when there is none
export const code = (run: Schemas["ExecutionInfo"]): number => run.exitCode;
"""


def compile_client(folder: Path, client: str) -> str:
    """What the compiler finds wrong with a client of the app's document."""
    need(
        (MODULES / "openapi-typescript").is_dir(), "openapi-typescript is missing: run `python3 dev.py test-fast` once"
    )
    (folder / "openapi.json").write_bytes(document())
    (folder / "client.ts").write_text(client, encoding="utf-8")
    run = [str(node()), str(MODULES / "openapi-typescript/bin/cli.js"), "openapi.json", "-o", "api.d.ts"]
    subprocess.run(run, cwd=folder, check=True, capture_output=True, timeout=120)
    run = [str(node()), str(MODULES / "typescript/bin/tsc"), *STRICT, "client.ts"]
    return subprocess.run(run, cwd=folder, check=False, capture_output=True, text=True, timeout=120).stdout


def _answers(deployment: Deployment) -> dict[str, Any]:
    """A good answer of every function that answers JSON of a shape, by the operation's name."""
    owners = (deployment.app.routes, *(getattr(deployment.app.routes, name) for name in SIBLINGS))
    event = deployment.ask(lambda routes, asked: routes.events.list_events(asked)).body["value"][-1]["id"]
    given = {}
    for route in sorted(ROUTES, key=lambda route: route.function in LAST):
        handlers = [getattr(owner, route.function) for owner in owners if hasattr(type(owner), route.function)]
        if not any(reply.shape for reply in route.answers):
            continue
        request = Request(
            url="https://app.example/api/x",
            route={**PARTS, "eventId": event},
            body=json.dumps(BODIES.get(route.function)).encode(),
        )
        answer = handlers[0](request)
        assert answer.status in {reply.status for reply in route.answers}, route.function
        given[operation_id(route.function)] = json.loads(answer.body)
    return given


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What an app answers that has told a failure."""
    deployment = deploy()
    runs = a_run(failed=True), a_run()
    deployment.batch.add(a_job(), *(a_node(f"node-{number}", preparation=run) for number, run in enumerate(runs, 1)))
    deployment.batch.page = ListingPage(
        value=b'[{"poolId":"p","nodeId":"n","jobPreparationTaskExecutionInfo":{"exitCode":1}}]', next_link="https://a/b"
    )
    deployment.poll()
    return _answers(deployment)


@pytest.mark.slow
def test_a_typescript_client_reads_the_answers(tmp_path: Path, answers: dict[str, Any]) -> None:
    """What openapi-typescript makes of the document compiles, takes every answer, and refuses typing errors."""
    assert len(answers) >= 18
    values = "".join(
        f"export const {name}_: Answer<{json.dumps(name)}> = {json.dumps(value)};\n" for name, value in answers.items()
    )
    assert compile_client(tmp_path, CLIENT + values) == ""
