"""What the deployment's workflow makes of a GitHub environment's variables and secrets."""

import json
import re

import pytest

from infra.hooks.github_variables import ASKED, MistakeError, commands, names
from infra.hooks.variables import SECRETS
from tests.stack.infra.bicep import INFRA

WORKFLOW = (INFRA.parent / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
IDS = {"BATCH_ACCOUNT_IDS": "/subscriptions/x"}
ADDRESS = {"WEBHOOK_URL": "https://receiver.example/hook", "WEBHOOK_SECRET": "whsec_..."}


def _set(told: list[list[str]]) -> dict[str, str]:
    return {command[3]: command[4] for command in told if command[:3] == ["env", "set", "--"]}


def _answered(told: list[list[str]]) -> dict[str, str]:
    return {command[3]: command[4] for command in told if command[:3] == ["env", "config", "set"]}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"TRACKED_JOBS": "a"}, {"TRACKED_JOBS": "a"}, id="its own name"),
        pytest.param(
            {"STATE_STORAGE__TABLESERVICEURI": "https://x"},
            {"STATE_STORAGE__tableServiceUri": "https://x"},
            id="GitHub writes names in upper case",
        ),
        pytest.param({"TRACKED_JOBS": "-old"}, {"TRACKED_JOBS": "-old"}, id="no option of azd's"),
        pytest.param({"tracked_jobs": "a"}, {"TRACKED_JOBS": "a"}, id="in lower case"),
        pytest.param({"AZURE_CLIENT_ID": "x", "UNRELATED": "y"}, {}, id="of no concern to the deployment"),
        pytest.param({"AZURE_LOCATION": "westeurope"}, {"AZURE_LOCATION": "westeurope"}, id="the deployment's place"),
    ],
)
def test_each_variable_has_its_own_name(variables: dict[str, str], expected: dict[str, str]) -> None:
    """Whatever GitHub makes of a name, azd is told the one that the parameters' file has."""
    assert _set(commands(variables, ADDRESS)) == expected


@pytest.mark.parametrize(
    ("variables", "secrets", "answered"),
    [
        pytest.param(IDS, ADDRESS, set(), id="all is given"),
        pytest.param({"BATCH_ACCOUNT_URLS": "https://x"}, ADDRESS, {"batchAccountIds"}, id="addresses and no ids"),
        pytest.param(IDS, {"WEBHOOK_URL": ""}, {"webhookUrl"}, id="no webhook"),
        pytest.param({}, {}, {"batchAccountIds", "webhookUrl"}, id="nothing"),
    ],
)
def test_nobody_is_asked(variables: dict[str, str], secrets: dict[str, str], answered: set[str]) -> None:
    """What azd would ask a person for is answered with nothing when it is not set."""
    told = _answered(commands(variables, secrets))
    assert told == {f"infra.parameters.{name}": "" for name in answered}


def test_what_azd_asks_for_is_answered() -> None:
    """Each parameter without a default that azd neither has nor makes is one of those that are answered."""
    source = (INFRA / "main.bicep").read_text(encoding="utf-8")
    without_default = set(re.findall(r"^param (\w+) \w+$", source, re.MULTILINE))
    assert without_default - {"environmentName", "location", "webhookSecret"} == set(ASKED.values())


@pytest.mark.parametrize(
    ("variables", "secrets", "named"),
    [
        pytest.param({"BATCH_ACCOUNT_KEY": "k"}, {}, "BATCH_ACCOUNT_KEY", id="a key that everybody can read"),
        pytest.param({}, {"WEBHOOK_URL": "https://x"}, "WEBHOOK_SECRET", id="a secret made anew by each run"),
    ],
)
def test_mistakes_are_named(variables: dict[str, str], secrets: dict[str, str], named: str) -> None:
    """What would go wrong without a word is refused by name, and no value is repeated."""
    with pytest.raises(MistakeError, match=named) as raised:
        commands(variables, secrets)
    assert "https://x" not in str(raised.value)


def test_secrets_are_told_to_nobody() -> None:
    """No command has a secret among its arguments, where a process list shows it."""
    told = commands(IDS, {name: f"hidden-{name}" for name in SECRETS})
    assert "hidden-" not in json.dumps(told)


def test_the_workflow_hands_over_what_is_secure() -> None:
    """Each parameter that the template keeps in the vault is a secret of the workflow."""
    template = (INFRA / "main.bicep").read_text(encoding="utf-8")
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    secure = re.findall(
        r"@secure\(\)\n(?:@metadata\(\{.*?\n\}\)\n)?@description\([^\n]*\)\nparam (\w+)", template, re.DOTALL
    )
    assert {file[name]["value"].strip("${}") for name in secure} == set(SECRETS)
    assert set(re.findall(r"\$\{\{ secrets\.(\w+) \}\}", WORKFLOW)) == set(SECRETS)


def test_every_parameter_has_a_variable() -> None:
    """main.parameters.json names every parameter of the template, each once, so that both ways of deploying set it."""
    declared = re.findall(r"^param (\w+) ", (INFRA / "main.bicep").read_text(encoding="utf-8"), re.MULTILINE)
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    assert set(file) == set(declared)
    assert len(names()) == len(declared)
