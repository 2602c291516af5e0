"""A pager's rules find what they go by under the same keys, whatever has happened."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.job_notices import jobs_notice
from shared.messages.events import EventType, Origin, account_event, trouble_data, webhook_event
from shared.messages.format import Message
from shared.messages.formats import render, render_notice
from shared.state.jobs import Cause, JobHead, Trouble
from shared.state.pools import Standstill
from tests.support.told_jobs import ACCOUNT, NOW, head, news, webhook

KEYS = {
    *("why", "since", "do", "command", "account", "pool", "code", "jobs", "nodes", "nodeIds"),
    *("preparation", "release", "stuckSince", "webhook", "requestId"),
}
PAGER = webhook("pagerduty")
LONG_ID = f"tvmps_{7:064x}_d"


def _payload(body: bytes) -> dict[str, Any]:
    payload = json.loads(body)["payload"]
    assert isinstance(payload, dict)
    return payload


def _of_job(job: JobHead) -> dict[str, Any]:
    told = jobs_notice(ACCOUNT, [news(job, nodes=(("pool-1", LONG_ID),))], {})
    return _payload(render_notice(PAGER, told).body)


def _failed(code: str = "FailureExitCode") -> JobHead:
    cause = Cause(phase=Phase.PREPARATION, code=code, message="It said no.", nodes=1, first_seen=NOW)
    return replace(head(failed=1), causes=(cause,), pool_id="pool-1")


def test_a_failure() -> None:
    """Why, since when, what to do and where stand apart, node ids whole; the class is the kind of problem."""
    payload = _of_job(_failed())
    details = payload["custom_details"]
    assert payload["class"] == "job.failed"
    assert set(details) <= KEYS
    assert details["why"] == ["FailureExitCode on 1 node: It said no."]
    assert (details["since"], details["code"], details["pool"]) == (
        "2026-11-05T22:00:00Z",
        ["FailureExitCode"],
        ["pool-1"],
    )
    assert (details["nodes"], details["nodeIds"], details["jobs"]) == (1, [LONG_ID], ["nightly"])
    assert LONG_ID in details["command"][0]


def test_a_standstill() -> None:
    """A job that is stuck says since when, and its class says so."""
    payload = _of_job(replace(_failed(), stuck=Standstill(since=NOW, confirmed=True)))
    assert (payload["class"], payload["custom_details"]["stuckSince"]) == ("job.stuck", ["2026-11-05T22:00:00Z"])


TROUBLE = trouble_data(Trouble(code="AuthorizationFailure", message="no", since=NOW, request_id="r-1"))
ORIGIN = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s", public_url="https://p.example")


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        pytest.param(
            account_event(ORIGIN, EventType.ACCOUNT_UNREACHABLE, NOW, NOW, error=TROUBLE),
            "account.unreachable",
            {"why": "no", "account": ACCOUNT, "code": "AuthorizationFailure", "requestId": "r-1"},
            id="account",
        ),
        pytest.param(
            webhook_event(ORIGIN, EventType.WEBHOOK_FAILING, "ops", NOW, NOW, reason="status 500"),
            "webhook.failing",
            {"why": "status 500", "webhook": "ops"},
            id="webhook",
        ),
    ],
)
def test_events(event: Any, kind: str, said: dict[str, str]) -> None:
    """What concerns no job says as much under the same keys."""
    payload = _payload(render(PAGER, Message(id=event.id, body=event.body), NOW).body)
    assert payload["class"] == kind
    details = payload["custom_details"]
    assert all(details.pop(key) for key in ("means", "do"))
    assert details == {"since": "2026-11-05T22:00:00Z", **said}
