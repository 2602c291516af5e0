"""How the store takes answers of the service that Azurite never gives."""

import gc
import json
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple
from uuid import UUID

import pytest

from local.azurite import ACCOUNT, KEY
from shared.adapters.table_store import TableStore, open_table
from shared.errors import RowConflictError, StoreError, StoreUnavailableError, TransactionTooLargeError
from shared.ports import Operation, Put, Replace
from tests.support.receivers import Receiver, says


class Answer(NamedTuple):
    """One scripted answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


BATCH = {"Content-Type": "multipart/mixed; boundary=b"}
CUT = {"Content-Length": "99"}


class Script(ThreadingHTTPServer):
    """A table service that gives these answers in turn, then the last one for ever; `asked` holds the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def store(self) -> TableStore:
        """A store that asks this service."""
        endpoint = f"http://127.0.0.1:{self.server_port}/{ACCOUNT}"
        connection_string = f"AccountName={ACCOUNT};AccountKey={KEY};TableEndpoint={endpoint}"
        return open_table(connection_string, "scripted", answer_timeout=timedelta(seconds=1))


class _Handler(BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        answer = self.server.answers[0]
        if len(self.server.answers) > 1:
            del self.server.answers[0]
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        promised = answer.headers.get("Content-Length", str(len(answer.body)))
        self.close_connection = promised != str(len(answer.body)) or "Transfer-Encoding" in answer.headers

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def script() -> Iterator[Script]:
    """A scripted service; set its answers first."""
    with Script() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def refusal(status: int, code: str, message: str) -> Answer:
    """An error as the service words it."""
    body = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}}).encode()
    return Answer(status, body, {"Content-Type": "application/json", "x-ms-error-code": code})


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
    script.answers = [answer]
    with pytest.raises(StoreError) as caught:
        script.store.transact("p", TWO)
    assert type(caught.value) is error
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value)) < 400


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


def page(*keys: str, follow: str | None) -> Answer:
    """A page of a range; *follow* is the row that the next page begins with."""
    rows = [{"odata.etag": "e", "PartitionKey": "p", "RowKey": key} for key in keys]
    headers = {"Content-Type": "application/json"}
    if follow is not None:
        headers |= {"x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": follow}
    return Answer(200, json.dumps({"value": rows}).encode(), headers)


def row(**members: object) -> dict[str, object]:
    """A row as the service answers it, with what OData adds."""
    known = {"odata.metadata": "https://x/$metadata#t/@Element", "odata.etag": "e", "PartitionKey": "p", "RowKey": "r"}
    return known | members


@pytest.mark.parametrize(
    ("member", "column"),
    [
        pytest.param({"x": "L\u00e4uft"}, "L\u00e4uft", id="text"),
        pytest.param({"x": 7}, 7, id="a number"),
        pytest.param({"x": True}, True, id="a truth"),
        pytest.param({"x": None}, None, id="nothing"),
        pytest.param({"x@odata.type": "Edm.Binary", "x": "AAH/"}, b"\x00\x01\xff", id="bytes"),
        pytest.param({"x@odata.type": "Edm.Int64", "x": "-9223372036854775808"}, -(2**63), id="64 bits"),
        pytest.param(
            {"x@odata.type": "Edm.DateTime", "x": "2026-11-22T23:25:20.2117329Z"},
            datetime(2026, 11, 22, 23, 25, 20, 211732, tzinfo=UTC),
            id="a time finer than ours",
        ),
        pytest.param(
            {"x@odata.type": "Edm.DateTime", "x": "2026-11-22T23:25:20Z"},
            datetime(2026, 11, 22, 23, 25, 20, tzinfo=UTC),
            id="a whole second",
        ),
        pytest.param({"x": 0.5}, 0.5, id="a fraction, which we never write"),
        pytest.param({"x@odata.type": "Edm.Guid", "x": str(UUID(int=7))}, UUID(int=7), id="a GUID, likewise"),
    ],
)
def test_a_column_is_read_by_the_type_that_the_service_names(
    script: Script, member: dict[str, object], column: object
) -> None:
    """Each type comes back as plain Python; keys, the service's own time and what OData adds are no columns."""
    body = json.dumps(row(Timestamp="2026-11-22T23:25:20.2117329Z", **member)).encode()
    json_body = {"Content-Type": "application/json"}
    script.answers = [Answer(200, body, json_body), Answer(200, b'{"value": [%b]}' % body, json_body)]
    for found in (script.store.get("p", "r"), *script.store.query("p", "a", "z")):
        assert found is not None
        assert (found.key, found.etag, found.columns) == ("r", "e", {"x": column})
        assert type(found.columns["x"]) is type(column)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("7", id="no object"),
        pytest.param("{}", id="nothing"),
        pytest.param(json.dumps(row()).replace("RowKey", "Rowkey"), id="no key"),
        pytest.param(json.dumps(row()).replace("odata.etag", "etag"), id="no ETag"),
        pytest.param(json.dumps(row(**{"x@odata.type": "Edm.Binary", "x": "A"})), id="no base64"),
        pytest.param(json.dumps(row(**{"x@odata.type": "Edm.Binary", "x": 7})), id="a number for bytes"),
        pytest.param(json.dumps(row(**{"x@odata.type": "Edm.Int64", "x": "x"})), id="no number"),
        pytest.param(json.dumps(row(**{"x@odata.type": "Edm.DateTime", "x": "yesterday"})), id="no time"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(script: Script, body: str) -> None:
    """What is no row, or not of the type that it says, is no usable answer, and never a row with less in it."""
    json_body = {"Content-Type": "application/json"}
    whole = body.encode()
    script.answers = [Answer(200, whole, json_body), Answer(200, b'{"value": [%b]}' % whole, json_body)]
    with pytest.raises(StoreUnavailableError):
        script.store.get("p", "r")
    with pytest.raises(StoreUnavailableError):
        list(script.store.query("p", "a", "z"))


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


def test_empty_pages_do_not_end_a_range(script: Script) -> None:
    """The service may answer with no rows and a continuation, at the beginning and in between."""
    script.answers = [page(follow="a"), page("a", follow="b"), page(follow="b"), page("b", follow=None)]
    assert [row.key for row in script.store.query("p", "a", "z")] == ["a", "b"]
    assert len(script.asked) == 4


def test_an_answer_that_breaks_off_is_asked_for_again(script: Script) -> None:
    """A read whose answer is cut within its body is tried again as one without an answer is."""
    row = Answer(200, b'{"odata.etag": "e", "PartitionKey": "p", "RowKey": "r"}', {"Content-Type": "application/json"})
    script.answers = [Answer(200, b'{"odata.etag"', CUT), row, Answer(200, b'{"value"', CUT), page("a", follow=None)]
    found = script.store.get("p", "r")
    assert found is not None
    assert found.key == "r"
    assert [row.key for row in script.store.query("p", "a", "z")] == ["a"]
    assert len(script.asked) == 4


def test_a_page_is_asked_for_when_it_is_needed(script: Script) -> None:
    """Who stops early pays for no further page."""
    script.answers = [page("a", follow="b"), page("b", follow=None)]
    assert next(script.store.query("p", "a", "z")).key == "a"
    assert len(script.asked) == 1


def test_a_continuation_that_names_nothing_ends_the_range(script: Script) -> None:
    """Empty headers are no continuation: the first page is not asked for again and again."""
    last = page("a", follow=None)
    nothing = {"x-ms-continuation-NextPartitionKey": "", "x-ms-continuation-NextRowKey": ""}
    script.answers = [Answer(last.status, last.body, last.headers | nothing)]
    assert [row.key for row in script.store.query("p", "a", "z")] == ["a"]


def test_a_page_that_fails_in_between_ends_the_range_with_an_error(script: Script) -> None:
    """The rows before are given, then the error: never a range that looks complete."""
    script.answers = [page("a", follow="b"), refusal(403, "AuthorizationFailure", "No.")]
    rows = script.store.query("p", "a", "z")
    assert next(rows).key == "a"
    with pytest.raises(StoreUnavailableError):
        next(rows)


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
    calls: list[Callable[[], object]] = [
        lambda: store.get("p", "r"),
        lambda: list(store.query("p", "a", "z")),
        lambda: store.transact("p", [Put(key="r", columns={})]),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailableError) as caught:
            call()
        assert caught.value.__cause__ is None
        assert KEY not in str(caught.value)
