"""Which error each refusal of Batch becomes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.batch_errors import error_from_answer
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    HostileAnswerError,
    JobNotFoundError,
    NoPreparationTaskError,
    RejectedRequestError,
    ThrottledError,
    WrongStateError,
)

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def body(
    code: str | None, message: str = "Something.\nRequestId:e3792009-07e2-4545-bea1-b1df9f116af8\nTime:x"
) -> bytes:
    """A BatchError as Batch writes it."""
    return json.dumps({"odata.metadata": "x", "code": code, "message": {"lang": "en-US", "value": message}}).encode()


PERMANENT = """
    InvalidQueryParameterValue UnsupportedQueryParameter MissingRequiredQueryParameter OutOfRangeQueryParameterValue
    RequestUrlFailedToParse InvalidUri InvalidInput OutOfRangeInput InvalidHeaderValue MissingRequiredHeader
    InvalidAuthenticationInfo UnsupportedRequestVersion
"""
CONFLICTS = """
    JobBeingDeleted JobBeingTerminated JobDisabled JobCompleted OperationInvalidForCurrentState NodeNotReady
    TaskFilesUnavailable
"""
DOCUMENTED = [
    *((400, code, RejectedRequestError) for code in PERMANENT.split()),
    (401, "AuthenticationFailed", AccountDeniedError),
    (401, None, AccountDeniedError),
    (403, "AuthenticationFailed", AccountDeniedError),
    (403, "InsufficientAccountPermissions", AccountDeniedError),
    (403, "AccountIsDisabled", AccountDeniedError),
    (404, "JobNotFound", JobNotFoundError),
    (404, "ResourceNotFound", RejectedRequestError),
    (404, "NodeNotFound", RejectedRequestError),
    (404, "FileNotFound", RejectedRequestError),
    (404, "JobPreparationTaskNotRunOnNode", RejectedRequestError),
    (405, "UnsupportedHttpVerb", RejectedRequestError),
    (408, None, BatchUnavailableError),
    (409, None, WrongStateError),
    (409, "JobPreparationTaskNotSpecified", NoPreparationTaskError),
    (409, "JobReleaseTaskNotSpecified", WrongStateError),
    *((409, code, WrongStateError) for code in CONFLICTS.split()),
    (416, "InvalidRange", RejectedRequestError),
    (429, "TooManyRequests", ThrottledError),
    (429, None, ThrottledError),
    (500, "InternalError", BatchUnavailableError),
    (500, "OperationTimedOut", BatchUnavailableError),
    (500, "ServerBusy", ThrottledError),
    (502, None, BatchUnavailableError),
    (503, "ServerBusy", ThrottledError),
    (503, None, ThrottledError),
    (504, None, BatchUnavailableError),
    # A known code under a foreign status closes no job.
    (500, "JobNotFound", BatchUnavailableError),
    (200, "JobNotFound", HostileAnswerError),
    (403, "JobPreparationTaskNotSpecified", AccountDeniedError),
    (204, None, HostileAnswerError),
    (301, None, HostileAnswerError),
    (307, "TooManyRequests", HostileAnswerError),
]


@pytest.mark.parametrize(("status", "code", "kind"), DOCUMENTED, ids=[f"{row[0]}-{row[1]}" for row in DOCUMENTED])
def test_code_decides_before_status(status: int, code: str | None, kind: type[BatchError]) -> None:
    """Every documented code, and every status without one, becomes the error that says what to do."""
    error = error_from_answer(status, {}, body(code), now=NOW)

    assert type(error) is kind
    assert error.status == status
    assert error.code == (code or f"Http{status}")


UNREADABLE = {
    "html": b"<html>404</html>",
    "empty": b"",
    "array": b"[]",
    "wrong types": b'{"code": 5}',
    "not UTF-8": b"\xff{}",
    "too deep": b'{"code":' + b"[" * 100_000,
}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_404_without_a_batch_error_is_no_missing_job(unreadable: bytes) -> None:
    """A gateway's 404 rejects the request and closes nothing."""
    error = error_from_answer(404, {"request-id": "r-1"}, unreadable, now=NOW)

    assert type(error) is RejectedRequestError
    assert (error.code, error.request_id) == ("Http404", "r-1")
    assert "404" in error.message


def test_an_error_whose_words_do_not_decode_is_that_error() -> None:
    """Half a surrogate pair in a message does not hide what Batch says."""
    answer = rb'{"code":"JobNotFound","message":{"value":"No \ud83d job."}}'
    error = error_from_answer(404, {}, answer, now=NOW)
    assert (type(error), error.message) == (JobNotFoundError, "No \ufffd job.")


def test_request_id_comes_from_the_header_or_the_message() -> None:
    """The header wins; without it the id that Batch writes into the message is kept."""
    assert (
        error_from_answer(500, {"request-id": "from-header"}, body("InternalError"), now=NOW).request_id
        == "from-header"
    )
    assert (
        error_from_answer(500, {}, body("InternalError"), now=NOW).request_id == "e3792009-07e2-4545-bea1-b1df9f116af8"
    )
    assert error_from_answer(500, {}, b"", now=NOW).request_id is None


def test_values_are_kept_and_bounded() -> None:
    """The additional pairs are kept, nulls as empty texts, sixteen at most, each cleaned and capped."""
    pairs = [{"key": "QueryParameterName", "value": "maxresults"}, {"key": "Reason", "value": None}]
    pairs += [{"key": "k", "value": "sig=canary" + "x" * 1000}] * 50
    answer = json.dumps({"code": "InvalidQueryParameterValue", "message": "plain text", "values": pairs}).encode()

    error = error_from_answer(400, {}, answer, now=NOW)

    assert error.message == "plain text"
    assert error.values[:2] == (("QueryParameterName", "maxresults"), ("Reason", ""))
    assert error.values[2] == ("k", "sig=[redacted]")
    assert len(error.values) == 16


def test_messages_are_one_capped_line_without_secrets() -> None:
    """What Batch says is cleaned before it becomes an error text."""
    hostile = body("Bad\x1b[31mCode", "a\nb\x00 AccountKey=canary== Bearer canary-token.x " + "ä" * 500)

    error = error_from_answer(400, {}, hostile, now=NOW)

    assert error.code == "BadCode"
    assert error.message.startswith("a b AccountKey=[redacted] Bearer [redacted] ä")
    assert len(error.message.encode()) <= 256
    assert "canary" not in str(error)


WAITS = {
    "seconds": ("7", timedelta(seconds=7)),
    "date": ("Sun, 01 Nov 2026 12:00:30 GMT", timedelta(seconds=30)),
    "past date": ("Sun, 01 Nov 2026 11:00:00 GMT", timedelta(0)),
    "negative": ("-5", timedelta(0)),
    "huge": ("9" * 5000, timedelta(minutes=15)),
    "far date": ("Sun, 01 Nov 2099 12:00:00 GMT", timedelta(minutes=15)),
    "garbage": ("soon", None),
    "absent": (None, None),
}


@pytest.mark.parametrize(("header", "wait"), WAITS.values(), ids=WAITS.keys())
def test_retry_after_is_read_and_clamped(header: str | None, wait: timedelta | None) -> None:
    """Seconds and dates are understood, clamped to 0 to 15 minutes; nonsense is as if nothing was said."""
    headers = {} if header is None else {"retry-after": header}

    assert error_from_answer(429, headers, body("TooManyRequests"), now=NOW).retry_after == wait
