"""What the eventgrid format sends is what Event Grid's own client sends."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient

from shared.adapters.event_grid_token import EventGridToken
from shared.delivery.credential_redaction import without_token
from shared.delivery.sending import send_authorised
from shared.errors import CredentialError
from shared.messages.eventgrid import eventgrid_url, token_scope
from shared.messages.events import EventType, Origin, webhook_event
from shared.messages.format import Message
from shared.messages.format_table import format_of, render
from shared.webhook import SendFailure, Webhook
from tests.digests.told_world import AnsweringServices
from tests.support.told_jobs import NOW
from tests.support.webhook_settings import GRID, accepted

ORIGIN = Origin(account=None, url=None, site="s", public_url=None)
EVENT = webhook_event(ORIGIN, EventType.PING, "grid", NOW, NOW)
TOPIC = "https://t.westeurope-1.eventgrid.azure.net/api/events"


class _Topic(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Topic

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives
        """Say nothing."""


@pytest.fixture
def topic() -> Iterator[_Topic]:
    """A topic on the loopback that keeps what it gets."""
    server = _Topic()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_same_as_the_official_client(topic: _Topic) -> None:
    """Path, content type, key header and batch equal what azure-eventgrid sends for the same event and key."""
    url = f"http://127.0.0.1:{topic.server_port}/api/events"
    (event,) = [json.loads(EVENT.body)]
    with EventGridPublisherClient(url, AzureKeyCredential("canary")) as client:
        client.send([CloudEvent.from_dict(event)])
    (webhook,) = accepted({**GRID, "url": url, "keySetting": "PAGER_KEY"}, allow_http=True, PAGER_KEY="canary")
    request = render(webhook, Message(id=EVENT.id, body=EVENT.body), NOW)

    ((path, theirs, body),) = topic.got
    assert request.url == f"http://127.0.0.1:{topic.server_port}{path}"
    assert request.headers["content-type"] == theirs["content-type"]
    assert request.headers["aeg-sas-key"] == theirs["aeg-sas-key"] == "canary"
    assert [_comparable(item) for item in json.loads(request.body)] == [_comparable(item) for item in json.loads(body)]


def _comparable(event: dict[str, object]) -> dict[str, object]:
    """An event whose time is a moment, because the SDK writes it with more digits."""
    return {**event, "time": datetime.fromisoformat(str(event["time"])).astimezone(UTC)}


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        (TOPIC, f"{TOPIC}?api-version=2018-01-01"),
        (f"{TOPIC}?api-version=2023-11-01", f"{TOPIC}?api-version=2023-11-01"),
        (f"{TOPIC}?a=b", f"{TOPIC}?a=b&api-version=2018-01-01"),
    ],
    ids=["added", "kept", "joined"],
)
def test_api_version(url: str, whole: str) -> None:
    """The publishing API's version is added unless the address names one."""
    assert eventgrid_url(url) == whole


class _Credential:
    def __init__(self, *, fails: bool = False) -> None:
        self.scopes: list[str] = []
        self.fails = fails

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.scopes.extend(scopes)
        if self.fails:
            raise ClientAuthenticationError("https://login.example/canary-tenant")
        return AccessToken("canary", 0)


def _grid(url: str = TOPIC) -> Webhook:
    return Webhook(name="grid", format="eventgrid", url=url, content_type="application/json")


@pytest.mark.parametrize("domain", ["eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn"])
def test_token(domain: str) -> None:
    """Without a key a topic is sent a bearer token of the scope that Event Grid has in the topic's cloud."""
    credential = _Credential()
    grid = _grid(f"https://T.westeurope-1.{domain}/api/events")
    assert format_of(grid).needs_token(grid)
    assert EventGridToken(credential, token_scope)(grid) == {"authorization": "Bearer canary"}
    assert credential.scopes == [f"https://{domain}/.default"]


@pytest.mark.parametrize(
    "url",
    [
        "https://eventgrid.azure.net.evil.example/api/events",
        "https://evileventgrid.azure.net/api/events",
        "https://t.eventgrid.azure.us.evil.example/api/events",
        "https://t.eventgrid.azure.com/api/events",
        "http://t.westeurope-1.eventgrid.azure.net/api/events",
        "https://evil.example/.eventgrid.azure.net",
        "https://t.eventgrid.azure.net@evil.example/api",
    ],
)
def test_token_goes_nowhere_else(url: str) -> None:
    """No other host is shown a token, and none is even asked for."""
    credential = _Credential()
    with pytest.raises(CredentialError):
        EventGridToken(credential, token_scope)(_grid(url))
    assert credential.scopes == []


def test_no_token_is_a_failure_to_be_tried_again() -> None:
    """Without a token nothing is sent, and the attempt counts as failed without telling tenant or token."""
    hook = _grid()
    sender = AnsweringServices(lambda: NOW, [hook])
    request = render(hook, Message(id=EVENT.id, body=EVENT.body), NOW)
    for authorize in (EventGridToken(_Credential(fails=True), token_scope), without_token):
        answer = send_authorised(sender, authorize, hook, request)
        assert (answer.status, answer.failure) == (None, SendFailure.CREDENTIAL)
        assert "canary" not in answer.reason
    assert sender.sent == []
