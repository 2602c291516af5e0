"""GET /api/jobs/{jobId}/nodes: what is remembered, and what Batch answers now."""

from datetime import timedelta
from itertools import pairwise

import pytest

from shared.errors import BatchError, BatchUnavailableError, RejectedRequestError, ThrottledError
from shared.ports import ListingOptions, ListingPage
from shared.web.routes import Routes
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable

LINK = f"https://{ACCOUNT}/jobs/job-1/jobpreparationandreleasetaskstatus?$skiptoken=2"


@pytest.fixture
def seen() -> Deployment:
    """An app that has seen four nodes of a job."""
    deployment = deploy()
    deployment.batch.add(
        a_job("Job-1"),
        a_node("node-1", preparation=a_run()),
        a_node("node-2", preparation=a_run(failed=True)),
        a_node("node-3", preparation=a_run(), release=a_run(failed=True)),
        a_node("node-4", pool_id="pool-0", preparation=a_run()),
    )
    deployment.poll()
    return deployment


@pytest.mark.parametrize(
    ("query", "nodes"),
    [
        pytest.param({}, ["node-4", "node-1", "node-2", "node-3"], id="all, by pool and node"),
        pytest.param({"outcome": "failed"}, ["node-2", "node-3"], id="failed in either phase"),
        pytest.param({"outcome": "failed", "phase": "release"}, ["node-3"], id="failed in one phase"),
        pytest.param({"phase": "release"}, ["node-3"], id="having run a phase"),
        pytest.param({"outcome": "RUNNING"}, [], id="none, whatever the case"),
        pytest.param({"account": ACCOUNT, "top": "1"}, ["node-4"], id="the first page of an account's job"),
    ],
)
def test_stored(seen: Deployment, query: dict[str, str], nodes: list[str]) -> None:
    """The remembered nodes are listed by pool and node, those that the filters let pass."""
    told = seen.ask(Routes.list_nodes, query, jobId="JOB-1")
    assert (told.status, [node["nodeId"] for node in told.body["value"]]) == (200, nodes)
    assert told.body["jobId"] == "Job-1"


def test_pages(seen: Deployment) -> None:
    """Following nextLink's skip shows every node once."""
    pages = [
        seen.ask(Routes.list_nodes, {"top": "3", "skip": str(skip), "code": "k"}, jobId="job-1").body for skip in (0, 3)
    ]
    assert [len(page["value"]) for page in pages] == [3, 1]
    assert pages[0]["nextLink"] == "https://app.example/api/x?top=3&skip=3"
    assert pages[1]["nextLink"] is None
    names = [(node["poolId"], node["nodeId"]) for page in pages for node in page["value"]]
    assert all(before < after for before, after in pairwise(names))


def test_live_passes_the_options_on(seen: Deployment) -> None:
    """With live=true Batch is asked with the caller's own options, and its headers and link come back."""
    seen.batch.page = ListingPage(
        value=b'[{"poolId":"p","nodeId":"n"}]',
        next_link=LINK,
        request_id="r-1",
        etag='"0x1"',
        last_modified="Sun, 01 Nov 2026 12:00:00 GMT",
    )
    query = {"live": "true", "$filter": "poolId eq 'p'", "$select": "poolId,nodeId", "maxresults": "7", "timeout": "9"}
    told = seen.ask(Routes.list_nodes, query, jobId="job-1")
    expected = ListingOptions(filter="poolId eq 'p'", select="poolId,nodeId", max_results=7, timeout_seconds=9)
    assert seen.batch.options == [(expected, None)]
    assert told.body == {"value": [{"poolId": "p", "nodeId": "n"}], "odata.nextLink": LINK}
    assert told.headers["request-id"] == "r-1"
    assert told.headers["etag"] == '"0x1"'
    assert told.headers["last-modified"] == "Sun, 01 Nov 2026 12:00:00 GMT"


def test_live_without_node_ids(seen: Deployment) -> None:
    """A $select that leaves out the node id is answered like any other."""
    seen.batch.page = ListingPage(value=b'[{"poolId":"p"},{}]')
    told = seen.ask(Routes.list_nodes, {"live": "true", "$select": "poolId"}, jobId="job-1")
    assert (told.status, told.body) == (200, {"value": [{"poolId": "p"}, {}]})


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        pytest.param('{"nodeId":5}', "$.nodeId", id="number for an id"),
        pytest.param('{"nodeId":"odd","jobPreparationTaskExecutionInfo":[]}', "array", id="list for a run"),
        pytest.param(
            '{"nodeId":"odd","jobReleaseTaskExecutionInfo":{"exitCode":1e99}}', "exitCode", id="impossible number"
        ),
        pytest.param(
            '{"nodeId":"odd","jobPreparationTaskExecutionInfo":{"endTime":"yesterday"}}', "endTime", id="no time"
        ),
        pytest.param("7", "object", id="no object"),
        pytest.param("nothing", "no JSON", id="no JSON"),
    ],
)
def test_an_odd_live_entry_costs_only_itself(seen: Deployment, entry: str, why: str) -> None:
    """The other entries of the page are shown, and it is said why this one is not."""
    seen.batch.page = ListingPage(value=f'[{{"nodeId":"a"}},{entry},{{"nodeId":"b"}}]'.encode())
    told = seen.ask(Routes.list_live_nodes, {}, jobId="job-1")
    assert (told.status, told.body["value"]) == (200, [{"nodeId": "a"}, {"nodeId": "b"}])
    assert [why in reason for reason in told.body["unreadable"]] == [True]


def test_live_is_redacted_and_changes_nothing(seen: Deployment) -> None:
    """What Batch says now is shown without secrets and without a write."""
    assert isinstance(seen.table, FakeTable)
    writes = len(seen.table.writes)
    url = "https://a.example/?sig=canary"
    seen.batch.page = ListingPage(value=f'[{{"nodeId":"n","nodeUrl":"{url}"}}]'.encode())
    told = seen.ask(Routes.list_nodes, {"live": "true"}, jobId="unseen-job")
    assert told.status == 200
    assert "canary" not in str(told.body)
    assert len(seen.table.writes) == writes


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(RejectedRequestError("InvalidQueryParameterValue", "no", status=400), 400, id="refused"),
        pytest.param(ThrottledError("TooManyRequests", "no", status=429), 429, id="throttled"),
        pytest.param(BatchUnavailableError("InternalError", "no", status=500), 503, id="broken"),
    ],
)
def test_live_says_what_batch_says(seen: Deployment, error: BatchError, status: int) -> None:
    """An error of Batch comes with its own code: the caller's to mend, to wait for, or between Batch and us."""
    seen.batch.failures["list_status_page"] = error
    told = seen.ask(Routes.list_nodes, {"live": "true"}, jobId="job-1")
    assert (told.status, told.body["error"]["code"]) == (status, error.code)
    assert told.headers["x-ms-error-code"] == error.code


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param({"phase": "both"}, "phase", id="phase"),
        pytest.param({"outcome": "bad"}, "outcome", id="outcome"),
        pytest.param({"top": "0"}, "top", id="top too small"),
        pytest.param({"top": "1001"}, "top", id="top too large"),
        pytest.param({"top": "٣"}, "top", id="top in other digits"),
        pytest.param({"top": "9" * 5000}, "top", id="top endless"),
        pytest.param({"skip": "-1"}, "skip", id="skip"),
        pytest.param({"live": "yes"}, "live", id="live"),
        pytest.param({"live": "true", "top": "1"}, "top", id="top with live"),
        pytest.param({"live": "true", "maxresults": "1001"}, "maxresults", id="maxresults"),
        pytest.param({"live": "true", "timeout": "31"}, "timeout", id="timeout"),
        pytest.param({"live": "true", "link": "https://a.example/jobs"}, "link", id="foreign link"),
        pytest.param({"live": "true", "link": LINK.replace("job-1", "job-2")}, "link", id="link of another job"),
        pytest.param(
            {"live": "true", "link": LINK.replace("job-1", "job-1%2F..%2Fjob-2")}, "link", id="disguised link"
        ),
        pytest.param({"live": "true", "link": "https://[/jobs"}, "link", id="link that is no address"),
        pytest.param({"$Filter": "x"}, "$Filter", id="unknown parameter"),
    ],
)
def test_bad_input(seen: Deployment, query: dict[str, str], target: str) -> None:
    """A parameter that can't be used is named, and Batch is not asked."""
    asked = len(seen.batch.asked)
    told = seen.ask(Routes.list_nodes, query, jobId="job-1")
    assert (told.status, told.body["error"]["target"]) == (400, target)
    assert len(seen.batch.asked) == asked


@pytest.mark.parametrize(
    ("job", "query"),
    [
        pytest.param("unknown", {}, id="unknown job"),
        pytest.param("a/b", {}, id="impossible job"),
        pytest.param("a/b", {"live": "true"}, id="impossible job, live"),
        pytest.param("job-1", {"account": "elsewhere"}, id="unknown account"),
    ],
)
def test_not_found(seen: Deployment, job: str, query: dict[str, str]) -> None:
    """What is not known is 404."""
    assert seen.ask(Routes.list_nodes, query, jobId=job).status == 404


def test_ambiguous_account() -> None:
    """A job that two accounts have needs ?account=."""
    deployment = deploy(accounts=2)
    for account, batch in deployment.batches.items():
        batch.add(a_job(), a_node(preparation=a_run(ended=deployment.clock.now - timedelta(minutes=1))))
        deployment.poll(account)
    told = deployment.ask(Routes.list_nodes, jobId="job-1")
    assert (told.status, told.body["error"]["target"]) == (400, "account")
    told = deployment.ask(Routes.list_nodes, {"account": OTHER_ACCOUNT}, jobId="job-1")
    assert told.body["account"] == OTHER_ACCOUNT
