"""GET /api/diagnostics: what is tried, and the remedy for what fails."""

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    NoPreparationTaskError,
    StoreUnavailableError,
)
from shared.nudges.nudge import DELIVERIES_QUEUE, read_nudge
from shared.ports import Delete, ListingOptions, ListingPage, Put
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable, Fault

CLIENT_ID = "12345678-1234-1234-1234-123456789012"
DENIED = AccountDeniedError("AuthorizationFailure", "You may not.", status=403, request_id="req-1")
NO_TOKEN = AccountDeniedError("CredentialUnavailable", "No token for Batch: no identity.")


def _deployment(**environment: Any) -> Deployment:
    deployment = deploy(**environment)
    deployment.batch.add(a_job(), a_node(preparation=a_run()))
    for account in deployment.batches:
        deployment.poll(account)
    deployment.batch.options.clear()
    deployment.batch.page = ListingPage(value=b"[]")
    return deployment


def _try(deployment: Deployment) -> dict[str, dict[str, Any]]:
    told = deployment.ask(lambda routes, asked: routes.system.diagnostics(asked))
    assert told.status == 200
    return {check["name"]: check for check in told.body["value"]}


def _bad(checks: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, check in checks.items() if not check["ok"]]


def test_everything_is_tried() -> None:
    """Token, listings, counts, table, queue and webhook are tried; a file only if it would be read."""
    checks = _try(_deployment())
    batch = [
        f"token for {ACCOUNT}",
        *(
            f"{what} of {ACCOUNT}"
            for what in ("job listing", "node counts", "status listing", "task counts", "reading")
        ),
    ]
    assert list(checks) == [*batch, "Batch API version", "table write", "queue write", "webhook ops", "messages to ops"]
    assert _bad(checks) == []
    assert checks[f"job listing of {ACCOUNT}"]["message"] == "It may be asked; jobs on its first page: 1."
    assert f"file read of {ACCOUNT}" in _try(_deployment(STDERR_TAIL_BYTES="100"))


def test_who_may_not_read_pools_is_told_the_role() -> None:
    """Jobs may be read and pools not: that one check fails, and its remedy is the command that mends it."""
    deployment = _deployment()
    deployment.batch.refused = AccountDeniedError("AuthorizationPermissionMismatch", "This request is not authorized.")
    checks = _try(deployment)
    assert _bad(checks) == [f"node counts of {ACCOUNT}"]
    assert "Azure Batch Account Reader" in checks[f"node counts of {ACCOUNT}"]["remedy"]


@pytest.mark.parametrize(
    ("version", "named"),
    [("2024-07-01.20.0", True), ("2024-11-15", False), ("2099-13-45", False), ("2018-12-01.8.0", True)],
)
def test_an_old_version_is_named(version: str, named: bool) -> None:  # noqa: FBT001 - a column of the table
    """A version of the Batch API that is older than two years is named with what to do, and is no failure."""
    checks = _try(_deployment(BATCH_API_VERSION=version))
    assert ("Batch API version" in checks) is named
    assert _bad(checks) == []
    if named:
        assert version in checks["Batch API version"]["message"]
        assert "BATCH_API_VERSION" in checks["Batch API version"]["remedy"]


def test_every_account_is_tried() -> None:
    """A refusal of one account is told beside what works with the other."""
    deployment = _deployment(accounts=2)
    deployment.batches[OTHER_ACCOUNT].failures["list_jobs"] = DENIED
    checks = _try(deployment)
    assert _bad(checks) == [f"job listing of {OTHER_ACCOUNT}"]
    assert checks[f"job listing of {ACCOUNT}"]["ok"]


def test_little_is_asked_for() -> None:
    """One node's status is proof enough, however large the job is."""
    deployment = _deployment()
    _try(deployment)
    assert deployment.batch.options == [(ListingOptions(max_results=1, timeout_seconds=10), None)]


def test_nobody_waits_long_for_a_check() -> None:
    """Each call to Batch has ten seconds, so that a firewall that drops packets is told while somebody still waits."""
    deployment = _deployment(STDERR_TAIL_BYTES="100")
    deployment.batch.deadlines.clear()
    _try(deployment)
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
    assert _try(_deployment(**environment))[f"token for {ACCOUNT}"]["message"] == words


def test_nothing_is_left_behind() -> None:
    """The row that tries the table is written, and gone afterwards."""
    table = FakeTable()
    deployment = _deployment(table=table)
    table.writes.clear()
    _try(deployment)
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
    deployment = _deployment(STDERR_TAIL_BYTES="100", **environment)
    deployment.batch.failures[method] = DENIED
    checks = _try(deployment)
    (bad,) = _bad(checks)
    assert checks[bad]["message"] == "You may not. (request req-1)"
    assert checks[bad]["remedy"] == (
        f'az role assignment create --role "Azure Batch Account Reader" --assignee {assignee} --scope '
        "\"$(az resource list --resource-type Microsoft.Batch/batchAccounts --name myaccount --query '[0].id' "
        '--output tsv)"'
    )


def test_a_missing_token_is_told_apart_from_a_missing_role() -> None:
    """Without an identity nothing else of Batch is tried, and no role is asked for."""
    deployment = _deployment()
    deployment.batch.failures["list_jobs"] = NO_TOKEN
    checks = _try(deployment)
    assert _bad(checks) == [f"token for {ACCOUNT}"]
    assert "az role" not in checks[f"token for {ACCOUNT}"]["remedy"]
    assert f"job listing of {ACCOUNT}" not in checks


def test_with_a_key_no_role_helps() -> None:
    """A refused account key is mended in the settings."""
    deployment = _deployment(BATCH_ACCOUNT_KEY="a2V5")
    deployment.batch.failures["list_jobs"] = DENIED
    assert "BATCH_ACCOUNT_KEY" in _try(deployment)[f"job listing of {ACCOUNT}"]["remedy"]


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
    deployment = _deployment(STDERR_TAIL_BYTES="100")
    deployment.batch.failures[method] = error
    assert _bad(_try(deployment)) == []


def test_a_batch_out_of_reach_is_no_missing_role() -> None:
    """When no answer comes, the way there is to be mended."""
    deployment = _deployment()
    deployment.batch.failures["list_jobs"] = BatchUnavailableError("ConnectionFailed", "nobody answers")
    remedy = _try(deployment)[f"job listing of {ACCOUNT}"]["remedy"]
    assert "firewall" in remedy
    assert "az role" not in remedy


def test_an_account_without_jobs_is_tried_as_far_as_it_goes() -> None:
    """Without a job there is nothing to list or count, which is said and is no failure."""
    checks = _try(deploy())
    assert _bad(checks) == [f"reading of {ACCOUNT}"]  # which nobody has polled
    assert checks[f"jobs of {ACCOUNT}"]["message"] == "There is no job to try anything else on."


def test_the_nudge_is_one_that_is_understood() -> None:
    """What tries the queue is what any request puts there: the function that takes it looks after an account."""
    deployment = _deployment()
    _try(deployment)
    (text,) = deployment.queues.take(DELIVERIES_QUEUE)
    assert read_nudge(text.encode()).account == ACCOUNT


@pytest.mark.parametrize(
    ("storage", "remedy"),
    [
        pytest.param(
            {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "mystore"},
            'az role assignment create --role "Storage Queue Data Contributor" --assignee '
            f'{CLIENT_ID} --scope "$(az resource list --resource-type Microsoft.Storage/storageAccounts '
            "--name mystore --query '[0].id' --output tsv)\"",
            id="identity",
        ),
        pytest.param(
            {},
            "Check the connection string in AzureWebJobsStorage, and the account's firewall.",
            id="connection string",
        ),
    ],
)
def test_a_queue_that_refuses(storage: dict[str, str], remedy: str) -> None:
    """The queue's own role is asked for, in words that can be read: the refusal is met before the answer is made."""
    deployment = _deployment(AZURE_CLIENT_ID=CLIENT_ID, **storage)
    deployment.queues.refusal = StoreUnavailableError("the queue service answered 403 AuthorizationPermissionMismatch")
    checks = _try(deployment)
    assert _bad(checks) == ["queue write"]
    assert checks["queue write"]["message"].startswith(
        "the queue service answered 403 AuthorizationPermissionMismatch: "
    )
    assert checks["queue write"]["remedy"] == remedy


def test_a_queue_that_is_away() -> None:
    """No role mends a service that gives no answer: the network is named instead."""
    storage = {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "mystore"}
    deployment = _deployment(AZURE_CLIENT_ID=CLIENT_ID, **storage)
    deployment.queues.refusal = StoreUnavailableError("the queue service gave no answer: ServiceRequestError")
    remedy = _try(deployment)["queue write"]["remedy"]
    assert ("network" in remedy, "role assignment" in remedy) == (True, False)


def test_without_queues_nothing_is_nudged() -> None:
    """Settings that name a table but no queue are said to be incomplete."""
    table = {"STATE_STORAGE__accountName": "mystore", "AzureWebJobsStorage": ""}
    check = _try(_deployment(**table))["queue write"]
    assert (check["ok"], check["message"].startswith("AzureWebJobsStorage names no queue service")) == (False, True)
    assert check["remedy"].startswith("Set AzureWebJobsStorage")


@pytest.mark.parametrize(
    ("storage", "remedy"),
    [
        pytest.param(
            {"STATE_STORAGE__tableServiceUri": "https://mystore.table.core.windows.net"},
            'az role assignment create --role "Storage Table Data Contributor" --assignee '
            f'{CLIENT_ID} --scope "$(az resource list --resource-type Microsoft.Storage/storageAccounts '
            "--name mystore --query '[0].id' --output tsv)\"",
            id="identity",
        ),
        pytest.param(
            {},
            "Check the connection string in STATE_STORAGE or AzureWebJobsStorage, and the account's firewall.",
            id="connection string",
        ),
    ],
)
def test_a_table_that_refuses(storage: dict[str, str], remedy: str) -> None:
    """The table's own role is asked for, unless a connection string is used."""
    deployment = _deployment(AZURE_CLIENT_ID=CLIENT_ID, **storage)
    deployment.table.fail_next(Fault.BEFORE)  # type: ignore[attr-defined]  # a FakeTable, as none was given
    assert _try(deployment)["table write"]["remedy"] == remedy


def test_an_address_that_can_not_be_called() -> None:
    """A webhook whose name is not resolved is said to be so, without its URL."""
    deployment = _deployment()
    (webhook,) = deployment.app.deliveries.deliverer.webhooks.values()
    deployment.unreachable[webhook.url] = "The host name hooks.example can't be resolved: no such host."
    checks = _try(deployment)
    assert _bad(checks) == ["webhook ops"]
    assert webhook.url not in str(checks)


def test_without_a_webhook_nobody_is_told() -> None:
    """That is said, with what to set."""
    deployment = _deployment(WEBHOOKS="[]")
    assert _try(deployment)["webhooks"]["ok"] is False
