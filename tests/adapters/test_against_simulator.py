"""The client against the simulated account, which the azure-batch SDK holds to the service's contract."""

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from local.batch_simulator.server import Simulator
from local.batch_simulator.world import World
from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.batch_client import BatchClient
from shared.batch.model import ExecutionInfo, FailureInfo, NameValuePair, NodeStatus, TaskCounts
from shared.batch.wire import decode_status, split_entries
from shared.errors import (
    AccountDeniedError,
    BatchUnavailableError,
    JobNotFoundError,
    NoPreparationTaskError,
    RejectedRequestError,
    ThrottledError,
)
from shared.ports import ListingOptions
from tests.adapters.batch_clients import ACCOUNT, KEY, NOW, client_of

JOB = "sched:job-1"
FAILED = {
    "state": "completed",
    "startTime": "2026-11-01T11:00:00.1234567Z",
    "endTime": "2026-11-01T11:01:00Z",
    "retryCount": 1,
    "exitCode": 3,
    "result": "failure",
    "failureInfo": {
        "category": "UserError",
        "code": "FailureExitCode",
        "message": "The task exited.",
        "details": [{"name": "Message", "value": "unexpected"}],
    },
}
SUCCEEDED = {
    "state": "completed",
    "startTime": "2026-11-01T11:00:00Z",
    "retryCount": 0,
    "exitCode": 0,
    "result": "success",
}


@pytest.fixture
def account() -> Iterator[Simulator]:
    """An account with one job on seven nodes, the first of which failed."""
    world = World(now=NOW)
    world.add_job(JOB, tasks={"active": 4, "running": 1})
    for number in range(7):
        world.set_status(JOB, "pool-1", f"node-{number}", preparation=SUCCEEDED if number else FAILED)
    with Simulator(world, account=ACCOUNT, key=KEY, clock=lambda: NOW) as simulator:
        yield simulator


def key_client(account: Simulator, *, key: str = KEY, api_version: str = "2024-07-01.20.0") -> BatchClient:
    """A client with an account key."""
    return client_of(account.url, auth=SharedKeyAuth(ACCOUNT, b64decode(key)), api_version=api_version)


@pytest.mark.parametrize("version", ["2024-07-01.20.0", "2025-06-01", "2026-10-01"])
def test_a_listing_is_read_to_its_end(account: Simulator, version: str) -> None:
    """Signed page after page, every node is there once, in each version and spelling of the options."""
    client = key_client(account, api_version=version)
    options = ListingOptions(max_results=3, timeout_seconds=20)
    pages = list(client.list_statuses(JOB, options))
    statuses = [decode_status(raw) for page in pages for raw in split_entries(page.value)]

    assert [len(split_entries(page.value)) for page in pages] == [3, 3, 1]
    assert [status.node_id for status in statuses] == [f"node-{number}" for number in range(7)]
    assert all(page.request_id and page.client_request_id and page.etag and page.last_modified for page in pages)
    assert statuses[0].preparation == ExecutionInfo(
        state="completed",
        start_time=datetime(2026, 11, 1, 11, 0, 0, 123457, tzinfo=UTC),
        end_time=datetime(2026, 11, 1, 11, 1, tzinfo=UTC),
        retry_count=1,
        exit_code=3,
        result="failure",
        failure_info=FailureInfo(
            category="UserError",
            code="FailureExitCode",
            message="The task exited.",
            details=(NameValuePair(name="Message", value="unexpected"),),
        ),
        digits=("1234567", "", ""),
    )


def test_filter_and_select_reach_the_service(account: Simulator) -> None:
    """The documented filter for failures and a selection of properties are understood."""
    failed = "jobPreparationTaskExecutionInfo/result eq 'failure' or jobReleaseTaskExecutionInfo/result eq 'failure'"
    (page,) = key_client(account).list_statuses(JOB, ListingOptions(filter=failed, select="poolId,nodeId"))

    (raw,) = split_entries(page.value)
    assert decode_status(raw) == NodeStatus(pool_id="pool-1", node_id="node-0")


def test_one_page_leads_to_the_next(account: Simulator) -> None:
    """A single page hands out the link by which the next one can be had."""
    client = key_client(account)
    first = client.list_status_page(JOB, ListingOptions(max_results=4))
    second = client.list_status_page(JOB, ListingOptions(), link=first.next_link)

    assert len(split_entries(second.value)) == 3
    assert second.next_link is None


def test_jobs_and_counts_are_read(account: Simulator) -> None:
    """Listing and getting a job agree, and its tasks are counted."""
    client = key_client(account)
    select = "id,state,creationTime,stateTransitionTime,executionInfo,jobPreparationTask"
    ((listed,),) = client.list_jobs(odata_filter="state eq 'active'", select=select)

    assert (listed.id, listed.state, listed.creation_time) == (JOB, "active", NOW)
    assert listed.job_preparation_task is not None
    assert client.get_job(JOB.upper(), select=select) == listed
    assert client.count_tasks(JOB) == TaskCounts(active=4, running=1)


def test_the_tail_of_a_nodes_file_is_read(account: Simulator) -> None:
    """The end of a task's stderr comes over, by its path with slashes and a blank."""
    path = "workitems/sched/job-1/job prep/stderr.txt"
    account.world.set_file("pool-1", "node-0", path, "0123456789")
    client = key_client(account)

    assert client.read_file_tail("pool-1", "node-0", path, max_bytes=4) == b"6789"
    assert client.read_file_tail("pool-1", "node-0", path, max_bytes=100) == b"0123456789"
    with pytest.raises(RejectedRequestError) as caught:
        client.read_file_tail("pool-1", "node-0", "other", max_bytes=4)
    assert caught.value.status == 404


def test_a_wrong_key_is_denied(account: Simulator) -> None:
    """A signature by another key is the account's refusal."""
    with pytest.raises(AccountDeniedError) as caught:
        key_client(account, key="b3RoZXI=").get_job(JOB, select=None)

    assert (caught.value.status, caught.value.code) == (403, "AuthenticationFailed")
    assert caught.value.request_id


def test_the_services_refusals_are_told_apart(account: Simulator) -> None:
    """A missing job, a job without preparation, a bad filter, throttling and a cut connection each have their error."""
    account.world.add_job("bare", has_preparation=False)
    client = key_client(account)

    with pytest.raises(JobNotFoundError):
        list(client.list_statuses("none", ListingOptions()))
    with pytest.raises(NoPreparationTaskError):
        list(client.list_statuses("bare", ListingOptions()))
    with pytest.raises(RejectedRequestError) as rejected:
        list(client.list_statuses(JOB, ListingOptions(filter="nodeUrl eq 'x'")))
    assert rejected.value.values
    account.inject("Job_Get", 429, "TooManyRequests", retry_after=7)
    with pytest.raises(ThrottledError) as throttled:
        client.get_job(JOB, select=None)
    assert throttled.value.retry_after == timedelta(seconds=7)
    account.inject("Job_Get", cut=True)
    with pytest.raises(BatchUnavailableError):
        client.get_job(JOB, select=None)
