"""What can't be known of watched pools, because Batch or the table does not say, changes nothing."""

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from shared.batch.model import BatchJob
from shared.errors import AccountDeniedError, BatchError, BatchUnavailableError
from shared.ports import Column, Insert
from shared.state.rows import pool_key
from tests.pools.watched_pool import app, breaks, heals, poll, stored
from tests.support.deployment import ACCOUNT, a_job
from tests.support.webhook_settings import SIGNED


@pytest.mark.parametrize(
    "error",
    [
        AccountDeniedError("AuthorizationPermissionMismatch", "no", status=403),
        BatchUnavailableError("InternalError", "no", status=500),
    ],
)
def test_what_is_refused_of_pools_is_unknown_and_not_over(error: BatchError) -> None:
    """While pools can't be read nothing is told of them; afterwards what still stands is no news."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    deployment.batch.refused = error
    assert [event for _ in range(20) for event in poll(deployment)] == []
    deployment.batch.refused = None
    assert poll(deployment) == []
    heals(deployment, "n-1")
    assert poll(deployment) == [("node.recovered", "pools/cpu", ["n-1"])]


def cut_listing(**_: object) -> Iterator[Sequence[BatchJob]]:
    """The first page of a job listing whose next one does not come."""
    yield [a_job("other")]
    raise BatchUnavailableError("InternalError", "no", status=500)


@pytest.mark.parametrize("told", ["denied", "failing", "left out of the counts", "not all jobs listed"])
def test_a_pool_that_is_used_and_not_counted_is_not_over(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For two days nobody can tell how it is: its record stays as it was, and what stands then is no news."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    before = stored(deployment)
    if told == "left out of the counts":
        del deployment.batch.node_counts["cpu"]
    elif told == "not all jobs listed":
        monkeypatch.setattr(deployment.batch, "list_jobs", cut_listing)
    else:
        status = 403 if told == "denied" else 500
        kind = AccountDeniedError if told == "denied" else BatchUnavailableError
        deployment.batch.refused = kind("No", "no", status=status)
    assert [event for _ in range(50) for event in poll(deployment, after=timedelta(hours=1))] == []
    assert stored(deployment) == before
    deployment.batch.refused = None
    monkeypatch.undo()
    deployment.batch.node_counts["cpu"] = {"idle": 7, "starttaskfailed": 1}
    assert poll(deployment) == []
    heals(deployment, "n-1")
    assert poll(deployment) == [("node.recovered", "pools/cpu", ["n-1"])]


def test_a_pool_that_is_used_again_is_watched_though_it_is_not_counted() -> None:
    """It was not watched for a while; the next job ends that, whether or not Batch counts its nodes by then."""
    deployment = app()
    breaks(deployment, "n-1", works=7)
    poll(deployment)
    job = deployment.batch.jobs.pop("job-1")
    poll(deployment)
    assert stored(deployment).unwatched_since is not None
    deployment.batch.jobs["job-1"] = job
    del deployment.batch.node_counts["cpu"]
    poll(deployment)
    assert stored(deployment).unwatched_since is None


def test_a_node_that_cannot_be_read_and_is_counted_is_not_removed() -> None:
    """Neither in its two listings nor in any later one, until the counts agree that it is gone."""
    deployment = app()
    breaks(deployment, "n-1", "n-2", works=7)
    poll(deployment)
    deployment.batch.pool_nodes["cpu"] = deployment.batch.pool_nodes["cpu"][1:]
    assert [event for _ in range(40) for event in poll(deployment)] == []
    deployment.batch.node_counts["cpu"] = {"idle": 7, "starttaskfailed": 1}
    told = [event for _ in range(8) for event in poll(deployment)]
    assert told == [("node.recovered", "pools/cpu", ["n-1"])]


@pytest.mark.parametrize("columns", [{"v": 99}, {"v": 1, "data0": b"damaged"}], ids=["of a newer version", "damaged"])
def test_a_row_that_cannot_be_read_costs_only_its_pool(
    columns: dict[str, Column], caplog: pytest.LogCaptureFixture
) -> None:
    """The row is left as it is and the log names it; the other pools of the account are watched, told and shown."""
    caplog.set_level(logging.INFO)
    deployment = app(SIGNED, tracked="*")
    broken = Insert(key=pool_key("broken"), columns=columns)
    deployment.table.transact(ACCOUNT, [broken])
    deployment.batch.node_counts["broken"] = {"starttaskfailed": 1}
    deployment.poll()
    breaks(deployment, "n1")
    assert poll(deployment) == [("node.failed", "pools/cpu", ["n1"])]
    kept = deployment.table.get(ACCOUNT, broken.key)
    assert kept is not None
    assert kept.columns == columns
    assert any("pool-unreadable" in line.getMessage() and broken.key in line.getMessage() for line in caplog.records)
