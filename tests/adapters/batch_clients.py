"""Batch clients for tests, with a clock that stands still and a credential that is written down."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from shared.adapters.batch_client import BatchClient
from shared.adapters.http_transport import HttpTransport
from shared.batch.wire import split_entries
from shared.ports import BatchService, ListingOptions
from tests.support.scripted_http import ScriptedAnswer

NOW: Final = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ACCOUNT: Final = "myaccount"
KEY: Final = "c2hhcmVkLWtleS1jYW5hcnk="
KEY_BYTES: Final = base64.b64decode(KEY)
TOKEN: Final = "token-canary-0"


class RecordingAuth:
    """Hands out `token-canary-0`, and after each renewal the next; remembers what it signed.

    Args:
        renewals: How many times a refused token is renewed.
    """

    def __init__(self, *, renewals: int = 0) -> None:
        self.signed: list[str] = []
        self._renewals = renewals
        self._number = 0

    def authorize(self, method: str, url: str, headers: Mapping[str, str]) -> str:
        """The present token."""
        self.signed.append(f"{method} {url}")
        return f"Bearer token-canary-{self._number}"

    def renew(self, refused: str) -> bool:
        """Go on to the next token."""
        self._number += 1
        return self._number <= self._renewals


def client_of(url: str, **changes: Any) -> BatchClient:
    """A client of the account at *url*; anything that it is built from may be changed."""
    parts = {"auth": RecordingAuth(), "transport": _transport(), "clock": lambda: NOW}
    return BatchClient(url, **{**parts, **changes})


@cache
def _transport() -> HttpTransport:
    """One for all: it takes a tenth of a second to load the certificate authorities."""
    return HttpTransport(allow_http=True)


def json_reply(body: Any, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> ScriptedAnswer:
    """An answer with a JSON body."""
    return ScriptedAnswer(status=status, headers=headers, body=json.dumps(body).encode())


OPTIONS = ListingOptions()


def page_reply(*nodes: str, link: str | None = None) -> ScriptedAnswer:
    """A page of statuses of these nodes."""
    return json_reply({"value": [{"poolId": "p", "nodeId": node} for node in nodes], "odata.nextLink": link})


def nodes_of(client: BatchService, **more: Any) -> list[str]:
    """The node ids that a listing of one job brings."""
    pages = client.list_statuses("job-1", OPTIONS, **more)
    return [json.loads(bytes(raw))["nodeId"] for page in pages for raw in split_entries(page.value)]
