"""GET /api/diagnostics: what it says of a table or queue that refuses, and how that is mended."""

import pytest

from shared.errors import NO_STORE_TOKEN, StoreUnavailableError
from tests.api.test_diagnostics import CLIENT_ID, bad, deployed, tried


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
    deployment = deployed(AZURE_CLIENT_ID=CLIENT_ID, **storage)
    deployment.queues.refusal = StoreUnavailableError("the queue service answered 403 AuthorizationPermissionMismatch")
    checks = tried(deployment)
    assert bad(checks) == ["queue write"]
    assert checks["queue write"]["message"].startswith(
        "the queue service answered 403 AuthorizationPermissionMismatch: "
    )
    assert checks["queue write"]["remedy"] == remedy


@pytest.mark.parametrize(
    ("refusal", "mend"),
    [
        pytest.param("the service gave no answer: ServiceRequestError", "firewall", id="no answer"),
        pytest.param("the service answered 503 ServerBusy", "firewall", id="busy"),
        pytest.param("the service answered 403 AuthorizationFailure: no", "firewall", id="a firewall"),
        pytest.param(f"{NO_STORE_TOKEN}: CredentialUnavailableError", "Set AZURE_CLIENT_ID", id="no token"),
        pytest.param("the service answered 403 AuthorizationPermissionMismatch: no", "role assignment", id="no role"),
    ],
)
def test_a_storage_that_refuses_for_another_reason(refusal: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role is asked for only where one is missing: none mends a firewall, a token, or a service that is away."""
    storage = {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "mystore"}
    deployment = deployed(AZURE_CLIENT_ID=CLIENT_ID, **storage)
    deployment.queues.refusal = StoreUnavailableError(refusal)

    def refuse(_partition: str, _operations: object) -> None:
        raise StoreUnavailableError(refusal)

    monkeypatch.setattr(deployment.table, "transact", refuse)
    checks = tried(deployment)
    remedies = [checks[name]["remedy"] for name in ("table write", "queue write")]
    assert all(mend in remedy for remedy in remedies)
    assert any("role assignment" in remedy for remedy in remedies) == (mend == "role assignment")


def test_without_queues_nothing_is_nudged() -> None:
    """Settings that name a table but no queue are said to be incomplete."""
    table = {"STATE_STORAGE__accountName": "mystore", "AzureWebJobsStorage": ""}
    check = tried(deployed(**table))["queue write"]
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
def test_a_table_that_refuses(storage: dict[str, str], remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table's own role is asked for, unless a connection string is used."""
    deployment = deployed(AZURE_CLIENT_ID=CLIENT_ID, **storage)

    def refuse(_partition: str, _operations: object) -> None:
        raise StoreUnavailableError("the table answered 403 AuthorizationPermissionMismatch: no")

    monkeypatch.setattr(deployment.table, "transact", refuse)
    assert tried(deployment)["table write"]["remedy"] == remedy
