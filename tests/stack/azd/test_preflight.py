"""What is said before a deployment: the files as azd keeps them, and answers of the Azure CLI that were written down.

Whoever has an account can put its answers in the place of recorded/well.json: commands of az, and what they answer.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.hooks.preflight import AzError, report
from infra.hooks.variables import read_variables
from tests.stack.infra.azd import dotenv
from tests.stack.infra.ways import MINE
from tests.support.app_settings import KEY
from tests.support.webhook_settings import SECRET

WELL: Mapping[str, Any] = json.loads((Path(__file__).parent / "recorded" / "well.json").read_text(encoding="utf-8"))
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OWN = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "BATCH_ACCOUNT_IDS": MINE,
    "WEBHOOK_URL": "https://receiver.example/hook",
    "WEBHOOK_SECRET": SECRET,
}
NAMED = {"name": "ops", "urlSetting": "OPS_URL", "format": "slack"}
NAMED_SECRETS = {"OPS_URL": "https://x.example/"}
RIGHTS = "providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
ON_SUBSCRIPTION = f"rest --method get --url https://management.azure.com/subscriptions/{SUBSCRIPTION}/{RIGHTS}"
ON_GROUP = ON_SUBSCRIPTION.replace(f"/{RIGHTS}", f"/resourcegroups/rg-batch/{RIGHTS}")
CONTRIBUTOR = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]}
ADMINISTRATOR = {"actions": ["Microsoft.Authorization/roleAssignments/*", "*/read"], "notActions": []}


def _report(
    root: Path,
    own: Mapping[str, str | None] | None = None,
    *,
    exported: Mapping[str, str] | None = None,
    asked: Mapping[str, str] | None = None,
    answers: Mapping[str, Any] | None = None,
) -> tuple[int, str]:
    """The report for an azd environment that is well but for these changes; a variable of None is not set."""
    folder = root / ".azure" / "prod"
    changed: dict[str, str | None] = {**OWN, **(own or {})}
    folder.mkdir(parents=True)
    written = dotenv({name: value for name, value in changed.items() if value is not None})
    (folder / ".env").write_text(written, encoding="utf-8", newline="")
    (folder / "config.json").write_text(json.dumps({"infra": {"parameters": asked or {}}}), encoding="utf-8")
    (root / ".azure" / "config.json").write_text('{"version":1,"defaultEnvironment":"prod"}', encoding="utf-8")
    recorded = {**WELL, **(answers or {})}

    def az(arguments: Sequence[str]) -> Any:
        answer = recorded[" ".join(arguments)]
        if isinstance(answer, str):
            raise AzError(answer)
        return answer

    code, said = report(root, exported or {}, az)
    return code, "\n".join(said)


def test_nothing_is_wrong(tmp_path: Path) -> None:
    """An environment that can be deployed is let through, with nothing left out."""
    assert _report(tmp_path) == (0, "Nothing stands in the way of the deployment.")


@pytest.mark.parametrize(
    ("own", "what", "mend"),
    [
        ({"POLL_SCHEDULE": "* * * * *"}, "POLL_SCHEDULE", "azd env set POLL_SCHEDULE"),
        ({"BATCH_ACCOUNT_IDS": "myaccount"}, "no resource id", "az batch account show"),
        ({"BATCH_ACCOUNT_IDS": f"{MINE},{MINE[:40]}"}, "no resource id", "az batch account show"),
        ({"BATCH_ACCOUNT_URLS": "ftp://x"}, "BATCH_ACCOUNT_URLS", "azd env set BATCH_ACCOUNT_URLS"),
        ({"VNET_ENABLED": "yes"}, "VNET_ENABLED is neither true nor false", "azd env set VNET_ENABLED true"),
        ({"ASSIGN_ROLES": "no"}, "ASSIGN_ROLES is neither", "azd env set ASSIGN_ROLES true"),
        ({"WEBHOOKS": ""}, "WEBHOOKS is empty", "azd env set WEBHOOKS '[]'"),
        ({"WEBHOOK_SECRETS": '{"A": "hidden'}, "no JSON at line 1, column 7", "azd env set WEBHOOK_SECRETS"),
        ({"WEBHOOK_SECRETS": '["hidden"]'}, "no JSON object", "azd env set WEBHOOK_SECRETS"),
        ({"WEBHOOKS": '[{"name":"ops","urlSetting":"OPS_URL"}]'}, "OPS_URL", "azd env set"),
        ({"WEBHOOK_URL": "https://hidden user@x"}, "WEBHOOK_URL", "azd env set WEBHOOK_URL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_variables_are_read_as_they_will_be(tmp_path: Path, own: dict[str, str], what: str, mend: str) -> None:
    """The app's own reader and azd's are heeded, each finding has its mend, and no value is shown."""
    code, said = _report(tmp_path, own)
    assert code == 1
    assert what in said
    assert mend in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    "own",
    [
        {"WEBHOOK_URL": "akvs://subscription/vault/secret"},
        {"WEBHOOKS": "[]", "WEBHOOK_SECRETS": "{}"},
        {"WEBHOOKS": json.dumps([NAMED]), "WEBHOOK_SECRETS": json.dumps(NAMED_SECRETS)},
        {"WEBHOOKS": json.dumps([NAMED], indent=2), "WEBHOOK_SECRETS": json.dumps(NAMED_SECRETS, indent=2)},
        {"WEBHOOKS": f"[\r\n{json.dumps(NAMED)}\r\n]", "WEBHOOK_SECRETS": json.dumps(NAMED_SECRETS)},
        {"BATCH_ACCOUNT_IDS": None, "BATCH_ACCOUNT_URLS": "https://a.westeurope.batch.azure.com"},
        {"BATCH_ACCOUNT_IDS": None},
        {"WEBHOOK_URL": None},
    ],
    ids=[
        *("a secret in a vault", "all taken away", "a secret by its name", "on several lines", "lines of Windows"),
        *("addresses", "azd asks", "a secret is left"),
    ],
)
def test_what_may_be_is_let_through(tmp_path: Path, own: dict[str, Any]) -> None:
    """No way of deploying that works is refused."""
    assert _report(tmp_path, own) == (0, "Nothing stands in the way of the deployment.")


@pytest.mark.parametrize(
    "value",
    [
        *("", "40", "007", "-1", "plain", "two words", " around ", "a=b", "# none", "it's", "export A=b"),
        *(
            '"',
            '"quoted"',
            "$HOME",
            "${HOME}",
            r"\$HOME",
            "!",
            "`date`",
            "\\",
            r"\n",
            "\\\n",
            "\n",
            "\r\n",
            "a\n\nb",
            "\u2028",
        ),
    ],
    ids=repr,
)
def test_variables_are_read_as_azd_keeps_them(tmp_path: Path, value: str) -> None:
    """What azd's file keeps of a variable is read back whole, whatever it is made of, and its neighbours too."""
    folder = tmp_path / ".azure" / "prod"
    folder.mkdir(parents=True)
    own = {"AZURE_ENV_NAME": "prod", "TRACKED_JOBS": value, "WEBHOOK_URL": "https://x.example/"}
    (folder / ".env").write_text(dotenv(own), encoding="utf-8", newline="")
    _, variables = read_variables(tmp_path, {"AZURE_ENV_NAME": "prod"})
    assert variables.own == own


def test_a_file_that_somebody_wrote_is_read_too(tmp_path: Path) -> None:
    """Comments, blank lines, other quotes and a text over several lines are read as azd reads them."""
    folder = tmp_path / ".azure" / "prod"
    folder.mkdir(parents=True)
    written = '# mine\n\nexport A = one two\nB=\'$x "y"\'\nC="[\n1]"\n#D=1\nE=\n'
    (folder / ".env").write_text(written, encoding="utf-8")
    _, variables = read_variables(tmp_path, {"AZURE_ENV_NAME": "prod"})
    assert variables.own == {"A": "one two", "B": '$x "y"', "C": "[\n1]", "E": ""}


def test_the_shell_is_not_deployed(tmp_path: Path) -> None:
    """What `make run` wants exported is named before azd deploys it, and a secret is not proposed to be kept."""
    code, said = _report(tmp_path, exported={"BATCH_ACCOUNT_KEY": KEY, "TRACKED_JOBS": "a", "HOME": "/"})
    assert code == 1
    assert "BATCH_ACCOUNT_KEY comes from your shell" in said
    assert "unset BATCH_ACCOUNT_KEY\n" in f"{said}\n"
    assert 'azd env set TRACKED_JOBS "$TRACKED_JOBS"' in said
    assert KEY not in said


def test_what_was_emptied_stays_empty(tmp_path: Path) -> None:
    """A variable that the azd environment has, if only empty, is not taken from the shell, as azd does not either."""
    exported = {"WEBHOOK_URL": "ftp://x", "VNET_ENABLED": "yes"}
    code, said = _report(tmp_path, {"WEBHOOK_URL": "", "VNET_ENABLED": ""}, exported=exported)
    assert (code, said) == (0, "Nothing stands in the way of the deployment.")


def test_a_pipeline_sets_its_secrets_in_the_shell(tmp_path: Path) -> None:
    """In a workflow secrets are nowhere else."""
    code, _ = _report(tmp_path, {"WEBHOOK_SECRET": None}, exported={"CI": "true", "WEBHOOK_SECRET": SECRET})
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
    code, said = _report(
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
    code, said = _report(tmp_path, own, answers={command: answer})
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
    assert _report(tmp_path, answers={command: answer})[0] == 0


def test_a_group_is_asked_about_once(tmp_path: Path) -> None:
    """Two accounts of one group lack one right, not two."""
    _, said = _report(tmp_path, {"BATCH_ACCOUNT_IDS": f"{MINE},{MINE}2"}, answers={ON_GROUP: {"value": []}})
    assert said.count("you may not deploy to ") == 1


def test_a_deleted_vault_of_another_environment_is_none_of_ours(tmp_path: Path) -> None:
    """Only the vault of this environment holds a name that the deployment needs."""
    other = {"name": "kv-y", "properties": {"location": "westeurope", "tags": {"azd-env-name": "test"}}}
    command = f"keyvault list-deleted --resource-type vault --subscription {SUBSCRIPTION}"
    assert _report(tmp_path, answers={command: [other]})[0] == 0


def test_without_assigning_no_right_on_accounts_is_needed(tmp_path: Path) -> None:
    """Who may not assign roles deploys with ASSIGN_ROLES=false, and nothing is deployed beside the accounts."""
    answers = {ON_SUBSCRIPTION: {"value": [CONTRIBUTOR]}, ON_GROUP: {"value": []}}
    assert _report(tmp_path, {"ASSIGN_ROLES": "false"}, answers=answers)[0] == 0


@pytest.mark.parametrize("command", WELL)
def test_what_could_not_be_asked_is_said(tmp_path: Path, command: str) -> None:
    """Whatever az does not answer stops nobody, and is named with az's reason."""
    code, said = _report(tmp_path, answers={command: "AuthorizationFailed: no"})
    assert code == 0
    assert "Not looked at:" in said
    assert "AuthorizationFailed: no" in said
