"""How a range of rows is read from a service that answers as it likes."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.errors import StoreUnavailableError
from tests.adapters.table_store.scripted import CUT, Answer, Script, page, refusal, row


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
