"""No secret comes out of what Batch and Entra ID refuse, whatever they repeat."""

import json
from collections.abc import Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from tests.support.hostile_batch import account, failed_node, page
from tests.support.receivers import Receiver, answer, says
from tests.support.scripted_http import Asked, ScriptedAnswer
from tests.support.whole_app import rows_of, stored_text
from tests.whole.hostile.secrets.app import Credential, app_with_secrets
from tests.whole.hostile.secrets.canaries import PAGER_KEY, TEXT_SECRET, TOKEN, environment, nothing_in
from tests.whole.hostile.secrets.every_function import call_everything


def echoing(status: int) -> Callable[[Asked], ScriptedAnswer]:
    """Refuses everything, repeating the credential and a secret in every text."""

    def play(asked: Asked) -> ScriptedAnswer:
        text = f"{asked.headers.get('authorization')} ?sig={TEXT_SECRET}&AccountKey={TEXT_SECRET}"
        code = {401: "InvalidAuthenticationInfo", 404: "JobNotFound", 409: "JobPreparationTaskNotSpecified"}
        body = {
            "code": code.get(status, f"password={TEXT_SECRET}"),
            "message": {"value": text},
            "values": [{"key": "AuthenticationErrorDetail", "value": text}, {"key": text, "value": text}],
        }
        headers = {"request-id": f"Bearer {TOKEN}", "Location": f"http://127.0.0.1:9/?sig={TEXT_SECRET}"}
        return ScriptedAnswer(status=status, headers=headers, body=json.dumps(body).encode())

    return play


STATUSES = (200, 204, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503)
QUICK = {(200, False), (302, True), (401, True), (409, False), (503, True)}


@pytest.mark.parametrize(
    ("status", "whole"),
    [
        pytest.param(
            status,
            whole,
            id=f"{'the account' if whole else 'one job'}-{status}",
            marks=() if (status, whole) in QUICK else pytest.mark.slow,
        )
        for whole in (False, True)
        for status in STATUSES
    ],
)
def test_errors_of_batch(status: int, *, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Batch refuses, for a job or for the account, and whatever it repeats, nothing of it comes out."""
    play = echoing(status)
    listing = (
        (lambda: play(Asked(method="GET", target="", headers={"authorization": f"Bearer {TOKEN}"}))) if whole else None
    )
    with (
        account({"job": play, "ok": page(failed_node("n"))}, jobs=listing, other=play) as batch,
        Receiver(says(answer(200))) as receiver,
    ):
        settings = environment(batch.url, receiver.url(""))
        app, table = app_with_secrets(settings)
        said = call_everything(monkeypatch, lambda: app)
        for _ in range(2):
            said += call_everything(monkeypatch, lambda: app)
    nothing_in(stored_text(list(rows_of(table))), *said)
    # A pager is known by the key in its messages: that one is not for anybody else.
    nothing_in(*(request.partition(b"\r\n\r\n")[2].replace(PAGER_KEY.encode(), b"") for request in receiver.requests))


@pytest.mark.parametrize(
    "failure",
    [
        ClientAuthenticationError(f"Bearer {TOKEN} client_secret={TEXT_SECRET}"),
        ServiceRequestError(f"https://login/?client_secret={TEXT_SECRET}"),
        RuntimeError(f"access_token={TEXT_SECRET}"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_errors_of_the_credential(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an identity's error quotes goes no further."""
    with account({"job": page(failed_node("n"))}) as batch, Receiver(says(answer(200))) as receiver:
        settings = environment(batch.url, receiver.url(""))
        app, table = app_with_secrets(settings, credential=Credential(failure))
        said = call_everything(monkeypatch, lambda: app)
    nothing_in(stored_text(list(rows_of(table))), *said)
    assert b"CredentialUnavailable" in b"".join(said) or b"ConnectionFailed" in b"".join(said)
