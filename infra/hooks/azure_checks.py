"""Owns what Azure's answers say of a deployment before it begins: rights, region, names that are taken.

Pure: answers go in, findings come out. Does not own how Azure is asked (`preflight`).
"""

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.hooks.findings import LINE_OF_ACCOUNT, Finding
from infra.hooks.variables import Variables

PYTHON = "3.13"
NEEDED = "Microsoft.Resources/deployments/write"
ASSIGNS = "Microsoft.Authorization/roleAssignments/write"
FOR_THE_NETWORK = ("Microsoft.App",)
"""Whose environments the app's subnet is delegated to."""
_MADE = re.compile(r"(?P<mine>[a-z]+-prepwatch-)(?P<token>[a-z0-9]{13})|(kv-|st)[a-z0-9]{13}")
"""How the template names what it makes; the names without its own are those of other templates too."""


def group_named(groups: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The group of a name, which Azure spells in one way; None when there is none."""
    return next((group for group in groups if group["name"].lower() == name.lower()), None)


def group_of_others(
    group: Mapping[str, Any], resources: Sequence[Mapping[str, Any]], environment: str
) -> list[Finding]:
    """Whether the group was there for something else: other templates of azd's make the very names of this one."""
    owner = (group.get("tags") or {}).get("azd-env-name", environment)
    made = [_MADE.fullmatch(one["name"]) for one in resources]
    # What a deployment that broke off has left is not somebody else's, nor is what lies beside a Prepwatch.
    strange = not all(made) and not any(one and one["mine"] for one in made)
    if owner == environment and not strange:
        return []
    wrong = f"belongs to the azd environment {owner}" if owner != environment else "holds what is not of Prepwatch"
    return [
        Finding(
            f"the resource group {group['name']} is there and {wrong}: the deployment could change that, and azd down "
            "would delete it",
            "azd env new NAME   # the group is called rg-NAME",
        )
    ]


def new_secret(variables: Variables, resources: Sequence[Mapping[str, Any]], environment: str) -> list[Finding]:
    """Whether azd would make a second signing secret, because the first one is kept in another clone."""
    has_webhook = variables.get("WEBHOOK_URL") or variables.asked.get("webhookUrl")
    if not has_webhook or variables.get("WEBHOOK_SECRET") or variables.asked.get("webhookSecret"):
        return []
    names = {one["name"] for one in resources}
    vaults = {f"kv-{one['token']}" for one in map(_MADE.fullmatch, names) if one and one["mine"]}
    return [
        Finding(
            f"{environment} is deployed, but this clone does not know its WEBHOOK_SECRET: azd would make a new one, "
            "and every receiver would reject what is signed with it",
            f'azd env set WEBHOOK_SECRET "$(az keyvault secret show --vault-name {name} --name WEBHOOK-SECRET '
            '--query value -o tsv)"   # or one of your own, where the vault has none yet',
        )
        for name in sorted(vaults & names)
    ]


def deleted_vault(vaults: Iterable[Mapping[str, Any]], environment: str, location: str) -> list[Finding]:
    """Whether the vault of an environment that was removed still holds its name, which goes by the region too."""
    mine = [
        vault
        for vault in vaults
        if (vault["properties"].get("tags") or {}).get("azd-env-name") == environment
        and _MADE.fullmatch(vault["name"])
        and _plain(location) in {"", _plain(vault["properties"]["location"])}
    ]
    return [
        Finding(
            f"the vault {vault['name']} of this environment is deleted but not purged, and holds its name for days",
            _line_that_frees(vault["name"], vault["properties"], environment),
        )
        for vault in mine
    ]


def _line_that_frees(name: str, properties: Mapping[str, Any], environment: str) -> str:
    where = properties["location"]
    if not properties.get("purgeProtectionEnabled"):
        return f"az keyvault purge --name {name} --location {where}"
    group = f"az group create --name rg-{environment} --location {where}"
    return f"{group} && az keyvault recover --name {name} --location {where}   # it is protected from purging"


def unknown_accounts(listed: Iterable[Mapping[str, Any]], accounts: Iterable[str], group: str) -> list[Finding]:
    """Which of the accounts of a group are not in it."""
    there = {one["id"].lower() for one in listed}
    return [
        Finding(f"there is no Batch account {account.rpartition('/')[2]} in {group}", LINE_OF_ACCOUNT)
        for account in accounts
        if account.lower().startswith(f"{group}/") and account.lower() not in there
    ]


def other_location(group: Mapping[str, Any] | None, location: str, environment: str) -> list[Finding]:
    """Whether the group lies elsewhere: it can't be moved. None is a group that does not exist yet."""
    # Names are made of it as it is written: who writes it otherwise later makes everything a second time beside this.
    if group is None and location != _plain(location):
        return [Finding(f"AZURE_LOCATION is not written as Azure names it ({location})", _line_of(location))]
    if group is None or not location or _plain(group["location"]) == _plain(location):
        return []
    return [
        Finding(
            f"the resource group rg-{environment} lies in {group['location']}, AZURE_LOCATION says {location}",
            f"azd env set AZURE_LOCATION {group['location']}   # or begin a new environment: azd env new NAME",
        )
    ]


def _line_of(location: str) -> str:
    return f"azd env set AZURE_LOCATION {_plain(location)}"


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


def _plain(location: str) -> str:
    return location.replace(" ", "").lower()
