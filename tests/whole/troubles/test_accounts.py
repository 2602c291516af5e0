"""An account that can't be read is told in one event, and so is its recovery."""

from collections.abc import Callable, Mapping

import pytest

from shared.errors import AccountDeniedError
from shared.webhook import WebhookAnswer
from tests.support.deployment import ACCOUNT, Deployment, deploy
from tests.support.fakes import refusal
from tests.support.hostile_batch import error_reply
from tests.support.scripted_http import ScriptedAnswer
from tests.support.webhook_settings import PAGER, SIGNED, SLACK
from tests.support.whole_app import WholeApp, codes
from tests.whole.troubles.account import JOBS, MINUTE, Trouble


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(401, "Unauthorized", id="401"),
        pytest.param(403, "AuthenticationFailed", id="403"),
        pytest.param(403, "InsufficientAccountPermissions", id="no role"),
        pytest.param(403, "AccountIsDisabled", id="account disabled"),
    ],
)
@pytest.mark.parametrize("place", ["listing", "statuses"])
def test_a_refused_credential_is_told_once(trouble: Trouble, status: int, code: str, place: str) -> None:
    """A refusal ends its cycle; two minutes of them make one event for the account, none for its jobs; so their end."""
    app = trouble.app()
    app.poll()
    failures = len(app.post.events("preparation.failed"))
    assert failures == len(JOBS)
    setattr(trouble, place, error_reply(status, code, "Who are you?"))
    asked = trouble.asked
    trouble.poll_after(app, MINUTE)
    assert trouble.asked - asked == (1 if place == "listing" else 2)
    assert codes(app) == []
    body = app.summary()
    assert (body["status"], body["accounts"][0]["error"]["code"]) == ("failing", code)
    assert [job["error"] for job in body["value"]] == [None] * len(JOBS)

    for _ in range(10):
        trouble.poll_after(app, MINUTE)
    assert codes(app) == [("account.unreachable", code)]
    assert app.summary()["accounts"][0]["stale"]

    setattr(trouble, place, None)
    trouble.poll_after(app, MINUTE)
    trouble.poll_after(app, MINUTE)
    assert codes(app) == [("account.unreachable", code), ("account.reachable", "")]
    assert len(app.post.events("preparation.failed")) == failures
    assert app.post.types().count("job.unreachable") == 0


def test_a_second_outage_is_another(trouble: Trouble) -> None:
    """Every outage has events of its own."""
    app = trouble.app()
    for _ in range(3):
        trouble.listing = error_reply(403, "AuthenticationFailed")
        for _ in range(3):
            trouble.poll_after(app, MINUTE)
        trouble.listing = None
        for _ in range(20):
            trouble.poll_after(app, 4 * MINUTE)
    assert [kind for kind, _ in codes(app)] == ["account.unreachable", "account.reachable"] * 3
    assert len({event["id"] for event in app.post.events()}) == len(app.post.events())


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(error_reply(500, "InternalError"), id="500"),
        pytest.param(error_reply(429, "TooManyRequests", **{"Retry-After": "90"}), id="429"),
        pytest.param(error_reply(503, "ServerBusy", **{"Retry-After": "90"}), id="503"),
        pytest.param(ScriptedAnswer(body=b"{"), id="no JSON"),
        pytest.param(ScriptedAnswer(status=0, hang_up=True), id="no answer"),
    ],
)
def test_a_listing_that_fails_is_told_when_the_account_is_stale(trouble: Trouble, reply: ScriptedAnswer) -> None:
    """Faults of the service are told after STALE_AFTER_SECONDS without a good cycle, not before, and once."""
    app = trouble.app()
    app.poll()
    trouble.listing = reply
    for _ in range(4):
        trouble.poll_after(app, MINUTE)
    assert codes(app) == []
    assert app.summary()["accounts"][0]["error"] is not None
    for _ in range(12):
        trouble.poll_after(app, MINUTE)
    assert [kind for kind, _ in codes(app)] == ["account.unreachable"]
    trouble.listing = None
    trouble.clock.advance(10 * MINUTE)
    app.poll()
    assert [kind for kind, _ in codes(app)] == ["account.unreachable", "account.reachable"]


def poll(app: WholeApp) -> None:
    """The timer fires."""
    app.poll()


def look(app: WholeApp) -> None:
    """Somebody opens the summary."""
    app.summary()


@pytest.mark.parametrize("first", [poll, look])
def test_that_nothing_ran_is_told_by_whatever_runs_first(trouble: Trouble, first: Callable[[WholeApp], None]) -> None:
    """After hours without a cycle the next one, or the next look at the summary, tells that nobody was watching."""
    app = trouble.app()
    app.poll()
    trouble.clock.advance(3 * 60 * MINUTE)
    first(app)
    app.poll()
    assert sorted(codes(app)) == [("account.reachable", ""), ("account.unreachable", "NotPolled")]
    (lost, found) = [event for event in app.post.events() if ".account." in event["type"]]  # in any order
    assert lost["data"]["since"] == found["data"]["since"] == "2026-11-01T12:00:00Z"


def test_an_outage_that_ends_in_a_refusal_is_told_as_the_refusal(trouble: Trouble) -> None:
    """When the first cycle after hours is refused, the refusal is told; its end is told as one recovery."""
    app = trouble.app()
    app.poll()
    trouble.clock.advance(60 * MINUTE)
    trouble.listing = error_reply(403, "AuthenticationFailed")
    app.poll()
    trouble.listing = None
    trouble.poll_after(app, MINUTE)
    assert codes(app) == [("account.unreachable", "AuthenticationFailed"), ("account.reachable", "")]


def test_a_first_deployment_is_no_outage(trouble: Trouble) -> None:
    """Nothing is told of the time before the first cycle."""
    app = trouble.app()
    app.poll()
    assert codes(app) == []


@pytest.mark.parametrize(("new", "taken"), [(SLACK, refusal(200, b"ok")), (PAGER, refusal(202, b"{}"))])
def test_who_is_added_meanwhile_hears_of_it(new: Mapping[str, object], taken: WebhookAnswer) -> None:
    """A chat or pager that is added while an account can't be read is told so once, and its end."""
    before = deploy(SIGNED)
    _goes_blind(before)
    after = deploy(SIGNED, new, batches=before.batches, table=before.table, clock=before.clock)
    after.sender.answer = taken
    _cycles(after, 5)
    assert [b"can't read Batch account" in body for body in _bodies(after)] == [True]
    after.batch.failures.clear()
    _cycles(after, 5)
    assert len(_bodies(after)) == 2


@pytest.mark.parametrize(("one", "taken"), [(SLACK, refusal(200, b"ok")), (PAGER, refusal(202, b"{}"))])
@pytest.mark.parametrize("was_told", [False, True])
def test_who_was_switched_off_meanwhile_hears_of_it(
    one: Mapping[str, object], taken: WebhookAnswer, *, was_told: bool
) -> None:
    """A chat or pager is told once, before it is disabled or after it is enabled, and its end."""
    deployment = deploy(SIGNED, one)
    deployment.sender.answer = taken
    _cycles(deployment, 1)
    if was_told:
        _goes_blind(deployment)
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name=str(one["name"]))
    _goes_blind(deployment)
    deployment.ask(lambda routes, asked: routes.webhooks.enable_webhook(asked), name=str(one["name"]))
    _cycles(deployment, 5)
    assert [b"can't read Batch account" in body for body in _bodies(deployment)] == [True]
    deployment.batch.failures.clear()
    _cycles(deployment, 5)
    assert len(_bodies(deployment)) == 2


def _goes_blind(deployment: Deployment) -> None:
    deployment.batch.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "Who are you?", status=403)
    _cycles(deployment, 8)


def _cycles(deployment: Deployment, number: int) -> None:
    for _ in range(number):
        deployment.poll(ACCOUNT)
        deployment.deliver(ACCOUNT)
        deployment.clock.advance(minutes=1)


def _bodies(deployment: Deployment) -> list[bytes]:
    """What chat and pager were sent."""
    return [request.body for request in deployment.sender.sent if "webhook-id" not in request.headers]
