"""GET /api/trends: failures a day, folded from events."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.api.events import trends
from shared.api.events.trends import TrendFilter, count_by_day
from shared.api.events.views import TrendBy
from shared.ledger.archive import StoredEvent
from shared.messages.events import Event, EventType
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy

TODAY = NOW.date()


def _ask(deployment: Deployment, **query: str) -> Any:
    return deployment.ask(lambda routes, asked: routes.events.trends(asked), query)


def _fail(deployment: Deployment, job: str, *nodes: str, account: str = ACCOUNT) -> None:
    failing = a_run(failed=True, ended=deployment.clock())
    deployment.batches[account].add(a_job(job), *(a_node(node, preparation=failing) for node in nodes))
    deployment.poll(account)


def test_failures_are_counted_by_day() -> None:
    """Each node that failed counts on the day on which it failed; days without failures are zeros."""
    deployment = deploy()
    _fail(deployment, "job-1", "node-1", "node-2")
    deployment.clock.advance(hours=48)
    _fail(deployment, "job-2", "node-1")
    told = _ask(deployment, by="job", days="4").body
    assert (told["by"], told["complete"]) == ("job", True)
    assert told["days"] == [str(TODAY + timedelta(days=number)) for number in (-1, 0, 1, 2)]
    rows = {row["name"]: (row["total"], row["counts"]) for row in told["value"]}
    assert rows == {"job-1": (2, [0, 2, 0, 0]), "job-2": (1, [0, 0, 0, 1])}
    assert [row["name"] for row in told["value"]] == ["job-1", "job-2"]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param({}, {"Oops": 3}, id="by code, as without a word"),
        pytest.param({"by": "pool"}, {"pool-1": 3}, id="by pool"),
        pytest.param({"by": "job", "job": "JOB-2"}, {"job-2": 1}, id="of a job"),
        pytest.param({"by": "job", "pool": "POOL-1"}, {"job-1": 2, "job-2": 1}, id="in a pool"),
        pytest.param({"by": "job", "pool": "elsewhere"}, {}, id="in another pool"),
        pytest.param({"by": "job", "account": OTHER_ACCOUNT}, {"job-2": 1}, id="of an account"),
    ],
)
def test_it_counts_what_is_asked_for(query: dict[str, str], rows: dict[str, int]) -> None:
    """Codes, pools or jobs of all, or only of an account, a job or a pool."""
    deployment = deploy(accounts=2)
    _fail(deployment, "job-1", "node-1", "node-2")
    _fail(deployment, "job-2", "node-1", account=OTHER_ACCOUNT)
    told = _ask(deployment, **query)
    assert {row["name"]: row["total"] for row in told.body["value"]} == rows


def test_what_is_over_still_counts_and_what_is_older_does_not() -> None:
    """A resolution takes nothing off, and a failure leaves the chart with its day."""
    deployment = deploy()
    _fail(deployment, "job-1", "node-1")
    deployment.clock.advance(hours=1)
    deployment.batch.add(a_job("job-1"), a_node("node-1", preparation=a_run(ended=deployment.clock())))
    deployment.poll()
    assert [row["total"] for row in _ask(deployment).body["value"]] == [1]
    deployment.clock.advance(hours=24)
    assert [row["total"] for row in _ask(deployment, days="2").body["value"]] == [1]
    assert _ask(deployment, days="1").body["value"] == []


def test_too_many_events_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """When not all events are read, the answer says from when on it counts."""
    deployment = deploy()
    _fail(deployment, "job-1", "node-1")
    deployment.clock.advance(hours=24)
    _fail(deployment, "job-2", "node-1")
    monkeypatch.setattr(trends, "MAX_EVENTS_COUNTED", 1)
    told = _ask(deployment, by="job").body
    assert (told["complete"], [row["name"] for row in told["value"]]) == (False, ["job-2"])
    assert told["countedFrom"].startswith(str(TODAY + timedelta(days=1)))


def test_events_that_are_no_failures_fill_the_measure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure behind too many other events is not counted, and the answer does not call itself complete."""
    deployment = deploy()
    _fail(deployment, "job-1", "node-1")
    deployment.clock.advance(hours=24)
    deployment.batch.add(a_job("job-1"), a_node("node-1", preparation=a_run(ended=deployment.clock())))
    deployment.poll()
    monkeypatch.setattr(trends, "MAX_EVENTS_COUNTED", 1)
    told = _ask(deployment).body
    assert (told["complete"], told["value"]) == (False, [])
    assert told["countedFrom"].startswith(str(TODAY + timedelta(days=1)))


@pytest.mark.parametrize(
    ("query", "target"), [({"by": "node"}, "by"), ({"days": "0"}, "days"), ({"days": "367"}, "days")]
)
def test_a_wrong_question_is_refused(query: dict[str, str], target: str) -> None:
    """What can't be counted by, or for as long, is said to be wrong."""
    told = _ask(deploy(), **query)
    assert (told.status, told.body["error"]["target"]) == (400, target)


def test_an_unknown_account_is_refused() -> None:
    """No zeros are shown for what nobody watches."""
    assert _ask(deploy(), account="nobody.example").status == 404


def test_rare_names_share_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many names the rest is one row without a name, so that the sum is right."""
    monkeypatch.setattr(trends, "MAX_NAMED", 1)
    stored = StoredEvent(
        partition=ACCOUNT,
        event=Event(id="x", type=EventType.PREPARATION_FAILED, recorded_at=NOW, job_id="j", account=ACCOUNT, body=b""),
        time=NOW,
        phase=None,
        nodes=(("p", "1"), ("p", "2"), ("p", "3"), ("p", "4")),
        codes=("A", "A", "B", "C"),
    )
    rows = count_by_day([stored], TrendBy.CODE, [date(2026, 3, 1), NOW.date()], TrendFilter())
    assert [(row.name, row.total, row.counts) for row in rows] == [("A", 2, (0, 2)), (None, 2, (0, 2))]
