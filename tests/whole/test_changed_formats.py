"""What becomes of a webhook whose format was wrong, once it is set right."""

import pytest

from tests.support.deployment import deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED
from tests.whole.test_receivers import FORMATS, Receivers, fail, let_pass, webhooks_of


@pytest.mark.parametrize("kind", ["teams", "slack", "pagerduty"])
def test_a_format_that_is_set_right_heals_the_webhook(kind: str) -> None:
    """What waited for the wrong format is closed, and the webhook is told once, in its own words, what stands."""
    wrong = {**SIGNED, "name": FORMATS[kind]["name"]}
    before = deploy(wrong)
    Receivers(before).answers["ops"] = refusal(500)
    fail(before, "job-1")
    let_pass(before, 8)
    after = deploy(FORMATS[kind], table=before.table, clock=before.clock, batches=before.batches)
    receivers = Receivers(after)
    let_pass(after, 20)
    name = str(FORMATS[kind]["name"])
    shown = webhooks_of(after, name)
    assert (shown["state"], shown["due"], shown["dead"]) == ("ok", 0, 0)
    assert [b"job-1" in request.body for to, _, request in receivers.sent if to == name] == [True]
