"""What docs/deploy.md tells people to set works: through azd, the template, Azure's engine and the app's own reader."""

import re
import shlex
from pathlib import Path

import pytest

from shared.settings.settings import load_settings
from tests.stack.infra.bicep import INFRA
from tests.stack.infra.conftest import Expand
from tests.stack.infra.ways import CLIENT, ENDPOINTS, ONE, WAYS, Way
from tests.support.webhook_settings import SECRET

PAGE = (INFRA.parent / "docs" / "deploy.md").read_text(encoding="utf-8")
# What people replace by something of their own.
PLACEHOLDERS = {
    "https://...": "https://receiver.example/hook",
    "whsec_...": SECRET,
    "$APP": CLIENT,
    "$SECRET": SECRET,
    "$ADDRESS": "https://receiver.example/hook",
    '"$(cat secrets.json)"': f"""'{{"OPS_URL":"https://receiver.example/hook","TICKETS_SECRET":"{SECRET}"}}'""",
}


def _set_in(text: str) -> dict[str, str]:
    """The variables that a piece of the page sets."""
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    commands = [shlex.split(line, comments=True) for line in re.findall(r"azd env set [^`\n]+", text)]
    return {command[3]: command[4] for command in commands}


BLOCKS = [found for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if (found := _set_in(block))]
ALONE = [_set_in(line) for line in re.findall(r"azd env set [^`\n]+", PAGE)]
# Each of the two is nothing without the other.
EXAMPLES = BLOCKS + [variables for variables in ALONE if not variables.keys() & {"WEBHOOKS", "WEBHOOK_SECRETS"}]


def test_the_page_sets_something() -> None:
    """The examples are found, those within sentences too."""
    names = {name for variables in EXAMPLES for name in variables}

    assert {"POLL_SCHEDULE", "WEBHOOKS", "ASSIGN_ROLES", "WEBHOOK_SECRET"} <= names


@pytest.mark.parametrize("variables", EXAMPLES, ids=",".join)
def test_what_the_page_sets_works(variables: dict[str, str], bare: Path, expand: Expand) -> None:
    """Azure takes the deployment, and the app takes the settings that it gets."""
    made = expand(Way(variables={**ONE, **variables}), bare)

    settings = load_settings(made.environment)

    assert {account.label for account in settings.accounts} == {ENDPOINTS["myaccount"]}


@pytest.mark.parametrize("variable", re.findall(r"^\| `([A-Z_]+)`", PAGE, re.MULTILINE))
def test_variables_of_the_page_exist(variable: str) -> None:
    """Each variable of the page's tables is one that the template takes."""
    assert f"${{{variable}}}" in (INFRA / "main.parameters.json").read_text(encoding="utf-8")


# What each type that not every deployment makes is called on the page, and the command that removes it.
CALLED = {
    "Microsoft.Authorization/roleAssignments": ("the app's role on an account", "az role assignment delete"),
    "Microsoft.EventGrid/topics": ("the Event Grid topic", "az eventgrid topic delete"),
    "Microsoft.Insights/actionGroups": ("action group", "az monitor action-group delete"),
    "Microsoft.Insights/scheduledQueryRules": ("alert rules", "az resource delete"),
    "Microsoft.KeyVault/vaults/secrets": ("secrets in the vault", "az keyvault secret purge"),
    "Microsoft.Network/privateDnsZones": ("DNS zones", "az network private-dns zone delete"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": ("DNS zones", "az network private-dns link vnet delete"),
    "Microsoft.Network/privateEndpoints": ("private endpoints", "az network private-endpoint delete"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": ("endpoints", "az network private-endpoint delete"),
    "Microsoft.Network/virtualNetworks": ("the network", "az network vnet delete"),
}


def test_what_stays_behind_is_told_in_full(bare: Path, expand: Expand) -> None:
    """Whatever a deployment makes that a later one leaves out is named, with the command that removes it."""
    least = {resource["id"] for resource in expand(WAYS["addresses instead of ids"], bare).resources}
    more = {resource["type"] for resource in expand(WAYS["all at once"], bare).resources if resource["id"] not in least}
    told = PAGE[PAGE.index("What stays behind:") : PAGE.index("### Sign-in instead of keys")]

    assert more == set(CALLED)
    assert [words for pair in CALLED.values() for words in pair if words not in told] == []
