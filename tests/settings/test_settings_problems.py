"""What is said about wrong app settings."""

import json
import traceback

import pytest

from shared.errors import SettingsError
from shared.settings.catalog import PLATFORM_SETTINGS
from shared.settings.settings import load_settings
from tests.support.app_settings import CANARY, KEY, LEAST


def problems_of(**changes: str) -> list[tuple[str, str]]:
    """Setting and whole text of every problem that the least settings have after some changes."""
    with pytest.raises(SettingsError) as raised:
        load_settings(LEAST | changes)
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    return [(problem.split(" ")[0], problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("BATCH_ACCOUNT_URLS", "", "is missing"),
        ("BATCH_ACCOUNT_URLS", " ", "is missing"),
        ("BATCH_ACCOUNT_URLS", ",", "no address"),
        ("BATCH_ACCOUNT_URLS", f"{CANARY}.batch.azure.com", "not a web address"),
        ("BATCH_ACCOUNT_URLS", f"http://{CANARY}.batch.azure.com", "is http"),
        ("BATCH_ACCOUNT_URLS", f"https://a.example/{CANARY}", "has a path"),
        ("BATCH_ACCOUNT_URLS", f"https://a.example?{CANARY}", "query"),
        ("BATCH_ACCOUNT_URLS", f"https://a.example#{CANARY}", "fragment"),
        ("BATCH_ACCOUNT_URLS", f"https://user:{CANARY}@a.example", "user or password"),
        ("BATCH_ACCOUNT_URLS", "https://a.example:99999", "not a web address"),
        ("BATCH_ACCOUNT_URLS", "https://a.example:port", "not a web address"),
        ("BATCH_ACCOUNT_URLS", "https://[::1", "not a web address"),
        ("BATCH_ACCOUNT_URLS", "https://", "no usable host"),
        ("BATCH_ACCOUNT_URLS", "https://a..example", "no usable host"),
        ("BATCH_ACCOUNT_URLS", "https://a.example,https://A.EXAMPLE:443/", "twice"),
        ("BATCH_ACCOUNT_URLS", "https://a.example https://b.example", "white space"),
        ("BATCH_ACCOUNT_KEY", f"{CANARY}!", "not base64"),
        ("BATCH_ACCOUNT_NAME", "My Account", "wrong form"),
        ("BATCH_API_VERSION", "latest", "wrong form"),
        ("BATCH_TOKEN_SCOPE", "https://batch.core.windows.net/", "wrong form"),
        ("AZURE_CLIENT_ID", CANARY, "wrong form"),
        ("TRACKED_JOBS", f"a,[{CANARY}]", "entry 2"),
        ("POLL_SCHEDULE", "", "is missing, and the Functions host has no default"),
        ("POLL_SCHEDULE", " ", "is missing"),
        ("POLL_SCHEDULE", "*/5 * * * *", "5 fields"),
        ("POLL_SCHEDULE", "0 */5 * * * *\n", "has a line break in it"),
        ("POLL_SCHEDULE", "\t0 * * * * *", "has a tab in it"),
        ("POLL_SCHEDULE", "0 * * *\u00a0* *", "has a no-break space in it"),
        ("POLL_SCHEDULE", f"0 */{'9' * 4301} * * * *", "more than nine digits (minute)"),
        ("POLL_SCHEDULE", "0 0 0 * * MON", "a week, the most that STALE_AFTER_SECONDS may be; poll at least every"),
        ("POLL_SCHEDULE", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
        ("POLL_SCHEDULE", f"{CANARY} * * * * *", "can't be read (second)"),
        ("POLL_BUDGET_SECONDS", "0", "from 1 to 300"),
        ("POLL_BUDGET_SECONDS", "1.5", "whole number"),
        ("POLL_BUDGET_SECONDS", "-1", "whole number"),
        ("POLL_BUDGET_SECONDS", "9" * 5000, "whole number"),
        ("POLL_CONCURRENCY", CANARY, "whole number"),
        ("POLL_CONCURRENCY", "٣", "whole number"),
        ("FIRST_SIGHT_SECONDS", "1h", "whole number"),
        ("STALE_AFTER_SECONDS", "159", "set it to 160 or more"),
        ("STALE_AFTER_SECONDS", "soon", "whole number"),
        ("STATE_STORAGE", CANARY, "not a connection string"),
        ("STATE_STORAGE", f"AccountName={CANARY}", "not a connection string"),
        ("STATE_STORAGE__tableServiceUri", f"https://a.example/?{CANARY}", "query"),
        ("STATE_STORAGE__tableServiceUri", "https://s.blob.core.windows.net", "another service of the storage account"),
        ("STATE_STORAGE__tableServiceUri", f"https://s.table.core.windows.net/{CANARY}", "path; write scheme and host"),
        ("STATE_STORAGE__accountName", "No", "wrong form"),
        ("STATE_TABLE", "1table", "wrong form"),
        ("STATE_TABLE", "ab", "wrong form"),
        ("STATE_TABLE", "Tables", "wrong form"),
        ("STATE_TABLE", "pre-watch", "wrong form"),
        ("RETENTION_DAYS", "4", "from 5"),
        ("WEBHOOK_ALLOWED_CIDRS", "10.1.2.3/16", "not a list of networks"),
        ("WEBHOOK_ALLOWED_CIDRS", CANARY, "not a list of networks"),
        ("WEBHOOK_ALLOW_HTTP", "yes", "true or false"),
        ("EVENT_MAX_NODES", "0", "from 1"),
        ("STDERR_TAIL_BYTES", "4097", "from 0 to 4096"),
        ("HEARTBEAT_URL", f"http://a.example/{CANARY}", "is http"),
        ("HEARTBEAT_URL", f"https://a.example/#{CANARY}", "fragment"),
        ("HEARTBEAT_URL", f"https://a.example:0/{CANARY}", "port 0"),
        ("BATCH_ACCOUNT_URLS", "https://a.example:0", "port 0"),
        ("PUBLIC_URL", "app.example", "not a web address"),
        ("WEBSITE_HOSTNAME", "a b", "white space"),
        ("WEBSITE_SITE_NAME", "a b", "wrong form"),
        ("BATCH_ACCOUNT_URLS", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
        ("BATCH_ACCOUNT_KEY", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
        ("STATE_STORAGE", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
        ("TRACKED_JOBS", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
        ("WEBHOOKS", f"@Microsoft.KeyVault(SecretUri=https://{CANARY})", "Key Vault reference"),
    ],
)
def test_one_wrong_setting(name: str, value: str, wrong: str) -> None:
    """A wrong setting gives one problem that names it and says what is wrong, never what was written."""
    ((setting, text),) = problems_of(**{name: value})
    assert setting == name or wrong.startswith(setting)
    assert wrong in text


def test_all_problems_at_once() -> None:
    """Problems of all settings are said together, each on a line of its own."""
    with pytest.raises(SettingsError) as raised:
        load_settings(
            {
                "BATCH_ACCOUNT_KEY": "???",
                "POLL_SCHEDULE": "often",
                "POLL_CONCURRENCY": "0",
                "STATE_TABLE": "-",
                "WEBHOOK_SECRET": "short",
                "WEBHOOKS": '[{"name":"A"}]',
            }
        )
    assert [problem.split(" ")[0] for problem in raised.value.problems] == [
        "BATCH_ACCOUNT_URLS",
        "POLL_SCHEDULE",
        "BATCH_ACCOUNT_KEY",
        "POLL_CONCURRENCY",
        "STATE_STORAGE",
        "STATE_TABLE",
        "WEBHOOK_URL",
        "WEBHOOKS[0].name",
        "WEBHOOKS[0]",
        "WEBHOOKS[0]",
    ]
    assert str(raised.value).splitlines() == list(raised.value.problems)


def test_the_same_problem_is_said_once() -> None:
    """A wrong setting that two webhooks name is one problem."""
    hooks = [{"name": name, "format": "slack", "urlSetting": "CHAT_URL"} for name in ("a", "b")]
    ((setting, _),) = problems_of(WEBHOOKS=json.dumps(hooks), CHAT_URL=CANARY)
    assert setting == "CHAT_URL"


def test_missing_storage_names_what_is_accepted() -> None:
    """Without a storage the problem names every setting that would give one."""
    ((_, text),) = problems_of(AzureWebJobsStorage="")
    assert all(name in text for name in PLATFORM_SETTINGS[:4])


def test_a_key_opens_one_account_only() -> None:
    """A shared key beside two accounts is refused, for it can belong to one of them only."""
    ((setting, _),) = problems_of(BATCH_ACCOUNT_URLS="https://a.example,https://b.example", BATCH_ACCOUNT_KEY=KEY)
    assert setting == "BATCH_ACCOUNT_KEY"


def test_an_address_without_name_needs_one() -> None:
    """A shared key for an IP address needs the account's name, which the host does not hold."""
    ((setting, _),) = problems_of(BATCH_ACCOUNT_URLS="http://127.0.0.1:10100", BATCH_ACCOUNT_KEY=KEY)
    assert setting == "BATCH_ACCOUNT_NAME"


def test_a_webhook_for_no_account_is_refused() -> None:
    """A webhook whose accounts are none of those watched is refused, for it would stay silent for ever."""
    webhook = {"name": "ops", "format": "slack", "url": "https://a.example", "accounts": ["myaccount"]}
    ((setting, text),) = problems_of(WEBHOOKS=json.dumps([webhook]))
    assert setting == "WEBHOOKS"
    assert "ops" in text
