"""How the store takes answers of the service that Azurite never gives."""

import gc
import json
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from local.azurite import ACCOUNT, KEY
from shared.adapters.table_store import TableStore, open_table
from shared.errors import RowConflictError, StoreError, StoreUnavailableError, TransactionTooLargeError
from shared.ports import Insert, Operation, Put, Replace
from tests.adapters.table_store.scripted import CUT, Answer, Script, page, refusal
from tests.support.receivers import Receiver, says

BATCH = {"Content-Type": "multipart/mixed; boundary=b"}


def batch(part: bytes) -> Answer:
    """An answer to a transaction that holds this one part."""
    body = (
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n\r\n" + part + b"\r\n--c--\r\n--b--\r\n"
    )
    return Answer(202, body, BATCH)


def batch_refusal(status: int, code: str, message: str) -> Answer:
    """A transaction's only part, refused."""
    _, body, _ = refusal(status, code, message)
    return batch(
        f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )


def words_of(answer: Answer) -> str:
    """What an answer that refuses says in words, nothing if it is none of the service's."""
    try:
        words: str = json.loads(answer.body)["odata.error"]["message"]["value"]
    except (ValueError, KeyError):
        return ""
    return words


def refused(script: Script, answer: Answer, operations: list[Operation]) -> StoreError:
    """What a write raises that is answered so: a short error, without the SDK's own."""
    script.answers = [answer]
    with pytest.raises(StoreError) as caught:
        script.store.transact("p", operations)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value)) < 400
    return caught.value


class NoIdentity:
    """A credential that has no token for anybody."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        """Nothing."""
        raise ClientAuthenticationError("no identity of tenant c4n4ry")


TWO: list[Operation] = [Put(key="a", columns={}), Replace(key="b", columns={}, etag='W/"x"')]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(batch_refusal(409, "EntityAlreadyExists", "1:There."), RowConflictError, id="exists"),
        pytest.param(batch_refusal(412, "UpdateConditionNotSatisfied", "1:No."), RowConflictError, id="changed"),
        pytest.param(batch_refusal(412, "ConditionNotMet", "1:No."), RowConflictError, id="changed, other words"),
        pytest.param(batch_refusal(404, "ResourceNotFound", "1:No."), RowConflictError, id="gone"),
        pytest.param(batch_refusal(409, "TableBeingDeleted", "0:Wait."), StoreUnavailableError, id="being deleted"),
        pytest.param(batch_refusal(503, "ServerBusy", "0:Wait."), StoreUnavailableError, id="a busy part"),
        pytest.param(batch_refusal(500, "OperationTimedOut", "0:Wait."), StoreUnavailableError, id="a late part"),
        pytest.param(batch_refusal(400, "InvalidDuplicateRow", "1:Twice."), StoreError, id="not understood"),
        pytest.param(batch_refusal(400, "EntityTooLarge", "1:Large."), TransactionTooLargeError, id="row too large"),
        pytest.param(refusal(413, "RequestBodyTooLarge", "Large."), TransactionTooLargeError, id="too large"),
        pytest.param(refusal(403, "AuthorizationPermissionMismatch", "No."), StoreUnavailableError, id="no role"),
        pytest.param(refusal(403, "AuthenticationFailed", "No."), StoreUnavailableError, id="wrong key"),
        pytest.param(Answer(502, b"<html>", {"Content-Type": "text/html"}), StoreUnavailableError, id="a gateway"),
        pytest.param(Answer(202, b"--b", CUT | BATCH), StoreUnavailableError, id="cut short"),
        pytest.param(batch(b"garbage\r\n\r\n"), StoreUnavailableError, id="a part that is no HTTP"),
        pytest.param(batch(b"HTTP/1.1 204 No\r\nETag: x\r\n\r\n"), StoreUnavailableError, id="too few parts"),
        pytest.param(batch(b"HTTP/1.1 204 No Content\r\n\r\n"), StoreUnavailableError, id="a part without ETag"),
    ],
)
def test_a_refused_write_is_told_by_code_and_status(script: Script, answer: Answer, error: type[Exception]) -> None:
    """Each refusal becomes exactly the error its catcher can act upon; the SDK's own, which quotes answers, is left."""
    assert type(refused(script, answer, TWO)) is error


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(refusal(409, "EntityAlreadyExists", "There."), RowConflictError, id="exists"),
        pytest.param(refusal(409, "TableBeingDeleted", "Wait."), StoreUnavailableError, id="being deleted"),
        pytest.param(refusal(503, "ServerBusy", "Wait."), StoreUnavailableError, id="busy"),
        pytest.param(refusal(400, "InvalidInput", "No."), StoreError, id="not understood"),
        pytest.param(refusal(400, "EntityTooLarge", "Large."), TransactionTooLargeError, id="row too large"),
        pytest.param(refusal(413, "RequestBodyTooLarge", "Large."), TransactionTooLargeError, id="too large"),
        pytest.param(refusal(403, "AuthenticationFailed", "No."), StoreUnavailableError, id="wrong key"),
        pytest.param(Answer(409, b"{}"), StoreUnavailableError, id="a conflict without a code"),
        pytest.param(Answer(409, b"\xff", {"Content-Type": "text/x; charset=x"}), StoreUnavailableError, id="no text"),
        pytest.param(Answer(502, b"<html>", {"Content-Type": "text/html"}), StoreUnavailableError, id="a gateway"),
        pytest.param(Answer(204, b"", CUT), StoreUnavailableError, id="without ETag"),
        pytest.param(Answer(201, b"{", CUT), StoreUnavailableError, id="cut short"),
    ],
)
def test_a_refused_insertion_of_one_row_is_told_alike(script: Script, answer: Answer, error: type[Exception]) -> None:
    """One row that is inserted is no transaction, and what refuses it becomes the same errors."""
    raised = refused(script, answer, [Insert(key="a", columns={})])
    assert type(raised) is error
    assert script.asked[0].endswith("/scripted")
    # Whoever reads the log sees what the service said.
    assert words_of(answer) in str(raised)


@pytest.mark.parametrize(
    ("message", "key"),
    [("0:No.", "a"), ("1:No.", "b"), ("7:No.", None), ("No.", None), ("", None)],
)
def test_a_conflict_names_a_row_only_if_the_service_did(script: Script, message: str, key: str | None) -> None:
    """Without an index in the message no row is named, where the SDK would say the first."""
    script.answers = [batch_refusal(412, "UpdateConditionNotSatisfied", message)]
    with pytest.raises(RowConflictError) as caught:
        script.store.transact("p", TWO)
    assert caught.value.row_key == key


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(503, "ServerBusy", "Wait."), id="busy"),
        pytest.param(refusal(403, "AuthorizationFailure", "No."), id="refused"),
        pytest.param(Answer(200, b"<html>", {"Content-Type": "text/html"}), id="a page of a proxy"),
        pytest.param(Answer(200, b'{"value": [', {"Content-Type": "application/json"}), id="half a JSON"),
        pytest.param(Answer(200, b'{"value"', CUT), id="cut short"),
    ],
)
def test_reading_without_a_usable_answer_says_so(script: Script, answer: Answer) -> None:
    """A read that gets no usable answer is never taken for a missing row or an empty range."""
    script.answers = [answer]
    with pytest.raises(StoreUnavailableError):
        script.store.get("p", "r")
    with pytest.raises(StoreUnavailableError):
        list(script.store.query("p", "a", "z"))


@pytest.mark.slow
def test_an_answer_that_is_cut_short_is_never_success(script: Script) -> None:
    """Whatever the byte at which the answer to a write breaks off, it is no answer."""
    part = b'--c\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\nETag: W/"1"\r\n\r\n\r\n'
    whole = b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" + 2 * part + b"--c--\r\n--b--\r\n"
    promised = BATCH | {"Content-Length": str(len(whole))}
    store = script.store
    for length in range(len(whole)):
        script.answers = [Answer(202, whole[:length], promised)]
        with pytest.raises(StoreUnavailableError):
            store.transact("p", TWO)
    script.answers = [Answer(202, whole, promised)]
    assert store.transact("p", TWO) == {"a": 'W/"1"', "b": 'W/"1"'}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nNo.", id="tried again in vain"),
        pytest.param(b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nNo.", id="refused"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", id="a broken chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", id="cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", id="no JSON"),
    ],
)
def test_no_answer_leaves_its_connection_open(said: bytes) -> None:
    """Whatever is answered to a read or a write, no connection is left behind."""
    gc.collect()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ResourceWarning)
        with Receiver(says(said)) as server:
            ask_in_vain(f"http://127.0.0.1:{server.port}/{ACCOUNT}")
        gc.collect()
    assert [str(warning.message) for warning in heard] == []


def ask_in_vain(endpoint: str) -> None:
    """Read a row and a range, and write, each ending in an error."""
    connection_string = f"AccountName={ACCOUNT};AccountKey={KEY};TableEndpoint={endpoint}"
    store = open_table(connection_string, "scripted", answer_timeout=timedelta(milliseconds=100))
    for ask in (
        lambda: store.get("p", "r"),
        lambda: list(store.query("p", "a", "z")),
        lambda: store.transact("p", TWO),
    ):
        with pytest.raises(StoreError):
            ask()


def test_a_connection_is_used_again(script: Script) -> None:
    """A row, a range, a row that is missing and a refusal go over one connection."""
    missing = refusal(404, "ResourceNotFound", "No.")
    script.answers = [page("a", follow=None), missing, refusal(403, "AuthorizationFailure", "No."), page(follow=None)]
    store = script.store
    assert len(list(store.query("p", "a", "z"))) == 1
    assert store.get("p", "r") is None
    with pytest.raises(StoreUnavailableError):
        store.get("p", "r")
    assert list(store.query("p", "a", "z")) == []
    assert script.connections == 1


def test_no_proxy_of_the_environment_is_used(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is asked directly, as Batch and the webhooks are, whatever the variables say."""
    for name, value in (("HTTP_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", ""), ("no_proxy", "")):
        monkeypatch.setenv(name, value)
    script.answers = [page("a", follow=None)]
    assert [row.key for row in script.store.query("p", "a", "z")] == ["a"]


def test_a_busy_table_is_asked_again_soon(script: Script) -> None:
    """One 503 that asks for a minute's patience is overcome within the call."""
    busy = refusal(503, "ServerBusy", "Wait.")
    script.answers = [busy._replace(headers=busy.headers | {"Retry-After": "60"}), page("a", follow=None)]
    start = time.monotonic()
    assert [row.key for row in script.store.query("p", "a", "z")] == ["a"]
    assert time.monotonic() - start < 30


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection is told as unavailable, for each method, without the SDK's error or the key."""
    with Script() as closed:
        store = closed.store
    calls: list[Any] = [
        lambda: store.get("p", "r"),
        lambda: list(store.query("p", "a", "z")),
        lambda: store.transact("p", [Put(key="r", columns={})]),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailableError) as caught:
            call()
        assert caught.value.__cause__ is None
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get("p", "k"),
        lambda store: list(store.query("p", "a", "b")),
        lambda store: store.transact("p", TWO),
    ],
    ids=["one row", "many rows", "a write"],
)
def test_a_token_that_is_not_to_be_had_is_said_to_be(ask: Callable[[TableStore], object]) -> None:
    """Nobody was asked, so no status is named, and nothing of what the credential says."""
    store = open_table(("https://state.table.core.windows.net", NoIdentity()), "prepwatch")
    with pytest.raises(StoreUnavailableError) as caught:
        ask(store)
    assert str(caught.value) == "no Entra token for the storage: ClientAuthenticationError"
