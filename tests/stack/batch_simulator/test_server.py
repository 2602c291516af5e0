"""What plain HTTP shows: headers, verbs, many at once, the hand from outside, and the command."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from local.batch_simulator.auth import signature, string_to_sign
from local.batch_simulator.protocol import format_http_date
from local.batch_simulator.server import Simulator, now_utc
from local.batch_simulator.world import World
from tests.stack.batch_simulator.conftest import ACCOUNT, KEY

STATUSES = "/jobs/job-1/jobpreparationandreleasetaskstatus"
TOKEN = {"Authorization": "Bearer a-token"}
VERSION = {"api-version": "2024-07-01.20.0"}
ROOT = Path(__file__).parents[3]

Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(simulator: Simulator) -> Ask:
    """Sends a request with the bearer token; `query` is added to an api-version."""

    def send(
        path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **query: str
    ) -> requests.Response:
        url, parameters = simulator.url + path, {**VERSION, **query}
        return requests.request(method, url, params=parameters, headers=TOKEN | (headers or {}), timeout=5)

    return send


def test_answers_carry_the_documented_headers(ask: Ask, world: World) -> None:
    """request-id, ETag and Last-Modified come always, and the ETag changes with a status."""
    first, second = ask(STATUSES), ask(STATUSES)
    world.set_status("job-1", "Pool-A", "node-9")
    third = ask(STATUSES)

    assert first.headers["Content-Type"] == "application/json;odata=minimalmetadata"
    assert first.headers["request-id"] != second.headers["request-id"]
    assert first.headers["ETag"] == second.headers["ETag"] != third.headers["ETag"]
    assert first.headers["Last-Modified"].endswith("GMT")
    assert first.json()["odata.metadata"].endswith("/$metadata#jobpreparationandreleasestatuslist")


@pytest.mark.parametrize(
    ("wanted", "returned"), [("true", True), ("false", False), (None, False)], ids=["true", "false", "absent"]
)
def test_client_request_id_comes_back_when_asked_for(wanted: str | None, returned: bool, ask: Ask) -> None:  # noqa: FBT001 - a column of the table
    """Only return-client-request-id: true brings it back."""
    mine = "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"
    headers = {"client-request-id": mine} | ({} if wanted is None else {"return-client-request-id": wanted})

    assert ask(STATUSES, headers=headers).headers.get("client-request-id") == (mine if returned else None)


def test_links_have_the_form_of_the_service(ask: Ask, simulator: Simulator) -> None:
    """The next link is absolute, has the other path, names the last node, and is absent on the last page."""
    page = ask(STATUSES, maxresults="6").json()

    path = f"{simulator.url}/jobs/job-1/jobpreparationandreleasestatus"
    assert page["odata.nextLink"] == f"{path}?$skipToken=node-5&api-version=2024-07-01.20.0&maxresults=6"
    last = requests.get(page["odata.nextLink"], headers=TOKEN, timeout=5).json()
    assert [entry["nodeId"] for entry in last["value"]] == ["node-6"]
    assert "odata.nextLink" not in last


def test_query_names_are_taken_in_any_case(ask: Ask) -> None:
    """Old and new spellings of the skip token and the timeout mean the same."""
    answers = [ask(STATUSES, **{name: "node-4"}).json()["value"] for name in ("$skiptoken", "$skipToken")]

    assert [[entry["nodeId"] for entry in value] for value in answers] == [["node-5", "node-6"]] * 2
    assert {ask(STATUSES, **{name: "60"}).status_code for name in ("timeout", "timeOut")} == {200}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "status", "code"),
    [
        ("POST", "/jobs", {}, {}, 405, "UnsupportedHttpVerb"),
        ("DELETE", "/jobs/job-1", {}, {}, 405, "UnsupportedHttpVerb"),
        ("GET", "/tasks", {}, {}, 404, "ResourceNotFound"),
        ("GET", "/jobs", {"api-version": ""}, {}, 400, "MissingRequiredQueryParameter"),
        ("GET", "/jobs", {"$orderby": "id"}, {}, 400, "UnsupportedQueryParameter"),
        ("GET", "/jobs", {"$expand": "tasks"}, {}, 400, "InvalidQueryParameterValue"),
        ("GET", "/jobs", {}, {"client-request-id": "{me}"}, 400, "InvalidHeaderValue"),
        ("GET", "/jobs", {}, {"Authorization": ""}, 401, "AuthenticationFailed"),
    ],
    ids=["post", "delete", "path", "no version", "orderby", "expand", "client request id", "no credentials"],
)
def test_other_requests_are_refused(
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    status: int,
    code: str,
    ask: Ask,
) -> None:
    """Each is answered with the service's own status and code."""
    answer = ask(path, method=method, headers=headers, **query)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_head_answers_end_with_their_headers(simulator: Simulator) -> None:
    """Nothing follows the headers of a HEAD answer, not even an error body, so that the connection stays usable."""
    host, port = simulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"HEAD /pools/p/nodes/n/files/none HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\n")


def test_many_ask_at_once(simulator: Simulator) -> None:
    """Forty clients, each asking ten times over a kept connection, are all answered."""

    def client(_: int) -> list[int]:
        with requests.Session() as session:
            url = f"{simulator.url}{STATUSES}"
            return [session.get(url, params=VERSION, headers=TOKEN, timeout=20).status_code for _ in range(10)]

    with ThreadPoolExecutor(40) as pool:
        assert {status for statuses in pool.map(client, range(40)) for status in statuses} == {200}
    assert len(simulator.requests) == 400


def test_a_fault_can_be_any_bytes(ask: Ask, simulator: Simulator) -> None:
    """An injected body is sent as it is, so that broken answers can be tried."""
    simulator.inject(STATUSES, 200, body="<html>")

    assert ask(STATUSES).text == "<html>"
    assert len(ask(STATUSES).json()["value"]) == 7


def test_the_hand_from_outside(ask: Ask, simulator: Simulator) -> None:
    """Over /_sim/ a job is added and made to fail, faults are injected, truth and requests are read."""
    admin = f"{simulator.url}/_sim"
    info = {"state": "completed", "result": "failure", "startTime": "2026-05-01T00:00:00Z", "exitCode": 3}
    order = {"id": "mine", "poolId": "p", "statuses": [{"nodeId": "n", "preparation": info, "files": {"a": "b"}}]}

    def post(route: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{admin}/{route}", json=body, timeout=5)

    assert post("jobs", order).json() == {"done": True}
    assert ask("/jobs/mine/jobpreparationandreleasetaskstatus").json()["value"][0]["nodeId"] == "n"
    assert ask("/pools/p/nodes/n/files/a").text == "b"
    truth = requests.get(f"{admin}/truth", timeout=5).json()["value"]
    assert [(f["job"], f["node"], f["why"]) for f in truth][-1] == ("mine", "n", "exit code 3")
    assert post("inject", {"match": "Job_List", "status": 503, "code": "ServerBusy", "retryAfter": 2}).ok
    assert ask("/jobs").headers["Retry-After"] == "2"
    assert post("jobs", {"id": "mine", "deleted": True}).ok
    assert ask("/jobs/mine").status_code == 404
    asked = requests.get(f"{admin}/requests", timeout=5).json()["value"]
    assert [(entry["operation"], entry["status"]) for entry in asked] == [
        ("Job_ListPreparationAndReleaseTaskStatus", 200),
        ("File_GetFromComputeNode", 200),
        ("Job_List", 503),
        ("Job_Get", 404),
    ]


@pytest.mark.parametrize(
    ("route", "body"),
    [("jobs", {}), ("jobs", {"id": "x", "nodes": 3}), ("inject", {"match": "("})],
    ids=["missing", "unknown", "no expression"],
)
def test_orders_that_cannot_be_read_are_refused(route: str, body: dict[str, Any], simulator: Simulator) -> None:
    """The answer is 400 and says what is wrong."""
    answer = requests.post(f"{simulator.url}/_sim/{route}", json=body, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_command(tmp_path: Path) -> None:
    """It names its URL, tells each failure in a short line, writes the whole truth to the file, and ends by SIGINT."""
    truth = tmp_path / "truth.jsonl"
    command = [sys.executable, "-m", "local.batch_simulator", "--account", ACCOUNT, "--key", KEY]
    command += ["--speed", "20", "--fail-rate", "1", "--truth", str(truth)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4].rstrip(",")
        told = process.stdout.readline()
        path, date = "/jobs", format_http_date(now_utc())
        text = string_to_sign(method="GET", path=path, query=VERSION, headers={"ocp-date": date}, account=ACCOUNT)
        headers = {"ocp-date": date, "Authorization": f"SharedKey {ACCOUNT}:{signature(KEY, text)}"}
        jobs = requests.get(url + path, params=VERSION, headers=headers, timeout=5).json()["value"]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.readlines()
        assert process.wait(10) == 0

    failures = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    short = {f["node"]: f"{f['node'][:12]}...{f['node'][-8:]}" for f in failures}
    lines = [f"{f['job']}: {f['phase']} failed on {short[f['node']]}: {f['why']}\n" for f in failures]
    assert lines == [told, *rest]
    assert failures[0]["job"] in {job["id"] for job in jobs}
