"""What is said before a deployment of the variables that azd takes: they are read as azd and the app read them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.hooks.secret_checks import wrong_secrets
from infra.hooks.variables import read_known, read_variables
from shared.settings.catalog import PLATFORM_SETTINGS, SETTINGS
from tests.stack.azd.environment import NAMED, NAMED_SECRETS, SUBSCRIPTION, preflight, rights_on
from tests.stack.infra.azd import dotenv
from tests.stack.infra.judge import PLATFORM
from tests.stack.infra.mistakes import MISTAKES
from tests.stack.infra.ways import MINE, OTHER, WAYS, Way
from tests.support.webhook_settings import SECRET

WELL = "Nothing stands in the way of the deployment."
ALL_MAY = {"value": [{"actions": ["*"], "notActions": []}]}
ANSWERS = {
    f"provider list --subscription {SUBSCRIPTION}": [{"namespace": "Microsoft.App", "registrationState": "Registered"}],
    rights_on(f"/subscriptions/{OTHER.split('/')[2]}/resourcegroups/rg-other"): ALL_MAY,
    f"batch account list --resource-group rg-other --subscription {OTHER.split('/')[2]}": [{"id": OTHER}],
}
TWENTY = [{**NAMED, "name": f"ops-{number}"} for number in range(20)]
SECRETS_FILE = 'azd env set WEBHOOK_SECRETS "$(cat secrets.json)"'


@pytest.mark.parametrize(
    ("own", "what", "mend"),
    [
        ({"POLL_SCHEDULE": "* * * * *"}, "POLL_SCHEDULE", "azd env set POLL_SCHEDULE 'VALUE'"),
        (
            {"BATCH_ACCOUNT_IDS": f"{MINE},{MINE[:40]}"},
            "no resource id",
            'azd env set BATCH_ACCOUNT_IDS "$(az batch account show',
        ),
        ({"BATCH_ACCOUNT_URLS": "ftp://x"}, "BATCH_ACCOUNT_URLS", "azd env set BATCH_ACCOUNT_URLS 'VALUE'"),
        ({"VNET_ENABLED": "yes"}, "VNET_ENABLED is not usable; write true or", "azd env set VNET_ENABLED 'VALUE'"),
        ({"WEBHOOK_ALLOW_HTTP": "yes"}, "WEBHOOK_ALLOW_HTTP", "azd env set WEBHOOK_ALLOW_HTTP 'VALUE'"),
        ({"WEBHOOKS": ""}, "WEBHOOKS is empty", "azd env set WEBHOOKS '[]'"),
        ({"WEBHOOK_SECRETS": '{"A": "hidden'}, "no JSON at line 1, column 7", "azd env set WEBHOOK_SECRETS '{}'"),
        ({"WEBHOOK_SECRETS": '["hidden"]'}, "no JSON object", "azd env set WEBHOOK_SECRETS '{}'"),
        ({"RESOURCE_TAGS": ""}, "RESOURCE_TAGS is empty", "azd env set RESOURCE_TAGS '{}'"),
        ({"RESOURCE_TAGS": "a=b"}, "RESOURCE_TAGS is no JSON at line 1", "azd env set RESOURCE_TAGS '{}'"),
        (
            {"RESOURCE_TAGS": '{"a":7}'},
            "RESOURCE_TAGS has a value that is no text",
            "azd env set RESOURCE_TAGS 'VALUE'",
        ),
        ({"WEBHOOKS": '[{"name":"ops","urlSetting":7}]'}, "WEBHOOKS[0].urlSetting", "azd env set WEBHOOKS 'VALUE'"),
        (
            {"WEBHOOKS": json.dumps([NAMED])},
            "names the app setting OPS_URL, which is missing",
            f"{SECRETS_FILE}   # with OPS_URL set right in secrets.json",
        ),
        (
            {"WEBHOOKS": json.dumps([NAMED]), "WEBHOOK_SECRETS": '{"OPS_URL":"http://hidden.example"}'},
            "OPS_URL is http",
            f"{SECRETS_FILE}   # with OPS_URL set right in secrets.json",
        ),
        (
            {
                "WEBHOOKS": json.dumps(TWENTY),
                "WEBHOOK_SECRETS": '{"OPS_URL":"https://x.example"}',
                "EVENT_GRID_TOPIC": "1",
            },
            "WEBHOOKS has 21 webhooks",
            "azd env set WEBHOOKS 'VALUE'",
        ),
        (
            {"WEBHOOK_URL": "https://hidden user@x"},
            "WEBHOOK_URL",
            'read -rs VALUE && azd env set WEBHOOK_URL "$VALUE"',
        ),
        (
            {"STATE_STORAGE": "hidden"},
            "STATE_STORAGE is not a connection string",
            'read -rs VALUE && azd env set STATE_STORAGE "$VALUE"',
        ),
    ],
)
def test_variables_are_read_as_they_will_be(tmp_path: Path, own: dict[str, str], what: str, mend: str) -> None:
    """The app's own reader and azd's are heeded, each finding has its mend, and no value is shown or to be typed."""
    code, said = preflight(tmp_path, own)
    assert code == 1
    assert what in said
    assert f"      {mend}" in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [pytest.param(*case, id=name) for name, case in MISTAKES.items() if name != "no account"],
)
def test_what_the_template_refuses_is_said_before(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    """Each mistake with which Azure's engine ends a deployment is named before one begins; azd asks for no account."""
    code, said = preflight(tmp_path, variables)
    assert code == 1
    assert f"{sentence.split(maxsplit=1)[0]} " in said
    assert "azd env set" in said


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_the_template_takes_is_let_through(tmp_path: Path, way: Way) -> None:
    """No way of deploying that works is refused by what stands here of the template's rules."""
    code, said = preflight(tmp_path, {"WEBHOOK_URL": None, **way.variables}, answers=ANSWERS)
    assert (code, said) == (0, WELL)


@pytest.mark.parametrize(
    ("secrets", "what"),
    [
        ('{"ops.url":"https://x"}', "the name ops.url, which no app setting may have; write letters, digits and _"),
        ('{"OPS-URL":"https://x"}', "the name OPS-URL, which no app setting may have"),
        ('{"https://hidden":"OPS_URL"}', "the name (number 1, whose name is not shown), which no app setting may"),
        ('{"1ST":"x"}', "the name (number 1, whose name is not shown), which no app setting may have"),
        ('{"":"x"}', "the name (number 1, whose name is not shown), which no app setting may have"),
        ('{"OPS_URL":{"a":"hidden"}}', "a value that is no text (OPS_URL); write it in quotes"),
        ('{"OPS_URL":["hidden"]}', "a value that is no text (OPS_URL)"),
        ('{"OPS_URL":1}', "a value that is no text (OPS_URL)"),
        ('{"OPS_URL":true}', "a value that is no text (OPS_URL)"),
        ('{"OPS_URL":null}', "a value that is no text (OPS_URL)"),
        ('{"OPS_URL":"hidden","OPS-URL":"hidden"}', "OPS_URL and OPS-URL, which are one secret in the vault"),
        ('{"OPS_URL":"hidden","ops_url":"hidden"}', "OPS_URL and ops_url, which are one secret in the vault"),
        ('{"OPS_URL":"hidden","OPS_URL":"hidden"}', "OPS_URL and OPS_URL, which are one secret in the vault"),
        ('{"POLL_SCHEDULE":"hidden"}', "POLL_SCHEDULE, which would take the place of the app's or the platform's own"),
        ('{"Webhook_Secret":"hidden"}', "Webhook_Secret, which would take the place"),
        ('{"AzureWebJobsStorage__credential":"hidden"}', "AzureWebJobsStorage__credential, which would take the place"),
    ],
)
def test_names_and_values_of_secrets_are_looked_at(tmp_path: Path, secrets: str, what: str) -> None:
    """What can't become a secret and an app setting of its own is named, with where to mend it, and never a value."""
    code, said = preflight(tmp_path, {"WEBHOOK_SECRETS": secrets})
    assert code == 1
    assert f"WEBHOOK_SECRETS has {what}" in said
    assert SECRETS_FILE in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("webhook", "member"),
    [
        ({"name": "a", "secrets": [SECRET], "url": "https://a.example/hook"}, "secrets"),
        ({"name": "a", "secretSettings": ["OPS_SECRET"], "url": "https://a.example/?sig=hidden"}, "url"),
        ({"name": "a", "format": "slack", "url": "https://hooks.slack.com/services/T/B/hidden"}, "url"),
        ({"name": "a", "format": "teams", "url": "https://hidden.logic.azure.com/workflows/1"}, "url"),
        ({"name": "a", "secretSettings": ["OPS_SECRET"], "url": "https://a.example/hook"}, None),
        ({"name": "a", "format": "slack", "urlSetting": "OPS_URL"}, None),
    ],
    ids=["signing", "a query", "slack", "teams", "an address that is none", "by name"],
)
def test_no_secret_is_deployed_in_the_clear(tmp_path: Path, webhook: dict[str, Any], member: str | None) -> None:
    """What opens a receiver's door goes into the vault, and not into WEBHOOKS, which many may read."""
    secrets = {"OPS_SECRET": SECRET, "OPS_URL": "https://hooks.slack.com/services/T/B/hidden"}
    own = {"WEBHOOKS": json.dumps([NAMED, webhook]), "WEBHOOK_SECRETS": json.dumps(secrets)}
    code, said = preflight(tmp_path, own)
    assert (code, f"WEBHOOKS[1].{member} is a secret, or may hold one" in said) == (int(bool(member)), bool(member))
    assert "hidden" not in said
    assert SECRET not in said


def test_no_secret_takes_the_place_of_another_setting() -> None:
    """Whatever the app reads, the template sets or Flex Consumption keeps for itself is no name for a secret."""
    flex = ("FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE", "SCM_DO_BUILD_DURING_DEPLOYMENT")
    for name in (*(setting.name for setting in SETTINGS), *PLATFORM_SETTINGS, *PLATFORM, *flex):
        (found,) = wrong_secrets(json.dumps({name: "x"}), read_known())
        assert ", which would take the place" in found.what, name


def test_settings_that_were_not_read_are_not_called_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the app's reader what it would say is not known, and nothing is said to be clear."""
    monkeypatch.setitem(sys.modules, "shared.settings.settings", None)
    code, said = preflight(tmp_path, {"POLL_BUDGET_SECONDS": "many"})
    assert code == 0
    assert said.startswith("Nothing of what could be looked at stands in the way of the deployment.\nNot looked at:\n")
    assert "the settings, as the app reads them: run python3 dev.py preflight" in said


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
    assert preflight(tmp_path, own) == (0, WELL)


@pytest.mark.parametrize(
    "value",
    [
        *("", "40", "007", "-1", "plain", "two words", " around ", "a=b", "# none", "it's", "export A=b"),
        *('"', '"quoted"', "$HOME", "${HOME}", r"\$HOME", "!", "`date`", "\\", r"\n", "\\\n"),
        *("\n", "\r\n", "a\n\nb", "\u2028"),
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


def test_what_was_emptied_stays_empty(tmp_path: Path) -> None:
    """A variable that the azd environment has, if only empty, is not taken from the shell, as azd does not either."""
    exported = {"WEBHOOK_URL": "ftp://x", "VNET_ENABLED": "yes"}
    code, said = preflight(tmp_path, {"WEBHOOK_URL": "", "VNET_ENABLED": ""}, exported=exported)
    assert (code, said) == (0, WELL)
