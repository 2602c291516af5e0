"""Owns what may be wrong with a deployment before it begins: each finding says what, and the line that mends it.

Pure: variables and Azure's answers go in, findings come out. No value of a variable is ever repeated, as it may be a
secret. Does not own where variables and answers come from (`preflight`).
"""

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PYTHON = "3.13"
SWITCHES = ("ASSIGN_ROLES", "EVENT_GRID_TOPIC", "VNET_ENABLED", "WEBHOOK_ALLOW_HTTP")
SECRETS = ("BATCH_ACCOUNT_KEY", "HEARTBEAT_URL", "STATE_STORAGE", "WEBHOOK_SECRET", "WEBHOOK_SECRETS", "WEBHOOK_URL")
"""Variables that nobody but the deployment may read."""
NEEDED = "Microsoft.Resources/deployments/write"
ASSIGNS = "Microsoft.Authorization/roleAssignments/write"
FOR_THE_NETWORK = ("Microsoft.App",)
"""Whose environments the app's subnet is delegated to."""
_SOME_ACCOUNT = "https://account.region.batch.azure.com"
_SOME_SECRET = 44 * "A"
_ID = re.compile(
    r"/subscriptions/([0-9a-f-]{36})/resourcegroups/([^/]+)/providers/microsoft\.batch/batchaccounts/([^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ends the deployment, or is wrong after it: in words, and the line that mends it."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What azd takes variables from: its environment `own`, then the `shell`; `asked` is what it has asked for."""

    known: frozenset[str]
    own: Mapping[str, str]
    shell: Mapping[str, str]
    asked: Mapping[str, str]

    def get(self, name: str) -> str:
        """The value that azd takes; empty for none."""
        return (self.own.get(name) or self.shell.get(name, "")).strip()

    def is_on(self, name: str, standard: str) -> bool:
        """Whether a switch is on."""
        return (self.get(name).lower() or standard) in {"true", "1"}

    @property
    def accounts(self) -> list[str]:
        """The resource ids of the watched accounts, as they are written."""
        text = self.get("BATCH_ACCOUNT_IDS") or self.asked.get("batchAccountIds", "")
        return [part.strip() for part in text.split(",") if part.strip()]


def from_the_shell(variables: Variables) -> list[Finding]:
    """What azd takes from the shell because its environment has none, without a word."""
    strays = sorted(name for name in variables.known if variables.shell.get(name) and name not in variables.own)
    return [
        Finding(
            f"{name} comes from your shell and not from the azd environment; azd would deploy it",
            f"unset {name}" if name in SECRETS else f'unset {name}   # or keep it: azd env set {name} "${name}"',
        )
        for name in strays
        if not name.startswith("AZURE_")
    ]


def malformed(variables: Variables) -> list[Finding]:
    """Switches, ids and JSON that can't be meant as they stand."""
    found = [
        Finding(f"{name} is neither true nor false; azd would take its default", f"azd env set {name} true")
        for name in SWITCHES
        if variables.get(name) and variables.get(name).lower() not in {"true", "false", "1", "0"}
    ]
    if any(not _ID.fullmatch(account) for account in variables.accounts):
        found.append(
            Finding(
                "BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account",
                'azd env set BATCH_ACCOUNT_IDS "$(az batch account show -n NAME -g GROUP --query id -o tsv)"',
            )
        )
    for name, kind, empty in (("WEBHOOKS", list, "[]"), ("WEBHOOK_SECRETS", dict, "{}")):
        if name in variables.own and not variables.own[name].strip():
            found.append(Finding(f"{name} is empty, which azd can't read", f"azd env set {name} '{empty}'"))
        elif variables.get(name) and (why := _not_json(variables.get(name), kind)):
            found.append(
                Finding(f"{name} {why}; azd would show all of it", f"azd env set {name} '{empty}'   # then anew")
            )
    return found


def _not_json(text: str, kind: type) -> str:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is no JSON at line {error.lineno}, column {error.colno}"
    return "" if isinstance(read, kind) else f"is no JSON {'array' if kind is list else 'object'}"


def app_settings(variables: Variables) -> dict[str, str]:
    """The settings that the app will get, as the template makes them; what only Azure knows is stood in for."""
    settings = {name: _readable(name, variables.get(name)) for name in variables.known if variables.get(name)}
    hosts = [f"https://{account.rpartition('/')[2].lower()}.region.batch.azure.com" for account in variables.accounts]
    secrets = settings.pop("WEBHOOK_SECRETS", "{}")
    url = settings.get("WEBHOOK_URL") or variables.asked.get("webhookUrl", "")
    made = {
        # Without any, azd asks.
        "BATCH_ACCOUNT_URLS": settings.get("BATCH_ACCOUNT_URLS") or ",".join(dict.fromkeys(hosts or [_SOME_ACCOUNT])),
        "POLL_SCHEDULE": settings.get("POLL_SCHEDULE") or "0 * * * * *",
        "AzureWebJobsStorage__tableServiceUri": "https://storage.table.core.windows.net/",
        "AzureWebJobsStorage__queueServiceUri": "https://storage.queue.core.windows.net/",
    }
    if url:
        given = settings.get("WEBHOOK_SECRET", "") or _SOME_SECRET
        made |= {"WEBHOOK_URL": url, "WEBHOOK_SECRET": given if given.startswith("whsec_") else f"whsec_{given}"}
    else:
        settings.pop("WEBHOOK_SECRET", None)
    named: Mapping[str, Any] = json.loads(secrets) if not _not_json(secrets, dict) else {}
    return {**settings, **{name: str(value) for name, value in named.items()}, **made}


def _readable(name: str, value: str) -> str:
    """A value, or one of its kind where only a vault of the person's own has it."""
    if not value.startswith("akvs://"):
        return value
    return "https://kept.in.a.vault.example/" if name.endswith("_URL") else _SOME_SECRET


def settings_refused(problems: Iterable[str]) -> list[Finding]:
    """What the app's own reader has against its settings."""
    return [
        Finding(f"the app would refuse its settings: {problem}", f"azd env set {problem.split()[0]} VALUE")
        for problem in problems
    ]


def new_secret(variables: Variables, vaults: Iterable[Mapping[str, Any]], environment: str) -> list[Finding]:
    """Whether azd would make a second signing secret, because the first one is kept in another clone."""
    has_webhook = variables.get("WEBHOOK_URL") or variables.asked.get("webhookUrl")
    if not has_webhook or variables.get("WEBHOOK_SECRET") or variables.asked.get("webhookSecret"):
        return []
    mine = [vault["name"] for vault in vaults if _is_of(vault.get("tags"), environment)]
    return [
        Finding(
            f"{environment} is deployed, but this clone does not know its WEBHOOK_SECRET: azd would make a new one, "
            "and every receiver would reject what is signed with it",
            f'azd env set WEBHOOK_SECRET "$(az keyvault secret show --vault-name {name} --name WEBHOOK-SECRET '
            '--query value -o tsv)"',
        )
        for name in mine
    ]


def deleted_vault(vaults: Iterable[Mapping[str, Any]], environment: str) -> list[Finding]:
    """Whether the vault of an environment that was removed still holds its name."""
    mine = [vault for vault in vaults if _is_of(vault.get("properties", {}).get("tags"), environment)]
    return [
        Finding(
            f"the vault {vault['name']} of this environment is deleted but not purged, and holds its name for days",
            f"az keyvault purge --name {vault['name']} --location {vault['properties'].get('location', 'REGION')}",
        )
        for vault in mine
    ]


def _is_of(tags: Any, environment: str) -> bool:
    return isinstance(tags, dict) and tags.get("azd-env-name") == environment


def other_location(group: Mapping[str, Any] | None, location: str, environment: str) -> list[Finding]:
    """Whether the group lies elsewhere: it can't be moved. None is a group that does not exist yet."""
    if group is None or not location or _plain(group["location"]) == _plain(location):
        return []
    return [
        Finding(
            f"the resource group rg-{environment} lies in {group['location']}, AZURE_LOCATION says {location}",
            f"azd env set AZURE_LOCATION {group['location']}   # or begin a new environment: azd env new NAME",
        )
    ]


def region_without_flex(locations: Iterable[Mapping[str, Any]], location: str) -> list[Finding]:
    """Whether the region has no Flex Consumption."""
    if not location or _plain(location) in {_plain(one["name"]) for one in locations}:
        return []
    return [
        Finding(
            f"{location} has no Flex Consumption",
            "az functionapp list-flexconsumption-locations --output table",
        )
    ]


def region_without_python(runtimes: Iterable[Mapping[str, Any]], location: str) -> list[Finding]:
    """Whether the region does not have the Python that is deployed; Azure would take it, and the app never start."""
    if any(str(one.get("version")) == PYTHON for one in runtimes):
        return []
    mend = f"az functionapp list-flexconsumption-runtimes --location {location} --runtime python --output table"
    return [Finding(f"{location} has no Python {PYTHON} for Flex Consumption", mend)]


def unregistered(namespaces: Iterable[Mapping[str, Any]], variables: Variables) -> list[Finding]:
    """Which providers that are in no template, so that ARM does not register them, the subscription lacks."""
    registered = {one["namespace"].lower() for one in namespaces if one.get("registrationState") == "Registered"}
    needed = FOR_THE_NETWORK if variables.is_on("VNET_ENABLED", "false") else ()
    return [
        Finding(f"{name} is not registered in the subscription", f"az provider register --namespace {name} --wait")
        for name in sorted(needed)
        if name.lower() not in registered
    ]


def missing_rights(permissions: Sequence[Mapping[str, Any]], scope: str, *, assigns: bool) -> list[Finding]:
    """Which of the rights to deploy, and to assign roles, the person lacks on a scope."""
    found = []
    if not _may(permissions, NEEDED):
        found.append(
            Finding(
                f"you may not deploy to {scope}",
                f'az role assignment create --assignee YOU --role Contributor --scope "{scope}"   # by an Owner',
            )
        )
    if assigns and not _may(permissions, ASSIGNS):
        found.append(
            Finding(
                f"you may not assign roles on {scope}",
                "azd env set ASSIGN_ROLES false   # then somebody assigns them by hand (docs/deploy.md), or becomes "
                "Role Based Access Control Administrator there",
            )
        )
    return found


def _may(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Whether one of the roles has the right: within a role, what it takes out counts."""
    return any(
        _matches(one.get("actions", ()), action) and not _matches(one.get("notActions", ()), action)
        for one in permissions
    )


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def groups_of(accounts: Iterable[str]) -> list[str]:
    """The resource groups of the watched accounts, each once."""
    found = [_ID.fullmatch(account) for account in accounts]
    return list(dict.fromkeys(f"/subscriptions/{one[1]}/resourceGroups/{one[2]}".lower() for one in found if one))


def _plain(location: str) -> str:
    return location.replace(" ", "").lower()
