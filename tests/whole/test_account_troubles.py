"""What an account in trouble costs and says: patience, one event, one recovery, and a heartbeat that tells."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from shared.adapters.webhook_sender import WebhookSender
from shared.state.jobs import Cycle
from shared.state.rows import CYCLE, from_row
from shared.web.routes import Routes
from tests.support.fakes import ACCEPTED, START, FakeClock, FakeSender, refusal
from tests.support.hostile_batch import Play, account, error_reply, failed_node, json_reply, page, says
from tests.support.receivers import Receiver, answer
from tests.support.receivers import says as receiver_says
from tests.support.scripted_http import Asked, Reply, ScriptedServer
from tests.support.whole_app import WholeApp, codes, whole_app

SECONDS = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
STALE_AFTER = timedelta(seconds=300)
JOBS = [f"job-{number}" for number in range(6)]
BEAT = "https://beat.example/abc"


class Trouble:
    """A Batch account of six jobs with one failed node each, and what it answers instead while `reply` is set."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.listing: Reply | None = None
        self.statuses: Reply | None = None
        self.state = "active"
        good = page(failed_node("n-1", now=START))

        def play(asked: Asked) -> Reply:
            return good(asked) if self.statuses is None else self.statuses

        self.plays: dict[str, Play] = dict.fromkeys(JOBS, play)
        self.server: ScriptedServer = account(self.plays, jobs=lambda: self.listing or self._jobs())

    def _jobs(self) -> Reply:
        created = "2026-11-01T11:00:00Z"
        shown = [{"id": name, "state": self.state, "creationTime": created} for name in self.plays]
        return json_reply({"value": shown})

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self.server.log)

    def app(self, **more: Any) -> WholeApp:
        """An app that lists one job after the other."""
        return whole_app(self.server.url, clock=self.clock, POLL_CONCURRENCY="1", **more)

    def poll_after(self, app: WholeApp, wait: timedelta) -> None:
        """Let time pass, then run a cycle."""
        self.clock.advance(wait)
        app.poll()


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    """An account that is well at first."""
    made = Trouble()
    with made.server:
        yield made


# --- patience ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "retry_after", "wait"),
    [
        pytest.param(429, "TooManyRequests", "90", 90, id="429"),
        pytest.param(503, "ServerBusy", "90", 90, id="503"),
        pytest.param(429, "TooManyRequests", "Sun, 01 Nov 2026 12:02:00 GMT", 120, id="a date"),
        pytest.param(429, "TooManyRequests", "86400", 900, id="no longer than a quarter of an hour"),
    ],
)
@pytest.mark.parametrize("place", ["listing", "statuses"])
def test_nobody_asks_before_batch_wants_to_be_asked(
    trouble: Trouble, status: int, code: str, retry_after: str | None, wait: int, place: str
) -> None:
    """After 429 and 503 no cycle and no summary sends a request before Retry-After has passed; then one does."""
    app = trouble.app()
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    setattr(trouble, place, error_reply(status, code, **headers))
    app.poll()
    asked = trouble.asked
    assert asked == (1 if place == "listing" else 2)  # the other jobs are not asked for either

    trouble.clock.advance((wait - 1) * SECONDS)
    assert app.poll().skipped is not None
    body = app.summary(maxAge="0")
    assert (trouble.asked, body["accounts"][0]["error"]["code"]) == (asked, code)

    setattr(trouble, place, None)
    trouble.clock.advance(SECONDS)
    assert app.summary(maxAge="0")["accounts"][0]["error"] is None
    assert trouble.asked > asked


def test_patience_grows_while_batch_throttles(trouble: Trouble) -> None:
    """Each throttled cycle waits longer, up to five minutes; a longer Retry-After wins; one good cycle forgets it."""
    app = trouble.app()

    def wait(**headers: str) -> float:
        trouble.listing = error_reply(429, "TooManyRequests", **headers)
        assert app.poll().skipped is None
        not_before = cycle_of(app).not_before
        assert not_before is not None
        waited, trouble.clock.now = not_before - trouble.clock.now, not_before
        return waited.total_seconds()

    assert [wait() for _ in range(6)] == [15, 30, 60, 120, 300, 300]
    assert wait(**{"Retry-After": "700"}) == 700
    assert wait(**{"Retry-After": "1"}) == 300
    trouble.listing = None
    app.poll()
    assert wait() == 15


def cycle_of(app: WholeApp) -> Cycle:
    """How the last cycle went."""
    (row,) = [row for row in app.rows() if row.key == CYCLE]
    return from_row(row, Cycle)


def test_while_batch_wants_no_request_blindness_is_told_on_time(trouble: Trouble) -> None:
    """Cycles that may not ask write their row and call the heartbeat: it and the event say so after five minutes."""
    app = trouble.app(HEARTBEAT_URL=BEAT)
    app.poll()
    trouble.listing = error_reply(429, "TooManyRequests", **{"Retry-After": "900"})
    trouble.poll_after(app, MINUTE)
    asked = trouble.asked
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    assert trouble.asked == asked
    assert codes(app) == [("account.unreachable", "TooManyRequests")]
    assert app.post.called == [BEAT] * 6 + [f"{BEAT}/fail"] * 4
    assert cycle_of(app).finished_at == trouble.clock.now


# --- one event ------------------------------------------------------------------------------------------------


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
        pytest.param(Reply(body=b"{"), id="no JSON"),
        pytest.param(Reply(status=0, hang_up=True), id="no answer"),
    ],
)
def test_a_listing_that_fails_is_told_when_the_account_is_stale(trouble: Trouble, reply: Reply) -> None:
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


# --- one job ----------------------------------------------------------------------------------------------------


def test_a_job_that_cannot_be_looked_at_is_told_after_three_cycles(trouble: Trouble) -> None:
    """Two bad cycles are weather, the third is told once, and the first good one is told as its end."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-2"] = says(error_reply(500, "InternalError", "Sorry."))
    for expected in ([], [], ["job.unreachable"], ["job.unreachable"]):
        trouble.poll_after(app, MINUTE)
        assert [kind for kind in app.post.types() if kind.startswith("job.")] == expected
    job = app.job("job-2")
    assert (job["tracking"], job["error"]["code"], job["preparation"]["open"]) == ("unreachable", "InternalError", 1)
    assert "1 job can't be read" in app.summary()["reasons"]
    trouble.plays["job-2"] = page(failed_node("n-1", now=START))
    trouble.poll_after(app, MINUTE)
    trouble.poll_after(app, MINUTE)
    told = [event for event in app.post.events() if ".job." in event["type"]]
    assert [event["type"] for event in told] == ["prepwatch.job.unreachable", "prepwatch.job.reachable"]
    assert {event["data"]["jobId"] for event in told} == {"job-2"}
    assert app.job("job-2")["tracking"] == "watching"
    assert len(app.post.events("preparation.failed")) == len(JOBS)


def test_a_conflict_is_never_the_accounts(trouble: Trouble) -> None:
    """When every job is refused with 409, each of them is out of reach, and the account is read."""
    app = trouble.app()
    app.poll()
    trouble.statuses = error_reply(409, "OperationInvalidForCurrentState")
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    assert codes(app) == []
    assert [kind for kind in app.post.types() if kind.startswith("job.")] == ["job.unreachable"] * len(JOBS)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("active", "JobBeingDeleted"),
        ("active", "JobBeingTerminated"),
        ("deleting", "OperationInvalidForCurrentState"),
        ("terminating", "JobReleaseTaskNotSpecified"),
    ],
)
def test_a_conflict_with_the_jobs_own_end_is_no_error(trouble: Trouble, state: str, code: str) -> None:
    """A job that can't be listed because it is being deleted or terminated is in no trouble, and goes on being read."""
    app = trouble.app()
    app.poll()
    trouble.state, trouble.statuses = state, error_reply(409, code)
    for _ in range(8):
        trouble.poll_after(app, MINUTE)
    job = app.job("job-2")
    assert (set(app.post.types()), job["error"], job["tracking"]) == ({"preparation.failed"}, None, "watching")


def test_a_job_that_vanished_is_told_and_closed(trouble: Trouble) -> None:
    """A job whose own answer is JobNotFound is told as gone, its open failure ends with it, and both only once."""
    app = trouble.app()
    app.poll()
    del trouble.plays["job-3"]
    for _ in range(4):
        trouble.poll_after(app, MINUTE)
    told = [kind for kind in app.post.types() if kind != "preparation.failed"]
    assert sorted(told) == ["job.gone", "preparation.resolved"]
    assert app.post.events("preparation.resolved")[0]["data"]["reason"] == "jobGone"
    assert (app.job("job-3")["tracking"], app.job("job-3")["preparation"]["open"]) == ("gone", 0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("JobNotFound", {"reason": "jobGone"}, id="gone"),
        pytest.param("JobPreparationTaskNotSpecified", {}, id="listed, and without a preparation task"),
    ],
)
def test_a_job_that_need_not_be_looked_at_is_no_longer_told_to_be_out_of_reach(
    trouble: Trouble, code: str, told: dict[str, str]
) -> None:
    """Each job.unreachable gets its job.reachable, with the reason when the job is over."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-2"] = says(error_reply(500, "InternalError", "Sorry."))
    for _ in range(3):
        trouble.poll_after(app, MINUTE)
    trouble.plays["job-2"] = says(error_reply(404 if told else 409, code))
    for _ in range(3):
        trouble.poll_after(app, MINUTE)
    ((begun,), (ended,)) = (app.post.events(f"job.{kind}") for kind in ("unreachable", "reachable"))
    assert begun["data"]["since"] == ended["data"]["since"]
    assert {name: value for name, value in ended["data"].items() if name == "reason"} == told


@pytest.mark.parametrize("code", ["ResourceNotFound", "PoolNotFound"])
def test_a_job_is_not_given_up_for_any_other_404(trouble: Trouble, code: str) -> None:
    """Only JobNotFound closes a job; another 404 is an error of that job."""
    app = trouble.app()
    app.poll()
    trouble.plays["job-3"] = says(error_reply(404, code))
    trouble.poll_after(app, MINUTE)
    job = app.job("job-3")
    assert (job["tracking"], job["error"]["code"], job["preparation"]["open"]) == ("watching", code, 1)


# --- the heartbeat ----------------------------------------------------------------------------------------------


def test_the_heart_beats_after_every_good_cycle(trouble: Trouble) -> None:
    """A good cycle calls the heartbeat's URL; an account that is blind for too long calls /fail, until it is well."""
    app = trouble.app(HEARTBEAT_URL=f"{BEAT}/")
    app.poll()
    trouble.listing = error_reply(500, "InternalError")
    trouble.poll_after(app, MINUTE)
    assert app.post.called == [BEAT, BEAT]
    trouble.poll_after(app, STALE_AFTER)
    assert app.post.called[2:] == [f"{BEAT}/fail"]
    trouble.listing = None
    trouble.poll_after(app, MINUTE)
    assert app.post.called[3:] == [BEAT]


def test_a_webhook_that_takes_nothing_fails_the_heartbeat(trouble: Trouble) -> None:
    """A quarter of an hour after the first message that was not taken the switch is told so, and no longer once it is.

    What was given up is history: nobody hears of it again, however long it is listed.
    """
    post = FakeSender(refusal(403))
    app = trouble.app(post=post, HEARTBEAT_URL=f"{BEAT}/?rid=7")
    for _ in range(20):
        trouble.poll_after(app, MINUTE)
    assert post.called == [f"{BEAT}/?rid=7"] * 15 + [f"{BEAT}/fail?rid=7"] * 5
    assert app.answer(Routes.health).status == 503
    post.answer = ACCEPTED
    trouble.poll_after(app, 5 * MINUTE)
    assert post.called[-1] == f"{BEAT}/?rid=7"
    assert app.answer(Routes.health).status == 200


def test_the_heartbeat_obeys_the_guard_of_webhooks(trouble: Trouble) -> None:
    """The heartbeat's URL reaches no address that a webhook may not reach, and its failure harms no cycle."""
    with Receiver(receiver_says(answer(200))) as private:
        for cidrs, reached in ((), 0), ((ip_network("127.0.0.0/8"),), 1):
            sender = WebhookSender(allowed_cidrs=cidrs, allow_http=True, deadline=timedelta(seconds=2))
            app = trouble.app(sender=sender, HEARTBEAT_URL=private.url("/beat"), TRACKED_JOBS="none")
            assert app.poll().good
            assert private.connections == reached
