"""What to do when something that Prepwatch needs is refused: the role to assign, or the setting to mend.

Owns the words and commands. Does not own what is tried (`api.diagnostics`). Pure.
"""

from msgspec import Struct

from shared.errors import AccountDeniedError, BatchError
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
    if account is None:
        return "Check the connection string in AzureWebJobsStorage, and the account's firewall."
    if " 403 " not in f"{refusal} ":
        return "Check the storage account's firewall, the app's network, and the app's identity."
    resource = resource_id("Microsoft.Storage/storageAccounts", account)
    return assign_role(_QUEUE_ROLE, identity.assignee, resource)


def table_remedy(identity: Identity, account: str | None) -> str:
    """What to do when the table refuses; `account` is the one whose roles decide, None for none."""
    if account is None:
        return "Check the connection string in STATE_STORAGE or AzureWebJobsStorage, and the account's firewall."
    resource = resource_id("Microsoft.Storage/storageAccounts", account)
    return assign_role(_TABLE_ROLE, identity.assignee, resource)


def reference_remedy(identity: Identity) -> str:
    """What to do when a setting that refers to a vault can't be read."""
    app = resource_id("Microsoft.Web/sites", identity.site)
    return (
        f"Give the app's identity the role \"{_VAULT_ROLE}\" on the vault and check the reference's address, then "
        f"let Azure read it again: az rest --method post --url {app[:-1]}{_REFRESH}"
    )
