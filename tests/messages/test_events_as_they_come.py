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
NOT_LOST = "nothing of that is lost: each event is tried for three days, and how things stand is told once it listens."
WORKS = "Webhook ops works again after less than a minute"
ON = "Webhook ops is switched on again after less than a minute"
MEANWHILE = "What happened meanwhile is not sent to it by itself."
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


@pytest.mark.parametrize(
    ("kind", "said", "heading", "means"),
    [
        (
            EventType.WEBHOOK_FAILING,
            {"status": 503, "eventsWaiting": 6, "givenUp": 0},
            "Webhook ops refuses what it is sent: 503",
            f"6 events wait; {NOT_LOST}",
        ),
        (
            EventType.WEBHOOK_FAILING,
            {"eventsWaiting": 0, "jobsWaiting": 1, "givenUp": 0},
            "Webhook ops does not take what it is sent",
            f"News of 1 job or pool waits; {NOT_LOST}",
        ),
        (
            EventType.WEBHOOK_FAILING,
            {"status": 400, "eventsWaiting": 0, "givenUp": 1},
            "Webhook ops refuses what it is sent: 400",
            "Nothing waits for it now. 1 event was given up: send it again from the dashboard.",
        ),
        (
            EventType.WEBHOOK_FAILING,
            {"status": 200},
            "Webhook ops does not take what it is sent",
            (
                "Nothing is lost yet: each event is tried for three days, and chat is told how things stand once it "
                "listens."
            ),
        ),
        (
            EventType.WEBHOOK_RECOVERED,
            {"eventsWaiting": 40, "givenUp": 0},
            WORKS,
            "40 events wait; all of it is sent now, the oldest first. None was given up.",
        ),
        (
            EventType.WEBHOOK_RECOVERED,
            {"eventsWaiting": 0, "jobsWaiting": 0, "givenUp": 2},
            WORKS,
            "Nothing waits for it any more. 2 events were given up: send them again from the dashboard.",
        ),
        (
            EventType.WEBHOOK_RECOVERED,
            {"eventsWaiting": 1, "jobsWaiting": 3, "givenUp": 0},
            WORKS,
            (
                "1 event waits and news of 3 jobs or pools waits; all of it is sent now, the oldest first. "
                "None was given up."
            ),
        ),
        (
            EventType.WEBHOOK_DISABLED,
            {"byRequest": False, "eventsWaiting": 2, "givenUp": 0},
            "Webhook ops is switched off: its receiver says that it is gone for good",
            "Nothing is sent to it any more: 2 events wait in vain, and can be sent again once it is enabled.",
        ),
        (
            EventType.WEBHOOK_DISABLED,
            {"byRequest": True, "eventsWaiting": 0, "jobsWaiting": 3, "givenUp": 0},
            "Webhook ops was switched off by request",
            "Nothing is sent to it until somebody enables it on the dashboard.",
        ),
        (
            EventType.WEBHOOK_ENABLED,
            {"eventsWaiting": 1, "jobsWaiting": 3, "givenUp": 0},
            ON,
            "It is told what stands now.",
        ),
        (
            EventType.WEBHOOK_ENABLED,
            {"eventsWaiting": 0, "givenUp": 6},
            ON,
            f"{MEANWHILE} 6 events were given up: send them again from the dashboard.",
        ),
    ],
)
def test_what_waits_and_was_given_up_is_said(
    kind: EventType, said: dict[str, object], heading: str, means: str
) -> None:
    """What is said of a webhook that turned has the status, what waits and what was given up, if the event knows."""
    event = webhook_event(ORIGIN, kind, "ops", NOW, NOW, reason="status 500", **said)
    notice = event_notice(event.body, NOW)
    (section,) = notice.sections
    assert (notice.heading, dict(section.facts)["What it means"]) == (heading, means)
    assert notice.page is not None
    assert notice.page.details["means"] == means


def test_a_ping_has_no_since() -> None:
    """Somebody has tried the webhook just now: nothing goes on since then."""
    notice = event_notice(_webhook(EventType.PING).body, NOW + timedelta(minutes=2))
    assert [name for section in notice.sections for name, _ in section.facts if name == "Since"] == []
