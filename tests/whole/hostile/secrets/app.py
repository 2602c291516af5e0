"""The app with real clients, to which the secrets are given."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from typing import Any

from azure.core.credentials import AccessToken
from msgspec.structs import replace

from shared.adapters.batch_auth import TokenAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.event_grid_token import EventGridToken
from shared.adapters.http_transport import HttpTransport
from shared.adapters.lanes import ThreadLanes
from shared.adapters.webhook_sender import WebhookSender
from shared.composition import App, utc_now
from shared.messages.eventgrid import token_scope
from shared.settings.settings import load_settings
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.deployment import build
from tests.support.fake_table import FakeTable
from tests.whole.hostile.secrets.canaries import GRID_HOST, HOOK_PATH, TOKEN


class Credential:
    """Gives the canary token, or fails with it in the error's text."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The token, until tomorrow."""
        if self._failure is not None:
            raise self._failure
        return AccessToken(TOKEN, int((datetime.now(UTC) + timedelta(days=1)).timestamp()))


@dataclass(slots=True)
class LateClock:
    """The system's clock, set ahead, so that chat is told within a test."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Now, and then some."""
        return utc_now() + self.ahead


@dataclass(frozen=True, slots=True)
class Rerouted:
    """The real sender, which finds the Event Grid topic where the other receivers are."""

    sender: WebhookSender
    receiver: str

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """As the sender does."""
        return self.sender.send(replace(request, url=request.url.replace(GRID_HOST, self.receiver)))

    def get(self, url: str) -> WebhookAnswer:
        """As the sender does."""
        return self.sender.get(url)


@cache
def _transport() -> HttpTransport:
    """One for all: loading the certificate authorities takes a tenth of a second."""
    return HttpTransport(allow_http=True)


@cache
def _sender(patience: timedelta) -> WebhookSender:
    """One for all, for the same reason."""
    return WebhookSender(allowed_cidrs=(ip_network("127.0.0.0/8"),), allow_http=True, deadline=patience)


def app_with_secrets(
    settings: dict[str, str],
    *,
    credential: Credential | None = None,
    patience: timedelta = timedelta(seconds=1),
    **parts: Any,
) -> tuple[App, FakeTable]:
    """The app over real clients and a table in memory, which `parts` may replace; with a credential, it has no key."""
    table, transport, sender = FakeTable(), _transport(), _sender(patience)
    auth = TokenAuth(credential or Credential(), scope="https://b//.default", clock=utc_now)
    real = {
        "table": table,
        "batch": {
            account.label: BatchClient(account.url, auth=auth, transport=transport, clock=utc_now)
            for account in load_settings(settings).accounts
        },
        "sender": Rerouted(sender, settings["WEBHOOK_URL"].removesuffix(f"/{HOOK_PATH}")),
        "lanes": ThreadLanes(),
        "clock": LateClock(),
        "authorize": EventGridToken(credential or Credential(), token_scope),
        "check_address": sender.check,
    }
    app, _ = build(settings, **{**real, **parts})
    return app, table
