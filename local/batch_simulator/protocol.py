"""Requests, answers and errors as the Batch REST API shapes them on the wire.

Owns the error codes, bodies and headers that are the same for every operation; knows no operation.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

JSON_TYPE = "application/json;odata=minimalmetadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, read but not judged.

    `path` is as encoded in the URL; `query` keeps names as written; header names are lower-case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base_url: str
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; `content_length` is that of the thing described when a HEAD answer has no body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    content_length: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """HTTP status and wording of one error code."""

    status: HTTPStatus
    message: str


# https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes; TooManyRequests as seen in the wild.
ERRORS: Mapping[str, Known] = {
    "InvalidQueryParameterValue": Known(
        HTTPStatus.BAD_REQUEST,
        "The value specified for one of the URL query parameters is invalid.",
    ),
    "OutOfRangeQueryParameterValue": Known(
        HTTPStatus.BAD_REQUEST,
        "A query parameter specified in the request URL is outside the permissible range.",
    ),
    "UnsupportedQueryParameter": Known(
        HTTPStatus.BAD_REQUEST,
        "One of the query parameters specified in the request URL is not supported.",
    ),
    "MissingRequiredQueryParameter": Known(
        HTTPStatus.BAD_REQUEST,
        "A required query parameter was not specified for this request.",
    ),
    "UnsupportedRequestVersion": Known(
        HTTPStatus.BAD_REQUEST,
        "The specified API version is not supported by the service.",
    ),
    "InvalidHeaderValue": Known(
        HTTPStatus.BAD_REQUEST,
        "The value provided for one of the HTTP headers was not in the correct format.",
    ),
    "InvalidUri": Known(
        HTTPStatus.BAD_REQUEST,
        "The requested URI does not represent any resource on the server.",
    ),
    "AuthenticationFailed": Known(
        HTTPStatus.FORBIDDEN,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
        "correctly including the signature.",
    ),
    "InsufficientAccountPermissions": Known(
        HTTPStatus.FORBIDDEN,
        "The account being accessed does not have sufficient permissions to execute this operation.",
    ),
    "AccountIsDisabled": Known(HTTPStatus.FORBIDDEN, "The specified account is disabled."),
    "JobNotFound": Known(HTTPStatus.NOT_FOUND, "The specified job does not exist."),
    "PoolNotFound": Known(HTTPStatus.NOT_FOUND, "The specified pool does not exist."),
    "NodeNotFound": Known(HTTPStatus.NOT_FOUND, "The specified node does not exist."),
    "FileNotFound": Known(HTTPStatus.NOT_FOUND, "The specified file does not exist."),
    "ResourceNotFound": Known(HTTPStatus.NOT_FOUND, "The specified resource does not exist."),
    "UnsupportedHttpVerb": Known(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The resource doesn't support specified HTTP Verb.",
    ),
    "JobPreparationTaskNotSpecified": Known(
        HTTPStatus.CONFLICT,
        "The specified job does not have job preparation task.",
    ),
    "JobReleaseTaskNotSpecified": Known(
        HTTPStatus.CONFLICT,
        "The specified job does not have job release task.",
    ),
    "JobBeingDeleted": Known(HTTPStatus.CONFLICT, "The specified job is being deleted."),
    "NodeNotReady": Known(HTTPStatus.CONFLICT, "The specified node is not ready."),
    "InvalidRange": Known(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        "The range specified is invalid for the current size of the resource.",
    ),
    "TooManyRequests": Known(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Request failed as server encountered too many requests. Please try again.",
    ),
    "InternalError": Known(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The server encountered an internal error. Please retry the request.",
    ),
    "OperationTimedOut": Known(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The operation could not be completed within the permitted time.",
    ),
    "ServerBusy": Known(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The server is currently unable to receive requests. Please retry your request.",
    ),
}


class BatchError(Exception):
    """The service answers this request with an error.

    Without `status` and `message` those belonging to the code are used. `retry_after` goes into the header
    as it is: seconds or an HTTP date.
    """

    def __init__(
        self,
        code: str,
        values: Mapping[str, str] | None = None,
        *,
        status: int | None = None,
        message: str | None = None,
        retry_after: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        known = ERRORS.get(code, Known(HTTPStatus.INTERNAL_SERVER_ERROR, f"{code}."))
        self.code = code
        self.status = int(status if status is not None else known.status)
        self.message = message or known.message
        self.values = dict(values or {})
        self.headers = dict(headers or {}) | ({} if retry_after is None else {"Retry-After": retry_after})
        super().__init__(f"{self.status} {code}: {self.message}")


def bad_parameter(code: str, name: str, value: str, reason: str) -> BatchError:
    """The error for one query parameter, with the three values that the service explains it by."""
    return BatchError(
        code,
        {"QueryParameterName": name, "QueryParameterValue": value, "Reason": reason},
    )


def error_answer(error: BatchError, *, base_url: str, request_id: str, now: datetime) -> Answer:
    """The answer that carries `error` in the service's own form."""
    text = f"{error.message}\nRequestId:{request_id}\nTime:{format_time(now)}"
    body: dict[str, Any] = {
        "odata.metadata": f"{base_url}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": error.code,
        "message": {"lang": "en-US", "value": text},
    }
    if error.values:
        body["values"] = [{"key": key, "value": value} for key, value in error.values.items()]
    return Answer(status=error.status, body=json.dumps(body).encode(), headers=error.headers)


def with_common_headers(answer: Answer, request: Request, request_id: str) -> Answer:
    """`answer` with request-id, and with client-request-id when the request asks for its return."""
    headers = {**answer.headers, "request-id": request_id, "DataServiceVersion": "3.0"}
    asked = request.headers.get("return-client-request-id", "").lower() == "true"
    client_request_id = request.headers.get("client-request-id")
    if asked and client_request_id:
        headers["client-request-id"] = client_request_id
    return Answer(
        status=answer.status,
        body=answer.body,
        headers=headers,
        content_type=answer.content_type,
        content_length=answer.content_length,
    )


def check_request_headers(request: Request) -> None:
    """Refuse a client-request-id that is not a plain GUID.

    Raises:
        BatchError: InvalidHeaderValue.
    """
    client_request_id = request.headers.get("client-request-id")
    if client_request_id is None:
        return
    try:
        plain = str(uuid.UUID(client_request_id)) == client_request_id.lower()
    except ValueError:
        plain = False
    if not plain:
        raise BatchError(
            "InvalidHeaderValue",
            {"HeaderName": "client-request-id", "HeaderValue": client_request_id},
        )


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC as Batch writes it: no more fraction digits than needed, up to seven."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment.microsecond:06d}".rstrip("0") + "Z" if moment.microsecond else text + "Z"


def format_http_date(moment: datetime) -> str:
    """RFC 1123, for headers."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
