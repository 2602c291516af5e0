"""What to do when something that Prepwatch needs is refused: the role to assign, or the setting to mend.

Owns the words and commands. Does not own what is tried (`api.diagnostics`). Pure.
"""

from msgspec import Struct

from shared.errors import NO_STORE_TOKEN, AccountDeniedError, BatchError
from shared.messages.commands import assign_role, principal_of, resource_id
from shared.nudges.nudger import NO_QUEUE

NO_TOKEN = "CredentialUnavailable"  # noqa: S105 - an error's code

_REFRESH = '/config/configreferences/appsettings/refresh?api-version=2022-03-01"'
_VAULT_ROLE = "Key Vault Secrets User"
_BATCH_ROLE = "Azure Batch Account Reader"
_TABLE_ROLE = "Storage Table Data Contributor"
_QUEUE_ROLE = "Storage Queue Data Contributor"


class Identity(Struct, frozen=True, kw_only=True):
    """Whom roles are assigned to: the app's name and, for a user-assigned identity, its client id.

    `uses_key` says that Batch is asked with the account's key; no role helps there.
    """

    site: str
    client_id: str | None
    uses_key: bool

    @property
    def assignee(self) -> str:
        """What `az role assignment create --assignee` takes."""
        return self.client_id or principal_of(self.site)


def batch_remedy(identity: Identity, account: str, error: BatchError) -> str:
    """What to do when Batch can't be asked about an account."""
    if error.code == NO_TOKEN:
        return "Set AZURE_CLIENT_ID if the app's identity is a user-assigned one; or set BATCH_ACCOUNT_KEY."
    if not isinstance(error, AccountDeniedError):
        return "Check BATCH_ACCOUNT_URLS, the account's firewall and the app's network."
    if identity.uses_key:
        return "Check BATCH_ACCOUNT_KEY and BATCH_ACCOUNT_NAME, and that the account allows shared keys."
    resource = resource_id("Microsoft.Batch/batchAccounts", account.split(".", maxsplit=1)[0])
    return assign_role(_BATCH_ROLE, identity.assignee, resource)


def queue_remedy(identity: Identity, account: str | None, refusal: str) -> str:
    """What to do when the app's own queue refuses; `account` is the one whose roles decide, None for none."""
    if refusal == NO_QUEUE:
        return "Set AzureWebJobsStorage to a connection string, or AzureWebJobsStorage__accountName."
    return _storage_remedy(identity, account, refusal, role=_QUEUE_ROLE, setting="AzureWebJobsStorage")


def table_remedy(identity: Identity, account: str | None, refusal: str) -> str:
    """What to do when the table refuses; `account` is the one whose roles decide, None for none."""
    return _storage_remedy(identity, account, refusal, role=_TABLE_ROLE, setting="STATE_STORAGE or AzureWebJobsStorage")


def _storage_remedy(identity: Identity, account: str | None, refusal: str, *, role: str, setting: str) -> str:
    # A key or a signature opens it.
    if account is None:
        return f"Check the connection string in {setting}, and the account's firewall."
    # Nobody was asked yet.
    if NO_STORE_TOKEN in refusal:
        return "Set AZURE_CLIENT_ID to the client id of the app's user-assigned identity, and see that the app has it."
    # Only a right that is missing is mended by a role: a firewall refuses with 403 too, under a code of its own.
    if " 403 " in f"{refusal} " and "AuthorizationFailure" not in refusal:
        return assign_role(role, identity.assignee, resource_id("Microsoft.Storage/storageAccounts", account))
    return f"Check the firewall of the storage account {account}, and the app's network: no role mends this."


def reference_remedy(identity: Identity) -> str:
    """What to do when a setting that refers to a vault can't be read."""
    app = resource_id("Microsoft.Web/sites", identity.site)
    return (
        f"Give the app's identity the role \"{_VAULT_ROLE}\" on the vault and check the reference's address, then "
        f"let Azure read it again: az rest --method post --url {app[:-1]}{_REFRESH}"
    )
