"""Which settings say where the app's queues are, and with what the app is let in."""

import pytest

from shared.settings.reader import SettingReader
from shared.settings.storage import QueueStorage, read_queue_storage
from tests.support.app_settings import KEY


def _storage(**environment: str) -> QueueStorage | None:
    return read_queue_storage(SettingReader(environment=environment))


@pytest.mark.parametrize(
    ("environment", "url", "account", "let_in_by"),
    [
        pytest.param(
            {"AzureWebJobsStorage": f"DefaultEndpointsProtocol=https;AccountName=s;AccountKey={KEY}"},
            *("https://s.queue.core.windows.net", "s", "key"),
            id="key",
        ),
        pytest.param(
            {"AzureWebJobsStorage": f"AccountName=s;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"},
            *("https://s.queue.core.chinacloudapi.cn", "s", "key"),
            id="another cloud",
        ),
        pytest.param(
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true"},
            *("http://127.0.0.1:10001/devstoreaccount1", "devstoreaccount1", "key"),
            id="emulator",
        ),
        pytest.param(
            {"AzureWebJobsStorage__queueServiceUri": "https://s.queue.core.windows.net/"},
            *("https://s.queue.core.windows.net", "s", "identity"),
            id="address",
        ),
        pytest.param(
            {"AzureWebJobsStorage__accountName": "s"}, *("https://s.queue.core.windows.net", "s", "identity"), id="name"
        ),
    ],
)
def test_where_the_queues_are(environment: dict[str, str], url: str, account: str, let_in_by: str) -> None:
    """The platform's own spellings are understood."""
    storage = _storage(**environment)
    assert storage is not None
    assert (storage.url, storage.account) == (url, account)
    assert ("identity" if storage.uses_identity else "key") == let_in_by
    assert KEY not in repr(storage)


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"AzureWebJobsStorage": "AccountName=s;AccountKey=?"}, id="a key that is none"),
        pytest.param({"AzureWebJobsStorage": "TableEndpoint=https://t.example;SharedAccessSignature=x"}, id="tables"),
        pytest.param({"AzureWebJobsStorage": "@Microsoft.KeyVault(x)"}, id="an unresolved reference"),
    ],
)
def test_no_queues_are_named(environment: dict[str, str]) -> None:
    """What names no queue service is none, and no reason for the app not to begin."""
    assert _storage(**environment) is None
