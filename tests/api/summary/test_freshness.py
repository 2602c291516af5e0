"""GET /api/summary: polls first when too old, nudges what is due, and says when nothing is new."""

from datetime import timedelta

import pytest

from shared.errors import AccountDeniedError, ThrottledError
from shared.ports import Put
from shared.state.rows import OWN, delivery_key, to_columns, webhook_key
from shared.state.telling import DeliveryState, WebhookState
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.webhook_settings import SIGNED


def _polls(deployment: Deployment) -> int:
    return sum(method == "list_jobs" for batch in deployment.batches.values() for method, _ in batch.asked)


@pytest.mark.parametrize(
    ("query", "age", "polls"),
    [
        pytest.param({}, 300, 0, id="fresh enough"),
        pytest.param({}, 301, 1, id="too old by the app's own measure"),
        pytest.param({"maxAge": "60"}, 60, 0, id="fresh enough for the caller"),
        pytest.param({"maxAge": "60"}, 61, 1, id="too old for the caller"),
        pytest.param({"maxAge": "0"}, 1, 1, id="now"),
    ],
)
def test_polls_first_when_too_old(query: dict[str, str], age: int, polls: int) -> None:
    """An account is polled before the answer when its last good cycle is older than maxAge."""
    deployment = deploy()
    deployment.poll()
    deployment.clock.advance(seconds=age)
    before = _polls(deployment)
    told = deployment.ask(Routes.summary, query)
    assert _polls(deployment) - before == polls
    expected = deployment.clock.now if polls else NOW
    assert told.body["accounts"][0]["lastGoodPoll"] == expected.isoformat().replace("+00:00", "Z")


def test_polls_at_the_first_look() -> None:
    """An app whose timer never ran answers with what it finds itself."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    told = deployment.ask(Routes.summary)
    assert (told.body["status"], told.body["totals"]["nodes"]) == ("failing", 1)


def test_patience_is_kept() -> None:
    """An account that Batch asks to leave alone is not polled, however old it is."""
    deployment = deploy()
    deployment.poll()
    before = _polls(deployment)
    deployment.batch.failures["list_jobs"] = ThrottledError(
        "TooManyRequests", "Wait.", status=429, retry_after=timedelta(seconds=120)
    )
    deployment.clock.advance(seconds=10)
    deployment.ask(Routes.summary, {"maxAge": "0"})
    deployment.ask(Routes.summary, {"maxAge": "0"})
    assert _polls(deployment) == before + 1


def test_several_accounts() -> None:
    """Accounts are polled each for itself, and one that is broken hides no other."""
    deployment = deploy(accounts=2)
    deployment.batches[OTHER_ACCOUNT].failures["list_jobs"] = AccountDeniedError("Denied", "No.", status=403)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    told = deployment.ask(Routes.summary)
    assert [account["stale"] for account in told.body["accounts"]] == [False, True]
    assert told.body["totals"]["nodes"] == 1
    told = deployment.ask(Routes.summary, {"account": ACCOUNT})
    assert (told.body["status"], len(told.body["accounts"])) == ("failing", 1)


def test_nudges_at_most_once_in_ten_seconds() -> None:
    """What is due is nudged, once in ten seconds, and never when nothing is due."""
    deployment = deploy()
    deployment.poll()
    assert deployment.ask(Routes.summary).nudges == ()
    due = Put(key=delivery_key(DeliveryState.DUE, "ops", "x"), columns={"v": 1})
    deployment.table.transact(ACCOUNT, [due])
    nudges = []
    for _ in range(5):
        nudges.append(deployment.ask(Routes.summary).nudges)
        deployment.clock.advance(seconds=5)
    assert nudges == [(ACCOUNT,), (), (ACCOUNT,), (), (ACCOUNT,)]


def test_what_concerns_no_account_is_counted_and_nudged() -> None:
    """News of a webhook that wait for the others count as due, are nudged, and are delivered by that nudge."""
    deployment = deploy(SIGNED, {**SIGNED, "name": "other", "url": "https://b.example/hook"})
    deployment.poll()
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")
    told = deployment.ask(Routes.summary)
    assert (told.body["deliveries"], told.nudges) == (
        {"due": 1, "dead": 0, "oldestDueSince": "2026-11-01T12:00:00Z"},
        (OWN,),
    )
    assert deployment.ask(Routes.summary).nudges == ()
    deployment.deliver(OWN)
    assert [request.url for request in deployment.sender.sent] == ["https://b.example/hook"]
    assert deployment.ask(Routes.summary).body["deliveries"] == {"due": 0, "dead": 0, "oldestDueSince": None}


def test_what_concerns_no_account_and_died_is_said() -> None:
    """News of a webhook that were given up are counted, and the summary says so."""
    deployment = deploy(accounts=2)
    deployment.poll()
    dead = Put(key=delivery_key(DeliveryState.DEAD, "ops", "x"), columns={"v": 1})
    deployment.table.transact(OWN, [dead])
    body = deployment.ask(Routes.summary, {"account": ACCOUNT}).body
    (reason,) = body["reasons"]
    assert (body["status"], reason.startswith("1 message is undeliverable: ")) == ("degraded", True)
    assert body["deliveries"] == {"due": 0, "dead": 1, "oldestDueSince": None}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("{etag}", 304, id="same"),
        pytest.param('W/{etag}, "x"', 304, id="weak, among others"),
        pytest.param("*", 304, id="any"),
        pytest.param('"x"', 200, id="another"),
    ],
)
def test_etag(header: str, status: int) -> None:
    """The ETag covers everything but generatedAt; who has it gets 304 and no body, and still nudges."""
    deployment = deploy()
    deployment.poll()
    due = Put(key=delivery_key(DeliveryState.DUE, "ops", "x"), columns={"v": 1})
    deployment.table.transact(ACCOUNT, [due])
    etag = deployment.ask(Routes.summary).headers["etag"]
    deployment.clock.advance(seconds=20)
    told = deployment.ask(Routes.summary, headers={"if-none-match": header.format(etag=etag)})
    assert (told.status, told.headers["etag"], told.body is None) == (status, etag, status == 304)
    assert told.nudges == (ACCOUNT,)


def test_etag_changes_with_the_content() -> None:
    """Whatever else changes makes another ETag."""
    deployment = deploy()
    deployment.poll()
    before = deployment.ask(Routes.summary).headers["etag"]
    state = to_columns(WebhookState(name="ops", failing_since=NOW))
    deployment.table.transact(OWN, [Put(key=webhook_key("ops"), columns=state)])
    assert deployment.ask(Routes.summary).headers["etag"] != before
