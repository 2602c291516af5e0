"""The look at a real account, tried on the simulated one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.batch_simulator.server import Simulator
from local.batch_simulator.statuses import Cause, Phase, failed, succeeded
from local.batch_simulator.world import World
from local.smoke.__main__ import FOLDER, main
from local.smoke.recording import Recorded
from local.smoke.scrubbing import Scrubber
from local.smoke.surprises import surprises
from tests.support.stack import ACCOUNT, KEY, running_account

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("contoso-nightly", "contoso-pool", "tvm-contoso-0", "contoso-secret", "contoso")
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def furnish(world: World) -> None:
    """Put into an account whatever a recording should show; every name of it has `contoso` in it."""
    began = world.now
    cause = Cause(
        category="UserError",
        code="BlobNotFound",
        message="Blob https://contoso.blob.core.windows.net/c?sig=contoso-secret is not there.",
        details=(("FilePath", "contoso-secret.txt"),),
    )
    world.add_job("contoso-nightly", pool="contoso-pool", tasks={"active": 3, "running": 1})
    ended = began + timedelta(seconds=20)
    for number in range(7):
        build = failed if number % 3 == 0 else succeeded
        how: Any = {"cause": cause} if number % 3 == 0 else {}
        run = build("contoso-nightly", Phase.PREPARATION, start=began, end=ended, **how)
        node = f"tvm-contoso-{number}"
        world.set_status("contoso-nightly", "contoso-pool", node, preparation=run)
        world.set_file("contoso-pool", node, f"{run['taskRootDirectory']}/stderr.txt", "contoso-secret: no such file\n")
    task = {"state": "completed", "exitCode": 7, "retryCount": 0, "failureInfo": {"message": "contoso-secret"}}
    world.pools.set_node("contoso-pool", "tvm-contoso-7", at=ended, state="starttaskfailed", start_task_info=task)
    world.add_job("contoso-plain", has_preparation=False, has_release=False)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A furnished account, its key where the smoke finds it."""
    monkeypatch.setenv("BATCH_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("BATCH_ACCOUNT_KEY", KEY)
    with running_account() as (world, simulator):
        furnish(world)
        yield simulator


def test_every_read_is_tried_and_fits(account: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On an account that behaves as documented all reads fit, and each operation is recorded; nothing is changed."""
    assert main(["--account", account.url, "--record", str(tmp_path), "--name", "sim"]) == 0
    said = capsys.readouterr().out
    assert "FAILS" not in said
    recorded = sorted(file.stem for file in (tmp_path / "sim").glob("*.json"))
    assert recorded == [
        "Account_ListPoolNodeCounts-200",
        "ComputeNode_List-200",
        "File_GetFromComputeNode-200",
        "File_GetPropertiesFromComputeNode-200",
        "File_GetPropertiesFromComputeNode-404",
        "Job_Get-200",
        "Job_Get-404",
        "Job_GetTaskCounts-200",
        "Job_List-200",
        "Job_ListPreparationAndReleaseTaskStatus-200",
        "Job_ListPreparationAndReleaseTaskStatus-200-link",
        "Job_ListPreparationAndReleaseTaskStatus-409",
        "Pool_Get-200",
        "Task_List-200",
    ]
    assert {request.method for request in account.requests} == {"GET", "HEAD"}


def test_nothing_of_the_account_is_recorded_or_said(
    account: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No name, id, address, text or secret of the account is in a recording or on the screen."""
    main(["--account", account.url, "--record", str(tmp_path)])
    output = capsys.readouterr()
    said = output.out.replace(str(tmp_path), "") + output.err
    for text in (said, *(file.read_text() for file in tmp_path.rglob("*.json"))):
        for name in (*NAMES, ACCOUNT, KEY, account.url.removeprefix("http://")):
            assert name not in text


def test_recordings_go_where_tests_read_them() -> None:
    """Without --record an answer lands in the folder whose recordings are read by tests."""
    assert sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir()) == ["simulator"]


def test_a_read_that_fails_is_said(account: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused read is named with Batch's code, the others are tried all the same, and the exit code is 1."""
    account.inject("Job_GetTaskCounts", 403, "InsufficientAccountPermissions", times=None)
    assert main(["--account", account.url, "--record", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "FAILS  count tasks of job 1: InsufficientAccountPermissions" in said
    assert "fits   read the end of stderr.txt" in said


@pytest.mark.parametrize("url", ["batch.example", "http://a.westeurope.batch.azure.com", "https://a.example/jobs"])
def test_a_wrong_address_is_refused(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent to what is no account's address."""
    assert main(["--account", url, "--record", str(tmp_path)]) == 2
    assert "--account" in capsys.readouterr().err


def exchange(body: Any, *, headers: dict[str, str] | None = None, kind: str = "statuses") -> Recorded:
    """An answered listing."""
    path = {"statuses": "/jobs/j/jobpreparationandreleasetaskstatus", "jobs": "/jobs"}[kind]
    usual = {"request-id": "r", "client-request-id": "c", "date": "Sun, 01 Nov 2026 12:00:00 GMT"}
    return Recorded(
        method="GET",
        url=f"https://a.example{path}?%24filter=x&api-version=2024-07-01.20.0",
        status=200,
        headers=usual if headers is None else headers,
        body=json.dumps(body).encode(),
    )


def run(**changes: Any) -> Any:
    """A status whose preparation ended well, with changes."""
    info = {"startTime": "2026-11-01T11:00:00Z", "state": "completed", "result": "success", "exitCode": 0}
    whole = info | {"taskRootDirectory": "wd"} | changes
    shown = {name: value for name, value in whole.items() if value is not None}
    return {"poolId": "p", "nodeId": "n", "nodeUrl": "u", "jobPreparationTaskExecutionInfo": shown}


STATUSES = "Job_ListPreparationAndReleaseTaskStatus"
LINK = "https://a.example/jobs/j/jobpreparationandreleasetaskstatus?$skipToken=n&$filter=x"
PREPARATION = "jobPreparationTaskExecutionInfo"
HARMLESS, MATTERS = True, False


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        pytest.param(exchange({"value": [run()], "odata.nextLink": LINK}), [], id="as expected"),
        pytest.param(
            exchange({"value": [run(result="Success")]}),
            [(HARMLESS, f"result of {PREPARATION} is spelled Success")],
            id="case",
        ),
        pytest.param(
            exchange({"value": [run(result="exploded")] * 2}),
            [(MATTERS, f"result of {PREPARATION} is a word that Prepwatch does not know")],
            id="unknown word",
        ),
        pytest.param(
            exchange({"value": [run(result=None)]}),
            [(HARMLESS, f"{PREPARATION} is completed without result")],
            id="no result",
        ),
        pytest.param(
            exchange({"value": [run(result=None, exitCode=None)]}),
            [(MATTERS, f"{PREPARATION} is completed without result, exitCode and failureInfo")],
            id="nothing that says how it ended",
        ),
        pytest.param(
            exchange({"value": [run(result="failure")]}),
            [(HARMLESS, f"{PREPARATION} has failed without failureInfo")],
            id="no info",
        ),
        pytest.param(
            exchange({"value": [run(waitReason="x")]}),
            [(HARMLESS, f"{PREPARATION} has a field that Prepwatch does not know, waitReason")],
            id="new field",
        ),
        pytest.param(
            exchange({"value": [{"nodeId": "n"}]}),
            [(MATTERS, "a status has no poolId"), (HARMLESS, "a status has no nodeUrl")],
            id="no pool",
        ),
        pytest.param(
            exchange({"value": [], "odata.nextLink": LINK.replace("a.example", "b.example")}),
            [(MATTERS, f"odata.nextLink of {STATUSES} leads to another origin")],
            id="foreign link",
        ),
        pytest.param(
            exchange({"value": [], "odata.nextLink": LINK.replace("taskstatus", "status")}),
            [(HARMLESS, f"odata.nextLink of {STATUSES} names another path")],
            id="other path",
        ),
        pytest.param(
            exchange({"value": [], "odata.nextLink": LINK.replace("$filter=x", "")}),
            [(HARMLESS, f"odata.nextLink of {STATUSES} has lost $filter")],
            id="lost filter",
        ),
        pytest.param(
            exchange({"value": [{"id": "j", "state": "Active"}, {"id": "j", "state": "resting"}]}, kind="jobs"),
            [
                (MATTERS, "a job has no creationTime"),
                (MATTERS, "a job's state is a word that Prepwatch does not know"),
                (HARMLESS, "a job has no stateTransitionTime"),
                (HARMLESS, "a job's state is spelled Active"),
            ],
            id="job",
        ),
        pytest.param(
            exchange({"value": []}, headers={"date": "Sun, 01 Nov 2026 12:09:00 GMT"}),
            [
                (MATTERS, "this machine's clock and Batch's differ by minutes"),
                (HARMLESS, f"{STATUSES} has no header client-request-id"),
                (HARMLESS, f"{STATUSES} has no header request-id"),
            ],
            id="headers",
        ),
    ],
)
def test_surprises_are_said(recorded: Recorded, said: list[tuple[bool, str]]) -> None:
    """What is not as expected is said with whether it matters, what matters first, and what it means."""
    found = [surprise for surprise, _ in surprises([recorded], NOW)]
    assert [(surprise.harmless, surprise.what) for surprise in found] == said
    assert all(surprise.so for surprise in found)


def test_surprises_are_weighed_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A surprise is a line that says whether it matters, why, and how often it was met; then how many do is said."""
    monkeypatch.setenv("BATCH_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("BATCH_ACCOUNT_KEY", KEY)
    with running_account() as (world, simulator):
        furnish(world)
        for number in range(2):
            status = run(result="exploded")[PREPARATION]
            world.set_status("contoso-nightly", "contoso-pool", f"tvm-contoso-9{number}", preparation=status)
        main(["--account", simulator.url, "--record", str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    first = next(line for line in said if line.startswith(("MATTERS", "harmless")))
    unknown = f"result of {PREPARATION} is a word that Prepwatch does not know"
    assert first == f"MATTERS   {unknown}: it is counted as unknown (2x)"
    assert [line.partition(", ")[2] for line in said if " surprises, " in line] == [
        "1 of which matter: please report those"
    ]


def test_scrubbing_keeps_what_a_parser_needs() -> None:
    """Field names, numbers, times and words of the API stay; the same name stays the same; everything else goes."""
    status = run(failureInfo={"category": "UserError", "code": "BlobNotFound", "message": "contoso is not there"})
    recorded = exchange(
        {"value": [status, status | {"nodeId": "N"}], "odata.metadata": "https://a.example/$metadata#x"}
    )
    body = Scrubber().scrub(recorded)["body"]
    first, second = body["value"]
    assert (first["poolId"], first["nodeId"], second["nodeId"]) == ("pool-1", "node-1", "node-1")
    info = first[PREPARATION]
    assert (info["startTime"], info["state"], info["exitCode"]) == ("2026-11-01T11:00:00Z", "completed", 0)
    assert info["failureInfo"] == {
        "category": "UserError",
        "code": "BlobNotFound",
        "message": "text of 20 characters",
    }
    assert first["nodeUrl"] == "text of 1 characters"
    assert body["odata.metadata"] == "https://account.region.batch.azure.com/$metadata#x"
