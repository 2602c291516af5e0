"""Whatever a receiver answers instead of taking a message, everybody can see it a quarter of an hour later.

The table in docs/refusals.md is written by this test with REGENERATE_TRANSCRIPTS=1, and else compared with it.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from shared.web.http import Request
from shared.web.routes import Routes
from shared.webhook import SendFailure, WebhookAnswer, WebhookRequest
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import GRID, PAGER, SIGNED, SLACK

PAGE = Path(__file__).parents[2] / "docs/refusals.md"
TEAMS = {"name": "team", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"}
OTHER = {**SIGNED, "name": "other", "url": "https://b.example/other"}
FORMATS: Mapping[str, Mapping[str, object]] = {
    str(hook["format"]): hook for hook in (SIGNED, {**GRID, "keySetting": "PAGER_KEY"}, TEAMS, SLACK, PAGER)
}
TRIED_AT = (0, 1, 2, 3, 4, 5, 10, 15, 20, 25)
"""The third refusal comes within ten minutes; a quarter of an hour passes after it."""
MENDED_AT = 15
"""Not before the third refusal: what is over is no news to a pager, and nothing is left to be refused."""
BEAT = "https://beat.example/x"


def _silence(failure: SendFailure, reason: str) -> WebhookAnswer:
    took = timedelta(seconds=1)
    return WebhookAnswer(status=None, failure=failure, reason=reason, retry_after=None, body=b"", duration=took)


ANSWERS: Mapping[str, WebhookAnswer] = {
    **{str(status): refusal(status) for status in (400, 401, 403, 404, 410, 413, 429)},
    "429, wait for a day": refusal(429, headers={"retry-after": "86400"}),
    "302": refusal(302),
    "500": refusal(500),
    "no such name (DNS)": _silence(SendFailure.DNS, "the host name could not be resolved"),
    "blocked address": _silence(SendFailure.BLOCKED_ADDRESS, "10.0.0.1 is not a public address"),
    "TLS": _silence(SendFailure.TLS, "the certificate is not trusted"),
    "no answer in time": _silence(SendFailure.TIMEOUT, "no answer within 20 seconds"),
}


def _fails_and_is_mended(deployment: Deployment, minute: int) -> None:
    """So that nothing but the webhook is wrong in the end."""
    at = deployment.clock.now
    if minute in {0, MENDED_AT}:
        deployment.batch.add(a_job(), a_node(preparation=a_run(failed=minute == 0, ended=at)))


def _outcome(hook: Mapping[str, object], answer: WebhookAnswer) -> tuple[str, ...]:
    deployment = deploy(hook, OTHER, HEARTBEAT_URL=BEAT, STALE_AFTER_SECONDS="3600")
    told: list[str] = []

    def take(request: WebhookRequest) -> None:
        to_other = request.url == OTHER["url"]
        deployment.sender.answer = refusal(204) if to_other else answer
        if to_other:
            told.append(str(json.loads(request.body)["type"]).removeprefix("prepwatch."))

    deployment.sender.during = take
    before = 0
    for minute in TRIED_AT:
        deployment.clock.advance(minutes=minute - before)
        before = minute
        _fails_and_is_mended(deployment, minute)
        deployment.poll()
    name = str(hook["name"])
    listed = deployment.ask(lambda routes, asked: routes.webhooks.list_webhooks(asked)).body["value"]
    state = next(one["state"] for one in listed if one["name"] == name)
    summary = deployment.ask(Routes.summary).body
    named = [reason for reason in summary["reasons"] if f"webhook {name} " in reason]
    metrics = deployment.app.routes.system.metrics(Request()).body.decode()
    metric = next(
        line for line in metrics.splitlines() if line.startswith(f'prepwatch_webhook_failing{{webhook="{name}"')
    )
    beat = deployment.sender.called[-1].removeprefix(BEAT) or "well"
    others = ", ".join(sorted({kind for kind in told if kind.startswith("webhook.")}))
    assert named, summary["reasons"]
    return state, summary["status"], beat, metric.rpartition(" ")[2], others


@pytest.fixture(scope="module")
def table() -> str:
    """The table as the app makes it: an answer, the formats that fare alike, and how."""
    head = "| answer | formats | webhook | summary | heartbeat | `prepwatch_webhook_failing` | the others are told |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for said, answer in ANSWERS.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for kind, hook in FORMATS.items():
            alike.setdefault(_outcome(hook, answer), []).append(kind)
        for outcome, kinds in alike.items():
            formats = "every" if len(kinds) == len(FORMATS) else ", ".join(kinds)
            lines.append("| " + " | ".join([said, formats, *outcome]) + " |")
    return "\n".join(lines)


def test_the_page_says_what_comes_of_each_answer(table: str) -> None:
    """The table of the page is what the app does."""
    page = PAGE.read_text(encoding="utf-8")
    written = page[page.index("| answer |") :].split("\n\n")[0].rstrip("\n")
    if os.environ.get("REGENERATE_TRANSCRIPTS") == "1":
        PAGE.write_text(page.replace(written, table), encoding="utf-8")
        written = table
    assert table == written


def test_nothing_is_green_beside_a_webhook_that_takes_nothing(table: str) -> None:
    """For every format and answer: the webhook is failing or gone, the rest says so, and the others hear of it."""
    for line in table.splitlines()[2:]:
        *_, state, summary, beat, metric, others = [cell.strip() for cell in line.strip("|").split("|")]
        assert (state in {"failing", "disabled"}, summary, beat, metric) == (True, "degraded", "/fail", "1"), line
        assert others in {"webhook.failing", "webhook.disabled"}, line
