"""GET /api/diagnostics: what is tried, and the remedy for what fails."""

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    NoPreparationTaskError,
)
from shared.nudges.nudge import DELIVERIES_QUEUE, read_nudge
from shared.ports import Delete, ListingOptions, ListingPage, Put
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable

CLIENT_ID = "12345678-1234-1234-1234-123456789012"
DENIED = AccountDeniedError("AuthorizationFailure", "You may not.", status=403, request_id="req-1")
NO_TOKEN = AccountDeniedError("CredentialUnavailable", "No token for Batch: no identity.")


def deployed(**environment: Any) -> Deployment:
    """An app that has polled each account once."""
    deployment = deploy(**environment)
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    for account in deployment.batches:
        deployment.poll(account)
    deployment.batch.options.clear()
    deployment.batch.page = ListingPage(value=b"[]")
    return deployment


def tried(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The checks by name."""
    told = deployment.ask(lambda routes, asked: routes.system.diagnostics(asked))
    assert told.status == 200
    return {check["name"]: check for check in told.body["value"]}


def bad(checks: dict[str, dict[str, Any]]) -> list[str]:
    """The names of those that are not well."""
    return [name for name, check in checks.items() if not check["ok"]]


def test_everything_is_tried() -> None:
    """Token, listings, counts, table, queue and webhook are tried; a file only if it would be read."""
    checks = tried(deployed())
    batch = [
        f"token for {ACCOUNT}",
        *(
            f"{what} of {ACCOUNT}"
            for what in ("job listing", "node counts", "status listing", "task counts", "reading")
        ),
    ]
    assert list(checks) == [*batch, "Batch API version", "table write", "queue write", "webhook ops", "messages to ops"]
    assert bad(checks) == []
    assert checks[f"job listing of {ACCOUNT}"]["message"] == "It may be asked; jobs on its first page: 1."
    assert f"file read of {ACCOUNT}" in tried(deployed(STDERR_TAIL_BYTES="100"))


def test_who_may_not_read_pools_is_told_the_role() -> None:
    """Jobs may be read and pools not: that one check fails, and its remedy is the command that mends it."""
    deployment = deployed()
    deployment.batch.refused = AccountDeniedError("AuthorizationPermissionMismatch", "This request is not authorized.")
    checks = tried(deployment)
    assert bad(checks) == [f"node counts of {ACCOUNT}"]
    assert "Azure Batch Account Reader" in checks[f"node counts of {ACCOUNT}"]["remedy"]


@pytest.mark.parametrize(
    ("version", "named"),
    [("2024-07-01.20.0", True), ("2024-11-15", False), ("2099-13-45", False), ("2018-12-01.8.0", True)],
)
def test_an_old_version_is_named(version: str, named: bool) -> None:  # noqa: FBT001 - a column of the table
    """A version of the Batch API that is older than two years is named with what to do, and is no failure."""
    checks = tried(deployed(BATCH_API_VERSION=version))
    assert ("Batch API version" in checks) is named
    assert bad(checks) == []
    if named:
        assert version in checks["Batch API version"]["message"]
        assert "BATCH_API_VERSION" in checks["Batch API version"]["remedy"]


def test_every_account_is_tried() -> None:
    """A refusal of one account is told beside what works with the other."""
    deployment = deployed(accounts=2)
    deployment.batches[OTHER_ACCOUNT].failures["list_jobs"] = DENIED
    checks = tried(deployment)
    assert bad(checks) == [f"job listing of {OTHER_ACCOUNT}"]
    assert checks[f"job listing of {ACCOUNT}"]["ok"]


def test_little_is_asked_for() -> None:
    """One node's status is proof enough, however large the job is."""
    deployment = deployed()
    tried(deployment)
    assert deployment.batch.options == [(ListingOptions(max_results=1, timeout_seconds=10), None)]


def test_nobody_waits_long_for_a_check() -> None:
    """Each call to Batch has ten seconds, so that a firewall that drops packets is told while somebody still waits."""
    deployment = deployed(STDERR_TAIL_BYTES="100")
    deployment.batch.deadlines.clear()
    tried(deployment)
    until = deployment.clock() + timedelta(seconds=10)
    asked = ("list_jobs", "count_tasks", "read_file_tail")
    assert {name: deployment.batch.deadlines[name] for name in asked} == dict.fromkeys(asked, until)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({}, "Entra ID gave one.", id="identity"),
        pytest.param({"BATCH_ACCOUNT_KEY": "a2V5"}, "None is needed, the account's key signs.", id="key"),
    ],
)
def test_where_the_token_came_from(environment: dict[str, str], words: str) -> None:
    """Nobody looks for a token where the account's key signs."""
    assert tried(deployed(**environment))[f"token for {ACCOUNT}"]["message"] == words


def test_nothing_is_left_behind() -> None:
    """The row that tries the table is written, and gone afterwards."""
    table = FakeTable()
    deployment = deployed(table=table)
    table.writes.clear()
    tried(deployment)
    assert [(partition, type(only)) for partition, (only,) in table.writes] == [("_", Put), ("_", Delete)]
    assert list(deployment.table.query("_", "diagnostics", "diagnosticsz")) == []


@pytest.mark.parametrize(
    ("environment", "assignee"),
    [
        pytest.param({"AZURE_CLIENT_ID": CLIENT_ID}, CLIENT_ID, id="user-assigned"),
        pytest.param(
            {"WEBSITE_SITE_NAME": "my-app"},
            "\"$(az ad sp list --display-name my-app --query '[0].id' --output tsv)\"",
            id="system-assigned",
        ),
    ],
)
@pytest.mark.parametrize("method", ["list_jobs", "list_status_page", "count_tasks", "read_file_tail"])
def test_a_missing_role_is_named_with_the_command(method: str, environment: dict[str, str], assignee: str) -> None:
    """A refusal of Batch ends in the line that assigns the role to the app's identity at the right account."""
    deployment = deployed(STDERR_TAIL_BYTES="100", **environment)
    deployment.batch.failures[method] = DENIED
    checks = tried(deployment)
    (wrong,) = bad(checks)
    assert checks[wrong]["message"] == "You may not. (request req-1)"
    assert checks[wrong]["remedy"] == (
        f'az role assignment create --role "Azure Batch Account Reader" --assignee {assignee} --scope '
        "\"$(az resource list --resource-type Microsoft.Batch/batchAccounts --name myaccount --query '[0].id' "
        '--output tsv)"'
    )


def test_a_missing_token_is_told_apart_from_a_missing_role() -> None:
    """Without an identity nothing else of Batch is tried, and no role is asked for."""
    deployment = deployed()
    deployment.batch.failures["list_jobs"] = NO_TOKEN
    checks = tried(deployment)
    assert bad(checks) == [f"token for {ACCOUNT}"]
    assert "az role" not in checks[f"token for {ACCOUNT}"]["remedy"]
    assert f"job listing of {ACCOUNT}" not in checks


def test_with_a_key_no_role_helps() -> None:
    """A refused account key is mended in the settings."""
    deployment = deployed(BATCH_ACCOUNT_KEY="a2V5")
    deployment.batch.failures["list_jobs"] = DENIED
    assert "BATCH_ACCOUNT_KEY" in tried(deployment)[f"job listing of {ACCOUNT}"]["remedy"]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        pytest.param(
            "list_status_page",
            NoPreparationTaskError("JobPreparationTaskNotSpecified", "none", status=409),
            id="no task",
        ),
        pytest.param("read_file_tail", BatchError("NodeNotFound", "no such node", status=404), id="no node"),
    ],
)
def test_an_answer_that_is_no_refusal_proves_the_permission(method: str, error: BatchError) -> None:
    """That there is nothing to list or read is said only to who may ask."""
    deployment = deployed(STDERR_TAIL_BYTES="100")
    deployment.batch.failures[method] = error
    assert bad(tried(deployment)) == []


def test_a_batch_out_of_reach_is_no_missing_role() -> None:
    """When no answer comes, the way there is to be mended."""
    deployment = deployed()
    deployment.batch.failures["list_jobs"] = BatchUnavailableError("ConnectionFailed", "nobody answers")
    remedy = tried(deployment)[f"job listing of {ACCOUNT}"]["remedy"]
    assert "firewall" in remedy
    assert "az role" not in remedy


def test_an_account_without_jobs_is_tried_as_far_as_it_goes() -> None:
    """Without a job there is nothing to list or count, which is said and is no failure."""
    checks = tried(deploy())
    assert bad(checks) == [f"reading of {ACCOUNT}"]  # which nobody has polled
    assert checks[f"jobs of {ACCOUNT}"]["message"] == "There is no job to try anything else on."


def test_the_nudge_is_one_that_is_understood() -> None:
    """What tries the queue is what any request puts there: the function that takes it looks after an account."""
    deployment = deployed()
    tried(deployment)
    (text,) = deployment.queues.take(DELIVERIES_QUEUE)
    assert read_nudge(text.encode()).account == ACCOUNT
