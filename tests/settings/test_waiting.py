"""Settings that are Key Vault references which Azure could not resolve yet."""

import pytest

from shared.settings.settings import load_settings
from tests.support.app_settings import CANARY, LEAST
from tests.support.webhook_settings import GRID, PAGER, SECRET, SIGNED, SLACK, accepted, without

UNRESOLVED = f"@Microsoft.KeyVault(SecretUri=https://{CANARY}.vault.azure.net/secrets/x)"


@pytest.mark.parametrize(
    ("members", "setting"),
    [
        pytest.param({**without(SLACK, "url"), "urlSetting": "OPS_URL"}, "OPS_URL", id="address"),
        pytest.param({**without(GRID, "url"), "urlSetting": "OPS_URL"}, "OPS_URL", id="address of a topic"),
        pytest.param({**PAGER, "keySetting": "OPS_KEY"}, "OPS_KEY", id="key"),
        pytest.param({**without(SIGNED, "secrets"), "secretSettings": ["OPS_NEW"]}, "OPS_NEW", id="secret"),
        pytest.param({**without(SIGNED, "secrets"), "secretSettings": ["OLD", "OPS_NEW"]}, "OPS_NEW", id="one of two"),
    ],
)
def test_a_webhook_waits_for_what_it_needs(members: dict[str, object], setting: str) -> None:
    """A webhook whose secret can't be read is there, waits for that setting by name, and no other waits with it."""
    environment = {"OLD": SECRET, setting: UNRESOLVED}
    waiting, other = accepted(members, {**SIGNED, "name": "other"}, allow_http=False, **environment)

    assert (waiting.name, waiting.waits_for) == (members["name"], setting)
    assert (other.name, other.waits_for) == ("other", None)
    assert CANARY not in repr(waiting)


@pytest.mark.parametrize("setting", ["WEBHOOK_URL", "WEBHOOK_SECRET"])
def test_the_webhook_without_json_waits_too(setting: str) -> None:
    """Either half of the webhook named default may be late."""
    environment = {"WEBHOOK_URL": "https://a.example/x", "WEBHOOK_SECRET": SECRET, setting: UNRESOLVED}
    (webhook,) = accepted(allow_http=False, **environment)

    assert (webhook.name, webhook.waits_for) == ("default", setting)


def test_without_its_address_there_is_no_heartbeat() -> None:
    """A heartbeat whose address can't be read stops nothing else."""
    settings = load_settings({**LEAST, "HEARTBEAT_URL": UNRESOLVED})

    assert (settings.heartbeat_url, settings.heartbeat_waits_for) == (None, "HEARTBEAT_URL")
    assert load_settings(LEAST).heartbeat_waits_for is None
