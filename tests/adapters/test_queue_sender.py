"""The sender of the app's own messages, against Azurite; what Azurite can't play, against a server that answers so."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, generate_queue_sas

from local.azurite import Azurite
from shared.adapters.queue_sender import QueueSender
from shared.composition import utc_now
from shared.errors import StoreUnavailableError
from shared.settings.reader import SettingReader
from shared.settings.storage import QueueStorage, read_queue_storage
from tests.adapters.certificates import Authority
from tests.support.app_settings import CANARY
from tests.support.scripted_http import ScriptedAnswer, ScriptedServer

SCOPE = "https://storage.azure.com/.default"
AT_ONCE = timedelta(0)


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
        return AccessToken(self.token, int(time.time()) + 3600)


def _sender(storage: QueueStorage, identity: Identity | None = None) -> QueueSender:
    return QueueSender(storage, identity or Identity(None))


def _at(connection: str) -> QueueStorage:
    storage = read_queue_storage(SettingReader(environment={"AzureWebJobsStorage": connection}))
    assert storage is not None
    return storage


def _keyed(server: ScriptedServer) -> QueueStorage:
    return QueueStorage(url=f"{server.url}/s", account="s", key=b"key")


@pytest.fixture
def queue(azurite: Azurite) -> Iterator[QueueClient]:
    """A queue that is there."""
    client = QueueClient.from_connection_string(
        azurite.connection_string, f"q{uuid4().hex}", message_decode_policy=TextBase64DecodePolicy()
    )
    with client:
        client.create_queue()
        yield client


def test_a_message_lies_on_the_queue(azurite: Azurite, queue: QueueClient) -> None:
    """The text is in base64, as the platform's trigger reads it, and gone after an hour in which nobody took it."""
    before = utc_now()
    _sender(_at(azurite.connection_string)).put(queue.queue_name, '{"account":"<&>"}', delay=AT_ONCE)
    (message,) = queue.receive_messages()
    assert message.content == '{"account":"<&>"}'
    assert message.expires_on is not None
    assert timedelta(minutes=59) < message.expires_on - before < timedelta(minutes=61)


def test_a_message_for_later(azurite: Azurite, queue: QueueClient) -> None:
    """Nobody sees it before its time, and its hour begins then."""
    before = utc_now()
    sender = _sender(_at(azurite.connection_string))
    sender.put(queue.queue_name, "later", delay=timedelta(minutes=30))
    assert list(queue.receive_messages()) == []
    assert queue.get_queue_properties().approximate_message_count == 1
    sender.put(queue.queue_name, "in a second", delay=timedelta(seconds=1))
    deadline = time.monotonic() + 20
    while not (seen := list(queue.receive_messages())):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [message.content for message in seen] == ["in a second"]
    assert utc_now() - before >= timedelta(seconds=1)


def test_a_wait_longer_than_the_service_allows(azurite: Azurite, queue: QueueClient) -> None:
    """A year is cut to what a message may wait at most."""
    _sender(_at(azurite.connection_string)).put(queue.queue_name, "x", delay=timedelta(days=365))
    assert queue.get_queue_properties().approximate_message_count == 1


def test_a_shared_access_signature_lets_in(azurite: Azurite, queue: QueueClient) -> None:
    """A signature that allows adding is enough."""
    of_azurite = _at(azurite.connection_string)
    signature = generate_queue_sas(
        of_azurite.account,
        queue.queue_name,
        queue.credential.account_key,
        permission="a",
        expiry=utc_now() + timedelta(hours=1),
    )
    sender = _sender(_at(f"QueueEndpoint={of_azurite.url};SharedAccessSignature={signature}"))
    sender.put(queue.queue_name, "x", delay=AT_ONCE)
    assert len(list(queue.receive_messages())) == 1


def test_a_queue_that_is_not_there_is_made(azurite: Azurite) -> None:
    """The first message makes its queue."""
    name = f"q{uuid4().hex}"
    sender = _sender(_at(azurite.connection_string))
    for text in ("first", "second"):
        sender.put(name, text, delay=AT_ONCE)
    with QueueClient.from_connection_string(azurite.connection_string, name) as client:
        assert client.get_queue_properties().approximate_message_count == 2


def test_a_wrong_key_is_refused(azurite: Azurite, queue: QueueClient) -> None:
    """The service's code is passed on."""
    storage = QueueStorage(url=_at(azurite.connection_string).url, account="devstoreaccount1", key=b"wrong")
    with pytest.raises(StoreUnavailableError, match=r"the queue service answered 403 \w+"):
        _sender(storage).put(queue.queue_name, "x", delay=AT_ONCE)


def test_the_identity_shows_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the app's identity is asked for a token of the storage's scope."""
    authority, identity = Authority(tmp_path), Identity("t0ken")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    server = ScriptedServer(ScriptedAnswer(status=403, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"}))
    server._server.socket = authority.server("127.0.0.1").wrap_socket(server._server.socket, server_side=True)
    sender = _sender(QueueStorage(url=server.url.replace("http:", "https:"), account="s"), identity)
    with server, pytest.raises(StoreUnavailableError, match="answered 403 AuthorizationPermissionMismatch"):
        sender.put("q", "x", delay=AT_ONCE)
    assert set(identity.scopes) == {SCOPE}
    assert (server.log[0].method, server.log[0].target.partition("?")[0]) == ("POST", "/q/messages")
    assert server.log[0].headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(403, "AuthorizationFailure", "answered 403 AuthorizationFailure", id="a firewall"),
        pytest.param(404, "ResourceNotFound", "answered 404 ResourceNotFound", id="another absence"),
        pytest.param(500, "", "answered 500$", id="without a code"),
        pytest.param(503, "ServerBusy", "answered 503 ServerBusy", id="busy"),
    ],
)
def test_a_refusal_is_told_with_its_code(status: int, code: str, words: str) -> None:
    """Whatever is not an acceptance says what came back, after one more try at most."""
    headers = {"x-ms-error-code": code} if code else {}
    with ScriptedServer(ScriptedAnswer(status=status, headers=headers)) as server:
        with pytest.raises(StoreUnavailableError, match=words):
            _sender(_keyed(server)).put("q", "x", delay=AT_ONCE)
        assert len(server.log) <= 2


def test_no_token_and_no_answer_are_told() -> None:
    """Neither shows the words of others: they may name tenants and addresses."""
    with pytest.raises(StoreUnavailableError, match="no Entra token for the storage: ClientAuthenticationError") as no:
        _sender(QueueStorage(url="https://127.0.0.1:9", account="s")).put("q", "x", delay=AT_ONCE)
    assert CANARY not in str(no.value)
    silent = QueueStorage(url="http://127.0.0.1:9/s", account="s", key=b"key")
    with pytest.raises(StoreUnavailableError, match=r"the queue service gave no answer: \w+$"):
        _sender(silent).put("q", "x", delay=AT_ONCE)
