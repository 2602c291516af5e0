"""Events about accounts and webhooks reach chat and pager as they come."""

import json
import re
from datetime import timedelta

import pytest

from shared.messages.event_notices import event_notice
from shared.messages.events import Event, EventType, Origin, account_event, trouble_data, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import render
from shared.state.jobs import Trouble
from tests.support.told_jobs import ACCOUNT, CHAT, NOW, webhook

ORIGIN = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s", public_url="https://p.example")
TROUBLE = trouble_data(Trouble(code="AuthorizationFailure", message="no *access* <!here>", since=NOW, request_id="r-1"))


def _account(kind: EventType) -> Event:
    return account_event(
        ORIGIN, kind, NOW, NOW, **({"error": TROUBLE} if kind is EventType.ACCOUNT_UNREACHABLE else {})
    )


def _webhook(kind: EventType) -> Event:
    return webhook_event(ORIGIN, kind, "ops", NOW, NOW, reason="status 500")


def _sent(kind: str, event: Event) -> dict[str, object]:
    body = json.loads(render(webhook(kind), Message(id=event.id, body=event.body), NOW).body)
    assert isinstance(body, dict)
    return body


def _blocks(body: dict[str, object]) -> list[object]:
    blocks = body["blocks"]
    assert isinstance(blocks, list)
    return blocks


@pytest.mark.parametrize(
    ("event", "action", "severity"),
    [
        (_account(EventType.ACCOUNT_UNREACHABLE), "trigger", "critical"),
        (_account(EventType.ACCOUNT_REACHABLE), "resolve", None),
        (_webhook(EventType.WEBHOOK_FAILING), "trigger", "warning"),
        (_webhook(EventType.WEBHOOK_DISABLED), "trigger", "error"),
        (_webhook(EventType.WEBHOOK_RECOVERED), "resolve", None),
        (_webhook(EventType.PING), "trigger", "info"),
    ],
    ids=lambda value: value.type.value if isinstance(value, Event) else str(value),
)
def test_pager(event: Event, action: str, severity: str | None) -> None:
    """Trouble opens an incident as severe as it is, and its end resolves it."""
    body = _sent("pagerduty", event)
    assert body["event_action"] == action
    payload = body.get("payload")
    assert (payload["severity"] if isinstance(payload, dict) else None) == severity


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        (_account(EventType.ACCOUNT_UNREACHABLE), _account(EventType.ACCOUNT_REACHABLE)),
        (_webhook(EventType.WEBHOOK_FAILING), _webhook(EventType.WEBHOOK_RECOVERED)),
    ],
    ids=["account", "webhook"],
)
def test_the_end_closes_the_same_incident(began: Event, ended: Event) -> None:
    """An incident is resolved under the key that opened it."""
    keys = {str(_sent("pagerduty", event)["dedup_key"]) for event in (began, ended)}
    assert len(keys) == 1


@pytest.mark.parametrize("chat", CHAT, ids=str)
@pytest.mark.parametrize("kind", [kind for kind in EventType if kind.startswith(("prepwatch.acc", "prepwatch.web"))])
def test_chat(chat: str, kind: EventType) -> None:
    """Chat is told in words which account or webhook is concerned, and why."""
    about_account = kind.startswith("prepwatch.account")
    body = _sent(chat, _account(kind) if about_account else _webhook(kind))
    text = json.dumps(body)
    assert ("acc" if about_account else "ops") in text
    assert not re.search(r"prepwatch\.(account|webhook)|\d\.\d{3,}Z", text), "no machine's words, no microseconds"
    if kind is EventType.ACCOUNT_UNREACHABLE:
        assert "AuthorizationFailure" in text
        assert "r-1" in text
    # In Slack's text and header mentions come alive; in rich text, where the rest stands, nothing does.
    assert chat == "teams" or "<!here>" not in json.dumps([body["text"], next(iter(_blocks(body)))])


def test_braces_in_a_name() -> None:
    """A name that looks like a placeholder is shown as it is."""
    event = webhook_event(ORIGIN, EventType.PING, "{0}{about}", NOW, NOW)
    assert "webhook {0}{about}" in json.dumps(_sent("slack", event))


@pytest.mark.parametrize(
    ("event", "heading"),
    [
        (_account(EventType.ACCOUNT_UNREACHABLE), "Prepwatch can't read Batch account acc: AuthorizationFailure"),
        (_account(EventType.ACCOUNT_REACHABLE), "Prepwatch reads Batch account acc again after 1 hour 2 minutes"),
        (_webhook(EventType.WEBHOOK_RECOVERED), "Webhook ops works again after 1 hour 2 minutes"),
        (_webhook(EventType.WEBHOOK_ENABLED), "Webhook ops is switched on again after 1 hour 2 minutes"),
    ],
    ids=lambda value: value.type.value if isinstance(value, Event) else "",
)
def test_headings(event: Event, heading: str) -> None:
    """A heading names the account by its name alone and says what is wrong with it; an end says how long it lasted."""
    recorded = event.body.replace(b'"recordedtime":"2026-11-05T22:00:00Z"', b'"recordedtime":"2026-11-05T23:02:09Z"')
    assert event_notice(recorded, NOW + timedelta(hours=5)).heading == heading
