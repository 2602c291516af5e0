"""What asks the deployments finds what it must: each mutant of the template is refused or complained about."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.infra.bicep import RefusedError
from tests.stack.infra.conftest import Expand, bare_copy
from tests.stack.infra.judge import complaints
from tests.stack.infra.ways import WAYS

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change of one place, the way of deploying in which it shows, and a part of what is then said."""

    file: str
    was: str
    becomes: str
    way: str
    said: str


MUTANTS = {
    "an index that only the engine follows": Mutant(
        file="main.bicep",
        was="name: part(accounts[i], 8)\n      principalId",
        becomes="name: split(accounts[i], '/')[9]\n      principalId",
        way="one account",
        said="index '9' is out of bounds",
    ),
    "a property that Flex refuses": Mutant(
        file="app/function-app.bicep",
        was="http20Enabled: true",
        becomes="http20Enabled: true\n      ftpsState: 'Disabled'",
        way="one account",
        said="Flex Consumption refuses ftpsState",
    ),
    "a tag that is left out": Mutant(
        file="main.bicep",
        was="union(resourceTags, { 'azd-env-name': environmentName })",
        becomes="{ 'azd-env-name': environmentName }",
        way="all at once",
        said="has another tag cost centre",
    ),
    "a tag that takes azd's place": Mutant(
        file="main.bicep",
        was="union(resourceTags, { 'azd-env-name': environmentName })",
        becomes="union({ 'azd-env-name': environmentName }, resourceTags)",
        way="all at once",
        said="has another tag azd-env-name",
    ),
    "a role is missing": Mutant(
        file="app/roles.bicep",
        was="  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88'\n",
        becomes="",
        way="one account",
        said="there is no Storage Queue Data Contributor on storageAccounts/st*",
    ),
    "a role that may write": Mutant(
        file="app/batch-account.bicep",
        was="11076f67-66f6-4be0-8f6b-f0609fd05cc9",
        becomes="b24988ac-6180-42a0-ab88-20f7382dd24c",
        way="two in two subscriptions",
        said="there is an unknown role on /subscriptions/44444444",
    ),
    "roles although nobody may assign": Mutant(
        file="app/event-grid.bicep",
        was="(assignRole ? items(topicRoles) : [])",
        becomes="items(topicRoles)",
        way="without roles",
        said="there is EventGrid Data Sender on topics/evgt-prepwatch-*, which must not be",
    ),
    "a setting spelt wrong": Mutant(
        file="main.bicep",
        was="STALE_AFTER_SECONDS: stale",
        becomes="STALE_AFTER_SECOND: stale",
        way="one account",
        said="the setting STALE_AFTER_SECONDS is missing",
    ),
    "a secret in the open": Mutant(
        file="main.bicep",
        was="  PUBLIC_URL: publicUrl\n",
        becomes="  PUBLIC_URL: publicUrl\n  HEARTBEAT_URL: heartbeatUrl\n",
        way="one account",
        said="the setting HEARTBEAT_URL must not be",
    ),
    "a secret under another name": Mutant(
        file="app/vault.bicep",
        was="replace(secret.key, '_', '-')",
        becomes="replace(secret.key, '_', '')",
        way="webhooks with secrets",
        said="there is no Microsoft.KeyVault/vaults/secrets kv-*/OPS-URL",
    ),
    "storage open beside the network": Mutant(
        file="main.bicep",
        was="name: 'st${token}'\n    location: location\n    tags: tags\n    publicNetworkAccess: hasNetwork ?",
        becomes="name: 'st${token}'\n    location: location\n    tags: tags\n    publicNetworkAccess: hasTopic ?",
        way="network",
        said="Microsoft.Storage/storageAccounts must be closed to the internet",
    ),
    "no endpoint for tables": Mutant(
        file="app/private-endpoints.bicep",
        was="  { group: 'table', zone: 'privatelink.table.${storageSuffix}', resourceId: storage.id }\n",
        becomes="",
        way="network",
        said="there is no Microsoft.Network/privateEndpoints pe-prepwatch-table",
    ),
    "storage keys": Mutant(
        file="app/storage.bicep",
        was="allowSharedKeyAccess: false",
        becomes="allowSharedKeyAccess: true",
        way="one account",
        said="allowSharedKeyAccess must be False",
    ),
    "an account watched twice": Mutant(
        file="app/variables.bicep",
        was="union([], filter(entries(text), entry => isBatchAccount(entry)))",
        becomes="filter(entries(text), entry => isBatchAccount(entry))",
        way="ids in other spellings",
        said="BATCH_ACCOUNT_URLS is 'https://myaccount",
    ),
    "ids as they are spelt": Mutant(
        file="app/variables.bicep",
        was="part => toLower(trim(part))",
        becomes="part => trim(part)",
        way="ids in other spellings",
        said="BATCH_ACCOUNT_IDS holds what is no resource id",
    ),
    "the public cloud's tokens everywhere": Mutant(
        file="main.bicep",
        was="'${environment().batch}/.default'",
        becomes="'https://batch.core.windows.net//.default'",
        way="us government",
        said="the setting BATCH_TOKEN_SCOPE is",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_found(mutant: Mutant, tmp_path: Path, expand: Expand) -> None:
    """With this mistake in the template the questions about this way of deploying name it."""
    main = bare_copy(tmp_path)
    path = main.parent / mutant.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutant.was) == 1
    path.write_text(text.replace(mutant.was, mutant.becomes), encoding="utf-8")
    way = WAYS[mutant.way]

    try:
        said = "\n".join(complaints(way, expand(way, main)))
    except RefusedError as refused:
        said = str(refused)

    assert mutant.said in said
