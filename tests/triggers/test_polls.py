"""Which accounts the timer polls itself, and that none waits for a queue that nobody reads."""

from datetime import timedelta

import pytest

from shared.errors import StoreUnavailableError
from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE, Nudge, read_nudge
from shared.ports import Put
from shared.state.rows import NUDGES, OWN
from shared.triggers.polls import polled_here
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.webhook_settings import SLACK

MINUTE = timedelta(minutes=1)
AWAY = StoreUnavailableError("the queue service gave no answer: ServiceRequestError")
BOTH = {ACCOUNT, OTHER_ACCOUNT}


def _polls(deployment: Deployment) -> dict[str, int]:
    return {
        account: sum(method == "list_jobs" for method, _ in batch.asked)
        for account, batch in deployment.batches.items()
    }


def _handed_over(deployment: Deployment) -> set[str]:
    return {read_nudge(text.encode()).account for text in deployment.queues.take(POLLS_QUEUE)}


def _two() -> Deployment:
    """Two accounts that have been polled a moment ago."""
    deployment = deploy(accounts=2)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        deployment.poll(account)
        deployment.batches[account].asked.clear()
    deployment.clock.advance(minutes=1)
    return deployment


@pytest.mark.parametrize(
    ("last", "refused", "here"),
    [
        pytest.param({"a": 1, "b": 1}, "", "", id="all is well"),
        pytest.param({"a": 1, "b": 1}, "ab", "ab", id="nothing could be handed over"),
        pytest.param({"a": 1, "b": 1}, "b", "b", id="one could not"),
        pytest.param({"a": 1, "b": 2, "c": 3}, "", "c", id="nobody takes one"),
        pytest.param({"a": 3, "b": 9, "c": 5}, "", "bca", id="nobody takes any"),
        pytest.param({"a": 1, "b": 9, "c": 2}, "ac", "bca", id="both at once"),
    ],
)
def test_which_are_polled_here(last: dict[str, int], refused: str, here: str) -> None:
    """Who was refused, and whoever's last cycle is older than two intervals, longest waiting first."""
    began = {account: NOW - minutes * MINUTE for account, minutes in last.items()}
    assert polled_here(began, refused, NOW - 2 * MINUTE) == list(here)


def test_a_single_account_is_polled_here() -> None:
    """With one account no queue is asked."""
    deployment = deploy()
    deployment.queues.refusal = AWAY
    deployment.app.polls.run()
    assert _polls(deployment) == {ACCOUNT: 1}


@pytest.mark.parametrize("accounts", [1, 2])
def test_a_queue_that_takes_nudges_again_is_well(accounts: int) -> None:
    """Once a queue is mended the next poll finds out, though there is nothing to nudge for, and all is green."""
    deployment = deploy(accounts=accounts)
    deployment.queues.refusal = AWAY
    deployment.app.polls.run()
    deployment.app.nudger.send(DELIVERIES_QUEUE, [ACCOUNT])
    refused = deployment.ask(Routes.summary).body
    assert (refused["status"], "nudges are refused" in refused["reasons"][0]) == ("degraded", True)
    deployment.queues.refusal = None
    deployment.clock.advance(minutes=1)
    deployment.app.polls.run()
    assert (deployment.ask(Routes.summary).body["status"], deployment.ask(Routes.health).body) == (
        "ok",
        {"reasons": []},
    )


def test_a_queue_that_is_well_is_nudged_for_nothing() -> None:
    """Nor does a row that can't be read end a poll."""
    deployment = deploy()
    deployment.app.polls.run()
    deployment.table.transact(OWN, [Put(key=NUDGES, columns={"v": 99})])
    deployment.app.polls.run()
    assert deployment.queues.put_texts == []


def test_several_are_handed_over() -> None:
    """Each has a nudge, and nothing is polled here."""
    deployment = _two()
    deployment.app.polls.run()
    assert _handed_over(deployment) == BOTH
    assert _polls(deployment) == dict.fromkeys(BOTH, 0)


def test_a_queue_that_refuses_costs_no_poll() -> None:
    """What could not be handed over is polled here, each minute."""
    deployment = _two()
    deployment.queues.refusal = AWAY
    for minute in range(1, 4):
        deployment.app.polls.run()
        assert _polls(deployment) == dict.fromkeys(BOTH, minute)
        deployment.clock.advance(minutes=1)


def test_a_queue_that_nobody_reads_costs_two_intervals() -> None:
    """Whatever is handed over, an account is polled here once its last cycle is older than two intervals."""
    deployment = _two()
    polled: list[int] = []
    for _ in range(7):
        deployment.app.polls.run()
        polled.append(_polls(deployment)[ACCOUNT])
        deployment.clock.advance(seconds=60.5)
    assert polled == [0, 1, 1, 2, 2, 3, 3]


def test_accounts_never_polled_are_polled_here_too() -> None:
    """A first timer hands all over and begins itself: who reads the queue first is not known."""
    deployment = deploy(accounts=2)
    deployment.app.polls.run()
    assert _handed_over(deployment) == BOTH
    assert _polls(deployment) == dict.fromkeys(BOTH, 1)


def test_the_longest_waiting_goes_first_and_the_budget_ends_it() -> None:
    """No account is begun when the budget is over; it goes first the next time."""
    deployment = _two()
    deployment.queues.refusal = AWAY
    for batch in deployment.batches.values():
        batch.before_asking = lambda _method, _job: deployment.clock.advance(seconds=45)
    deployment.app.polls.run()
    assert _polls(deployment) == {ACCOUNT: 1, OTHER_ACCOUNT: 0}
    deployment.app.polls.run()
    assert _polls(deployment) == {ACCOUNT: 1, OTHER_ACCOUNT: 1}


def test_one_account_that_fails_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are polled first, then the run fails, so that it is seen."""
    deployment = _two()
    deployment.queues.refusal = AWAY
    query = deployment.table.query

    def away(partition: str, start: str, end: str) -> object:
        if partition == ACCOUNT:
            raise StoreUnavailableError("away")
        return query(partition, start, end)

    monkeypatch.setattr(deployment.table, "query", away)
    with pytest.raises(StoreUnavailableError):
        deployment.app.polls.run()
    assert _polls(deployment) == {ACCOUNT: 0, OTHER_ACCOUNT: 1}


def test_deliveries_are_nudged_together() -> None:
    """What two cycles leave for later is nudged once they are done, for both at once."""
    deployment = deploy(SLACK, accounts=2)
    for batch in deployment.batches.values():
        batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.app.polls.run()
    nudged = [read_nudge(text.encode()).account for text in deployment.queues.take(DELIVERIES_QUEUE)]
    assert sorted(nudged) == sorted(BOTH)


def test_a_nudge_is_answered_once() -> None:
    """Of two nudges made in the same minute the second asks Batch nothing."""
    deployment = _two()
    nudge = Nudge(account=ACCOUNT, created_at=deployment.clock.now)
    deployment.clock.advance(seconds=1)
    for _ in range(2):
        deployment.app.polls.take(nudge)
    assert _polls(deployment) == {ACCOUNT: 1, OTHER_ACCOUNT: 0}


def test_a_nudge_for_an_account_that_was_removed_ends_quietly() -> None:
    """It is of an older deployment: no failed run, and nothing for the poison queue."""
    deployment = _two()
    deployment.app.polls.take(Nudge(account="removed.example", created_at=NOW))
    assert _polls(deployment) == dict.fromkeys(BOTH, 0)
