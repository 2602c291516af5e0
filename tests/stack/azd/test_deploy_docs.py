"""docs/deploy.md says what trips people, each in a line that a test finds, and shows what people will see."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.hooks.azure_checks import ASSIGNS, NEEDED
from infra.hooks.variables import SECRETS
from shared.settings.settings import load_settings
from tests.stack.infra.deployed import running_app
from tests.support.app_settings import LEAST

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "deploy.md").read_text(encoding="utf-8")
HOST = "https://func-prepwatch-abc.azurewebsites.net"


def _section(heading: str) -> str:
    """A section of the page, in one line of text."""
    text = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1]
    return " ".join(re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0].split())


def test_the_page_shows_what_is_printed() -> None:
    """The end of a deployment on the page is the one that the last step prints."""
    with running_app() as app:
        said = app.report(AZURE_FUNCTION_NAME="func-prepwatch-abc", AZURE_RESOURCE_GROUP="rg-prod")
    expected = said.replace(app.url, HOST).replace("sub-x", "SUBSCRIPTION").strip()
    (shown,) = re.findall(r"<!-- written by \S+ -->\n```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert shown == expected


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        pytest.param(
            "What you need",
            "*Owner*, or *Contributor* together with *Role Based Access Control Administrator*",
            id="the rights as they are",
        ),
        pytest.param("What you need", "resource group of each watched Batch account", id="where they are needed"),
        pytest.param("Without the right to assign roles", "RoleAssignmentExists", id="roles made by hand"),
        pytest.param("Without the right to assign roles", "az role assignment delete --ids", id="what to delete first"),
        pytest.param("From another machine", 'azd env set WEBHOOK_SECRET "$SECRET"', id="the secret is taken over"),
        pytest.param("Taking something away", 'infra.parameters.webhookUrl ""', id="what was typed at the prompt"),
        pytest.param("Taking something away", "azd env set WEBHOOKS '[]'", id="an array is never empty text"),
        pytest.param("Taking something away", "What stays behind:", id="what stays behind"),
        pytest.param("From GitHub", "repo:OWNER/REPOSITORY:environment:production", id="the credential's subject"),
        pytest.param("From GitHub", "`BATCH_ACCOUNT_IDS` or `BATCH_ACCOUNT_URLS`", id="only addresses and no ids"),
        pytest.param("Sign-in instead of keys", '--identifier-uris "api://$APP"', id="a token's audience"),
        pytest.param("Sign-in instead of keys", "requestedAccessTokenVersion=2", id="a token's issuer"),
        pytest.param("Sign-in instead of keys", "az ad signed-in-user show", id="the first person gets in"),
        pytest.param("Sign-in instead of keys", '"allowedMemberTypes":["Application"]', id="programs get in"),
        pytest.param("Upgrade", "What was told stays told", id="a roll-back"),
        pytest.param("Remove everything", "az keyvault purge", id="a vault that is only deleted"),
        pytest.param("In a private network", "only from a machine in the network", id="a vault that is closed"),
        pytest.param("In a private network", "before the first deployment", id="addresses that stay"),
        pytest.param("In a private network", "added to it by hand", id="a network that is the template's"),
        pytest.param("From another machine", "Where it has none", id="a vault without a signing secret"),
        pytest.param("Taking something away", "azd provision --no-state", id="a deployment that is left out"),
        pytest.param("Webhooks", "read -rs ADDRESS", id="no secret in the shell's history"),
    ],
)
def test_what_trips_people_is_said(heading: str, words: str) -> None:
    """Each trap is told of where it is met."""
    assert words in _section(heading)


def test_no_secret_is_typed_into_a_command() -> None:
    """No command of the page holds a secret, which the shell's history would keep."""
    commands = re.findall(r"azd env set (\w+) (.+?)(?:`|\n|&&)", PAGE)
    typed = {name: value for name, value in commands if name in SECRETS}
    assert typed
    assert {name for name, value in typed.items() if re.search(r"whsec_|https://|AccountKey", value)} == set()


def test_github_secrets_are_all_named() -> None:
    """The page names every secret that the workflow takes."""
    assert [name for name in SECRETS if f"`{name}`" not in _section("From GitHub")] == []


def test_the_roles_have_the_rights() -> None:
    """What the preflight asks for is what the two roles of the page give: to deploy, and to assign."""
    assert (NEEDED, ASSIGNS) == (
        "Microsoft.Resources/deployments/write",
        "Microsoft.Authorization/roleAssignments/write",
    )


def test_polling_more_often_works_as_said() -> None:
    """What the decision about the service log proposes instead is taken by the app."""
    text = (DOCS / "decisions" / "0001-special-task-event.md").read_text(encoding="utf-8")
    schedule, budget = re.findall(r"`POLL_SCHEDULE='(.*?)'` with `POLL_BUDGET_SECONDS=(\d+)`", text)[0]
    settings = load_settings({**LEAST, "POLL_SCHEDULE": schedule, "POLL_BUDGET_SECONDS": budget})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert (settings.poll_schedule.next_after(now) - now).total_seconds() == 15


def test_the_decision_knows_how_slow_the_log_is() -> None:
    """The service log's speed, and that it can't be filtered, are why nothing is built on it."""
    text = (DOCS / "decisions" / "0001-special-task-event.md").read_text(encoding="utf-8")
    assert "3 to 10 minutes" in text
    assert "takes the whole category" in text
