"""GET /api/metrics: what is counted, and that Prometheus can read it."""

import pytest
from msgspec.structs import replace
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from shared.errors import AccountDeniedError, BatchError, ThrottledError
from shared.http_api import Request
from shared.openmetrics import Family, Kind, Sample, to_text
from shared.state import Cycle
from shared.table_rows import CYCLE, from_row
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED


def _parsed(text: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]  # it has no types


def _measure(deployment: Deployment) -> dict[tuple[str, ...], float]:
    answer = deployment.app.routes.system.metrics(Request())
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "account")): sample.value
        for family in _parsed(answer.body)
        for sample in family.samples
        if sample.labels["account"] in {"", ACCOUNT}
        and (sample.labels["account"] or sample.name == "prepwatch_deliveries")
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
    wanted = {
        ("prepwatch_jobs", "watching"): 1,
        ("prepwatch_nodes", "failed", "preparation"): 1,
        ("prepwatch_nodes", "succeeded", "preparation"): 1,
        ("prepwatch_nodes", "failed", "release"): 0,
        ("prepwatch_open_failures",): 1,
        ("prepwatch_stuck_jobs",): 0,
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
    sample = Sample(labels={"webhook": 'a"b\\c\nd'}, value=1.5)
    (family,) = _parsed(to_text([Family(name="x", kind=Kind.GAUGE, help='say "x"\n', samples=(sample,))]))
    assert (family.samples[0].labels, family.samples[0].value) == ({"webhook": 'a"b\\c\nd'}, 1.5)
