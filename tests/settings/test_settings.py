"""What the app settings mean."""

import base64
import json
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.patterns import IdPatterns
from shared.settings.accounts import BatchAccount
from shared.settings.catalog import DEFAULTS, SETTINGS
from shared.settings.settings import load_settings
from shared.settings.storage import StateStorage
from tests.support.app_settings import CANARY, KEY, LEAST

ROOT = Path(__file__).parents[2]
CLIENT_ID = "01234567-89ab-cdef-0123-456789abcdef"


def test_defaults() -> None:
    """With an account, a schedule and a storage alone, everything else has its documented default."""
    settings = load_settings(LEAST)
    assert settings.accounts == (
        BatchAccount(label="myaccount.westeurope.batch.azure.com", url="https://myaccount.westeurope.batch.azure.com"),
    )
    assert settings.shared_key is None
    assert settings.client_id is None
    assert settings.batch_api_version == "2024-07-01.20.0"
    assert settings.batch_token_scope == "https://batch.core.windows.net//.default"
    assert settings.tracked_jobs == IdPatterns()
    assert settings.poll_interval == timedelta(minutes=1)
    assert (settings.poll_budget, settings.poll_concurrency) == (timedelta(seconds=40), 8)
    assert (settings.first_sight, settings.stale_after) == (timedelta(hours=1), timedelta(minutes=5))
    assert settings.state_storage == StateStorage(connection_string="UseDevelopmentStorage=true")
    assert (settings.state_table, settings.retention) == ("prepwatch", timedelta(days=30))
    assert (settings.webhooks, settings.webhook_allowed_networks) == ((), ())
    assert settings.webhook_allow_http is False
    assert (settings.event_max_nodes, settings.stderr_tail_bytes) == (25, 0)
    assert (settings.heartbeat_url, settings.public_url) == (None, None)
    assert settings.site_name == "local"


@pytest.mark.parametrize(
    ("schedule", "stale_after"),
    [
        ("0 * * * * *", 300),
        ("0 */2 * * * *", 300),
        ("0 */3 * * * *", 400),
        ("0 */5 * * * *", 640),
        ("0 0 * * * *", 7240),
    ],
)
def test_when_an_account_is_stale_follows_the_schedule(schedule: str, stale_after: int) -> None:
    """Whoever polls less often sets nothing else: two intervals and the budget may pass, and never less than usual."""
    settings = load_settings({**LEAST, "POLL_SCHEDULE": schedule, "STALE_AFTER_SECONDS": ""})

    assert settings.stale_after == timedelta(seconds=stale_after)


def test_everything_set() -> None:
    """Every setting arrives as a value of its type."""
    settings = load_settings(
        {
            "BATCH_ACCOUNT_URLS": " https://MyAccount.westeurope.batch.azure.com:443/ ",
            "BATCH_ACCOUNT_KEY": KEY + "\n",
            "BATCH_API_VERSION": "2025-06-01.22.0",
            "BATCH_TOKEN_SCOPE": "https://batch.core.chinacloudapi.cn/.default",
            "TRACKED_JOBS": "nightly-*,!nightly-test",
            "TRACKED_POOLS": "!*",
            "POLL_SCHEDULE": "*/10 * * * * *",
            "POLL_BUDGET_SECONDS": "30",
            "POLL_CONCURRENCY": "16",
            "FIRST_SIGHT_SECONDS": "0",
            "STALE_AFTER_SECONDS": "50",
            "STATE_STORAGE__tableServiceUri": "https://state.table.core.windows.net/",
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "STATE_TABLE": "Watch2",
            "RETENTION_DAYS": "5",
            "WEBHOOK_ALLOWED_CIDRS": "10.1.0.0/16, fd00::/8",
            "WEBHOOK_ALLOW_HTTP": "TRUE",
            "EVENT_MAX_NODES": "1",
            "STDERR_TAIL_BYTES": "2048",
            "HEARTBEAT_URL": "https://hc-ping.example/uuid/",
            "PUBLIC_URL": "https://gateway.example/prepwatch/",
            "WEBSITE_HOSTNAME": "app.azurewebsites.net",
            "WEBSITE_SITE_NAME": "app",
            "AZURE_CLIENT_ID": CLIENT_ID,
        }
    )
    assert [account.url for account in settings.accounts] == ["https://myaccount.westeurope.batch.azure.com"]
    assert settings.shared_key is not None
    assert (settings.shared_key.account_name, settings.shared_key.key) == ("myaccount", b"key")
    assert settings.batch_api_version == "2025-06-01.22.0"
    assert settings.batch_token_scope == "https://batch.core.chinacloudapi.cn/.default"
    assert settings.tracked_jobs.matches("nightly-1")
    assert not settings.tracked_jobs.matches("nightly-test")
    assert settings.tracked_pools is not None
    assert not settings.tracked_pools.matches("cpu")
    assert (settings.poll_interval, settings.poll_budget) == (timedelta(seconds=10), timedelta(seconds=30))
    assert (settings.poll_concurrency, settings.first_sight) == (16, timedelta(0))
    assert settings.stale_after == timedelta(seconds=50)
    assert settings.state_storage == StateStorage(table_service_uri="https://state.table.core.windows.net")
    assert (settings.state_table, settings.retention) == ("Watch2", timedelta(days=5))
    assert settings.webhook_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert settings.webhook_allow_http is True
    assert (settings.event_max_nodes, settings.stderr_tail_bytes) == (1, 2048)
    assert settings.heartbeat_url == "https://hc-ping.example/uuid"
    assert settings.public_url == "https://gateway.example/prepwatch"
    assert (settings.site_name, settings.client_id) == ("app", CLIENT_ID)


@pytest.mark.parametrize(
    ("url", "label", "normal"),
    [
        ("http://127.0.0.1:10100", "127.0.0.1:10100", "http://127.0.0.1:10100"),
        ("http://localhost:80/", "localhost", "http://localhost"),
        ("http://[::1]:8080", "[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://A.B:8443", "a.b:8443", "https://a.b:8443"),
    ],
)
def test_account_address(url: str, label: str, normal: str) -> None:
    """An account is called by its host, with the port where that is not the scheme's own."""
    (account,) = load_settings(LEAST | {"BATCH_ACCOUNT_URLS": url}).accounts
    assert (account.label, account.url) == (label, normal)


def test_several_accounts() -> None:
    """Accounts are separated by commas, and one host with two ports is two accounts."""
    settings = load_settings(LEAST | {"BATCH_ACCOUNT_URLS": "http://127.0.0.1:1 , http://127.0.0.1:2,"})
    assert [account.label for account in settings.accounts] == ["127.0.0.1:1", "127.0.0.1:2"]


def test_account_name_wins_over_the_host() -> None:
    """The shared key's account is the one that is named, for a simulator has no name in its address."""
    settings = load_settings(
        {
            **LEAST,
            "BATCH_ACCOUNT_URLS": "http://127.0.0.1:10100",
            "BATCH_ACCOUNT_KEY": KEY,
            "BATCH_ACCOUNT_NAME": "prepwatchsim",
        }
    )
    assert settings.shared_key is not None
    assert settings.shared_key.account_name == "prepwatchsim"


@pytest.mark.parametrize(
    ("environment", "storage"),
    [
        pytest.param(
            {"STATE_STORAGE": "AccountName=a;AccountKey=b==", "AzureWebJobsStorage": "AccountName=c"},
            StateStorage(connection_string="AccountName=a;AccountKey=b=="),
            id="own connection string first",
        ),
        pytest.param(
            {
                "STATE_STORAGE__tableServiceUri": "http://127.0.0.1:10002/devstoreaccount1",
                "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            },
            StateStorage(table_service_uri="http://127.0.0.1:10002/devstoreaccount1"),
            id="own identity before the host's connection string",
        ),
        pytest.param(
            {"STATE_STORAGE": "", "AzureWebJobsStorage": " usedevelopmentstorage=TRUE; "},
            StateStorage(connection_string="UseDevelopmentStorage=true"),
            id="development storage as the SDK spells it",
        ),
        pytest.param(
            {"AzureWebJobsStorage": "TableEndpoint=https://a.table.example;SharedAccessSignature=sv=1"},
            StateStorage(connection_string="TableEndpoint=https://a.table.example;SharedAccessSignature=sv=1"),
            id="signature",
        ),
        pytest.param(
            {"AzureWebJobsStorage__tableServiceUri": "https://s.table.core.windows.net"},
            StateStorage(table_service_uri="https://s.table.core.windows.net"),
            id="host's identity",
        ),
        pytest.param(
            {"AzureWebJobsStorage__accountName": "hoststate"},
            StateStorage(table_service_uri="https://hoststate.table.core.windows.net"),
            id="host's account name",
        ),
    ],
)
def test_state_storage(environment: dict[str, str], storage: StateStorage) -> None:
    """The state's own settings win over the host's, each as connection string or with the identity."""
    others = {name: value for name, value in LEAST.items() if name != "AzureWebJobsStorage"}
    assert load_settings(others | environment).state_storage == storage


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"WEBSITE_HOSTNAME": "app.azurewebsites.net"}, "https://app.azurewebsites.net"),
        ({"WEBSITE_HOSTNAME": "localhost:7071"}, "http://localhost:7071"),
        ({"WEBSITE_HOSTNAME": "a.example", "PUBLIC_URL": "https://b.example/c"}, "https://b.example/c"),
    ],
)
def test_public_url(environment: dict[str, str], url: str) -> None:
    """Links lead to PUBLIC_URL, else to where the platform says that the app is."""
    assert load_settings(LEAST | environment).public_url == url


def test_repr_shows_no_secret() -> None:
    """The settings may be logged: no key, connection string, secret or secret address is in their repr."""
    secret = base64.b64encode(CANARY.encode() * 2).decode()
    hook = {"format": "pagerduty", "name": "pager", "keySetting": "PAGER_KEY"}
    settings = load_settings(
        {
            **LEAST,
            "BATCH_ACCOUNT_KEY": base64.b64encode(CANARY.encode()).decode(),
            "STATE_STORAGE": f"AccountName=a;AccountKey={CANARY}",
            "WEBHOOK_URL": f"https://a.example/{CANARY}?sig={CANARY}",
            "WEBHOOK_SECRET": f"whsec_{secret}",
            "WEBHOOKS": json.dumps([hook]),
            "PAGER_KEY": CANARY,
            "HEARTBEAT_URL": f"https://a.example/{CANARY}",
        }
    )
    assert len(settings.webhooks) == 2
    assert CANARY not in repr(settings)
    assert secret not in repr(settings)


def test_the_sample_has_every_setting() -> None:
    """The sample file names the settings of the table, and every default in it is the table's."""
    values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    host = {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    assert values.keys() - host.keys() == {setting.name for setting in SETTINGS}
    assert {name: values[name] for name in host} == host
    local = {"WEBHOOK_ALLOW_HTTP": "true"}
    assert {name: values[name] for name in DEFAULTS} == DEFAULTS | local


def test_the_sample_works() -> None:
    """The sample is right as it stands: simulator, receiver and Azurite on this machine, and no real secret."""
    settings = load_settings(json.loads((ROOT / "local.settings.sample.json").read_text())["Values"])
    assert [account.url for account in settings.accounts] == ["http://127.0.0.1:10100"]
    assert settings.shared_key is not None
    assert settings.shared_key.account_name == "prepwatchsim"
    assert settings.shared_key.key.startswith(b"not a secret")
    (webhook,) = settings.webhooks
    assert webhook.url == "http://127.0.0.1:10200"
    assert webhook.secrets[0].startswith(b"not a secret")


def test_every_default_is_one_that_is_accepted() -> None:
    """The defaults of the table, written out, mean the same as leaving the settings out."""
    assert load_settings(LEAST | DEFAULTS) == load_settings(LEAST)
