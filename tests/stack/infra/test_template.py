"""The template by itself: what its compiler says of it, what it asks for, and what it is promised to be."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.stack.infra.bicep import FILES, INFRA, TENANT, Bicep
from tests.stack.infra.conftest import Compile, Expand
from tests.stack.infra.judge import ROLES
from tests.stack.infra.ways import CHINA, CLIENT, PUBLIC, US_GOVERNMENT, WAYS

ROOT = INFRA.parent
MAIN = INFRA / "main.bicep"

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@each_file
def test_the_compiler_finds_nothing(path: Path, bicep: Bicep) -> None:
    """No file has an error, a warning, or anything that a rule of bicepconfig.json objects to."""
    assert bicep.compile(path).findings == []


@each_file
def test_the_formatter_changes_nothing(path: Path, bicep: Bicep) -> None:
    """Every file is written as Bicep's own formatter writes it."""
    assert bicep.formatted(path) == path.read_text(encoding="utf-8")


def test_a_rule_that_is_off_says_why() -> None:
    """Each rule of the linter is an error, or stands below the reason for which it is off."""
    lines = (INFRA / "bicepconfig.json").read_text(encoding="utf-8").splitlines()
    rules = [(above.strip(), line) for above, line in pairwise(lines) if '"level"' in line]

    assert len(rules) > 40
    for above, line in rules:
        assert '"level": "error"' in line or above.startswith("// "), line


def test_only_stable_versions_and_own_files_are_used(bicep: Bicep, compiled: Compile) -> None:
    """No resource is declared in a preview version, no module comes from a registry."""
    versions = set(re.findall(r'"apiVersion": "([^"]*)"', json.dumps(compiled(MAIN))))

    assert [version for version in versions if not re.fullmatch(r"[\d-]{10}", version)] == []
    assert {path for path in bicep.files_of(MAIN) if path.suffix == ".bicep"} == set(FILES)


def test_secret_parameters_are_known(compiled: Compile) -> None:
    """Azure keeps no value of a parameter that may hold a secret."""
    secure = {name for name, one in compiled(MAIN)["parameters"].items() if one["type"].startswith("secure")}

    assert secure == {
        *("batchAccountKey", "heartbeatUrl", "stateStorage"),
        *("webhookSecret", "webhookSecrets", "webhookUrl"),
    }


def test_azd_can_set_every_parameter(compiled: Compile) -> None:
    """Each parameter has an environment variable of its own, and no output of the deployment overwrites one."""
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    names = [re.fullmatch(r"\$\{(\w+)\}", entry["value"]) for entry in file.values()]
    variables = [match[1] for match in names if match]

    assert set(file) == set(compiled(MAIN)["parameters"])
    assert len(set(variables)) == len(file)
    assert set(variables) & (set(compiled(MAIN)["outputs"]) - {"AZURE_LOCATION"}) == set()


def test_parameters_are_described_by_their_variable(compiled: Compile) -> None:
    """Whoever reads a parameter's description finds the variable that sets it, by its own name."""
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    described = {name: one["metadata"]["description"] for name, one in compiled(MAIN)["parameters"].items()}
    named = {match[1]: name for name, text in described.items() if (match := re.match(r"([A-Z][A-Za-z_]+):", text))}

    assert named
    assert [
        f"{variable}: {name}" for variable, name in named.items() if file[name]["value"] != f"${{{variable}}}"
    ] == []


def test_azd_asks_for_what_nobody_can_guess(compiled: Compile) -> None:
    """Only the environment, the region, the Batch accounts and the webhook have no default; azd makes the secret."""
    parameters = compiled(MAIN)["parameters"]
    asked = {name for name, declared in parameters.items() if "defaultValue" not in declared}

    assert asked == {"environmentName", "location", "batchAccountIds", "webhookUrl", "webhookSecret"}
    assert parameters["webhookSecret"]["metadata"]["azd"]["type"] == "generate"


def test_the_schedule_is_that_of_the_sample(bare: Path, expand: Expand) -> None:
    """The one default that infra must repeat, because the host reads it, is the one that people run locally."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]

    assert expand(WAYS["one account"], bare).settings["POLL_SCHEDULE"] == sample["POLL_SCHEDULE"]


def test_the_app_is_what_was_promised(bare: Path, expand: Expand) -> None:
    """Flex Consumption with 512 MB by default, Python 3.13, one identity for everything, several calls per instance."""
    made = expand(WAYS["one account"], bare)
    (plan,) = made.of_type("Microsoft.Web/serverfarms")
    (app,) = made.of_type("Microsoft.Web/sites")
    (identity,) = made.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")
    config = app["properties"]["functionAppConfig"]

    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert config["scaleAndConcurrency"] == {
        "instanceMemoryMB": 512,
        "maximumInstanceCount": 40,
        "triggers": {"http": {"perInstanceConcurrency": 16}},
    }
    assert config["deployment"]["storage"]["authentication"] == {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": identity["id"],
    }
    assert app["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    assert app["properties"]["keyVaultReferenceIdentity"] == identity["id"]
    assert app["tags"]["azd-service-name"] == "api"


def test_numbers_are_what_was_set(bare: Path, expand: Expand) -> None:
    """Memory and number of instances reach the app, also when there shall be only one."""
    scale = expand(WAYS["all at once"], bare).app["functionAppConfig"]["scaleAndConcurrency"]

    assert (scale["instanceMemoryMB"], scale["maximumInstanceCount"]) == (2048, 1)


@pytest.mark.parametrize(
    ("way", "prefix", "app", "endpoints"),
    [
        ("network", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/24"),
        ("all at once", "10.64.0.0/22", "10.64.1.0/24", "10.64.2.0/24"),
    ],
)
def test_the_network_lies_where_it_was_put(
    way: str, prefix: str, app: str, endpoints: str, bare: Path, expand: Expand
) -> None:
    """The network has the addresses that were set; the instances reach the internet, the endpoints need not."""
    (network,) = expand(WAYS[way], bare).of_type("Microsoft.Network/virtualNetworks")
    subnets = {subnet["name"]: subnet["properties"] for subnet in network["properties"]["subnets"]}

    assert network["properties"]["addressSpace"]["addressPrefixes"] == [prefix]
    assert {name: subnet["addressPrefix"] for name, subnet in subnets.items()} == {
        "app": app,
        "private-endpoints": endpoints,
    }
    assert subnets["app"]["defaultOutboundAccess"] is True
    assert [one["properties"]["serviceName"] for one in subnets["app"]["delegations"]] == ["Microsoft.App/environments"]


def _sign_in(way: str, bare: Path, expand: Expand) -> dict[str, Any]:
    """The platform's sign-in."""
    (config,) = expand(WAYS[way], bare).of_type("Microsoft.Web/sites/config")
    properties: dict[str, Any] = config["properties"]
    return properties


def test_without_a_client_nobody_is_asked_to_sign_in(bare: Path, expand: Expand) -> None:
    """Without an app registration the platform lets everybody through, to the app's own keys."""
    properties = _sign_in("one account", bare, expand)

    assert properties["platform"]["enabled"] is False
    assert properties["globalValidation"]["requireAuthentication"] is False


@pytest.mark.parametrize(
    ("way", "tenant", "cloud"),
    [
        ("sign-in", TENANT, PUBLIC),
        ("all at once", "77777777-7777-7777-7777-777777777777", PUBLIC),
        ("us government", TENANT, US_GOVERNMENT),
        ("china", TENANT, CHINA),
    ],
)
def test_sign_in_is_told_to_platform_and_app_together(
    way: str, tenant: str, cloud: Any, bare: Path, expand: Expand
) -> None:
    """With one, the platform asks at the right address, takes tokens for that app only, and the app relies on it."""
    properties = _sign_in(way, bare, expand)
    entra = properties["identityProviders"]["azureActiveDirectory"]

    assert properties["platform"]["enabled"] is True
    assert properties["globalValidation"]["requireAuthentication"] is True
    assert properties["globalValidation"]["excludedPaths"] == ["/api/health"]
    assert entra["registration"] == {"openIdIssuer": f"{cloud.login}{tenant}/v2.0", "clientId": CLIENT}
    assert entra["validation"]["allowedAudiences"] == [CLIENT, f"api://{CLIENT}"]


def test_whoever_assigns_by_hand_finds_every_role() -> None:
    """The page for those who may not assign names each role."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    by_hand = page[page.index("## Without the right to assign roles") : page.index("## In a private network")]

    assert [role for role in ROLES.values() if role not in by_hand] == []
