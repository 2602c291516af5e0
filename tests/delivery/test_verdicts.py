"""What an answer, or none, is judged to be."""

from datetime import timedelta

import pytest

from shared.delivery.answer_rules import (
    Judgement,
    Verdict,
)
from shared.messages.format_table import FORMATS
from shared.webhook import SendFailure, WebhookAnswer
from tests.delivery.judged import judge_answer
from tests.support.builders import answer

PEOPLE = ("teams", "slack", "pagerduty")


def _expected(webhook_format: str, status: int, tries: int) -> Verdict:
    """The table of response classes, row by row, for an answer with an empty body."""
    accepted = {
        "slack": range(0),  # needs the body "ok" as well
        "pagerduty": range(202, 203),
    }.get(webhook_format, range(200, 300))
    if status in accepted:
        return Verdict.DELIVERED
    if status == 410 or (status == 404 and webhook_format == "slack"):
        return Verdict.DISABLE
    if status in {400, 413, 415, 422}:
        return Verdict.DEAD if webhook_format in PEOPLE or tries >= 3 else Verdict.RETRY
    return Verdict.RETRY


@pytest.mark.parametrize("tries", [1, 2, 3, 11])
@pytest.mark.parametrize("webhook_format", FORMATS)
def test_every_status(webhook_format: str, tries: int) -> None:
    """Every HTTP status from 100 to 599 has the table's verdict and a reason that names it; 429 gives a minute."""
    for status in range(100, 600):
        judged = judge_answer(answer(status), webhook_format, tries)

        assert judged.verdict is _expected(webhook_format, status, tries), status
        assert str(status) in judged.reason
        assert judged.asked_wait == (timedelta(minutes=1) if status == 429 else None)


@pytest.mark.parametrize(
    ("webhook_format", "answered", "verdict"),
    [
        ("slack", answer(200, body=b"ok"), Verdict.DELIVERED),
        ("slack", answer(200, body=b"ok\n"), Verdict.DELIVERED),
        ("slack", answer(200, body=b"<html>ok"), Verdict.RETRY),
        ("slack", answer(201, body=b"ok"), Verdict.RETRY),
        ("slack", answer(400, body=b"invalid_token"), Verdict.DISABLE),
        ("slack", answer(400, body=b"invalid_payload"), Verdict.DEAD),
        ("teams", answer(400, body=b"invalid_token"), Verdict.DEAD),
        ("teams", answer(404), Verdict.RETRY),
        ("pagerduty", answer(200), Verdict.RETRY),
        ("cloudevents", answer(204), Verdict.DELIVERED),
    ],
)
def test_what_the_services_say(webhook_format: str, answered: WebhookAnswer, verdict: Verdict) -> None:
    """Slack accepts only with `ok` in the body, PagerDuty only with 202; a dead token disables."""
    assert judge_answer(answered, webhook_format).verdict is verdict


@pytest.mark.parametrize("status", [None, 200, 410])
@pytest.mark.parametrize("failure", SendFailure)
def test_every_failure(failure: SendFailure, status: int | None) -> None:
    """A failed exchange is never a success, whatever status line came, and is tried again by the schedule.

    An address that may not be called, too: what a name leads to can be wrong for a moment.
    """
    judged = judge_answer(answer(status, failure=failure))

    assert judged == Judgement(verdict=Verdict.RETRY, reason="as the sender says")


def test_retry_after_of_others_is_not_read() -> None:
    """Only 429 and 503 speak of patience; a Retry-After beside another status changes nothing."""
    for status in (200, 301, 400, 404, 500, 502):
        assert judge_answer(answer(status, retry_after="500")).asked_wait is None
