"""Who is owed what."""

import pytest

from shared.ledger.recipients import recipients
from shared.messages.events import EventType, account_event, webhook_event
from shared.messages.format_table import FORMATS
from shared.messages.job_events import job_event
from tests.support.builders import NOW, ORIGIN, SITE, head, webhook

MACHINES = ("cloudevents", "eventgrid")
EVENT = job_event(ORIGIN, head(), EventType.JOB_STUCK, NOW, NOW)


@pytest.mark.parametrize("webhook_format", FORMATS)
@pytest.mark.parametrize("kind", EventType)
def test_who_gets_which_event(kind: EventType, webhook_format: str) -> None:
    """Machines get every event; chat and pager one by one only those that concern no job."""
    if kind.startswith("prepwatch.account."):
        event = account_event(ORIGIN, kind, NOW, NOW)
    elif kind.startswith(("prepwatch.webhook.", "prepwatch.ping")):
        event = webhook_event(SITE, kind, "other", NOW, NOW)
    else:
        event = job_event(ORIGIN, head(), kind, NOW, NOW)
    owed = webhook_format in MACHINES or event.job_id is None

    assert recipients([webhook("ops", webhook_format)], event) == ("ops",) * owed


@pytest.mark.parametrize(
    ("hook", "owed"),
    [
        (webhook(), True),
        (webhook(enabled=False), False),
        (webhook(events=("job.*",)), True),
        (webhook(events=("preparation.*",)), False),
        (webhook(jobs=("JOB-?",)), True),
        (webhook(jobs=("other",)), False),
        (webhook(accounts=("other.*",)), False),
        (webhook(pools=("other",)), True),
    ],
)
def test_filters(hook: object, *, owed: bool) -> None:
    """A webhook's filters hold back what they can judge; a job event names no pool and passes a pool's filter."""
    assert recipients([hook], EVENT) == ("ops",) * owed  # type: ignore[list-item] # parametrize knows no types
