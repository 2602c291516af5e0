"""How rows and transactions are spelled and answers read, beside what azure-data-tables makes of the same."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote_plus

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.pipeline import PipelineRequest
from azure.core.rest import HttpRequest
from azure.data.tables import EdmType, EntityProperty, TableClient, UpdateMode

from local.azurite import KEY
from shared.adapters.table_store import TableStore
from shared.adapters.table_wire import (
    Refusal,
    content_type,
    decode_answer,
    decode_refusal,
    decode_row,
    decode_rows,
    encode_transaction,
)
from shared.errors import StoreUnavailableError
from shared.ports import Column, Delete, Insert, Merge, Operation, Put, Replace

ENDPOINT = "https://stored.table.core.windows.net"
PARTITION = "it's|account.batch.azure.com:8443"
ETAG = "W/\"datetime'2026-11-22T23%3A25%3A20.2117329Z'\""
DATES = re.compile(rb"(?:x-ms-date|Date): [^\r]*\r\n")

Credential = AzureNamedKeyCredential | AzureSasCredential | Any


class CaughtError(Exception):
    """Ends a request that has been looked at."""


class OneToken:
    """A credential of Entra ID."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """The same token for ever."""
        return AccessToken("the-token", 2**33)


def client(hook: Callable[[PipelineRequest[HttpRequest]], None], credential: Credential) -> TableClient:
    """A client whose requests end in *hook*, signed, and never leave the process."""
    return TableClient(ENDPOINT, "prepwatch", credential=credential, raw_request_hook=hook)


def key() -> AzureNamedKeyCredential:
    """The key of the account."""
    return AzureNamedKeyCredential("stored", KEY)


def sent_by(call: Callable[[TableClient], object], credential: Credential) -> HttpRequest:
    """The request that *call* makes, as it would have left."""
    seen: list[HttpRequest] = []

    def look(request: PipelineRequest[HttpRequest]) -> None:
        seen.append(request.http_request)
        raise CaughtError

    with pytest.raises((CaughtError, StoreUnavailableError)):
        call(client(look, credential))
    return seen[0]


def parts_of(body: bytes) -> list[tuple[bytes, Any]]:
    """Each part of a transaction: all before its JSON, without dates and lengths, and the JSON."""
    boundary = re.search(rb"boundary=(changeset_[\w-]+)", body)
    assert boundary is not None
    _, *parts, end = body.split(b"--" + boundary[1])
    assert end.startswith(b"--\r\n")
    pairs = [DATES.sub(b"", part).rpartition(b"\r\n\r\n")[::2] for part in parts]
    return [
        (re.sub(rb"Content-Length: \d+", b"", head), json.loads(rest) if rest.strip() else None) for head, rest in pairs
    ]


EVERY_TYPE: dict[str, Column] = {
    "text": "Läuft: 日本語 😀 \"'\\\n\t\x00</x>",
    "empty": "",
    "small": -(2**31),
    "large": 2**31,
    "yes": True,
    "bytes": bytes(range(256)),
    "at": datetime(2026, 3, 1, 12, 30, 59, 123456, tzinfo=timezone(timedelta(hours=5))),
    "midnight": datetime(2026, 3, 1, tzinfo=UTC),
}
TYPED = {**EVERY_TYPE, "large": EntityProperty(2**31, EdmType.INT64)}
KEYED = "it's|日本 %2F+&="


def keyed(columns: Mapping[str, object]) -> dict[str, object]:
    """The SDK's entity of these columns."""
    return {"PartitionKey": PARTITION, "RowKey": KEYED, **columns}


IF_SAME = {"etag": ETAG, "match_condition": MatchConditions.IfNotModified}


@pytest.mark.parametrize(
    ("operation", "of_sdk"),
    [
        pytest.param(
            Insert(key=KEYED, columns=EVERY_TYPE),
            ("create", keyed(TYPED), {"response_preference": "return-no-content"}),
            id="insert",
        ),
        pytest.param(
            Put(key=KEYED, columns=EVERY_TYPE), ("upsert", keyed(TYPED), {"mode": UpdateMode.REPLACE}), id="put"
        ),
        pytest.param(Merge(key=KEYED, columns={}), ("upsert", keyed({}), {"mode": UpdateMode.MERGE}), id="merge"),
        pytest.param(
            Replace(key=KEYED, columns=EVERY_TYPE, etag=ETAG),
            ("update", keyed(TYPED), {"mode": UpdateMode.REPLACE, **IF_SAME}),
            id="replace",
        ),
        pytest.param(Delete(key=KEYED, etag=ETAG), ("delete", keyed({}), IF_SAME), id="delete if unchanged"),
        pytest.param(Delete(key=KEYED), ("delete", keyed({}), {}), id="delete"),
    ],
)
def test_a_transaction_is_spelled_as_the_sdk_spells_it(operation: Operation, of_sdk: Any) -> None:
    """Method, address, headers and JSON of each part are the SDK's own, in order, but for the dates."""
    ours = sent_by(lambda sdk: TableStore(sdk).transact(PARTITION, [operation, Put(key="last", columns={})]), key())
    last = ("upsert", {"PartitionKey": PARTITION, "RowKey": "last"}, {"mode": UpdateMode.REPLACE})
    theirs = sent_by(lambda sdk: sdk.submit_transaction([of_sdk, last]), key())
    theirs.prepare_multipart_body()
    assert parts_of(ours.content) == parts_of(theirs.body)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    for name in ("x-ms-version", "DataServiceVersion", "MaxDataServiceVersion", "Accept"):
        assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize(
    ("credential", "proof"),
    [
        pytest.param(key, "SharedKey stored:", id="account key"),
        pytest.param(lambda: AzureSasCredential("sv=2026&sig=signed"), "sig=signed", id="shared access signature"),
        pytest.param(OneToken, "Bearer the-token", id="Entra ID"),
    ],
)
def test_a_transaction_is_signed_by_the_sdk(credential: Callable[[], Credential], proof: str) -> None:
    """The SDK's pipeline takes our request and signs it, whatever the credential; if not, the SDK has changed."""
    request = sent_by(lambda sdk: TableStore(sdk).transact(PARTITION, [Put(key="a", columns={})]), credential())
    assert proof in f"{request.headers.get('Authorization')} {request.url}"
    assert request.headers["x-ms-date"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(
            lambda sdk: TableStore(sdk).get(PARTITION, "due|it's/b"),
            lambda sdk: sdk.get_entity(PARTITION, "due|it's/b"),
            id="a row",
        ),
        pytest.param(
            lambda sdk: list(TableStore(sdk).query(PARTITION, "it's|", "it's}")),
            lambda sdk: list(
                sdk.query_entities(
                    "PartitionKey eq @p and RowKey ge @start and RowKey lt @end",
                    parameters={"p": PARTITION, "start": "it's|", "end": "it's}"},
                )
            ),
            id="a range",
        ),
    ],
)
@pytest.mark.parametrize(
    ("credential", "proof"),
    [
        pytest.param(key, "SharedKey stored:", id="account key"),
        pytest.param(lambda: AzureSasCredential("sv=2026&sig=signed"), "sig=signed", id="shared access signature"),
        pytest.param(OneToken, "Bearer the-token", id="Entra ID"),
    ],
)
def test_a_read_is_asked_and_signed_as_the_sdk_does(
    ours: Callable[[TableClient], object],
    theirs: Callable[[TableClient], object],
    credential: Callable[[], Credential],
    proof: str,
) -> None:
    """A row and a range are asked for at the address that the SDK asks, with its headers and its signature."""
    asked, expected = sent_by(ours, credential()), sent_by(theirs, credential())
    assert (asked.method, unquote_plus(asked.url)) == (expected.method, unquote_plus(expected.url))
    assert asked.headers["Accept"] == expected.headers["Accept"]
    assert asked.headers["x-ms-version"] == expected.headers["x-ms-version"]
    assert proof in f"{asked.headers.get('Authorization')} {asked.url}"


def entity(**members: object) -> bytes:
    """A row as the service answers it."""
    known = {"odata.metadata": "https://x/$metadata#t/@Element", "odata.etag": ETAG, "PartitionKey": "p", "RowKey": "r"}
    return json.dumps(known | {"Timestamp": "2026-11-22T23:25:20.2117329Z"} | members).encode()


def test_a_row_is_read_by_the_types_that_the_service_names() -> None:
    """Keys, the service's own time and what OData adds are no columns; what we never write stays as it came."""
    columns = {
        "b@odata.type": "Edm.Binary",
        "b": "AAH/",
        "i": 7,
        "yes": True,
        "text": "Läuft",
        "none": None,
        "long@odata.type": "Edm.Int64",
        "long": "-9223372036854775808",
        "double": 0.5,
        "at@odata.type": "Edm.DateTime",
        "at": "2026-11-22T23:25:20.2117329Z",
        "id@odata.type": "Edm.Guid",
        "id": "c9da6455-213d-42c9-9a79-3e9149a57833",
    }
    row = decode_row(entity(**columns))
    assert (row.key, row.etag) == ("r", ETAG)
    assert row.columns == {
        "b": b"\x00\x01\xff",
        "i": 7,
        "yes": True,
        "text": "Läuft",
        "none": None,
        "long": -(2**63),
        "double": 0.5,
        "id": "c9da6455-213d-42c9-9a79-3e9149a57833",
        "at": datetime(2026, 11, 22, 23, 25, 20, 211733, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(entity().replace(b"RowKey", b"Rowkey"), id="no key"),
        pytest.param(entity().replace(b"odata.etag", b"etag"), id="no ETag"),
        pytest.param(entity(**{"b@odata.type": "Edm.Binary", "b": "A"}), id="no base64"),
        pytest.param(entity(**{"b@odata.type": "Edm.Binary", "b": "AA==\n"}), id="base64 with a line break"),
        pytest.param(entity(**{"b@odata.type": "Edm.Binary", "b": 7}), id="a number for bytes"),
        pytest.param(entity(**{"i@odata.type": "Edm.Int64", "i": "x"}), id="no number"),
        pytest.param(entity(**{"t@odata.type": "Edm.DateTime", "t": "yesterday"}), id="no time"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(body: bytes) -> None:
    """What is no row, or not of the type that it says, is an error, and never a row with less in it."""
    for read in (decode_row, lambda row: decode_rows(b'{"value":[%b]}' % row)):
        with pytest.raises((ValueError, TypeError)):
            read(body)


def answer(*parts: str, of: str = "changesetresponse_c") -> tuple[str, bytes]:
    """The content type and body of an answer of these parts."""
    inner = "".join(f"--{of}\r\nContent-Type: application/http\r\n\r\n{part}\r\n" for part in parts) + f"--{of}--\r\n"
    body = f"--b\r\nContent-Type: multipart/mixed; boundary={of}\r\n\r\n{inner}--b--\r\n"
    return "multipart/mixed; boundary=b", body.encode()


DONE = 'HTTP/1.1 204 No Content\r\nDataServiceVersion: 1.0;\r\nETag: W/"1"\r\n\r\n'
GONE = "HTTP/1.1 204 No Content\r\n\r\n"
REFUSED = '{"odata.error":{"code":"ConditionNotMet","message":{"lang":"en-US","value":"1:No."}}}'
TWO: Sequence[Operation] = (Put(key="a", columns={}), Delete(key="b"))


def test_an_answer_gives_the_etag_of_each_written_row() -> None:
    """ETags are told by key and in order; a deleted row has none."""
    assert decode_answer(*answer(DONE, GONE), TWO) == {"a": 'W/"1"'}
    assert decode_answer(*answer(GONE, DONE.replace("ETag", "etag")), TWO[::-1]) == {"a": 'W/"1"'}


def test_a_refused_part_stands_for_the_whole() -> None:
    """What refuses a transaction is one part, within a change set or without; it tells status, code and words."""
    refused = f"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n{REFUSED}"
    expected = Refusal(status=412, code="ConditionNotMet", message="1:No.")
    assert decode_answer(*answer(refused), TWO) == expected
    bare = f"--b\r\nContent-Type: application/http\r\n\r\n{refused}\r\n--b--\r\n"
    assert decode_answer('multipart/mixed; boundary="b"', bare.encode(), TWO) == expected


def test_an_answer_that_is_cut_short_is_never_success() -> None:
    """Whatever the byte at which an answer ends early, it is no answer."""
    media_type, body = answer(DONE, GONE)
    for length in range(body.rindex(b"--\r\n") + len(b"--")):
        with pytest.raises(ValueError, match="cut short"):
            decode_answer(media_type, body[:length], TWO)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        pytest.param("application/json", b"{}", id="no parts"),
        pytest.param(*answer(DONE), id="too few"),
        pytest.param(*answer(DONE, GONE, DONE), id="too many"),
        pytest.param(*answer(GONE, GONE), id="without ETag"),
        pytest.param(*answer("gibberish", GONE), id="no HTTP"),
        pytest.param(*answer("HTTP/1.1 999 What\r\n\r\n", GONE), id="no status"),
    ],
)
def test_what_answers_something_else_is_no_answer(media_type: str, body: bytes) -> None:
    """An answer that does not fit the operations is a ValueError, never taken for success or refusal."""
    with pytest.raises(ValueError, match=r".+"):
        decode_answer(media_type, body, TWO)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(REFUSED.encode(), "ConditionNotMet", id="its own code"),
        pytest.param(b"<html>", "ServerBusy", id="no JSON"),
        pytest.param(b"", "ServerBusy", id="nothing"),
        pytest.param(b'{"odata.error": 1}', "ServerBusy", id="another shape"),
        pytest.param(b'{"odata.error":{"message":{"value":"\xff"}}}', "ServerBusy", id="no UTF-8"),
    ],
)
def test_a_refusal_without_words_keeps_the_code_of_its_header(body: bytes, code: str) -> None:
    """The body's code wins; a body that can't be read costs its words only."""
    refusal = decode_refusal(503, "ServerBusy", body)
    assert (refusal.status, refusal.code) == (503, code)
    assert decode_refusal(503, None, b"").code == ""


def test_the_boundary_is_the_one_that_the_request_names() -> None:
    """The content type names the boundary that ends the body."""
    body = encode_transaction(ENDPOINT, "t", "2019-02-02", "p", TWO, "fresh")
    named = content_type("fresh").partition("boundary=")[2]
    assert body.startswith(f"--{named}\r\n".encode())
    assert body.endswith(f"--{named}--\r\n".encode())
