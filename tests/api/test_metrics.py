"""GET /api/metrics: what is counted, and that Prometheus can read it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from shared.api.metrics import MeasuredPartition, MeasuredWebhook, families
from shared.api.openmetrics import Family, MetricType, Sample, to_text
from shared.errors import AccountDeniedError, BatchError, ThrottledError
from shared.ports import Merge, Put
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead, PhaseCounts, Tracking
from shared.state.pools import Standstill, StandstillReason
from shared.state.rows import CYCLE, OWN, delivery_key, from_row, job_key, to_columns
from shared.state.telling import Delivery, DeliveryState
from shared.web.http import Request
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED
from tests.support.webhook_settings import SIGNED


def _parsed(text: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]  # it has no types


def _measure(deployment: Deployment) -> dict[tuple[str, ...], float]:
    answer = deployment.app.routes.system.metrics(Request())
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "account")): sample.value
        for family in _parsed(answer.body)
        for sample in family.samples
        if (account := sample.labels.get("account")) == ACCOUNT
        or (account == "" and sample.name == "prepwatch_deliveries")
    }


def test_what_happened_is_counted() -> None:
    """Nodes, open failures, cycles, requests and deliveries are what the table holds of them."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("node-2", preparation=a_run()))
    for status in (200, 200, 429, None):
        deployment.requests[ACCOUNT].add(status)
    deployment.poll()
    deployment.poll()
    measured = _measure(deployment)
    stuck: dict[tuple[str, ...], float] = {("prepwatch_stuck_jobs", reason.value): 0 for reason in StandstillReason}
    wanted = {
        ("prepwatch_jobs", "watching"): 1,
        ("prepwatch_nodes", "failed", "preparation"): 1,
        ("prepwatch_nodes", "succeeded", "preparation"): 1,
        ("prepwatch_nodes", "failed", "release"): 0,
        ("prepwatch_open_failures",): 1,
        **stuck,
        ("prepwatch_slow_preparations",): 0,
        ("prepwatch_cycles_total",): 2,
        ("prepwatch_good_cycles_total",): 2,
        ("prepwatch_throttles_total",): 0,
        ("prepwatch_batch_requests_total", "200"): 2,
        ("prepwatch_batch_requests_total", "429"): 1,
        ("prepwatch_batch_requests_total", "none"): 1,
        ("prepwatch_deliveries", "delivered", "ops"): 1,
        ("prepwatch_oldest_due_delivery_age_seconds",): 0,
        ("prepwatch_last_good_poll_timestamp_seconds",): NOW.timestamp(),
    }
    assert {name: measured.get(name) for name in wanted} == wanted


def test_before_the_first_cycle_there_are_numbers_too() -> None:
    """An alert on the last good poll works from the first scrape on: it is 0."""
    assert _measure(deploy())[("prepwatch_last_good_poll_timestamp_seconds",)] == 0


@pytest.mark.parametrize(
    ("error", "throttles"),
    [
        pytest.param(ThrottledError("TooManyRequests", "wait", status=429), 1, id="throttled"),
        pytest.param(AccountDeniedError("AuthorizationFailure", "no", status=403), 0, id="denied"),
    ],
)
def test_cycles_that_end_early_are_counted(error: BatchError, throttles: int) -> None:
    """A cycle that Batch ended is a cycle, not a good one, and a throttle only if it was one."""
    deployment = deploy()
    deployment.batch.failures["list_jobs"] = error
    deployment.poll()
    measured = _measure(deployment)
    found = (measured[("prepwatch_cycles_total",)], measured[("prepwatch_good_cycles_total",)])
    assert (*found, measured[("prepwatch_throttles_total",)]) == (1, 0, throttles)


def test_the_age_of_what_waits() -> None:
    """A delivery that a receiver does not take is as old as its making, whatever its next attempt."""
    deployment = deploy()
    deployment.sender.answer = replace(ACCEPTED, status=500)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.clock.advance(minutes=7)
    measured = _measure(deployment)
    assert measured[("prepwatch_oldest_due_delivery_age_seconds",)] == 420
    assert measured[("prepwatch_deliveries", "pending", "ops")] == 1


def test_a_cycle_row_without_counters_is_read() -> None:
    """The row of a version that did not count is the beginning of counting."""
    deployment = deploy()
    deployment.poll()
    row = deployment.table.get(ACCOUNT, CYCLE)
    assert row is not None
    assert from_row(row, Cycle).cycles == 1
    assert Cycle(started_at=NOW, finished_at=NOW).requests == {}


def test_labels_are_escaped() -> None:
    """Whatever a webhook or account is called, the text stays well-formed."""
    sample = Sample(labels={"webhook": 'a"b\\nc\nd'}, value=1.5)
    (family,) = _parsed(to_text([Family(name="x", kind=MetricType.GAUGE, help='say "x"\n', samples=(sample,))]))
    assert (family.samples[0].labels, family.samples[0].value) == ({"webhook": 'a"b\\nc\nd'}, 1.5)


def test_units_are_told() -> None:
    """What is measured in seconds says so, and everything else has no unit."""
    units = {family.name: family.unit for family in _parsed(deploy().app.routes.system.metrics(Request()).body)}
    assert {name for name, unit in units.items() if unit == "seconds"} == {
        "prepwatch_oldest_due_delivery_age_seconds",
        "prepwatch_oldest_untold_age_seconds",
        "prepwatch_last_good_poll_timestamp_seconds",
    }
    assert set(units.values()) == {"", "seconds"}


def _head(name: str, **values: Any) -> JobHead:
    return JobHead(job_id=name, **values)


def test_every_number_is_of_its_own_kind() -> None:
    """Where two facts lie beside each other, each metric takes the one that it is named after."""
    cycle = Cycle(
        started_at=NOW,
        finished_at=NOW,
        read_up_to=NOW - timedelta(hours=1),
        jobs=1,
        not_looked_at=2,
        errors=3,
        cycles=9,
        good_cycles=8,
        throttled=7,
        throttles=4,
    )
    heads = (
        _head("a", preparation=PhaseCounts(failed=5, open=1), stuck=Standstill(since=NOW)),
        _head(
            "b",
            preparation=PhaseCounts(open=2, slow=4),
            release=PhaseCounts(failed=6),
            stuck=Standstill(since=NOW, confirmed=True, reason=StandstillReason.NODES_UNABLE),
        ),
        _head("c", tracking=Tracking.SETTLED),
    )
    measured = MeasuredPartition(account="acc", cycle=cycle, heads=heads, deliveries={}, oldest_due=None)
    webhooks = {
        "ops": MeasuredWebhook(takes_nothing=True, untold_since=NOW - timedelta(seconds=9)),
        "chat": MeasuredWebhook(takes_nothing=False),
    }
    told = {
        (family.name, *(value for key, value in sample.labels.items() if key != "account")): sample.value
        for family in families([measured], webhooks, 12, NOW)
        for sample in family.samples
        if sample.value
    }
    assert told == {
        ("prepwatch_jobs", "watching"): 2,
        ("prepwatch_jobs", "settled"): 1,
        ("prepwatch_nodes", "preparation", "failed"): 5,
        ("prepwatch_nodes", "release", "failed"): 6,
        ("prepwatch_open_failures",): 3,
        ("prepwatch_stuck_jobs", "nodesUnable"): 1,
        ("prepwatch_slow_preparations",): 4,
        ("prepwatch_cycles",): 9,
        ("prepwatch_good_cycles",): 8,
        ("prepwatch_throttles",): 7,
        ("prepwatch_jobs_not_looked_at",): 2,
        ("prepwatch_nudges_refused",): 12,
        ("prepwatch_webhook_failing", "ops"): 1,
        ("prepwatch_oldest_untold_age_seconds", "ops"): 9,
        ("prepwatch_last_good_poll_timestamp_seconds",): (NOW - timedelta(hours=1)).timestamp(),
    }


def _put_deliveries(
    deployment: Deployment, partition: str, state: DeliveryState, number: int, made: datetime = NOW
) -> None:
    for start in range(0, number, 100):
        rows = [
            Put(
                key=delivery_key(state, "ops", f"{state}-{made.timestamp()}-{entry}"),
                columns=to_columns(Delivery(webhook="ops", event_id="e", created_at=made, next_attempt_at=NOW)),
            )
            for entry in range(start, min(number, start + 100))
        ]
        deployment.table.transact(partition, rows)


def _deliveries(deployment: Deployment) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["account"], sample.labels["result"]): sample.value
        for family in _parsed(deployment.app.routes.system.metrics(Request()).body)
        if family.name == "prepwatch_deliveries"
        for sample in family.samples
    }


def test_deliveries_are_counted_by_account_and_result() -> None:
    """Those of pings and of webhooks' own news stand under an empty account, the given-up beside the waiting."""
    deployment = deploy()
    _put_deliveries(deployment, ACCOUNT, DeliveryState.DUE, 2)
    _put_deliveries(deployment, ACCOUNT, DeliveryState.DEAD, 3)
    _put_deliveries(deployment, OWN, DeliveryState.DONE, 4)
    assert _deliveries(deployment) == {(ACCOUNT, "pending"): 2, (ACCOUNT, "dead"): 3, ("", "delivered"): 4}


@pytest.mark.parametrize(
    ("webhook", "dead"),
    [
        pytest.param({"enabled": False}, 3, id="switched off"),
        pytest.param({"name": "other"}, 0, id="removed"),
    ],
)
def test_what_was_given_up_of_a_removed_webhook_is_no_fault(webhook: dict[str, object], dead: int) -> None:
    """Nobody is left to be told, so no alarm goes on about it; the summary counts the same."""
    deployment = deploy({**SIGNED, **webhook})
    _put_deliveries(deployment, ACCOUNT, DeliveryState.DEAD, 3)
    assert _deliveries(deployment).get((ACCOUNT, "dead"), 0) == dead
    assert deployment.ask(Routes.summary).body["deliveries"]["dead"] == dead


def test_the_oldest_of_all_that_waits_counts() -> None:
    """Of several deliveries that wait, the first made gives the age."""
    deployment = deploy()
    for minutes in (3, 9, 6):
        _put_deliveries(deployment, ACCOUNT, DeliveryState.DUE, 1, NOW - timedelta(minutes=minutes))
    assert _measure(deployment)[("prepwatch_oldest_due_delivery_age_seconds",)] == 540


def test_a_scrape_has_a_bounded_cost() -> None:
    """Deliveries of one state and account are counted up to 10,000, as the table of metrics says."""
    deployment = deploy()
    _put_deliveries(deployment, ACCOUNT, DeliveryState.DUE, 10_005)
    assert _deliveries(deployment) == {(ACCOUNT, "pending"): 10_000}


def test_a_row_that_can_not_be_read_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """A job of a newer version is left out, which the log says; the others are counted."""
    deployment = deploy()
    for job in ("job-1", "job-2"):
        deployment.batch.add(a_job(job), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.table.transact(ACCOUNT, [Merge(key=job_key("job-1"), columns={"v": 99})])
    with caplog.at_level("INFO"):
        assert _measure(deployment)[("prepwatch_open_failures",)] == 1
    assert any("row-unreadable" in record.getMessage() for record in caplog.records)
