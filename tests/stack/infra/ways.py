"""The ways of deploying: what somebody sets, and what must then be made. Whoever adds a way adds a row."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.app_settings import KEY
from tests.support.webhook_settings import SECRET

_BATCH = "providers/Microsoft.Batch/batchAccounts"
MINE = f"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-batch/{_BATCH}/myaccount"
OTHER = f"/subscriptions/44444444-4444-4444-4444-444444444444/resourceGroups/rg-other/{_BATCH}/other"
ENDPOINTS = {"myaccount": "myaccount.westeurope.batch.azure.com", "other": "other.northeurope.batch.azure.com"}
ACTION_GROUP = f"{MINE.split('/providers', maxsplit=1)[0]}/providers/Microsoft.Insights/actionGroups/ops"
CLIENT = "66666666-6666-6666-6666-666666666666"
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=state;AccountKey={KEY};EndpointSuffix=core.windows.net"

BASE = (
    "Microsoft.Resources/resourceGroups rg-prod",
    "Microsoft.ManagedIdentity/userAssignedIdentities id-prepwatch-*",
    "Microsoft.Storage/storageAccounts st*",
    "Microsoft.Storage/storageAccounts/blobServices st*/default",
    "Microsoft.Storage/storageAccounts/blobServices/containers st*/default/app-package",
    "Microsoft.Storage/storageAccounts/queueServices st*/default",
    "Microsoft.Storage/storageAccounts/queueServices/queues st*/default/prepwatch-polls",
    "Microsoft.Storage/storageAccounts/queueServices/queues st*/default/prepwatch-deliveries",
    "Microsoft.KeyVault/vaults kv-*",
    "Microsoft.OperationalInsights/workspaces log-prepwatch-*",
    "Microsoft.Insights/components appi-prepwatch-*",
    "Microsoft.Web/serverfarms plan-prepwatch-*",
    "Microsoft.Web/sites func-prepwatch-*",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies func-prepwatch-*/scm",
    "Microsoft.Web/sites/config func-prepwatch-*/authsettingsV2",
)
OWN_ROLES = (
    "Storage Blob Data Owner on storageAccounts/st*",
    "Storage Queue Data Contributor on storageAccounts/st*",
    "Storage Table Data Contributor on storageAccounts/st*",
    "Key Vault Secrets User on vaults/kv-*",
    "Monitoring Metrics Publisher on components/appi-prepwatch-*",
)
RULES = tuple(
    f"Microsoft.Insights/scheduledQueryRules {name}"
    for name in (
        *("prepwatch-has-not-run", "prepwatch-is-blind", "prepwatch-is-not-heard", "prepwatch-function-fails"),
        *("prepwatch-gave-up", "prepwatch-purge-fails", "prepwatch-nudge-is-poison", "prepwatch-has-a-defect"),
    )
)
MAIL = "Microsoft.Insights/actionGroups ag-prepwatch"
TOPIC = "Microsoft.EventGrid/topics evgt-prepwatch-*"
TOPIC_ROLE = "EventGrid Data Sender on topics/evgt-prepwatch-*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What Azure's `environment()` says, and the endings that follow from it."""

    batch: str
    login: str
    storage: str
    vault: str
    vault_zone: str
    event_grid: str

    @property
    def environment(self) -> dict[str, object]:
        """The value of `environment()`."""
        suffixes = {"storage": self.storage, "keyvaultDns": self.vault}
        return {"batch": self.batch, "authentication": {"loginEndpoint": self.login}, "suffixes": suffixes}

    def network(self) -> tuple[str, ...]:
        """What a network is made of."""
        zones = {kind: f"privatelink.{kind}.{self.storage}" for kind in ("blob", "queue", "table")}
        zones["vault"] = f"privatelink{self.vault_zone}"
        return (
            "Microsoft.Network/virtualNetworks vnet-prepwatch-*",
            *(f"Microsoft.Network/privateDnsZones {zone}" for zone in zones.values()),
            *(f"Microsoft.Network/privateDnsZones/virtualNetworkLinks {zone}/to-prepwatch" for zone in zones.values()),
            *(f"Microsoft.Network/privateEndpoints pe-prepwatch-{kind}" for kind in zones),
            *(f"Microsoft.Network/privateEndpoints/privateDnsZoneGroups pe-prepwatch-{kind}/default" for kind in zones),
        )


PUBLIC = Cloud(
    batch="https://batch.core.windows.net/",
    login="https://login.microsoftonline.com/",
    storage="core.windows.net",
    vault=".vault.azure.net",
    vault_zone=".vaultcore.azure.net",
    event_grid="eventgrid.azure.net",
)
US_GOVERNMENT = Cloud(
    batch="https://batch.core.usgovcloudapi.net/",
    login="https://login.microsoftonline.us/",
    storage="core.usgovcloudapi.net",
    vault=".vault.usgovcloudapi.net",
    vault_zone=".vaultcore.usgovcloudapi.net",
    event_grid="eventgrid.azure.us",
)
CHINA = Cloud(
    batch="https://batch.chinacloudapi.cn/",
    login="https://login.chinacloudapi.cn/",
    storage="core.chinacloudapi.cn",
    vault=".vault.azure.cn",
    vault_zone=".vaultcore.azure.cn",
    event_grid="eventgrid.azure.cn",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """A way of deploying: the azd variables that are set, and what it makes beside what every way makes."""

    variables: Mapping[str, str]
    accounts: tuple[str, ...] = (MINE,)
    """Ids of the accounts on which a role is assigned."""
    urls: str = f"https://{ENDPOINTS['myaccount']}"
    """What the app is told to watch."""
    more: tuple[str, ...] = ()
    roles: tuple[str, ...] = OWN_ROLES
    more_settings: Mapping[str, str] = field(default_factory=dict)
    """App settings that are not in the app's table, by name."""
    webhooks: str = "[]"
    cloud: Cloud = PUBLIC

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that must be in the vault, by app setting."""
        names = ("BATCH_ACCOUNT_KEY", "STATE_STORAGE", "HEARTBEAT_URL", "WEBHOOK_URL")
        secrets = {name: self.variables[name] for name in names if self.variables.get(name)}
        if "WEBHOOK_URL" in secrets:
            secrets["WEBHOOK_SECRET"] = self.variables.get("WEBHOOK_SECRET", f"whsec_{'A' * 44}")
        return {**secrets, **json.loads(self.variables.get("WEBHOOK_SECRETS", "{}"))}

    @property
    def expected(self) -> Counter[str]:
        """Everything that is made, roles too, as `judge` names it."""
        vault = [f"Microsoft.KeyVault/vaults/secrets kv-*/{name.replace('_', '-')}" for name in self.secrets]
        batch = [f"Azure Batch Account Reader on {account.lower()}" for account in self.accounts]
        return Counter([*BASE, *self.more, *vault, *self.roles, *batch])


ONE = {"AZURE_ENV_NAME": "prod", "AZURE_LOCATION": "westeurope", "BATCH_ACCOUNT_IDS": MINE}
TWO_URLS = f"https://{ENDPOINTS['myaccount']},https://{ENDPOINTS['other']}"
TOPIC_WEBHOOK = '{"name":"event-grid","format":"eventgrid","url":"https://evgt.westeurope-1.%s/api/events"}'
OPS = '{"name":"ops","format":"teams","urlSetting":"OPS_URL"}'
TICKETS = '{"name":"tickets","url":"https://tickets.example/hook","secretSettings":["TICKETS_SECRET"]}'
WEBHOOK_SECRETS = json.dumps({"OPS_URL": "https://ops.example/?sig=a%2Fb", "TICKETS_SECRET": SECRET})
SIGN_IN = {"REQUIRE_SIGN_IN": "true"}
EVERYTHING = {
    **ONE,
    "BATCH_ACCOUNT_NAME": "myaccount",
    "BATCH_ACCOUNT_KEY": KEY,
    "BATCH_API_VERSION": "2025-06-01",
    "BATCH_TOKEN_SCOPE": "https://batch.core.windows.net/.default",
    "TRACKED_JOBS": "nightly-*,!nightly-test-*",
    "TRACKED_POOLS": "gpu-*,!gpu-test",
    "POLL_SCHEDULE": "30 * * * * *",
    "POLL_BUDGET_SECONDS": "41",
    "POLL_CONCURRENCY": "4",
    "FIRST_SIGHT_SECONDS": "60",
    "SLOW_PREPARATION_SECONDS": "900",
    "STALE_AFTER_SECONDS": "600",
    "STATE_STORAGE": CONNECTION,
    "STATE_STORAGE__tableServiceUri": "https://state.table.core.windows.net",
    "STATE_TABLE": "other",
    "RETENTION_DAYS": "20",
    "WEBHOOK_URL": "https://receiver.example/hook",
    "WEBHOOK_SECRET": SECRET,
    "WEBHOOKS": f"[{OPS},{TICKETS}]",
    "WEBHOOK_SECRETS": WEBHOOK_SECRETS,
    "WEBHOOK_ALLOWED_CIDRS": "10.1.0.0/16",
    "WEBHOOK_ALLOW_HTTP": "true",
    "EVENT_MAX_NODES": "10",
    "STDERR_TAIL_BYTES": "100",
    "HEARTBEAT_URL": "https://heart.example/beat",
    "PUBLIC_URL": "https://prepwatch.example",
    "INSTANCE_MEMORY_MB": "2048",
    "MAXIMUM_INSTANCE_COUNT": "1",
    "ASSIGN_ROLES": "TRUE",
    "VNET_ENABLED": "True",
    "VNET_ADDRESS_PREFIX": "10.64.0.0/22",
    "EVENT_GRID_TOPIC": "1",
    "SIGN_IN_CLIENT_ID": CLIENT,
    "SIGN_IN_TENANT_ID": "77777777-7777-7777-7777-777777777777",
    "ALERT_EMAIL": "ops@example.com",
    "ACTION_GROUP_ID": ACTION_GROUP,
    "RESOURCE_TAGS": '{"cost centre":"7","azd-env-name":"x"}',
}


def _in_cloud(cloud: Cloud) -> Way:
    """Everything that depends on the cloud."""
    return Way(
        variables={**ONE, "VNET_ENABLED": "true", "EVENT_GRID_TOPIC": "true", "SIGN_IN_CLIENT_ID": CLIENT},
        more=(*cloud.network(), TOPIC),
        roles=(*OWN_ROLES, TOPIC_ROLE),
        webhooks=f"[{TOPIC_WEBHOOK % cloud.event_grid}]",
        more_settings=SIGN_IN,
        cloud=cloud,
    )


WAYS = {
    "one account": Way(variables=ONE),
    "what is left empty": Way(
        variables={
            **dict.fromkeys((n for n in EVERYTHING if n not in {"WEBHOOKS", "WEBHOOK_SECRETS", "RESOURCE_TAGS"}), ""),
            **ONE,
        }
    ),
    "two in two subscriptions": Way(
        variables={**ONE, "BATCH_ACCOUNT_IDS": f"{MINE},{OTHER}"}, accounts=(MINE, OTHER), urls=TWO_URLS
    ),
    "ids in other spellings": Way(
        variables={**ONE, "BATCH_ACCOUNT_IDS": f" {MINE.upper()} ,, {OTHER.lower()} , {MINE.lower()},{OTHER},"},
        accounts=(MINE, OTHER),
        urls=TWO_URLS,
    ),
    "addresses instead of ids": Way(
        variables={
            "AZURE_ENV_NAME": "prod",
            "AZURE_LOCATION": "westeurope",
            "BATCH_ACCOUNT_URLS": f" https://{ENDPOINTS['other']}",
        },
        accounts=(),
        urls=f" https://{ENDPOINTS['other']}",
    ),
    "addresses beside ids": Way(
        variables={**ONE, "BATCH_ACCOUNT_URLS": TWO_URLS},
        urls=TWO_URLS,
    ),
    "shared key": Way(variables={**ONE, "BATCH_ACCOUNT_KEY": KEY}),
    "without roles": Way(
        variables={**ONE, "ASSIGN_ROLES": "false", "EVENT_GRID_TOPIC": "true"},
        accounts=(),
        roles=(),
        more=(TOPIC,),
        webhooks=f"[{TOPIC_WEBHOOK % PUBLIC.event_grid}]",
    ),
    "network": Way(variables={**ONE, "VNET_ENABLED": "true"}, more=PUBLIC.network()),
    "event grid": Way(
        variables={**ONE, "EVENT_GRID_TOPIC": "true"},
        more=(TOPIC,),
        roles=(*OWN_ROLES, TOPIC_ROLE),
        webhooks=f"[{TOPIC_WEBHOOK % PUBLIC.event_grid}]",
    ),
    "sign-in": Way(variables={**ONE, "SIGN_IN_CLIENT_ID": CLIENT}, more_settings=SIGN_IN),
    "alerts by mail": Way(variables={**ONE, "ALERT_EMAIL": "ops@example.com"}, more=(*RULES, MAIL)),
    "alerts where polls are rare": Way(
        variables={**ONE, "ALERT_EMAIL": "ops@example.com", "POLL_SCHEDULE": "0 0 6 * * *"}, more=(*RULES, MAIL)
    ),
    "alerts by group": Way(variables={**ONE, "ACTION_GROUP_ID": ACTION_GROUP}, more=RULES),
    "webhooks with secrets": Way(
        variables={**ONE, "WEBHOOKS": f"[{OPS},{TICKETS}]", "WEBHOOK_SECRETS": WEBHOOK_SECRETS},
        webhooks=f"[{OPS},{TICKETS}]",
    ),
    "all at once": Way(
        variables=EVERYTHING,
        more=(*PUBLIC.network(), TOPIC, *RULES, MAIL),
        roles=(*OWN_ROLES, TOPIC_ROLE),
        webhooks=f"[{OPS},{TICKETS},{TOPIC_WEBHOOK % PUBLIC.event_grid}]",
        more_settings=SIGN_IN,
    ),
    "us government": _in_cloud(US_GOVERNMENT),
    "china": _in_cloud(CHINA),
}
