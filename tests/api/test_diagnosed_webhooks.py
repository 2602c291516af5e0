"""GET /api/diagnostics: what it says of those who are told, and of who has asked for silence."""

import json

import pytest

from tests.api.test_diagnostics import bad, deployed, tried
from tests.support.webhook_settings import SIGNED

TEAMS = {"name": "team", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"}


def test_an_address_that_can_not_be_called() -> None:
    """A webhook whose name is not resolved is said to be so, without its URL."""
    deployment = deployed()
    (webhook,) = deployment.app.deliveries.deliverer.webhooks.values()
    deployment.unreachable[webhook.url] = "The host name hooks.example can't be resolved: no such host."
    checks = tried(deployment)
    assert bad(checks) == ["webhook ops"]
    assert webhook.url not in str(checks)


def test_the_heartbeats_address_is_tried_too() -> None:
    """A switch that may not be called is said to be, without its address: its calls fail in the log alone."""
    beat = "https://beat.example/c4n4ry"
    deployment = deployed(HEARTBEAT_URL=beat)
    assert tried(deployment)["heartbeat"]["ok"] is True
    deployment.unreachable[beat] = "beat.example must not be called: 10.0.0.1 is not a public address."
    checks = tried(deployment)
    assert (bad(checks), "HEARTBEAT_URL" in checks["heartbeat"]["remedy"]) == (["heartbeat"], True)
    assert "c4n4ry" not in f"{checks}{deployment.app.routes.system}"


@pytest.mark.parametrize(
    ("webhook", "named"),
    [
        pytest.param({**SIGNED, "url": "https://prod-1.westeurope.logic.azure.com/workflows/1"}, True, id="a workflow"),
        pytest.param({**SIGNED, "url": "https://x.1.environment.api.powerplatform.com/y"}, True, id="the new address"),
        pytest.param({**TEAMS, "name": "ops"}, False, id="Teams"),
        pytest.param(SIGNED, False, id="any other"),
    ],
)
def test_a_workflow_that_is_sent_events_is_named(webhook: dict[str, object], named: bool) -> None:  # noqa: FBT001 - a column of the table
    """It accepts what it can't read, so that a channel may stay silent beside deliveries that are all well."""
    check = tried(deployed(WEBHOOKS=json.dumps([webhook]))).get("format of ops")
    assert (check is not None) == named
    assert check is None or (check["ok"], "format teams" in check["remedy"]) == (True, True)


def test_mutes_in_force_are_shown() -> None:
    """Whoever wonders at the silence finds by whom, why and until when; one to come, or over, is none."""
    deployment = deployed()
    for name, begins, ends in (("on", 2020, 9999), ("later", 2030, 2031)):
        when = {"startsAt": f"{begins}-01-01T00:00:00Z", "endsAt": f"{ends}-12-31T00:00:00Z"}
        body = {"jobs": ["*"], "pools": ["p"], "createdBy": "Ann", "comment": "move", **when}
        deployment.ask(lambda routes, asked: routes.mutes.put_mute(asked), body=body, name=name)
    checks = tried(deployment)
    assert [name for name in checks if name.startswith("mute ")] == ["mute on"]
    assert checks["mute on"]["message"] == (
        "Chat and pager are told nothing of jobs * and pools p until 9999-12-31 00:00 UTC, says Ann: move"
    )
    assert checks["mute on"]["ok"] is True


@pytest.mark.parametrize(
    ("webhooks", "words"),
    [
        pytest.param([], "No webhook is configured", id="none"),
        pytest.param([{**SIGNED, "enabled": False}], "Every webhook is switched off", id="all switched off"),
    ],
)
def test_without_a_webhook_nobody_is_told(webhooks: list[object], words: str) -> None:
    """That is said, with what to set."""
    deployment = deployed(WEBHOOKS=json.dumps(webhooks))
    check = tried(deployment)["webhooks"]
    assert (check["ok"], check["message"].startswith(f"{words}")) == (False, True)
