"""What a deployment is asked: everything that must be there and no other, each setting in its place.

Decides, and touches nothing: an expanded deployment goes in, complaints come out.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.settings.catalog import SETTINGS
from tests.stack.infra.ways import ENDPOINTS, Cloud, Way

# From Microsoft's list of built-in roles; whoever changes one looks it up there, not in infra/.
ROLES = {
    "11076f67-66f6-4be0-8f6b-f0609fd05cc9": "Azure Batch Account Reader",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
}
REFUSED_BY_FLEX = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME(_VERSION)?|FUNCTIONS_EXTENSION_VERSION|FUNCTIONS_WORKER_PROCESS_COUNT"
    r"|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_CONTENT\w*"
    r"|WEBSITE_VNET_ROUTE_ALL|linuxFxVersion|healthCheckPath|alwaysOn"
    # Azure's own list in its answer 51021.
    r"|ftpsState|use32BitWorkerProcess|preWarmedInstanceCount|netFrameworkVersion"
    r"|functionsRuntimeScaleMonitoringEnabled|functionAppScaleLimit",
    re.IGNORECASE,
)
"""App settings and properties of a site that Flex Consumption refuses when it is deployed."""
CLOSED = {
    "Microsoft.Storage/storageAccounts": {"allowSharedKeyAccess": False, "allowBlobPublicAccess": False},
    "Microsoft.KeyVault/vaults": {"enableRbacAuthorization": True},
    "Microsoft.Insights/components": {"DisableLocalAuth": True},
    "Microsoft.EventGrid/topics": {"disableLocalAuth": True},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"allow": False},
    "Microsoft.Web/sites": {"httpsOnly": True},
}
"""What keeps keys, passwords and plain text out."""
IDENTITY = "88888888-8888-8888-8888-888888888888"
PRINCIPAL = "99999999-9999-9999-9999-999999999999"
PLATFORM = {
    "AzureWebJobsDisableHomepage": "true",
    "AzureWebJobsStorage__credential": "managedidentity",
    "AzureWebJobsStorage__clientId": IDENTITY,
    "AzureWebJobsStorage__blobServiceUri": "https://st.blob.{storage}/",
    "AzureWebJobsStorage__queueServiceUri": "https://st.queue.{storage}/",
    "AzureWebJobsStorage__tableServiceUri": "https://st.table.{storage}/",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=0",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={IDENTITY};Authorization=AAD",
    "AZURE_CLIENT_ID": IDENTITY,
}
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\(SecretUri=https://kv([\w.]+)/secrets/([\w-]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A deployment with every expression worked out."""

    resources: list[dict[str, Any]]
    outputs: dict[str, Any]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The resources of a type."""
        return [resource for resource in self.resources if resource["type"] == kind]

    @property
    def app(self) -> dict[str, Any]:
        """The properties of the function app."""
        (app,) = self.of_type("Microsoft.Web/sites")
        properties: dict[str, Any] = app["properties"]
        return properties

    @property
    def settings(self) -> dict[str, str]:
        """The app settings as they are written."""
        return {one["name"]: one["value"] for one in self.app["siteConfig"]["appSettings"]}

    @property
    def vault(self) -> dict[str, str]:
        """The secrets by name."""
        secrets = self.of_type("Microsoft.KeyVault/vaults/secrets")
        return {secret["name"].split("/")[1]: secret["properties"]["value"] for secret in secrets}

    @property
    def environment(self) -> dict[str, str]:
        """The app settings as the app gets them: references resolved, and what the platform adds."""
        platform = {"WEBSITE_SITE_NAME": "func-prepwatch", "WEBSITE_HOSTNAME": "func-prepwatch.azurewebsites.net"}
        resolved = {name: self._resolved(value) for name, value in self.settings.items()}
        return {**platform, **resolved}

    def _resolved(self, value: str) -> str:
        reference = _REFERENCE.fullmatch(value)
        return self.vault[reference[2]] if reference else value


def known(cloud: Cloud, resource_id: str) -> object:
    """The properties that a resource has once it is there."""
    kind, name = resource_id.rsplit("/", 2)[-2:]
    services = {service: f"https://st.{service}.{cloud.storage}/" for service in ("blob", "queue", "table")}
    properties: dict[str, object] = {
        "userAssignedIdentities": {"clientId": IDENTITY, "principalId": PRINCIPAL},
        "storageAccounts": {"primaryEndpoints": services},
        "components": {"ConnectionString": "InstrumentationKey=0"},
        "vaults": {"vaultUri": f"https://kv{cloud.vault}/"},
        "topics": {"endpoint": f"https://evgt.westeurope-1.{cloud.event_grid}/api/events"},
        "sites": {"defaultHostName": "func-prepwatch.azurewebsites.net"},
        "batchAccounts": {"accountEndpoint": ENDPOINTS.get(name)},
    }
    return properties[kind]


def complaints(way: Way, made: Expanded) -> list[str]:
    """What is not as it must be, in words."""
    return [
        *_resources(way, made),
        *_closed(way, made),
        *_settings(way, made),
        *_refused(made.app),
        *_names(made),
        *_tags(way, made),
    ]


def _resources(way: Way, made: Expanded) -> Iterator[str]:
    found = Counter(map(_label, made.resources))
    yield from (f"there is no {label}" for label in (way.expected - found).elements())
    yield from (f"there is {label}, which must not be" for label in (found - way.expected).elements())


def _label(resource: dict[str, Any]) -> str:
    """Type and name, or role and scope; the thirteen characters that make names unique are a star."""
    if resource["type"] != "Microsoft.Authorization/roleAssignments":
        return f"{resource['type']} {_starred(resource['name'])}"
    scope = resource["id"].split("/providers/Microsoft.Authorization")[0]
    role = ROLES.get(resource["properties"]["roleDefinitionId"].rsplit("/", 1)[1], "an unknown role")
    own = "/resourceGroups/rg-prod/providers/" in scope
    return f"{role} on {_starred('/'.join(scope.split('/')[-2:])) if own else scope.lower()}"


def _starred(name: str) -> str:
    return re.sub(r"((?<=\bst)|(?<=-))[a-z0-9]{13}(?=/|$)", "*", name)


def _closed(way: Way, made: Expanded) -> Iterator[str]:
    for kind, properties in CLOSED.items():
        for resource in made.of_type(kind):
            wrong = {name: value for name, value in properties.items() if resource["properties"].get(name) != value}
            yield from (f"{kind}: {name} must be {value}" for name, value in wrong.items())
    private = any("virtualNetworks" in label for label in way.more)
    for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        (resource,) = made.of_type(kind)
        open_to_all = resource["properties"]["publicNetworkAccess"] == "Enabled"
        if open_to_all is private or (resource["properties"]["networkAcls"]["defaultAction"] == "Allow") is private:
            yield f"{kind} must be {'closed' if private else 'open'} to the internet"
    if bool(made.app["virtualNetworkSubnetId"]) is not private:
        yield "the app must be in a network only where there is one"


def _settings(way: Way, made: Expanded) -> Iterator[str]:
    expected = dict(_expected_settings(way))
    yield from (f"the setting {name} is missing" for name in expected.keys() - made.settings.keys())
    yield from (f"the setting {name} must not be" for name in made.settings.keys() - expected.keys())
    for name in expected.keys() & made.settings.keys():
        if made.settings[name] != expected[name]:
            yield f"the setting {name} is {made.settings[name]!r} instead of {expected[name]!r}"
    in_vault = {name.replace("_", "-"): value for name, value in way.secrets.items()}
    if made.vault != in_vault:
        yield f"the vault holds {sorted(made.vault)} instead of {sorted(in_vault)}, or other values"


def _expected_settings(way: Way) -> Iterator[tuple[str, str]]:
    secret = {setting.name for setting in SETTINGS if setting.secret} - {"WEBHOOKS"}
    plain = {setting.name for setting in SETTINGS} - secret | {"STATE_STORAGE__tableServiceUri"}
    yield from ((name, way.variables.get(name, "")) for name in plain)
    yield "BATCH_ACCOUNT_URLS", way.urls
    ids = [one.strip().lower() for one in way.variables.get("BATCH_ACCOUNT_IDS", "").split(",") if one.strip()]
    yield "BATCH_ACCOUNT_IDS", ",".join(dict.fromkeys(ids))
    yield "WEBHOOKS", way.webhooks
    yield "POLL_SCHEDULE", way.variables.get("POLL_SCHEDULE") or "0 * * * * *"
    yield "BATCH_TOKEN_SCOPE", way.variables.get("BATCH_TOKEN_SCOPE") or f"{way.cloud.batch}/.default"
    for name in way.secrets:
        vault = f"https://kv{way.cloud.vault}/secrets/{name.replace('_', '-')}"
        yield name, f"@Microsoft.KeyVault(SecretUri={vault})"
    yield from ((name, value.format(storage=way.cloud.storage)) for name, value in PLATFORM.items())
    yield from way.more_settings.items()


def _refused(app: dict[str, Any]) -> Iterator[str]:
    named = {one["name"] for one in app["siteConfig"]["appSettings"]} | app["siteConfig"].keys() | app.keys()
    yield from (f"Flex Consumption refuses {name}" for name in sorted(named) if REFUSED_BY_FLEX.fullmatch(name))


def _names(made: Expanded) -> Iterator[str]:
    """Azure takes one name per resource, and a role only once per scope."""
    ids = Counter(resource["id"].lower() for resource in made.resources)
    yield from (f"{identifier} is made twice" for identifier, count in ids.items() if count > 1)


def _tags(way: Way, made: Expanded) -> Iterator[str]:
    """Policies and bills go by tags, and azd by its own."""
    expected = {**json.loads(way.variables.get("RESOURCE_TAGS", "{}")), "azd-env-name": way.variables["AZURE_ENV_NAME"]}
    for resource in made.resources:
        # Everything that lies somewhere takes tags, but for this one.
        if "location" in resource and not resource["type"].endswith("/basicPublishingCredentialsPolicies"):
            wrong = {name for name, value in expected.items() if resource.get("tags", {}).get(name) != value}
            yield from (f"{_label(resource)} has another tag {name}" for name in wrong)
