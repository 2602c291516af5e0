"""GET /api/webhooks/{name}/messages: what chat and pager were sent about jobs and pools, and what came back."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ledger import purging
from shared.state.rows import range_of
from shared.webhook import WebhookAnswer
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, DecodedAnswer, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import ENVIRONMENT, PAGER, SIGNED, SLACK

OK = {"slack": (200, b"ok"), "teams": (202, b""), "pagerduty": (202, b"{}")}
TEAMS: dict[str, object] = {
    "name": "team",
    "format": "teams",
    "url": "https://x.environment.api.powerplatform.com/hook",
}


def _failed(*webhooks: dict[str, object], answer: int | None = None, accounts: int = 1) -> Deployment:
    """An app that has told chat and pager of a failed preparation, and what they answered."""
    deployment = deploy(*webhooks, accounts=accounts)
    deployment.sender.answer = refusal(answer) if answer is not None else _ok(str(webhooks[0]["format"]))
    for batch in deployment.batches.values():
        batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    _poll(deployment)
    return deployment


def _ok(receiver: str) -> WebhookAnswer:
    status, body = OK[receiver]
    return replace(ACCEPTED, status=status, body=body)


def _poll(deployment: Deployment) -> None:
    for account in deployment.batches:
        deployment.poll(account)
    deployment.clock.advance(seconds=20)
    for account in deployment.batches:
        deployment.poll(account)


def _messages(deployment: Deployment, name: str, **query: str) -> DecodedAnswer:
    return deployment.ask(lambda routes, asked: routes.webhooks.list_messages(asked), query, name=name)


def _value(deployment: Deployment, name: str, **query: str) -> list[Any]:
    value: list[Any] = _messages(deployment, name, **query).body["value"]
    return value


@pytest.mark.parametrize("webhook", [SLACK, TEAMS, PAGER], ids=lambda webhook: str(webhook["format"]))
def test_what_was_sent_is_kept(webhook: dict[str, object]) -> None:
    """A message is shown with when it was sent, what it said, the very body, and what came back."""
    deployment = _failed(webhook)
    (message,) = _value(deployment, str(webhook["name"]))
    assert (message["account"], message["state"], message["jobs"]) == (ACCOUNT, "delivered", 1)
    assert message["sentAt"].startswith("2026-11-01T12:00:")
    assert "reparation failed" in message["text"].splitlines()[0]
    assert "job-1" in message["text"]
    status = OK[str(webhook["format"])][0]
    (attempt,) = message["attempts"]
    assert (attempt["status"], attempt["reason"]) == (status, f"accepted with status {status}")
    sent = json.loads(deployment.sender.sent[-1].body)
    assert {**sent, "routing_key": ""} == {**message["body"], "routing_key": ""}


def test_no_key_is_shown() -> None:
    """What opens the receiver is not kept with the message that carried it."""
    deployment = _failed(PAGER)
    told = _messages(deployment, "pager")
    assert ENVIRONMENT["PAGER_KEY"] not in str(told.body)
    assert told.body["value"][0]["body"]["event_action"] == "trigger"
    rows = deployment.table.query(ACCOUNT, *range_of("sent"))
    assert all(ENVIRONMENT["PAGER_KEY"] not in repr(row.columns) for row in rows)


def test_a_message_that_was_not_taken() -> None:
    """What failed is shown with the answer, and the one sent in its place stands above it."""
    deployment = _failed(SLACK, answer=503)
    (failed,) = _value(deployment, "chat")
    assert (failed["state"], failed["attempts"][0]["status"]) == ("failed", 503)
    deployment.sender.answer = _ok("slack")
    deployment.clock.advance(minutes=5)
    deployment.poll()
    assert [message["state"] for message in _value(deployment, "chat")] == ["delivered", "failed"]


def test_a_message_that_is_called_wrong() -> None:
    """Both attempts are shown, the whole message's and that in the fewest words, which is what it says."""
    (refused,) = _value(_failed(SLACK, answer=400), "chat")
    assert (refused["state"], [each["status"] for each in refused["attempts"]]) == ("refused", [400, 400])
    assert len(refused["text"].splitlines()) == 1


def test_pages() -> None:
    """The messages of all accounts stand newest first; pages follow one another, and an account can be picked."""
    deployment = _failed(SLACK, accounts=2)
    first = _messages(deployment, "chat", top="1").body
    token = first["nextLink"].rpartition("skip-token=")[2]
    second = _messages(deployment, "chat", top="1", **{"skip-token": token}).body
    assert second["nextLink"] is None
    accounts = [message["account"] for body in (first, second) for message in body["value"]]
    assert sorted(accounts) == sorted([ACCOUNT, OTHER_ACCOUNT])
    assert [message["account"] for message in _value(deployment, "chat", account=OTHER_ACCOUNT)] == [OTHER_ACCOUNT]


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        pytest.param("nobody", {}, 404, id="webhook"),
        pytest.param("chat", {"account": "x.y.batch.azure.com"}, 404, id="account"),
        pytest.param("chat", {"skip-token": "../x"}, 400, id="token"),
        pytest.param("ops", {}, 200, id="told of events"),
    ],
)
def test_what_is_not_there(name: str, query: dict[str, str], status: int) -> None:
    """Unknown names and tokens are refused; who is told of events has no messages."""
    told = _messages(deploy(SLACK, SIGNED), name, **query)
    assert told.status == status
    assert status != 200 or told.body["value"] == []


def test_messages_are_dropped_when_they_are_old_or_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daily purge drops what is older than RETENTION_DAYS, and of each webhook the oldest beyond the bound."""
    monkeypatch.setattr(purging, "MAX_MESSAGES", 2)
    deployment = _failed(SLACK, TEAMS)
    for hours in (2, 3, 4):
        deployment.clock.advance(hours=hours)
        deployment.batch.add(a_job(f"job-{hours}"), a_node(preparation=a_run(failed=True, ended=deployment.clock.now)))
        _poll(deployment)
    kept = {name: _value(deployment, name) for name in ("chat", "team")}
    assert {name: len(messages) for name, messages in kept.items()} == {"chat": 4, "team": 4}
    deployment.app.purger.run()
    assert {name: _value(deployment, name) for name in kept} == {name: all_[:2] for name, all_ in kept.items()}
    deployment.clock.advance(days=30)
    deployment.app.purger.run()
    assert [*deployment.table.query(ACCOUNT, *range_of("sent"))] == []
