"""What a receiver repeats of a request never holds what opens the receiver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.delivery.sending import send_authorised
from shared.webhook import Webhook, WebhookAnswer, WebhookRequest

KEY = "c4n4ry/of+an'access&key=="
TOKEN = "c4n4ry-opaque-token-0123456789"
PATH = "/workflows/c4n4ryWorkflow%2Fid/triggers/manual?api-version=1&sig=c4n4ry%2Bsig_-0123"
WEBHOOK = Webhook(
    name="ops", format="eventgrid", url=f"https://h.example{PATH}", key=KEY, content_type="application/json"
)
WITHOUT_KEY = Webhook(
    name="ops", format="eventgrid", url="https://h.example/api/events", content_type="application/json"
)


@dataclass(frozen=True, slots=True)
class Echo:
    """A receiver that answers what it is told to, of whatever length."""

    body: bytes

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Answer."""
        return WebhookAnswer(
            status=400, failure=None, reason="no", retry_after=None, body=self.body, duration=timedelta(0)
        )

    def get(self, url: str) -> WebhookAnswer:
        """Nobody asks."""
        raise NotImplementedError


def _token(webhook: Webhook) -> Mapping[str, str]:
    assert webhook.key is None
    return {"authorization": f"Bearer {TOKEN}"}


def _shown(body: str, webhook: Webhook = WEBHOOK) -> str:
    request = WebhookRequest(url=webhook.url, headers={}, body=b"")
    return send_authorised(Echo(body.encode()), _token, webhook, request).body.decode()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(f"POST {PATH}", id="the path"),
        pytest.param("no workflow c4n4ryWorkflow/id", id="a part of the path, decoded"),
        pytest.param("sig=c4n4ry%252Bsig_-0123", id="encoded once more"),
        pytest.param("sig=c4n4ry%2bsig_-0123", id="in another case"),
        pytest.param(PATH.replace("/", r"\/"), id="JSON with escaped slashes"),
        pytest.param(PATH.replace("&", "&amp;"), id="HTML"),
        pytest.param(f"aeg-sas-key: {KEY}", id="the key"),
        pytest.param(r"c4n4ry/of\u002Ban\u0027access\u0026key==", id="the key as .NET writes JSON"),
        pytest.param(r"c4n4ry\/of+an'access&key==", id="the key with escaped slashes"),
        pytest.param("c4n4ry/of+an&#x27;access&amp;key==", id="the key in HTML"),
        pytest.param("x" * 100 + KEY[:-3], id="the key, cut at the answer's end"),
        pytest.param("x" * 100 + PATH[:40], id="the path, cut at the answer's end"),
    ],
)
def test_what_opens_a_receiver_is_not_shown(said: str) -> None:
    """Neither the key nor anything secret of the address is left of an answer, however it is spelled there."""
    assert "c4n4ry" in said
    assert "c4n4ry" not in _shown(said)


@pytest.mark.parametrize("said", [f"Bearer {TOKEN}", f"token {TOKEN} has no role", TOKEN[:20]], ids=str)
def test_a_token_is_not_shown(said: str) -> None:
    """A token that Entra gave for the receiver is not shown, with its scheme or without."""
    assert "c4n4ry" not in _shown(said, WITHOUT_KEY)


def test_words_stay() -> None:
    """What a receiver says in plain words stays readable, also where it names short parts of the path."""
    said = "Workflows in region h.example are disabled: see triggers/manual, api-version=1."
    assert _shown(said) == said
