"""The real client library reads from the simulator what was put there."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from azure.batch import BatchClient

from local.batch_simulator.parameters import API_VERSIONS
from local.batch_simulator.server import Simulator
from local.batch_simulator.statuses import Phase, failed, succeeded, task_directory
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import CAUSE, NOW, ClientFactory

# azure-batch signs with datetime.utcnow, deprecated from Python 3.12 on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def test_statuses_carry_every_field(client: BatchClient, world: World, simulator: Simulator) -> None:
    """A failed node arrives with times, exit code, failure info, directories and URLs."""
    entries = {entry.node_id: entry for entry in client.list_job_preparation_and_release_task_status("job-1")}

    entry = entries["node-4"]
    info = entry.job_preparation_task_execution_info
    assert (entry.pool_id, entry.node_url) == ("Pool-A", f"{simulator.url}/pools/Pool-A/nodes/node-4")
    assert info is not None
    assert (info.state, info.result, info.exit_code, info.retry_count) == ("completed", "failure", 17, 0)
    assert (info.start_time, info.end_time) == (NOW + timedelta(minutes=4), NOW + timedelta(minutes=4, seconds=30))
    assert info.failure_info is not None
    assert (info.failure_info.code, info.failure_info.category) == ("FailureExitCode", "usererror")
    assert info.task_root_directory == "workitems/job-1/job-1/jobpreparation"
    assert info.task_root_directory_url == f"{entry.node_url}/files/workitems/job-1/job-1/jobpreparation"
    assert entry.job_release_task_execution_info is None
    again = entries["node-6"].job_preparation_task_execution_info
    assert again is not None
    assert (again.state, again.retry_count, again.last_retry_time) == ("running", 1, NOW + timedelta(minutes=6))


def test_pages_show_every_node_once(client: BatchClient, simulator: Simulator) -> None:
    """Seven nodes by three come in three pages, over the other path, with nothing lost or shown twice."""
    pages = client.list_job_preparation_and_release_task_status("job-1", max_results=3).by_page()

    assert [[entry.node_id for entry in page] for page in pages] == [
        ["node-0", "node-1", "node-2"],
        ["node-3", "node-4", "node-5"],
        ["node-6"],
    ]
    paths = [request.path for request in simulator.requests]
    assert paths == ["/jobs/job-1/jobpreparationandreleasetaskstatus"] + 2 * [
        "/jobs/job-1/jobpreparationandreleasestatus"
    ]


def test_pages_keep_filter_and_selection(client: BatchClient) -> None:
    """What the first request filters and selects holds for the following pages too."""
    pages = client.list_job_preparation_and_release_task_status(
        "job-1",
        max_results=1,
        filter="jobPreparationTaskExecutionInfo/result eq 'failure'",
        select=["nodeId", "poolId"],
    ).by_page()

    assert [[dict(entry) for entry in page] for page in pages] == [
        [{"nodeId": "node-4", "poolId": "Pool-A"}],
        [{"nodeId": "node-5", "poolId": "Pool-A"}],
    ]


@pytest.mark.parametrize(
    "node", ["tvm 1", "a+b", "a&b=c", "ü", "100%"], ids=["space", "plus", "ampersand", "umlaut", "percent"]
)
def test_skip_token_survives_any_node_id(node: str, client: BatchClient, world: World) -> None:
    """A page that ends with an odd node id is continued right behind it."""
    world.add_job("odd:job")
    info = succeeded("odd:job", Phase.PREPARATION, start=NOW, end=NOW)
    for name in (node, f"{node}z"):
        world.set_status("odd:job", "pool-1", name, preparation=info)

    entries = client.list_job_preparation_and_release_task_status("odd:job", max_results=1)

    assert [entry.node_id for entry in islice(entries, 5)] == [node, f"{node}z"]


def test_a_node_id_in_two_pools_is_two_entries(client: BatchClient, world: World) -> None:
    """A page that ends between two pools with the same node id loses neither."""
    info = succeeded("job-1", Phase.PREPARATION, start=NOW, end=NOW)
    world.set_status("job-1", "Pool-B", "node-0", preparation=info)

    entries = client.list_job_preparation_and_release_task_status("job-1", max_results=1)

    seen = [(entry.node_id, entry.pool_id) for entry in entries]
    assert seen[:3] == [("node-0", "Pool-A"), ("node-0", "Pool-B"), ("node-1", "Pool-A")]
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        (None, ["done", "job-1", "Job-2"]),
        ("state eq 'ACTIVE'", ["job-1", "Job-2"]),
        ("state ne 'active'", ["done"]),
        ("startswith(id, 'job')", ["job-1", "Job-2"]),
        ("creationTime ge DateTime'2026-05-02T00:00:00Z'", ["done", "Job-2"]),
        ("state eq 'completed' and executionInfo/endTime gt DateTime'2026-05-01T00:00:00Z'", ["done"]),
    ],
    ids=["all", "state", "not state", "prefix", "created", "ended"],
)
def test_jobs_are_listed_by_filter(expression: str | None, ids: list[str], client: BatchClient, world: World) -> None:
    """The list holds the jobs that the filter selects, by id whatever its case, in pages of two."""
    world.add_job("Job-2", creation_time=NOW + timedelta(days=1))
    world.add_job("done", creation_time=NOW + timedelta(days=1))
    world.set_job_state("done", "completed", at=NOW + timedelta(days=2), terminate_reason="AllTasksComplete")

    jobs = client.list_jobs(filter=expression, max_results=2)

    assert [job.id for job in jobs] == ids


def test_a_job_shows_what_a_watcher_needs(client: BatchClient, world: World) -> None:
    """Get Job gives state, creation time, preparation task and pool, also when the id is written otherwise."""
    world.set_job_state("job-1", "completed", at=NOW + timedelta(hours=1), terminate_reason="UserTerminate")

    job = client.get_job("JOB-1")

    assert (job.id, job.state, job.creation_time) == ("job-1", "completed", NOW)
    assert job.state_transition_time == NOW + timedelta(hours=1)
    assert job.job_preparation_task is not None
    assert job.job_preparation_task.wait_for_success is True
    assert job.execution_info is not None
    assert (job.execution_info.pool_id, job.execution_info.termination_reason) == ("Pool-A", "UserTerminate")
    assert dict(client.get_job("job-1", select=["id", "state"])).keys() == {"odata.metadata", "id", "state"}


def test_task_counts(client: BatchClient) -> None:
    """Get Task Counts answers the five numbers that the world holds."""
    counts = client.get_job_task_counts("job-1").task_counts

    assert (counts.active, counts.running, counts.completed) == (3, 4, 2)
    assert (counts.succeeded, counts.failed) == (1, 1)


@pytest.mark.parametrize(
    ("ocp_range", "expected"),
    [(None, b"0123456789"), ("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=8-99", b"89")],
    ids=["whole", "middle", "tail", "beyond the end"],
)
def test_a_file_is_read_by_range(ocp_range: str | None, expected: bytes, client: BatchClient, world: World) -> None:
    """The file's bytes come as the range asks."""
    path = f"{task_directory('job-1', Phase.PREPARATION)}/stderr.txt"
    world.set_file("Pool-A", "node-4", path, "0123456789")

    content = client.download_node_file("Pool-A", "node-4", path, ocp_range=ocp_range)

    assert b"".join(content) == expected


def test_file_properties(client: BatchClient, world: World) -> None:
    """HEAD tells a file's size without sending it."""
    world.set_file("Pool-A", "node-4", "stdout.txt", "four")

    properties = client.get_node_file_properties("Pool-A", "node-4", "stdout.txt")

    assert (properties.content_length, properties.is_directory) == (4, False)


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_api_version_is_accepted(version: str, connect: ClientFactory) -> None:
    """Each version that clients may send lists the same."""
    client = connect(api_version=version)

    assert len(list(client.list_job_preparation_and_release_task_status("job-1", max_results=4))) == 7


def test_job_ids_differ_in_incarnation(client: BatchClient, world: World) -> None:
    """A job deleted and created again has another creation time and none of the old statuses or files."""
    world.set_file("Pool-A", "node-4", f"{task_directory('job-1', Phase.PREPARATION)}/stderr.txt", "x")
    world.delete_job("job-1")
    world.add_job("job-1", creation_time=datetime(2026, 6, 1, tzinfo=UTC))

    assert client.get_job("job-1").creation_time == datetime(2026, 6, 1, tzinfo=UTC)
    assert list(client.list_job_preparation_and_release_task_status("job-1")) == []
    assert world.files("Pool-A", "node-4") == {}


def test_truth_holds_what_listings_show(client: BatchClient, world: World) -> None:
    """Every occurrence that failed is in the truth once, however often it is told, a rerun is another."""
    rerun = NOW + timedelta(hours=1)
    for start in (NOW + timedelta(minutes=4), rerun, rerun):
        info = failed("job-1", Phase.PREPARATION, CAUSE, start=start, end=start + timedelta(seconds=30))
        world.set_status("job-1", "pool-a", "node-4", preparation=info)

    assert [(f.node, f.start_time) for f in world.failures] == [
        ("node-4", "2026-05-01T12:04:00Z"),
        ("node-5", "2026-05-01T12:05:00Z"),
        ("node-4", "2026-05-01T13:00:00Z"),
    ]
    listed = client.list_job_preparation_and_release_task_status(
        "job-1", filter="jobPreparationTaskExecutionInfo/result eq 'failure'"
    )
    assert {entry.node_id for entry in listed} == {"node-4", "node-5"}
