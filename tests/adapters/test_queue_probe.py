"""The probe of the app's own queue, against Azurite; what Azurite can't play, against a server that answers so."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, generate_queue_sas

from local.azurite import Azurite
from shared.adapters.http_transport import HttpTransport
from shared.adapters.queue_probe import SCOPE, QueueProbe
from shared.composition import utc_now
from shared.errors import StoreUnavailableError
from shared.settings.reader import SettingReader
from shared.settings.storage import QueueStorage, read_queue_storage
from tests.support.app_settings import CANARY, KEY
from tests.support.scripted_http import Reply, ScriptedServer

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Identity:
    """An identity with a token, or without one."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """The token."""
        self.scopes.extend(scopes)
        if self.token is None:
            raise ClientAuthenticationError(f"no identity; {CANARY}")
        return AccessToken(self.token, 0)


def _probe(storage: QueueStorage, queue: str = "q", identity: Identity | None = None) -> QueueProbe:
    transport = HttpTransport(allow_http=True, keep_alive=False)
    return QueueProbe(
        storage,
        queue,
        transport=transport,
        credential=identity or Identity(None),
        clock=utc_now if storage.key else lambda: NOW,
    )


def _storage(**environment: str) -> QueueStorage | None:
    return read_queue_storage(SettingReader(environment=environment))


def _of_azurite(azurite: Azurite) -> QueueStorage:
    storage = _storage(AzureWebJobsStorage=azurite.connection_string)
    assert storage is not None
    return storage


@pytest.fixture
def queue(azurite: Azurite) -> QueueClient:
    """A queue that is there."""
    client = QueueClient.from_connection_string(
        azurite.connection_string, f"q{uuid4().hex}", message_decode_policy=TextBase64DecodePolicy()
    )
    client.create_queue()
    return client


def test_a_message_lies_on_the_queue(azurite: Azurite, queue: QueueClient) -> None:
    """The account's key signs as the service computes it, and the text is as the platform's trigger reads it."""
    assert _probe(_of_azurite(azurite), queue.queue_name)('{"account":"<&>"}') is True
    assert [message.content for message in queue.receive_messages()] == ['{"account":"<&>"}']


def test_a_shared_access_signature_lets_in(azurite: Azurite, queue: QueueClient) -> None:
    """A signature that allows adding goes with the address, and nothing else is signed."""
    of_azurite = _of_azurite(azurite)
    signature = generate_queue_sas(
        of_azurite.account,
        queue.queue_name,
        queue.credential.account_key,
        permission="a",
        expiry=utc_now() + timedelta(hours=1),
    )
    storage = _storage(AzureWebJobsStorage=f"QueueEndpoint={of_azurite.url};SharedAccessSignature={signature}")
    assert storage is not None
    assert _probe(storage, queue.queue_name)("x") is True
    assert len(list(queue.receive_messages())) == 1


def test_a_queue_that_is_not_there(azurite: Azurite) -> None:
    """That is told apart from a refusal, and nothing is made."""
    assert _probe(_of_azurite(azurite), f"q{uuid4().hex}")("x") is False


def test_a_wrong_key_is_refused(azurite: Azurite, queue: QueueClient) -> None:
    """The service's code is passed on."""
    storage = QueueStorage(url=_of_azurite(azurite).url, account="devstoreaccount1", key=b"wrong")
    with pytest.raises(StoreUnavailableError, match=r"answered 403 \w+"):
        _probe(storage, queue.queue_name)("x")


def test_the_identity_shows_its_token() -> None:
    """Without a key the app's identity is asked for a token of the storage's scope."""
    identity = Identity("t0ken")
    with ScriptedServer(Reply(status=201)) as server:
        assert _probe(QueueStorage(url=server.url, account="s"), identity=identity)("x") is True
    (asked,) = server.log
    assert identity.scopes == [SCOPE]
    assert (asked.method, asked.target) == ("POST", "/q/messages")
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert asked.headers["x-ms-version"] >= "2017-11-09"  # the first that takes tokens


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(403, "AuthorizationPermissionMismatch", "403 AuthorizationPermissionMismatch", id="role missing"),
        pytest.param(404, "ResourceNotFound", "404 ResourceNotFound", id="another absence"),
        pytest.param(500, "", "answered 500.", id="without a code"),
    ],
)
def test_a_refusal_is_told_with_its_code(status: int, code: str, words: str) -> None:
    """Whatever is not an acceptance says what came back."""
    with (
        ScriptedServer(Reply(status=status, headers={"x-ms-error-code": code} if code else {})) as server,
        pytest.raises(StoreUnavailableError, match=words),
    ):
        _probe(QueueStorage(url=server.url, account="s"), identity=Identity("t"))("x")


def test_no_token_and_no_answer_are_told() -> None:
    """Neither shows the words of others: they may name tenants and addresses."""
    storage = QueueStorage(url="http://127.0.0.1:9", account="s")
    with pytest.raises(StoreUnavailableError, match="No Entra token for the storage: ClientAuthenticationError") as no:
        _probe(storage)("x")
    assert CANARY not in str(no.value)
    with pytest.raises(StoreUnavailableError, match="The queue service gave no answer"):
        _probe(storage, identity=Identity("t"))("x")


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
