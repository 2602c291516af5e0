"""What people are told to do when a receiver does not take what it is sent."""

import pytest

from shared.delivery.advice import advice_on
from shared.messages.format_table import FORMATS
from shared.webhook import SendFailure
from tests.support.webhook_settings import GRID, PAGER, SIGNED, SLACK, accepted

TEAMS = {"name": "team", "format": "teams", "url": "https://x.westeurope.logic.azure.com/workflows/1?sig=x"}
KEYED_GRID = {**GRID, "keySetting": "PAGER_KEY"}
PLAIN = {**SIGNED, "contentType": "application/json"}
ITS_ANSWER = "what its answer says is wrong"

CASES = [
    *((one, status, "secret or key") for one in (SIGNED, PAGER, KEYED_GRID) for status in (401, 403)),
    *((one, status, "Copy the webhook's URL") for one in (SLACK, TEAMS) for status in (401, 403)),
    *((GRID, status, "identity") for status in (401, 403)),
    *((one, 413, "EVENT_MAX_NODES") for one in (SIGNED, GRID)),
    *((one, 413, ITS_ANSWER) for one in (SLACK, TEAMS, PAGER)),
    (SIGNED, 415, "contentType to application/json"),
    *((one, 415, ITS_ANSWER) for one in (PLAIN, SLACK, TEAMS, PAGER, GRID)),
]


@pytest.mark.parametrize(
    ("settings", "status", "words"), CASES, ids=[f"{one['name']} {status}: {words}" for one, status, words in CASES]
)
def test_only_what_the_webhook_has_is_to_be_mended(settings: dict[str, object], status: int, words: str) -> None:
    """Nobody is told to set what the settings refuse for a webhook's format, or to compare a key that it has not."""
    (webhook,) = accepted(settings)
    assert words in advice_on(webhook, None, status)


@pytest.mark.parametrize("settings", [SIGNED, SLACK, TEAMS, PAGER, GRID], ids=lambda settings: settings["format"])
def test_there_is_something_to_do_about_every_answer(settings: dict[str, object]) -> None:
    """Whatever comes back, or does not, a sentence says what to do."""
    (webhook,) = accepted(settings)
    said = [advice_on(webhook, None, status) for status in (None, *range(100, 600))]
    said += [advice_on(webhook, failure, None) for failure in SendFailure]
    assert all(words.endswith(".") for words in said)


def test_every_format_is_tried() -> None:
    """A format that is added has its row here."""
    assert {settings["format"] for settings, _, _ in CASES} == set(FORMATS)
