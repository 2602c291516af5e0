"""What docs/deploy.md tells people to set works: through azd, the template, Azure's engine and the app's own reader."""

import re
import shlex
from pathlib import Path

import pytest

from shared.settings.settings import load_settings
from tests.stack.infra.bicep import INFRA
from tests.stack.infra.conftest import Expand
from tests.stack.infra.ways import CLIENT, ENDPOINTS, ONE, Way
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
