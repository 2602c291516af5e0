"""An app of which some secrets can't be read yet: what needs them waits and says so, everything else works."""

from typing import Any

from shared.web.http import Request
from shared.web.routes import Routes
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.webhook_settings import SECRET, SIGNED

UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/x)"
LATE: dict[str, object] = {"name": "late", "urlSetting": "LATE_URL", "secretSettings": ["LATE_SECRET"]}
WORDS = "LATE_URL is a Key Vault reference that can't be read yet"


def _deployment(table: FakeTable, address: str, heartbeat: str) -> Deployment:
    """An app that watches a job with a failed node, over a table that outlives it."""
    deployment = deploy(
        SIGNED,
        LATE,
        table=table,
        LATE_URL=address,
        LATE_SECRET=SECRET,
        HEARTBEAT_URL=heartbeat,
        POLL_SCHEDULE="0 * * * * *",
    )
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    return deployment


def _ask(deployment: Deployment, handler: Any) -> Any:
    return deployment.ask(handler).body


def test_the_rest_goes_on_and_what_waits_is_named() -> None:
    """The poll is good and the other webhook is told; the late one fails with its reason, and no heartbeat is said."""
    deployment = _deployment(FakeTable(), UNRESOLVED, UNRESOLVED)

    deployment.poll()

    assert {request.url for request in deployment.sender.sent} == {str(SIGNED["url"])}
    webhooks = {
        one["name"]: one
        for one in _ask(deployment, lambda routes, asked: routes.webhooks.list_webhooks(asked))["value"]
    }
    assert (webhooks["ops"]["state"], webhooks["late"]["state"]) == ("ok", "failing")
    assert (webhooks["late"]["reason"], webhooks["late"]["due"]) == (WORDS, 1)
    summary = _ask(deployment, Routes.summary)
    assert summary["status"] == "failing"
    assert f"webhook late is sent nothing: {WORDS}" in summary["reasons"]
    assert any(reason.startswith("no heartbeat is sent: HEARTBEAT_URL is") for reason in summary["reasons"])
    checks = _ask(deployment, lambda routes, asked: routes.system.diagnostics(asked))["value"]
    wrong = {check["name"]: check["remedy"] for check in checks if not check["ok"]}
    assert set(wrong) == {"webhook late", "heartbeat"}
    assert all(
        "Key Vault Secrets User" in remedy and "configreferences/appsettings/refresh" in remedy
        for remedy in wrong.values()
    )


def test_nothing_is_green_while_a_webhook_waits() -> None:
    """However quiet it is, heartbeat, health and metric say that one takes nothing; one that is off is no fault."""
    table, beat = FakeTable(), "https://heart.example/beat"
    deployment = deploy(SIGNED, LATE, table=table, LATE_URL=UNRESOLVED, LATE_SECRET=SECRET, HEARTBEAT_URL=beat)
    deployment.poll()

    def metric() -> list[str]:
        said = deployment.app.routes.system.metrics(Request()).body.decode()
        return [line.rpartition(" ")[2] for line in said.splitlines() if 'webhook_failing{webhook="late"' in line]

    assert (deployment.sender.called, metric()) == ([f"{beat}/fail"], ["1"])
    assert deployment.ask(Routes.health).status == 503

    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="late")
    deployment.clock.advance(minutes=1)
    deployment.poll()
    assert (deployment.sender.called[1:], metric()) == ([beat], ["0"])
    assert deployment.ask(Routes.health).status == 200


def test_a_ping_says_what_is_waited_for() -> None:
    """Somebody who pings the late webhook learns why nothing is sent."""
    deployment = _deployment(FakeTable(), UNRESOLVED, "")

    answer = deployment.ask(lambda routes, asked: routes.webhooks.ping_webhook(asked), name="late")

    assert WORDS in str(answer.body)
    assert deployment.sender.sent == []


def test_what_waited_is_told_once_it_can_be() -> None:
    """Azure starts the app anew when the secret can be read: what waited is then delivered, and nothing is wrong."""
    table = FakeTable()
    before = _deployment(table, UNRESOLVED, UNRESOLVED)
    before.poll()
    after = _deployment(table, "https://late.example/hook", "https://heart.example/beat")
    after.clock.advance(minutes=2)

    after.poll()

    assert [request.url for request in after.sender.sent] == ["https://late.example/hook"]
    assert _ask(after, Routes.summary)["webhooks"] == {"failing": [], "disabled": []}
