"""GET /api/summary: status and reasons, freshness, nudges, ETag, paging."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.batch.model import JobExecutionInfo, TaskCounts
from shared.delivery.advice import advice_on
from shared.errors import AccountDeniedError, HostileAnswerError, StoreUnavailableError, ThrottledError
from shared.ports import Merge, Put
from shared.state.rows import OWN, delivery_key, job_key, to_columns, webhook_key
from shared.state.telling import DeliveryState, WebhookState
from shared.web.routes import Routes
from shared.webhook import WebhookRequest
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import ACCEPTED, refusal
from tests.support.webhook_settings import SIGNED, SLACK

STALE_AFTER = timedelta(seconds=300)


def _nothing(deployment: Deployment) -> None:
    deployment.poll()


def _well(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    deployment.poll()


def _open_failures(deployment: Deployment) -> None:
    deployment.batch.add(a_job("a"), *(a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(2)))
    deployment.batch.add(a_job("b"), a_node("n", preparation=a_run(failed=True)))
    deployment.poll()


def _stuck(deployment: Deployment) -> None:
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.batch.counts["job-1"] = TaskCounts(active=3)
    for _ in range(4):
        deployment.poll()
        deployment.clock.advance(minutes=2)
    deployment.poll()


def _denied(deployment: Deployment) -> None:
    deployment.poll()
    deployment.clock.advance(seconds=60)
    deployment.batch.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "No role.", status=403)
    deployment.poll()


def _unreachable(deployment: Deployment) -> None:
    deployment.batch.add(a_job())
    deployment.batch.failures["list_statuses"] = HostileAnswerError("InvalidAnswer", "Not JSON.")
    for _ in range(3):
        deployment.poll()
        deployment.clock.advance(seconds=60)


def _failing_webhook(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(500)
    deployment.batch.add(a_job(), *(a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(3)))
    for _ in range(6):
        deployment.poll()
        deployment.clock.advance(minutes=10)
    deployment.poll()


def _late(deployment: Deployment) -> None:
    """One job's event is never taken, and others' in between are."""

    def answer(request: WebhookRequest) -> None:
        deployment.sender.answer = refusal(503) if b"job-1" in request.body else ACCEPTED

    deployment.sender.during = answer
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    for number in range(18):
        deployment.batch.add(a_job(f"other-{number}"), a_node(preparation=a_run(failed=True)))
        deployment.poll()
        deployment.batch.add(a_job(f"other-{number}"), a_node(preparation=a_run()))
        deployment.clock.advance(minutes=1)
    deployment.poll()


def _disabled_webhook(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(410)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()


def _unreadable(deployment: Deployment) -> None:
    deployment.batch.add(a_job())
    deployment.poll()
    newer = Merge(key=job_key("job-1"), columns={"v": 99})
    deployment.table.transact(ACCOUNT, [newer])


def _stale(deployment: Deployment) -> None:
    deployment.poll()
    deployment.clock.advance(seconds=301)
    deployment.batch.failures["list_jobs"] = AccountDeniedError("AuthenticationFailed", "No role.", status=403)


@pytest.mark.parametrize(
    ("arrange", "status", "reasons"),
    [
        pytest.param(_nothing, "ok", [], id="ok"),
        pytest.param(_open_failures, "failing", ["preparation failed on 3 nodes of 2 jobs"], id="failing"),
        pytest.param(
            _stuck,
            "failing",
            [
                "1 job stands still: preparation failed on every node that could work",
                "preparation failed on 1 node of 1 job",
            ],
            id="stuck",
        ),
        pytest.param(_denied, "degraded", [f"{ACCOUNT}: AuthenticationFailed: No role."], id="account denied"),
        pytest.param(_unreachable, "degraded", ["1 job can't be read"], id="job unreachable"),
        pytest.param(
            _failing_webhook,
            "failing",
            [
                "preparation failed on 3 nodes of 1 job",
                "webhook ops has accepted nothing since 2026-11-01 12:00 UTC: status 500. "
                + advice_on(None, 500)
                + " 6 messages wait, the oldest since 2026-11-01 12:00 UTC",
            ],
            id="webhook failing",
        ),
        pytest.param(
            _late,
            "failing",
            [
                "preparation failed on 19 nodes of 19 jobs",
                "webhook ops has not taken everything: 1 message waits, the oldest since 2026-11-01 12:00 UTC",
            ],
            id="one event that is not taken",
        ),
        pytest.param(
            _disabled_webhook,
            "failing",
            [
                "preparation failed on 1 node of 1 job",
                "webhook ops is disabled",
                "1 message is undeliverable",
            ],
            id="webhook disabled",
        ),
        pytest.param(
            _unreadable,
            "degraded",
            ["1 job can't be read"],
            id="row of a newer version",
        ),
        pytest.param(
            _stale,
            "stale",
            [
                f"{ACCOUNT} has not been read since 2026-11-01 12:00 UTC",
                f"{ACCOUNT}: AuthenticationFailed: No role.",
            ],
            id="stale",
        ),
    ],
)
def test_status_and_reasons(arrange: Callable[[Deployment], None], status: str, reasons: list[str]) -> None:
    """The summary says at once what is wrong, the worst first, in words."""
    deployment = deploy(EVENT_MAX_NODES="1")
    arrange(deployment)
    told = deployment.ask(Routes.summary)
    assert (told.status, told.body["status"], told.body["reasons"]) == (200, status, reasons)


def test_what_fails_is_not_hidden_behind_a_blind_account() -> None:
    """Beside an account that can't be read the summary still says first that preparation fails, and then the rest."""
    deployment = deploy(accounts=2)
    deployment.poll(OTHER_ACCOUNT)
    deployment.clock.advance(seconds=301)
    denied = AccountDeniedError("AuthenticationFailed", "No role.", status=403)
    deployment.batches[OTHER_ACCOUNT].failures["list_jobs"] = denied
    run = a_run(failed=True, ended=deployment.clock.now)
    deployment.batch.add(a_job(), a_node(preparation=run))
    deployment.poll()
    told = deployment.ask(Routes.summary)
    assert told.body["status"] == "failing"
    first, second, _ = told.body["reasons"]
    assert first == "preparation failed on 1 node of 1 job"
    assert second == f"{OTHER_ACCOUNT} has not been read since 2026-11-01 12:00 UTC"


def test_no_webhook() -> None:
    """An app that would tell nobody is degraded."""
    deployment = deploy({**SIGNED, "enabled": False})
    deployment.poll()
    told = deployment.ask(Routes.summary)
    assert told.body["status"] == "degraded"
    assert told.body["reasons"] == ["no webhook is configured, so nobody is notified of failures"]


def test_body() -> None:
    """Every field of the contract is there, counts spelled out, times in RFC 3339."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("n2", preparation=a_run()))
    deployment.poll()
    body = deployment.ask(Routes.summary).body
    counts = {"running": 0, "retrying": 0, "succeeded": 0, "failed": 0, "unknown": 0, "slow": 0, "open": 0}
    assert body["generatedAt"] == "2026-11-01T12:00:00Z"
    assert body["nextPollAt"] == "2026-11-01T12:01:00Z"
    assert body["totals"] == {
        "jobs": 1,
        "nodes": 2,
        "preparation": {**counts, "succeeded": 1, "failed": 1, "open": 1},
        "release": counts,
        "pools": 0,
    }
    (account,) = body["accounts"]
    assert (account["account"], account["url"], account["stale"]) == (ACCOUNT, f"https://{ACCOUNT}", False)
    assert account["portalUrl"] is None
    assert account["lastPoll"]["jobs"] == 1
    (job,) = body["value"]
    assert (job["jobId"], job["tracking"], job["state"], job["error"]) == ("job-1", "watching", "active", None)
    assert job["since"] == "2026-11-01T11:55:00Z"
    cause = {"phase": "preparation", "code": "Oops", "message": "It went wrong: Oops", "nodes": 1, "command": None}
    assert job["causes"] == [cause]
    assert body["deliveries"] == {"due": 0, "dead": 0, "oldestDueSince": None}
    assert body["webhooks"] == {"failing": [], "disabled": []}


def test_a_standstill_is_shown_with_its_reason() -> None:
    """Since when, why, what the pool's nodes are doing, and how many tasks wait; nothing while nothing stands still."""
    deployment = deploy()
    deployment.batch.node_counts["pool"] = {"starttaskfailed": 2, "unusable": 1}
    job = replace(a_job(), execution_info=JobExecutionInfo(pool_id="pool"))
    deployment.batch.add(job, a_node(preparation=a_run()))
    deployment.batch.counts["job-1"] = TaskCounts(active=3)
    deployment.poll()
    assert deployment.ask(Routes.summary).body["value"][0]["stuck"] is None
    for _ in range(3):
        deployment.clock.advance(minutes=3)
        deployment.poll()
    body = deployment.ask(Routes.summary).body
    stuck = body["value"][0]["stuck"]
    assert "reboot these nodes" in stuck.pop("remedy")
    assert "| xargs -n1 az batch node reboot" in stuck.pop("command")
    assert stuck == {
        "since": "2026-11-01T12:00:00Z",
        "reason": "startTaskFailed",
        "poolId": "pool",
        "nodes": {"starttaskfailed": 2, "unusable": 1},
        "why": "the start task failed on the pool's nodes",
        "standing": "2 start task failed, 1 unusable",
        "cause": None,
        "tasks": 3,
        "afterwards": None,
    }
    assert body["reasons"] == ["1 job stands still: the start task failed on the pool's nodes"]


def _release_failed(deployment: Deployment) -> None:
    released = a_run(failed=True, ended=NOW - timedelta(minutes=3))
    deployment.batch.add(a_job(), a_node(preparation=a_run(), release=released))
    deployment.poll()


def _failed_one_after_the_other(deployment: Deployment) -> None:
    runs = [a_run(failed=True, ended=NOW - timedelta(minutes=minutes)) for minutes in (9, 20)]
    runs.append(a_run(failed=True, ended=NOW - timedelta(minutes=15), code="Other"))
    released = a_run(failed=True, ended=NOW - timedelta(minutes=30))
    nodes = [a_node(f"n{number}", preparation=run) for number, run in enumerate(runs)]
    deployment.batch.add(a_job(), *nodes, a_node("n9", preparation=a_run(), release=released))
    deployment.poll()


@pytest.mark.parametrize(
    ("arrange", "since"),
    [
        pytest.param(_well, None, id="nothing is wrong"),
        pytest.param(_failed_one_after_the_other, -20, id="the first of the failures that are open"),
        pytest.param(_stuck, -5, id="stuck, since its last node failed"),
        pytest.param(_unreachable, 0, id="its first cycle with an error"),
        pytest.param(_release_failed, -3, id="its first failed release"),
        pytest.param(_unreadable, None, id="nobody knows"),
    ],
)
def test_since_when(arrange: Callable[[Deployment], None], since: int | None) -> None:
    """A job says since when the worst of what is wrong with it goes on, in minutes here, and goes on saying it."""
    deployment = deploy()
    arrange(deployment)
    first = deployment.ask(Routes.summary)
    (job,) = first.body["value"]
    wanted = None if since is None else f"{NOW + timedelta(minutes=since):%Y-%m-%dT%H:%M:%SZ}"
    assert job["since"] == wanted
    deployment.clock.advance(seconds=1)
    assert deployment.ask(Routes.summary).headers["etag"] == first.headers["etag"]


# --- freshness -----------------------------------------------------------------------------------------------


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


# --- nudges ---------------------------------------------------------------------------------------------------


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
    assert (body["status"], body["reasons"]) == ("degraded", ["1 message is undeliverable"])
    assert body["deliveries"] == {"due": 0, "dead": 1, "oldestDueSince": None}


# --- ETag -----------------------------------------------------------------------------------------------------


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


# --- choosing and paging --------------------------------------------------------------------------------------


def test_pages_worst_first() -> None:
    """Jobs come worst first, page by page, while the totals are those of all."""
    deployment = deploy()
    for number in range(5):
        nodes = [a_node(f"n{index}", preparation=a_run(failed=index < number)) for index in range(5)]
        deployment.batch.add(a_job(f"job-{number}"), *nodes)
    deployment.poll()
    first = deployment.ask(Routes.summary, {"top": "3", "code": "key"}).body
    rest = deployment.ask(Routes.summary, {"top": "3", "skip": "3"}).body
    assert [job["jobId"] for job in first["value"] + rest["value"]] == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert first["nextLink"] == "https://app.example/api/x?top=3&skip=3"
    assert rest["nextLink"] is None
    assert first["totals"] == rest["totals"]
    one = deployment.ask(Routes.summary, {"job": "JOB-3"}).body
    assert ([job["jobId"] for job in one["value"]], one["totals"]["jobs"]) == (["job-3"], 1)


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param({"maxAge": "-1"}, "maxAge", id="negative age"),
        pytest.param({"maxAge": "1.5"}, "maxAge", id="age in parts"),
        pytest.param({"maxAge": "86401"}, "maxAge", id="age beyond a day"),
        pytest.param({"top": "x"}, "top", id="top"),
        pytest.param({"skip": "x"}, "skip", id="skip"),
        pytest.param({"maxage": "1"}, "maxage", id="another spelling"),
    ],
)
def test_bad_input(query: dict[str, str], target: str) -> None:
    """A parameter that can't be used is named."""
    told = deploy().ask(Routes.summary, query)
    assert (told.status, told.body["error"]["target"]) == (400, target)


@pytest.mark.parametrize("query", [{"job": "x"}, {"account": "x"}], ids=["job", "account"])
def test_not_found(query: dict[str, str]) -> None:
    """An unknown job or account is 404."""
    assert deploy().ask(Routes.summary, query).status == 404


def test_store_away() -> None:
    """Without its table the app says so, and when to come again."""
    deployment = deploy(table=_Away())
    told = deployment.ask(Routes.summary)
    assert (told.status, told.body["error"]["code"], told.headers["retry-after"]) == (503, "StoreUnavailable", "5")


class _Away(FakeTable):
    def get(self, partition: str, key: str) -> None:
        """Give no answer."""
        raise StoreUnavailableError("away")


# --- health ---------------------------------------------------------------------------------------------------


def test_health() -> None:
    """Health is 200, or 503 when stale, kept for ten seconds, and says of what is wrong only what it is in general."""
    deployment = deploy()
    statuses = [deployment.ask(Routes.health).status]
    deployment.poll()
    deployment.clock.advance(seconds=9)
    statuses.append(deployment.ask(Routes.health).status)
    deployment.clock.advance(seconds=1)
    statuses.append(deployment.ask(Routes.health).status)
    deployment.clock.advance(seconds=300)
    told = deployment.ask(Routes.health)
    assert [*statuses, told.status] == [503, 503, 200, 503]
    assert told.body == {"reasons": ["an account has not been read for too long: GET /api/summary names it"]}


def test_health_without_store() -> None:
    """A store that is away is no reason to fall over."""
    assert deploy(table=_Away()).ask(Routes.health).status == 503


def test_a_message_that_chat_calls_wrong() -> None:
    """It could not be told: the summary is degraded, with the answer and what can be done, until somebody knows."""
    deployment = deploy(SLACK)

    def answer(request: WebhookRequest) -> None:
        deployment.sender.answer = refusal(400, b"invalid_blocks") if b"job-1" in request.body else refusal(200, b"ok")

    deployment.sender.during = answer
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.clock.advance(minutes=1)
    deployment.poll()
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    (reason,) = [one for one in deployment.ask(Routes.summary).body["reasons"] if "chat" in one]
    assert "webhook chat calls the message about 1 job or pool wrong" in reason
    assert "status 400: the receiver calls the message wrong: invalid_blocks" in reason
    deployment.ask(lambda routes, asked: routes.events.dismiss_deliveries(asked), body={})
    assert not [one for one in deployment.ask(Routes.summary).body["reasons"] if "chat" in one]


def test_a_filter_that_matches_no_event() -> None:
    """Somebody waits for what never comes: the summary is degraded, and names the types that there are."""
    deployment = deploy({**SIGNED, "events": ["preparation.faild", "job.*"]})
    deployment.poll()
    told = deployment.ask(Routes.summary).body
    assert told["status"] == "degraded"
    assert told["reasons"][0].startswith("events of webhook ops: preparation.faild matches no event type; there are ")
    assert "preparation.failed" in told["reasons"][0]
