"""What is said before a deployment, by azd's files and by answers of the Azure CLI that were written down."""

import os
from pathlib import Path

import pytest

from infra.hooks.preflight import AzError, run_az
from tests.stack.azd.environment import SUBSCRIPTION, WELL, preflight, rights_on
from tests.stack.infra.ways import MINE
from tests.support.app_settings import KEY
from tests.support.webhook_settings import SECRET

ON_SUBSCRIPTION = rights_on(f"/subscriptions/{SUBSCRIPTION}")
ON_GROUP = rights_on(f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-batch")
GROUPS = f"group list --subscription {SUBSCRIPTION}"
IN_GROUP = f"resource list --resource-group rg-prod --subscription {SUBSCRIPTION}"
DELETED = f"keyvault list-deleted --resource-type vault --subscription {SUBSCRIPTION}"
TOKEN = "a1b2c3d4e5f6g"
PREPWATCH = [f"kv-{TOKEN}", f"id-prepwatch-{TOKEN}"]
CONTRIBUTOR = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]}
ADMINISTRATOR = {"actions": ["Microsoft.Authorization/roleAssignments/*", "*/read"], "notActions": []}


def test_nothing_is_wrong(tmp_path: Path) -> None:
    """An environment that can be deployed is let through, with nothing left out."""
    assert preflight(tmp_path) == (0, "Nothing stands in the way of the deployment.")


def test_the_shell_is_not_deployed(tmp_path: Path) -> None:
    """What `make run` wants exported is named before azd deploys it, and a secret is not proposed to be kept."""
    code, said = preflight(tmp_path, exported={"BATCH_ACCOUNT_KEY": KEY, "TRACKED_JOBS": "a", "HOME": "/"})
    assert code == 1
    assert "BATCH_ACCOUNT_KEY comes from your shell" in said
    assert "unset BATCH_ACCOUNT_KEY\n" in f"{said}\n"
    assert 'azd env set TRACKED_JOBS "$TRACKED_JOBS"' in said
    assert KEY not in said


def test_a_pipeline_sets_its_secrets_in_the_shell(tmp_path: Path) -> None:
    """In a workflow secrets are nowhere else."""
    code, _ = preflight(tmp_path, {"WEBHOOK_SECRET": None}, exported={"CI": "true", "WEBHOOK_SECRET": SECRET})
    assert code == 0


@pytest.mark.parametrize(
    ("own", "asked", "there", "refused"),
    [
        ({}, {}, PREPWATCH, 1),
        ({}, {"webhookSecret": "A" * 44}, PREPWATCH, 0),
        ({}, {}, [], 0),
        ({}, {}, [f"kv-{TOKEN}"], 0),
        ({}, {}, [*PREPWATCH[1:], "kv-x"], 0),
        ({"WEBHOOK_URL": None}, {}, PREPWATCH, 0),
    ],
    ids=[
        *("another clone has it", "this clone has it", "the first deployment", "broken off", "another program's vault"),
        "no webhook",
    ],
)
def test_the_signing_secret_is_never_silently_new(
    tmp_path: Path, own: dict[str, None], asked: dict[str, str], there: list[str], refused: int
) -> None:
    """A second clone takes the secret over from Prepwatch's own vault instead of making another."""
    code, said = preflight(
        tmp_path, {"WEBHOOK_SECRET": None, **own}, asked=asked, answers={IN_GROUP: [{"name": name} for name in there]}
    )
    assert code == refused
    assert said.count(f"az keyvault secret show --vault-name kv-{TOKEN} --name WEBHOOK-SECRET") == refused


@pytest.mark.parametrize(
    ("tags", "there", "said"),
    [
        pytest.param(
            {"azd-env-name": "prod"}, [f"st{TOKEN}", "app-shop"], "holds what is not of", id="another program"
        ),
        pytest.param(None, ["shop"], "holds what is not of Prepwatch", id="somebody's own group"),
        pytest.param({"azd-env-name": "Prod"}, PREPWATCH, "belongs to the azd environment Prod", id="in other letters"),
        pytest.param({"azd-env-name": "prod"}, [*PREPWATCH, "shop"], "", id="deployed, with something beside it"),
        pytest.param({"azd-env-name": "prod"}, [f"kv-{TOKEN}", f"st{TOKEN}"], "", id="a deployment broke off"),
        pytest.param({"costs": "7"}, [], "", id="an empty group with tags"),
    ],
)
def test_a_group_of_others_is_left_alone(
    tmp_path: Path, tags: dict[str, str] | None, there: list[str], said: str
) -> None:
    """A group rg-NAME that is there for something else would be changed, and be deleted by azd down: it is named."""
    group = {"name": "RG-prod", "location": "westeurope", "tags": tags}
    in_group = f"resource list --resource-group RG-prod --subscription {SUBSCRIPTION}"
    answers = {GROUPS: [group], in_group: [{"name": name} for name in there]}
    code, told = preflight(tmp_path, answers=answers)
    assert (code, said in told, "azd env new NAME" in told) == (int(bool(said)), True, bool(said))


@pytest.mark.parametrize(
    ("properties", "mend"),
    [
        pytest.param({}, f"az keyvault purge --name kv-{TOKEN} --location westeurope", id="of this environment"),
        pytest.param(
            {"purgeProtectionEnabled": True},
            "az group create --name rg-prod --location westeurope && az keyvault recover",
            id="protected from purging",
        ),
        pytest.param({"location": "northeurope"}, "", id="in another region, where names are others"),
        pytest.param({"tags": {"azd-env-name": "test"}}, "", id="of another environment"),
        pytest.param({"tags": None}, "", id="nobody's"),
        pytest.param({"name": "kv-shop"}, "", id="another program's"),
    ],
)
def test_a_vault_that_holds_the_name_is_named(tmp_path: Path, properties: dict[str, object], mend: str) -> None:
    """Only a deleted vault whose name the deployment needs is in its way; what others deleted is not to be purged."""
    well = {"location": "westeurope", "tags": {"azd-env-name": "prod"}, "purgeProtectionEnabled": None}
    vault = {"name": properties.get("name", f"kv-{TOKEN}"), "properties": {**well, **properties}}
    code, said = preflight(tmp_path, answers={DELETED: [vault]})
    assert (code, mend in said) == (int(bool(mend)), True)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({}, 1),
        ({"ASSIGN_ROLES": "false"}, 1),
        ({"ASSIGN_ROLES": "false", "BATCH_ACCOUNT_URLS": "https://a.westeurope.batch.azure.com"}, 0),
    ],
    ids=["a role is assigned", "its address is read", "neither"],
)
def test_an_account_that_is_not_there_is_named(tmp_path: Path, own: dict[str, str], code: int) -> None:
    """An id that is well-formed and of no account ends a deployment half-way, where roles or its address need it."""
    variables = {"BATCH_ACCOUNT_IDS": f"{MINE.upper()},{MINE}2", **own}
    refused, said = preflight(tmp_path, variables)
    assert (refused, said.count("there is no Batch account myaccount2 in /subscriptions/")) == (code, code)
    assert "there is no Batch account MYACCOUNT " not in said


@pytest.mark.parametrize(
    ("own", "command", "answer", "mend"),
    [
        (
            {},
            "functionapp list-flexconsumption-locations",
            [{"name": "West Europe 2"}],
            "list-flexconsumption-locations",
        ),
        (
            {},
            "functionapp list-flexconsumption-runtimes --location westeurope --runtime python",
            [{"version": "3.12"}],
            "list-flexconsumption-runtimes --location westeurope",
        ),
        (
            {"VNET_ENABLED": "true"},
            f"provider list --subscription {SUBSCRIPTION}",
            [{"namespace": "Microsoft.App", "registrationState": "NotRegistered"}],
            "az provider register --namespace Microsoft.App --wait",
        ),
        (
            {},
            GROUPS,
            [{"name": "rg-prod", "location": "northeurope"}],
            "azd env set AZURE_LOCATION northeurope",
        ),
        ({}, ON_SUBSCRIPTION, {"value": [CONTRIBUTOR]}, "azd env set ASSIGN_ROLES false"),
        ({}, ON_SUBSCRIPTION, {"value": [ADMINISTRATOR]}, "--role Contributor"),
        ({}, ON_GROUP, {"value": [CONTRIBUTOR]}, "azd env set ASSIGN_ROLES false"),
        ({}, ON_GROUP, {"value": []}, "resourcegroups/rg-batch"),
    ],
)
def test_what_azure_would_refuse(tmp_path: Path, own: dict[str, str], command: str, answer: object, mend: str) -> None:
    """Region, Python, providers, a vault's name, the group's place and each right are asked for before."""
    assert command in WELL
    code, said = preflight(tmp_path, own, answers={command: answer})
    assert code == 1
    assert mend in said


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("functionapp list-flexconsumption-locations", [{"name": "West Europe"}]),
        (GROUPS, [{"name": "rg-prod", "location": "West Europe"}]),
        (f"provider list --subscription {SUBSCRIPTION}", []),
    ],
    ids=["a region's other spelling", "the group's other spelling", "a provider for no network"],
)
def test_what_azure_would_take(tmp_path: Path, command: str, answer: object) -> None:
    """A region is itself in both spellings, and without a network nobody needs its provider."""
    assert command in WELL
    assert preflight(tmp_path, answers={command: answer})[0] == 0


@pytest.mark.parametrize(
    ("there", "code"), [([], 1), ([{"name": "rg-prod", "location": "westeurope"}], 0)], ids=["new", "deployed"]
)
def test_a_region_is_written_as_azure_names_it(tmp_path: Path, there: list[object], code: int) -> None:
    """Names are made of it as it is written, so a new environment begins with the name; what is deployed stays so."""
    runtimes = "functionapp list-flexconsumption-runtimes --location {} --runtime python"
    answers = {
        runtimes.format("West Europe"): WELL[runtimes.format("westeurope")],
        GROUPS: there,
    }
    refused, said = preflight(tmp_path, {"AZURE_LOCATION": "West Europe"}, answers=answers)
    assert (refused, "azd env set AZURE_LOCATION westeurope" in said) == (code, code == 1)


def test_a_group_is_asked_about_once(tmp_path: Path) -> None:
    """Two accounts of one group lack one right, not two."""
    _, said = preflight(tmp_path, {"BATCH_ACCOUNT_IDS": f"{MINE},{MINE}2"}, answers={ON_GROUP: {"value": []}})
    assert said.count("you may not deploy to ") == 1


def test_without_assigning_no_right_on_accounts_is_needed(tmp_path: Path) -> None:
    """Who may not assign roles deploys with ASSIGN_ROLES=false, and nothing is deployed beside the accounts."""
    answers = {ON_SUBSCRIPTION: {"value": [CONTRIBUTOR]}, ON_GROUP: {"value": []}}
    assert preflight(tmp_path, {"ASSIGN_ROLES": "false"}, answers=answers)[0] == 0


@pytest.mark.parametrize("command", WELL)
def test_what_could_not_be_asked_is_said(tmp_path: Path, command: str) -> None:
    """Whatever az does not answer stops nobody, and is named with az's reason."""
    code, said = preflight(tmp_path, answers={command: "AuthorizationFailed: no"})
    assert code == 0
    assert "Not looked at:" in said
    assert "AuthorizationFailed: no" in said


@pytest.mark.parametrize("answer", [None, {}, [1], {"value": None}, [{"other": 1}]], ids=str)
@pytest.mark.parametrize("command", WELL)
def test_an_answer_in_another_form_stops_nobody(tmp_path: Path, command: str, answer: object) -> None:
    """What another version of az answers ends nothing with a traceback: it is named, or judged as far as it goes."""
    _, said = preflight(tmp_path, answers={command: answer})
    assert said


@pytest.mark.skipif(os.name == "nt", reason="the az in this test is a shell script")
def test_an_answer_that_is_no_json_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever az says in its place."""
    az = tmp_path / "az"
    az.write_text("#!/bin/sh\necho A new version is available.\n", encoding="utf-8")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AzError, match="something else than JSON"):
        run_az(["account", "show"])


def test_the_cloud_that_az_is_signed_in_to_is_asked() -> None:
    """No command names the host of one cloud, where another cloud's rights are unknown."""
    assert [command for command in WELL if "https://" in command] == []
