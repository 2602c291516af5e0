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
    ("own", "asked", "deployed", "refused"),
    [
        ({}, {}, {"kv-x": "prod"}, ["kv-x"]),
        ({}, {"webhookSecret": "A" * 44}, {"kv-x": "prod"}, []),
        ({}, {}, {}, []),
        ({}, {}, {"kv-x": "test"}, []),
        ({"WEBHOOK_URL": None}, {}, {"kv-x": "prod"}, []),
    ],
    ids=["another clone has it", "this clone has it", "the first deployment", "another environment's", "no webhook"],
)
def test_the_signing_secret_is_never_silently_new(
    tmp_path: Path, own: dict[str, None], asked: dict[str, str], deployed: dict[str, str], refused: list[str]
) -> None:
    """A second clone takes the secret over from the vault instead of making another."""
    vaults = [{"name": name, "tags": {"azd-env-name": environment}} for name, environment in deployed.items()]
    code, said = preflight(
        tmp_path,
        {"WEBHOOK_SECRET": None, **own},
        asked=asked,
        answers={f"keyvault list --subscription {SUBSCRIPTION}": vaults},
    )
    assert code == len(refused)
    assert said.count("az keyvault secret show --vault-name kv-x --name WEBHOOK-SECRET") == len(refused)


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
            f"keyvault list-deleted --resource-type vault --subscription {SUBSCRIPTION}",
            [{"name": "kv-x", "properties": {"location": "westeurope", "tags": {"azd-env-name": "prod"}}}],
            "az keyvault purge --name kv-x --location westeurope",
        ),
        (
            {},
            f"group list --subscription {SUBSCRIPTION} --query [?name=='rg-prod']",
            [{"location": "northeurope"}],
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
        (f"group list --subscription {SUBSCRIPTION} --query [?name=='rg-prod']", [{"location": "West Europe"}]),
        (f"provider list --subscription {SUBSCRIPTION}", []),
    ],
    ids=["a region's other spelling", "the group's other spelling", "a provider for no network"],
)
def test_what_azure_would_take(tmp_path: Path, command: str, answer: object) -> None:
    """A region is itself in both spellings, and without a network nobody needs its provider."""
    assert command in WELL
    assert preflight(tmp_path, answers={command: answer})[0] == 0


@pytest.mark.parametrize(("there", "code"), [([], 1), ([{"location": "westeurope"}], 0)], ids=["new", "deployed"])
def test_a_region_is_written_as_azure_names_it(tmp_path: Path, there: list[object], code: int) -> None:
    """Names are made of it as it is written, so a new environment begins with the name; what is deployed stays so."""
    runtimes = "functionapp list-flexconsumption-runtimes --location {} --runtime python"
    answers = {
        runtimes.format("West Europe"): WELL[runtimes.format("westeurope")],
        f"group list --subscription {SUBSCRIPTION} --query [?name=='rg-prod']": there,
    }
    refused, said = preflight(tmp_path, {"AZURE_LOCATION": "West Europe"}, answers=answers)
    assert (refused, "azd env set AZURE_LOCATION westeurope" in said) == (code, code == 1)


def test_a_group_is_asked_about_once(tmp_path: Path) -> None:
    """Two accounts of one group lack one right, not two."""
    _, said = preflight(tmp_path, {"BATCH_ACCOUNT_IDS": f"{MINE},{MINE}2"}, answers={ON_GROUP: {"value": []}})
    assert said.count("you may not deploy to ") == 1


def test_a_deleted_vault_of_another_environment_is_none_of_ours(tmp_path: Path) -> None:
    """Only the vault of this environment holds a name that the deployment needs."""
    other = {"name": "kv-y", "properties": {"location": "westeurope", "tags": {"azd-env-name": "test"}}}
    command = f"keyvault list-deleted --resource-type vault --subscription {SUBSCRIPTION}"
    assert preflight(tmp_path, answers={command: [other]})[0] == 0


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
