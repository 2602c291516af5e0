"""The Bicep files say what they must; a compiler sees them only in the workflow, so these look closely."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.settings.catalog import SETTINGS
from tests.support.bicep import FILES, INFRA, body, parsed, resources, texts

MAIN = INFRA / "main.bicep"
FUNCTION_APP = INFRA / "app" / "function-app.bicep"

# From Microsoft's list of built-in roles; whoever changes one looks it up there, not in infra/.
ROLES = {
    "Azure Batch Account Reader": "11076f67-66f6-4be0-8f6b-f0609fd05cc9",
    "EventGrid Data Sender": "d5a91429-5739-47e2-a06b-3470a27159e7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}
REFUSED_BY_FLEX = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME(_VERSION)?|FUNCTIONS_EXTENSION_VERSION|FUNCTIONS_WORKER_PROCESS_COUNT"
    r"|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_CONTENT\w*"
    r"|WEBSITE_VNET_ROUTE_ALL|linuxFxVersion|healthCheckPath|alwaysOn"
)
SECRETIVE = re.compile(
    r"list_?keys|list_?secrets|connectionstring|instrumentationkey|primarykey|secret|password", re.IGNORECASE
)
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _decorators(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Name to argument, None for a decorator that takes none."""
    return {decorator["type"]: decorator.get("argument") for decorator in declared["decorators"]}


def _secure_parameters(path: Path) -> set[str]:
    """The parameters that Azure never shows again."""
    parameters = parsed(path)["parameters"]
    return {name for name, declared in parameters.items() if "secure" in _decorators(declared)}


def _vault_settings() -> set[str]:
    """The names in main's `secrets`: they end up in the Key Vault."""
    return {text for text in texts(parsed(MAIN)["variables"]["secrets"]["value"]) if text.isupper() and "_" in text}


def _plain_settings() -> set[str]:
    """The settings that the portal shows."""
    main, app = parsed(MAIN)["variables"], parsed(FUNCTION_APP)["variables"]
    return {*main["settings"]["value"], *app["computedSettings"]["value"]}


@each_file
def test_every_file_parses(path: Path) -> None:
    """Each Bicep file is Bicep."""
    assert parsed(path)


@each_file
def test_everything_that_people_see_is_described(path: Path) -> None:
    """Every parameter and every output says in words what it is."""
    tree = parsed(path)
    declared = {**tree.get("parameters", {}), **tree.get("outputs", {})}

    assert [name for name, value in declared.items() if not _decorators(value).get("description")] == []


@each_file
def test_every_parameter_is_used(path: Path) -> None:
    """No parameter is asked for in vain."""
    text = path.read_text(encoding="utf-8")

    assert [n for n in parsed(path).get("parameters", {}) if len(re.findall(rf"\b{n}\b", text)) < 2] == []


@each_file
def test_only_stable_versions_and_own_modules_are_used(path: Path) -> None:
    """No resource is declared in a preview version, no module comes from a registry."""
    tree = parsed(path)

    assert [
        r["type"] for r in tree.get("resources", {}).values() if not re.fullmatch(r"[\d-]{10}", r["api_version"])
    ] == []
    assert [m["type"] for m in tree.get("modules", {}).values() if m["type"] != "local"] == []


@each_file
def test_modules_are_called_with_what_they_take(path: Path) -> None:
    """Each module call gives every parameter that has no default, and none that the module lacks."""
    for name, module in parsed(path).get("modules", {}).items():
        takes = parsed(path.parent / module["detail"]["path"])["parameters"]
        required = {parameter for parameter, declared in takes.items() if declared["default"] is None}
        gives = set(body(module)["params"])

        assert required <= gives <= set(takes), name


@each_file
def test_outputs_that_are_asked_for_exist(path: Path) -> None:
    """Each `module.outputs.name` names an output of that module."""
    modules = parsed(path).get("modules", {})
    asked = re.findall(r"(\w+)(?:\[\w+\])?!?\.outputs\.(\w+)", path.read_text(encoding="utf-8"))
    missing = [
        (module, output)
        for module, output in asked
        if output not in parsed(path.parent / modules[module]["detail"]["path"])["outputs"]
    ]

    assert missing == []


@each_file
def test_no_output_holds_a_secret(path: Path) -> None:
    """No output speaks of keys, connection strings or secrets, nor of a secure parameter."""
    secure = _secure_parameters(path) if parsed(path).get("parameters") else set()
    found = [
        (name, text)
        for name, output in parsed(path).get("outputs", {}).items()
        for text in texts(output["value"])
        if SECRETIVE.search(text) or any(re.search(rf"\b{parameter}\b", text) for parameter in secure)
    ]

    assert found == []


def test_settings_are_those_of_the_app() -> None:
    """Infra sets every setting that the app knows, and none that it does not know."""
    infra = _plain_settings() | _vault_settings()

    assert infra - {"STATE_STORAGE__tableServiceUri"} == {setting.name for setting in SETTINGS}


def test_secret_settings_lie_in_the_vault() -> None:
    """Every secret setting is a Key Vault reference; WEBHOOKS names its secrets instead of holding them."""
    secret = {setting.name for setting in SETTINGS if setting.secret}

    assert _vault_settings() == secret - {"WEBHOOKS"}


def test_secret_parameters_reach_only_the_vault() -> None:
    """A secure parameter of main appears in the variable that goes to the vault and nowhere else."""
    tree = parsed(MAIN)
    elsewhere = [
        tree["modules"],
        tree["outputs"],
        tree["resources"],
        {name: variable for name, variable in tree["variables"].items() if name != "secrets"},
    ]
    words = {word for text in texts(elsewhere) for word in re.findall(r"\w+", text)}

    assert _secure_parameters(MAIN) == {
        "batchAccountKey",
        "heartbeatUrl",
        "stateStorage",
        "webhookSecret",
        "webhookSecrets",
        "webhookUrl",
    }
    assert words & _secure_parameters(MAIN) == set()
    assert _secure_parameters(INFRA / "app" / "vault.bicep") == {"secrets"}


def test_the_schedule_is_that_of_the_sample() -> None:
    """Nothing but infra gives the host a schedule where nobody sets one; it is the one of the sample settings."""
    sample = json.loads((INFRA.parent / "local.settings.sample.json").read_text(encoding="utf-8"))

    assert parsed(MAIN)["parameters"]["pollSchedule"]["default"] == sample["Values"]["POLL_SCHEDULE"]


def test_azd_can_set_every_parameter() -> None:
    """Each parameter of main has its environment variable, and no output of the deployment overwrites one."""
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))
    variables = {name: value["value"] for name, value in file["parameters"].items()}
    names = [re.fullmatch(r"\$\{(\w+)\}", value) for value in variables.values()]

    assert set(variables) == set(parsed(MAIN)["parameters"])
    assert all(names)
    assert len(set(variables.values())) == len(variables)
    outputs = set(parsed(MAIN)["outputs"]) - {"AZURE_LOCATION"}
    assert {match[1] for match in names if match} & outputs == set()


def test_azd_asks_for_what_nobody_can_guess() -> None:
    """Only the environment, the region, the Batch accounts and the webhook have no default; azd makes the secret."""
    parameters = parsed(MAIN)["parameters"]
    asked = {name for name, declared in parameters.items() if declared["default"] is None}

    assert asked == {"environmentName", "location", "batchAccountIds", "webhookUrl", "webhookSecret"}
    assert _decorators(parameters["webhookSecret"])["metadata"]["azd"]["type"] == "generate"


def test_roles_are_what_they_are_called() -> None:
    """Each role has the id of Microsoft's list, and no other id is assigned anywhere."""
    declared: dict[str, str] = {}
    for path in FILES:
        for name, variable in parsed(path).get("variables", {}).items():
            if name.endswith("Roles"):
                declared |= {role.strip("'"): identifier for role, identifier in variable["value"].items()}
    found = {match[0] for path in FILES for match in GUID.finditer(path.read_text(encoding="utf-8"))}

    assert declared == ROLES
    assert found == set(ROLES.values())


def test_whoever_assigns_by_hand_finds_every_role() -> None:
    """The page for those who may not assign names each role."""
    page = (INFRA.parent / "docs" / "deploy.md").read_text(encoding="utf-8")
    by_hand = page[page.index("## Without the right to assign roles") : page.index("## In a private network")]

    assert [role for role in ROLES if role not in by_hand] == []


def test_batch_is_only_read() -> None:
    """On a Batch account the app gets Azure Batch Account Reader and nothing else."""
    (roles,) = parsed(INFRA / "app" / "batch-account.bicep")["variables"].values()

    assert [role.strip("'") for role in roles["value"]] == ["Azure Batch Account Reader"]


def test_without_the_right_to_assign_nothing_is_assigned() -> None:
    """With assignRoles=false no role assignment is made in any module."""
    main = parsed(MAIN)["modules"]
    assigning = {path.name for path in FILES if "roleAssignments@" in path.read_text(encoding="utf-8")}

    assert assigning == {"roles.bicep", "batch-account.bicep", "event-grid.bicep"}
    assert main["roles"]["config"]["condition"] == "assignRoles"
    for module in ("batch", "topic"):
        assert body(main[module])["params"]["assignRole"] == "assignRoles"
    for name, resource in (
        (path.name, parsed(path)["resources"][symbol]["config"])
        for path, symbol in (
            (INFRA / "app" / "batch-account.bicep", "onAccount"),
            (INFRA / "app" / "event-grid.bicep", "onTopic"),
        )
    ):
        loop = resource["loop_type"]["detail"]["array_name"]["operator"]
        assert (loop["operands"]["condition"], loop["operands"]["false_value"]) == ("assignRole", []), name


def test_no_setting_that_flex_consumption_refuses() -> None:
    """Nothing that Flex Consumption refuses at deployment is set anywhere."""
    found = [(path.name, text) for path in FILES for text in texts(parsed(path)) if REFUSED_BY_FLEX.fullmatch(text)]

    assert found == []


def test_the_app_is_what_was_promised() -> None:
    """Flex Consumption with 512 MB by default, Python 3.13, a user-assigned identity, https only."""
    ((_, app),) = resources("Microsoft.Web/sites")
    ((_, plan),) = resources("Microsoft.Web/serverfarms")
    properties = app["properties"]

    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert properties["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}
    assert parsed(MAIN)["parameters"]["instanceMemoryMB"]["default"] == 512
    assert app["identity"]["type"] == "UserAssigned"
    assert properties["keyVaultReferenceIdentity"] == "identityId"
    assert properties["httpsOnly"] is True


def test_the_host_reaches_its_storage_by_identity() -> None:
    """Blobs, queues and tables are reached with the identity, and the app's own clients choose the same one."""
    platform = parsed(FUNCTION_APP)["variables"]["platformSettings"]["value"]

    assert platform["AzureWebJobsStorage__credential"] == "managedidentity"
    assert platform["AzureWebJobsStorage__clientId"] == platform["AZURE_CLIENT_ID"] == "identityClientId"
    services = {name for name in platform if name.endswith("ServiceUri")}
    assert services == {f"AzureWebJobsStorage__{kind}ServiceUri" for kind in ("blob", "queue", "table")}
    assert "AzureWebJobsStorage" not in platform
    assert platform["AzureWebJobsDisableHomepage"] == "true"
    assert platform["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"].endswith("Authorization=AAD")


@pytest.mark.parametrize(
    ("kind", "where", "value"),
    [
        ("Microsoft.Storage/storageAccounts", "allowSharedKeyAccess", False),
        ("Microsoft.Storage/storageAccounts", "allowBlobPublicAccess", False),
        ("Microsoft.KeyVault/vaults", "enableRbacAuthorization", True),
        ("Microsoft.Insights/components", "DisableLocalAuth", True),
        ("Microsoft.EventGrid/topics", "disableLocalAuth", True),
        ("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "allow", False),
    ],
    ids=["storage keys", "public blobs", "vault roles", "insights keys", "topic keys", "publishing passwords"],
)
def test_keys_and_passwords_are_off(kind: str, where: str, value: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whatever could be entered with a key or a password is entered with an Entra role only."""
    assert {properties["properties"][where] for _, properties in resources(kind)} == {value}


def test_the_private_network_covers_every_service() -> None:
    """With a network, blobs, queues, tables and the vault each have an endpoint, and their public side is closed."""
    targets = parsed(INFRA / "app" / "private-endpoints.bicep")["variables"]["targets"]["value"]
    calls = parsed(MAIN)["modules"]

    assert [target["group"] for target in targets] == ["blob", "queue", "table", "vault"]
    for module in ("storage", "vault"):
        access = body(calls[module])["params"]["publicNetworkAccess"]["operator"]["operands"]
        assert (access["condition"], access["true_value"]) == ("vnetEnabled", "Disabled")


def test_sign_in_is_told_to_platform_and_app_together() -> None:
    """The platform's sign-in and the setting that makes the app rely on it hang on the same parameter."""
    ((_, sign_in),) = (
        found for found in resources("Microsoft.Web/sites/config") if found[1]["name"] == "authsettingsV2"
    )
    setting = parsed(FUNCTION_APP)["variables"]["signInSettings"]["value"]["operator"]["operands"]

    assert setting["condition"]["function"] == {"type": "empty", "parameters": {"item_to_test": "signInClientId"}}
    assert setting["false_value"] == {"REQUIRE_SIGN_IN": "true"}
    for where in (
        sign_in["properties"]["platform"]["enabled"],
        sign_in["properties"]["globalValidation"]["requireAuthentication"],
    ):
        assert "signInClientId" in set(texts(where))
    assert sign_in["properties"]["globalValidation"]["excludedPaths"] == ["/api/health"]
