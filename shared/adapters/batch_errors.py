"""Turns an answer of Batch that is not the one asked for into the error that says what to do.

Owns the reading of BatchError bodies and the order in which code and status decide. Does not own the errors
themselves (`errors`), nor what a use case does about them.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct

from shared.adapters.sockets import TransportError
from shared.batch.lenient_json import read_entry
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    HostileAnswerError,
    JobNotFoundError,
    NoPreparationTaskError,
    PoolNotFoundError,
    RejectedRequestError,
    ThrottledError,
    WrongStateError,
)
from shared.redaction import one_line
from shared.retry_after import parse_retry_after
from shared.webhook import SendFailure

MESSAGE_LIMIT: Final = 256
_LONGEST_RETRY_AFTER: Final = timedelta(minutes=15)
_MOST_VALUES: Final = 16

# What is said about one job or the whole account has to come with the status that the documentation gives it: a tracked
# job is closed on the strength of this.
_BY_CODE_AND_STATUS: Final[Mapping[tuple[str, int], type[BatchError]]] = {
    ("JobNotFound", HTTPStatus.NOT_FOUND): JobNotFoundError,
    ("PoolNotFound", HTTPStatus.NOT_FOUND): PoolNotFoundError,
    ("JobPreparationTaskNotSpecified", HTTPStatus.CONFLICT): NoPreparationTaskError,
}
_BY_CODE: Final[Mapping[str, type[BatchError]]] = {
    "AuthenticationFailed": AccountDeniedError,
    "InsufficientAccountPermissions": AccountDeniedError,
    "AccountIsDisabled": AccountDeniedError,
    "TooManyRequests": ThrottledError,
    "ServerBusy": ThrottledError,
    "InternalError": BatchUnavailableError,
    "OperationTimedOut": BatchUnavailableError,
}
_BY_STATUS: Final[Mapping[int, type[BatchError]]] = {
    HTTPStatus.UNAUTHORIZED: AccountDeniedError,
    HTTPStatus.FORBIDDEN: AccountDeniedError,
    HTTPStatus.REQUEST_TIMEOUT: BatchUnavailableError,
    # Documented for changes (JobBeingDeleted, JobDisabled ...), and over as soon as the job has moved on.
    HTTPStatus.CONFLICT: WrongStateError,
    HTTPStatus.TOO_MANY_REQUESTS: ThrottledError,
    HTTPStatus.SERVICE_UNAVAILABLE: ThrottledError,
}

_REQUEST_ID = re.compile(r"RequestId:\s*([0-9A-Za-z-]{1,64})")

# Whatever of the connection is not listed is the answer's or the request's own fault.
_UNAVAILABLE: Final[Mapping[SendFailure, str]] = {
    SendFailure.TIMEOUT: "DeadlineExceeded",
    SendFailure.CONNECTION: "ConnectionFailed",
    SendFailure.DNS: "ConnectionFailed",
    SendFailure.TLS: "ConnectionFailed",
    SendFailure.BLOCKED_ADDRESS: "ConnectionFailed",
}


class _Message(Struct, frozen=True):
    lang: str | None = None
    value: str | None = None


class _Detail(Struct, frozen=True):
    key: str | None = None
    value: str | None = None


class _Body(Struct, frozen=True):
    code: str | None = None
    message: _Message | str | None = None
    values: tuple[_Detail, ...] | None = None


_BODY: Final = msgspec.json.Decoder(_Body)


def error_from_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> BatchError:
    """The error for an answer that is not the expected success.

    Args:
        status: The HTTP status.
        headers: The answer's headers, looked up by lower-case name.
        body: The answer's body, or as much of it as was read; need not be JSON.
        now: Makes a wait of a Retry-After date; waits are clamped to 15 minutes.
    """
    answer = _read(body)
    message = answer.message.value if isinstance(answer.message, _Message) else answer.message
    message = message or f"Batch answered {status} without an error that could be read."
    code = one_line(answer.code or f"Http{status}", limit=MESSAGE_LIMIT)
    wait = parse_retry_after(headers.get("retry-after"), now=now)
    return _kind(answer.code, status)(
        code,
        one_line(message, limit=MESSAGE_LIMIT),
        status=status,
        request_id=_request_id(headers, message),
        values=[
            (one_line(pair.key or "", limit=MESSAGE_LIMIT), one_line(pair.value or "", limit=MESSAGE_LIMIT))
            for pair in (answer.values or ())[:_MOST_VALUES]
        ],
        retry_after=None if wait is None else min(wait, _LONGEST_RETRY_AFTER),
    )


def error_from_transport(error: TransportError) -> BatchError:
    """The error for an exchange that did not come to its end."""
    message = f"Batch could not be asked: {error.words}"
    if code := _UNAVAILABLE.get(error.failure):
        return BatchUnavailableError(code, message, status=error.status)
    if error.failure is SendFailure.PROTOCOL:
        return HostileAnswerError("InvalidAnswer", message, status=error.status)
    return RejectedRequestError("InvalidUri", message)


def _kind(code: str | None, status: int) -> type[BatchError]:
    """Batch's code decides where it is known, then the status."""
    if code is not None:
        if kind := _BY_CODE_AND_STATUS.get((code, status)):
            return kind
        if status >= HTTPStatus.BAD_REQUEST and (kind := _BY_CODE.get(code)):
            return kind
    if kind := _BY_STATUS.get(status):
        return kind
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BatchUnavailableError
    # A success that is not the one asked for, and every redirect: Batch gives neither.
    return RejectedRequestError if status >= HTTPStatus.BAD_REQUEST else HostileAnswerError


def _read(body: bytes) -> _Body:
    try:
        return read_entry(_BODY, body, "an error")
    except HostileAnswerError:
        return _Body()


def _request_id(headers: Mapping[str, str], message: str) -> str | None:
    """The header, else what Batch writes into the message itself."""
    if header := headers.get("request-id"):
        return one_line(header, limit=MESSAGE_LIMIT)
    found = _REQUEST_ID.search(message)
    return found[1] if found else None
