"""What the service would refuse, the simulator refuses, in a form that the real client library understands."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch.models import BatchError
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpResponse

from local.batch_simulator.server import Simulator, now_utc
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import ACCOUNT, KEY, ClientFactory

# azure-batch signs with datetime.utcnow, deprecated from Python 3.12 on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the library tells about a refused request."""

    status: int | None
    code: str
    text: str
    values: dict[str, str]
    headers: Mapping[str, str]


def statuses(client: BatchClient, job: str = "job-1", **options: Any) -> list[object]:
    """List everything, as a client would."""
    return list(client.list_job_preparation_and_release_task_status(job, **options))


def refusal(call: Callable[[], object], kind: type[HttpResponseError] = HttpResponseError) -> Refusal:
    """How `call` is refused, in the library's own words."""
    with pytest.raises(kind) as caught:
        call()
    error, response = caught.value, caught.value.response
    assert isinstance(response, HttpResponse)
    # Of a failed download the library does not read the body by itself.
    model: Any = error.model or BatchError(json.loads(response.read()))
    return Refusal(
        status=error.status_code,
        code=model.code,
        text=model.message.value,
        values={detail.key: detail.value for detail in model.error_values or []},
        headers=response.headers,
    )


class StaticToken:
    """A credential that always gives the same token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """The token, for an hour."""
        return AccessToken(self._token, int(time.time()) + 3600)


def test_wrong_key_is_refused(connect: ClientFactory) -> None:
    """Another key is 403 AuthenticationFailed, with the reason among the values."""
    error = refusal(lambda: statuses(connect(key="b3RoZXI=")))

    assert (error.status, error.code) == (403, "AuthenticationFailed")
    assert "signature" in error.values["AuthenticationErrorDetail"]


@pytest.mark.parametrize(
    ("away", "accepted"),
    [
        (timedelta(minutes=14), True),
        (timedelta(minutes=-14), True),
        (timedelta(minutes=16), False),
        (timedelta(minutes=-16), False),
    ],
    ids=["14 min ahead", "14 min behind", "16 min ahead", "16 min behind"],
)
def test_dates_are_good_for_15_minutes(away: timedelta, accepted: bool, client: BatchClient) -> None:  # noqa: FBT001 - a column of the table
    """A correctly signed request is taken within 15 minutes of its ocp-date only."""

    def ask() -> object:
        return client.get_job("job-1", ocp_date=now_utc() + away)

    if accepted:
        ask()
    else:
        assert "15 minutes" in refusal(ask).values["AuthenticationErrorDetail"]


def test_bearer_tokens(connect: ClientFactory) -> None:
    """The configured token is accepted, another is 401."""
    good, bad = (connect(credential=StaticToken(token)) for token in ("a-token", "stale"))

    assert good.get_job("job-1", enforce_https=False).id == "job-1"
    error = refusal(lambda: bad.get_job("job-1", enforce_https=False), ClientAuthenticationError)
    assert error.status == 401


def test_unknown_job_is_not_found(client: BatchClient) -> None:
    """All operations of a job answer 404 JobNotFound when there is none."""
    for call in (client.get_job, client.get_job_task_counts, partial(statuses, client)):
        error = refusal(partial(call, "nobody"), ResourceNotFoundError)
        assert error.code == "JobNotFound"


def test_job_without_preparation_is_a_conflict(client: BatchClient, world: World) -> None:
    """Its listing is 409 JobPreparationTaskNotSpecified, the job itself is there."""
    world.add_job("plain", has_preparation=False)

    assert client.get_job("plain").job_preparation_task is None
    error = refusal(lambda: statuses(client, "plain"), ResourceExistsError)
    assert (error.status, error.code) == (409, "JobPreparationTaskNotSpecified")


def test_error_bodies_have_the_real_form(client: BatchClient) -> None:
    """The message ends with request id and time, the request id being that of the header."""
    error = refusal(lambda: client.get_job("nobody"))

    assert re.fullmatch(r"The specified job does not exist\.\nRequestId:[0-9a-f-]{36}\nTime:\d{4}-.*Z", error.text)
    assert f"RequestId:{error.headers['request-id']}\n" in error.text


@pytest.mark.parametrize(
    ("options", "code", "parameter"),
    [
        ({"max_results": 0}, "OutOfRangeQueryParameterValue", "maxresults"),
        ({"max_results": 1001}, "OutOfRangeQueryParameterValue", "maxresults"),
        ({"filter": "retryCount gt 0"}, "InvalidQueryParameterValue", "$filter"),
        ({"select": ["nodeID"]}, "InvalidQueryParameterValue", "$select"),
        ({"params": {"maxresults": "ten"}}, "InvalidQueryParameterValue", "maxresults"),
        ({"params": {"timeout": "soon"}}, "InvalidQueryParameterValue", "timeout"),
        ({"params": {"$expand": "stats"}}, "UnsupportedQueryParameter", "$expand"),
    ],
    ids=["none", "too many", "filter", "select", "maxresults no number", "timeout no number", "unknown"],
)
def test_bad_parameters_are_named(options: dict[str, Any], code: str, parameter: str, client: BatchClient) -> None:
    """A parameter that can't be taken is 400 with its name, value and the reason."""
    error = refusal(lambda: statuses(client, **options))

    assert (error.status, error.code) == (400, code)
    assert error.values["QueryParameterName"] == parameter
    assert {"QueryParameterValue", "Reason"} < error.values.keys()


def test_unknown_api_version_is_refused(connect: ClientFactory) -> None:
    """A version that was never published is 400 UnsupportedRequestVersion."""
    error = refusal(lambda: statuses(connect(api_version="2020-01-01")))

    assert (error.status, error.code) == (400, "UnsupportedRequestVersion")


@pytest.mark.parametrize(
    ("pool", "node", "path", "ocp_range", "status", "code"),
    [
        ("Pool-A", "nobody", "x", None, 404, "NodeNotFound"),
        ("Pool-A", "node-1", "x", None, 404, "FileNotFound"),
        ("Pool-A", "node-0", "log", "bytes=4-", 416, "InvalidRange"),
        ("Pool-A", "node-0", "log", "lines=1-2", 400, "InvalidHeaderValue"),
        ("Pool-A", "gone", "log", None, 404, "NodeNotFound"),
    ],
    ids=["no node", "no file", "behind the end", "no range", "removed"],
)
def test_files_that_cannot_be_read(
    pool: str, node: str, path: str, ocp_range: str | None, status: int, code: str, client: BatchClient, world: World
) -> None:
    """Each reason has the service's own code."""
    world.set_file("Pool-A", "node-0", "log", "four")
    world.set_file("Pool-A", "gone", "log", "four")
    world.remove_node("Pool-A", "gone")

    error = refusal(lambda: list(client.download_node_file(pool, node, path, ocp_range=ocp_range)))

    assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "TooManyRequests"), (503, "ServerBusy"), (500, "OperationTimedOut"), (403, "AccountIsDisabled")],
)
def test_faults_on_demand(status: int, code: str, client: BatchClient, simulator: Simulator) -> None:
    """An injected error is answered as often as asked for, with Retry-After, then all is well."""
    simulator.inject("Job_ListPreparationAndReleaseTaskStatus", status, code, retry_after=7, times=2)

    for _ in range(2):
        error = refusal(lambda: statuses(client))
        assert (error.status, error.code) == (status, code)
        assert error.headers["Retry-After"] == "7"
    assert len(statuses(client)) == 7
    assert [request.status for request in simulator.requests] == [status, status, 200]


def test_the_library_retries_what_it_is_told_to(connect: ClientFactory, simulator: Simulator) -> None:
    """After 429 with Retry-After the library asks again and gets its answer."""
    simulator.inject("/jobs/job-1$", 429, "TooManyRequests", retry_after=0)

    assert connect(retry_total=2, retry_backoff_factor=0).get_job("job-1").id == "job-1"
    assert [request.status for request in simulator.requests] == [429, 200]


def test_a_cut_connection_is_logged(client: BatchClient, simulator: Simulator) -> None:
    """A request whose answer is lost counts as asked, with status 0."""
    simulator.inject("Job_Get", cut=True)

    with pytest.raises(ServiceResponseError):
        client.get_job("job-1")
    assert [(request.operation, request.status) for request in simulator.requests] == [("Job_Get", 0)]


def test_a_stopped_simulator_is_gone(world: World) -> None:
    """Connections that a client keeps open end with the simulator, and its port can be taken again."""
    with Simulator(world, account=ACCOUNT, key=KEY) as first:
        port = int(first.url.rpartition(":")[2])
        client = BatchClient(endpoint=first.url, credential=AzureNamedKeyCredential(ACCOUNT, KEY), retry_total=0)
        client.get_job("job-1")
    with client:
        with pytest.raises(ServiceRequestError):
            client.get_job("job-1")
        with Simulator(world, account=ACCOUNT, key=KEY, port=port) as second:
            client.get_job("job-1")
            assert len(second.requests) == 1
