"""A job that is created again while a cycle lists it: between the list of the jobs and that of its statuses."""

from datetime import timedelta

import pytest

from shared.batch.model import NodeStatus
from shared.ports import Row
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable

_AGAIN = NOW - timedelta(minutes=1)


def _rows(app: Deployment) -> list[Row]:
    assert isinstance(app.table, FakeTable)
    return [row for kind in ("job|", "node|", "event|") for row in app.table.query(ACCOUNT, kind, kind + "\U0010ffff")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((a_node("n1", preparation=a_run()),), (a_node("n1", preparation=a_run(failed=True)),), id="fails"),
        pytest.param(
            (a_node("n1", preparation=a_run(failed=True)),),
            (a_node("n1", preparation=a_run(ended=NOW)),),
            id="recovers",
        ),
        pytest.param(
            (a_node("n1", preparation=a_run()),),
            (a_node("n1", preparation=a_run()), a_node("n2", preparation=a_run(failed=True))),
            id="another node fails",
        ),
        pytest.param(
            (a_node("n1", preparation=a_run(failed=True)),), (a_node("n2", preparation=a_run()),), id="nothing to tell"
        ),
        pytest.param((a_node("n1", preparation=a_run(failed=True)),), (), id="no nodes yet"),
    ],
)
def test_the_whole_listing_is_dropped(before: tuple[NodeStatus, ...], after: tuple[NodeStatus, ...]) -> None:
    """Nothing of the new job's listing is written for the old one; the next cycle takes it for the new one's, once."""
    app = deploy(FIRST_SIGHT_SECONDS="86400")
    app.batch.add(a_job("again"), *before)
    app.poll()
    stored = _rows(app)

    def created_again(job_id: str) -> None:
        app.batch.before_page = lambda _job: None
        app.batch.add(a_job(job_id, created=_AGAIN), *after)

    app.batch.before_page = created_again
    app.clock.advance(timedelta(minutes=1))
    app.poll()
    assert _rows(app) == stored

    told = len([row for row in stored if row.key.startswith("event|")])
    for _ in range(2):
        app.clock.advance(timedelta(minutes=1))
        app.poll()
    # The failure of the new job, or that the one of the old job ended with it.
    assert len([row for row in _rows(app) if row.key.startswith("event|")]) == told + 1
