"""The order in which events are listed: the newest recorded first, whenever what they tell happened."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.ledger import archive, newest_events
from shared.ledger.archive import Archive
from shared.ledger.newest_events import NEWEST, ListPosition, read_list_position
from shared.ports import Delete
from shared.state.rows import event_key
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.webhook_settings import SIGNED

ENDED_AGO = (30, 7200, 60, 86_400, 3600, 5)
"""Seconds before they were recorded at which failures ended, in the order of recording, a minute between them."""
ID, OTHER_ID = "8206465899999-" + "a" * 24, "8206465899998-" + "b" * 24


def list_events(routes: Routes, request: Request) -> Answer:
    """The route."""
    return routes.events.list_events(request)


@pytest.fixture
def told() -> Deployment:
    """Two accounts whose failures were recorded in another order than they happened in."""
    deployment = deploy(SIGNED, {**SIGNED, "name": "z"}, accounts=2)
    _watch_before(deployment, *(f"job-{number}" for number in range(len(ENDED_AGO))), "job-new")
    for number, ago in enumerate(ENDED_AGO):
        account = OTHER_ACCOUNT if number == 2 else ACCOUNT
        run = a_run(failed=True, ended=deployment.clock.now - timedelta(seconds=ago))
        deployment.batches[account].add(a_job(f"job-{number}"), a_node("n", preparation=run))
        deployment.poll(account)
        deployment.clock.advance(minutes=1)
    return deployment


def _watch_before(deployment: Deployment, *jobs: str) -> None:
    """Watch jobs for so long that no failure of these tests was there before."""
    for account, batch in deployment.batches.items():
        for job in jobs:
            batch.add(a_job(job))
        deployment.poll(account)
    deployment.clock.advance(minutes=4 * 24 * 60)


def _pages(deployment: Deployment, query: dict[str, str]) -> Iterator[list[str]]:
    """The jobs of the events on each page, following nextLink; what tells of no job is left out."""
    for _ in range(30):
        body = deployment.ask(list_events, query).body
        yield [event["jobId"] for event in body["value"] if event["jobId"]]
        if body["nextLink"] is None:
            return
        query = {**query, "skip-token": parse_qs(urlsplit(body["nextLink"]).query)["skip-token"][0]}
    pytest.fail("the links never end")


@pytest.mark.parametrize("state", [{}, {"state": "delivered"}], ids=["all", "delivered"])
@pytest.mark.parametrize("top", [1, 2, 4, 100])
def test_newest_recorded_first(told: Deployment, state: dict[str, str], top: int) -> None:
    """What is recorded now of what happened long ago stands above what was recorded before, page by page."""
    listed = [job for page in _pages(told, {"top": str(top), **state}) for job in page]
    assert listed == [f"job-{number}" for number in reversed(range(len(ENDED_AGO)))]


def test_recorded_together() -> None:
    """Of what one cycle records, what happened later stands above."""
    deployment = deploy()
    jobs = {minutes: f"{minutes}-minutes-ago" for minutes in (20, 10, 30)}
    _watch_before(deployment, *jobs.values())
    for minutes, job in jobs.items():
        run = a_run(failed=True, ended=deployment.clock.now - timedelta(minutes=minutes))
        deployment.batch.add(a_job(job), a_node("n", preparation=run))
    deployment.poll()
    assert next(_pages(deployment, {})) == ["10-minutes-ago", "20-minutes-ago", "30-minutes-ago"]


@pytest.mark.parametrize("state", [{}, {"state": "delivered"}], ids=["all", "delivered"])
@pytest.mark.parametrize("window", [1, 2, 4])
def test_every_window_is_listed(
    told: Deployment, state: dict[str, str], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is listed once, however few are put in order together."""
    monkeypatch.setattr(newest_events, "WINDOW", window)
    monkeypatch.setattr(archive, "_PASSED_OVER", 1)
    listed = [job for page in _pages(told, {"top": "2", **state}) for job in page]
    assert sorted(listed) == [f"job-{number}" for number in range(len(ENDED_AGO))]


def test_a_page_later(told: Deployment) -> None:
    """What is recorded between two pages, or purged, neither repeats nor hides what is listed on the second."""
    first = told.ask(list_events, {"top": "2"}).body
    token = parse_qs(urlsplit(first["nextLink"]).query)["skip-token"][0]
    run = a_run(failed=True, ended=told.clock.now - timedelta(days=2))
    told.batch.add(a_job("job-new"), a_node("n", preparation=run))
    told.poll()
    told.table.transact(ACCOUNT, [Delete(key=event_key(first["value"][-1]["id"]))])
    second = told.ask(list_events, {"skip-token": token}).body["value"]
    assert [event["jobId"] for event in second if event["jobId"]] == ["job-3", "job-2", "job-1", "job-0"]


@pytest.mark.parametrize("passed_over", [0, 1, 1000])
def test_named(told: Deployment, passed_over: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are found by their ids, however far apart; ids of none, before, between and behind them, are left out."""
    monkeypatch.setattr(archive, "_PASSED_OVER", passed_over)
    found = Archive(table=told.table, accounts=[ACCOUNT], webhooks=[])
    ids = [one.id for one in found.found([ACCOUNT])]
    gone = "a" * 24
    wanted = [f"{ids[2][:13]}-{gone}", ids[4], ids[0], f"0000000000000-{gone}", f"9999999999999-{gone}", ids[3]]
    assert [one.id for one in found.named(ACCOUNT, wanted)] == [ids[0], ids[3], ids[4]]


@pytest.mark.parametrize(
    ("token", "position"),
    [
        pytest.param(ID, ListPosition(begin=ID), id="an event's id, as links held before"),
        pytest.param(f"8206465899000-{ID}.", ListPosition(last=f"8206465899000-{ID}"), id="in the first window"),
        pytest.param(
            f"8206465899000-{ID}.{OTHER_ID}", ListPosition(last=f"8206465899000-{ID}", begin=OTHER_ID), id="behind"
        ),
        pytest.param("", NEWEST, id="the first"),
    ],
)
def test_tokens(token: str, position: ListPosition) -> None:
    """A link's token is the position it leads to, and the other way round."""
    assert (read_list_position(token), position.token) == (position, token)


@pytest.mark.parametrize("token", ["x", ".", f"{ID}.{ID}", f"8206465899000-{ID}", f"{ID}x", f".{ID}", f"{ID}\n"])
def test_no_tokens(token: str) -> None:
    """What no link holds is no position."""
    assert read_list_position(token) is None
