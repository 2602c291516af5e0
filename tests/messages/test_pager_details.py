"""A pager's rules find what they go by under the same keys, whatever has happened."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.messages.events import EventType, Origin, account_event, trouble_data, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import render, render_notice
from shared.messages.remedies import standstill_remedy
from shared.state.jobs import Cause, JobHead, PhaseCounts, Trouble
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from tests.support.told_jobs import ACCOUNT, NOW, head, page_of, webhook

KEYS = {
    *("why", "since", "do", "command", "account", "pool", "code", "phase", "jobs", "moreJobs"),
    *("nodes", "tasksWaiting", "nodeIds"),
}
PAGER = webhook("pagerduty")
LONG_ID = f"tvmps_{7:064x}_d"


def _payload(body: bytes) -> dict[str, Any]:
    payload = json.loads(body)["payload"]
    assert isinstance(payload, dict)
    return payload


def _of_job(job: JobHead) -> dict[str, Any]:
    return _payload(render_notice(PAGER, page_of(job, nodes=(("pool-1", LONG_ID),))).body)


def _failed(code: str = "FailureExitCode") -> JobHead:
    cause = Cause(
        phase=Phase.PREPARATION, code=code, message="It said no.", nodes=12, example=("pool-1", LONG_ID), first_seen=NOW
    )
    return replace(head(failed=12), causes=(cause,), pool_id="pool-1")


def test_a_failure() -> None:
    """Why, since when, what to do and where stand apart, node ids whole; the class is the kind of problem."""
    payload = _of_job(_failed())
    details = payload["custom_details"]
    assert payload["class"] == "preparation.failed"
    assert set(details) <= KEYS
    assert details["why"] == ["FailureExitCode: It said no."]
    assert (details["since"], details["code"], details["pool"]) == (
        "2026-11-05T22:00:00Z",
        ["FailureExitCode"],
        ["pool-1"],
    )
    assert (details["nodes"], details["nodeIds"]) == (12, [LONG_ID])
    assert (details["jobs"], details["phase"]) == (["nightly: 12 of 5000 nodes"], ["preparation"])
    assert LONG_ID in details["command"][0]


# That a pool is gone wakes nobody.
@pytest.mark.parametrize("reason", [one for one in StandstillReason if one is not StandstillReason.POOL_GONE], ids=str)
def test_a_standstill(reason: StandstillReason) -> None:
    """A job that stands still says since when, how many tasks wait and what to do, and its class says so."""
    stuck = Standstill(since=NOW, confirmed=True, reason=reason, pool_id="pool-1", tasks=9)
    payload = _of_job(replace(_failed(), stuck=stuck, preparation=PhaseCounts()))
    details = payload["custom_details"]
    assert payload["class"] == "job.stuck"
    assert set(details) <= KEYS
    assert (details["since"], details["tasksWaiting"]) == ("2026-11-05T22:00:00Z", 9)
    assert details["do"][0] == standstill_remedy(ACCOUNT, _failed(), stuck).words
    assert len(details["command"]) == 1


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


def test_a_standstill_of_the_pool_has_the_pools_remedy() -> None:
    """What a start task was refused is not mended in any job, and no phase of a job failed; chat says the same."""
    cause = StandstillCause(code="BlobAccessDenied", message="Access is denied.")
    still = Standstill(
        since=NOW, confirmed=True, reason=StandstillReason.START_TASK_FAILED, pool_id="pool-1", cause=cause, tasks=9
    )
    job = replace(head(failed=0), causes=(), pool_id="pool-1", stuck=still)
    details = _of_job(job)["custom_details"]
    assert details["do"] == [standstill_remedy(ACCOUNT, job, still).words]
    assert "SAS in the pool's start task" in details["do"][0]
    assert "phase" not in details


def test_auto_pools_are_counted() -> None:
    """Where each job has a pool of its own, a page names none of them for all."""
    cause = Cause(phase=Phase.PREPARATION, code="BlobNotFound", message="no", nodes=3, first_seen=NOW, last_seen=NOW)
    pools = [f"auto_{number:08}-1111-2222-3333-444455556666" for number in range(4)]
    jobs = [replace(head(f"j-{number}", failed=3), causes=(cause,), pool_id=pool) for number, pool in enumerate(pools)]
    assert page_of(*jobs).heading.startswith("Preparation failed in 4 jobs of 4 pools of acc on up to 3 of 5000 nodes")
