"""What can be asked of the app, as an OpenAPI document.

Owns the form of the document; it is made from the table of routes and the shapes that answers are made of. Does not own
either (`web.operation_table`, `api.job_views` and its siblings).
"""

from functools import cache

import msgspec
from msgspec import Struct

from shared.api.openmetrics import CONTENT_TYPE as METRICS_TYPE
from shared.web.errors import ErrorBody
from shared.web.operation import BODILESS, HTML, METRICS, DocumentedAnswer, Parameter, Route
from shared.web.operation_table import ROUTES, TAGGED
from shared.web.schemas import REFERENCE, schemas_of

_DESCRIPTION = """\
Tells when a job preparation or release task fails on a node of Azure Batch.

Lists are `{"value": [...], "nextLink": ...}`; follow `nextLink` as it is. Errors are `{"error": {...}}`, and the header
`x-ms-error-code` repeats their code. Times are RFC 3339 in UTC."""
_LICENSE = {"name": "MIT", "identifier": "MIT"}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The etag of an answer that you still have: 304 when it is still right.",
    "schema": {"type": "string"},
}
_ERRORS = {
    400: "A parameter or the body is wrong; the message names it and how to mend it.",
    401: "The function key is missing or wrong. The platform says so, without a body.",
    404: "There is no such thing.",
    409: "Batch refuses the request as things stand, or it is in conflict with what is there.",
    429: "Too soon: wait as long as Retry-After says.",
    500: "The settings are not usable, or something went wrong that the app's log explains.",
    503: "Batch or the table can't be asked right now; try again.",
}


@cache
def document(public_url: str | None = None) -> bytes:
    """The document as JSON; its server is the app at `public_url`, for None whoever serves the document."""
    return msgspec.json.format(msgspec.json.encode(_document(public_url or "")), indent=1)


def _document(site: str) -> dict[str, object]:
    answered = {answer.shape for route in ROUTES for answer in route.answers if answer.shape} | {ErrorBody}
    taken = {route.body for route in ROUTES if route.body}
    paths: dict[str, dict[str, object]] = {}
    for tag, routes in TAGGED.items():
        for route in routes:
            at = paths.setdefault(f"/{route.template}", {})
            at[route.method.lower()] = {"tags": [tag], **_operation(route)}
            if route.head:
                at["head"] = {"tags": [tag], **_head_of(route)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Prepwatch", "version": "1", "description": _DESCRIPTION, "license": _LICENSE},
        "servers": [{"url": f"{site}/api"}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in TAGGED],
        "paths": paths,
        "components": {
            "schemas": schemas_of(answered, taken),
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}},
        },
    }


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": operation_id(route.function),
        "summary": route.summary,
        "parameters": [
            *(_parameter(parameter) for parameter in route.parameters if parameter.listed),
            *([_IF_NONE_MATCH] if any(answer.status == 304 for answer in route.answers) else []),
        ],
        "responses": {
            **{str(answer.status): _answer(answer) for answer in route.answers},
            **{str(status): _error(status) for status in route.errors},
        },
    }
    if route.anonymous:
        operation["security"] = []
    if route.body is not None:
        content = {"application/json": {"schema": _schema(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _head_of(route: Route) -> dict[str, object]:
    """The same answers without their bodies."""
    statuses = {
        **{answer.status: answer.description for answer in route.answers},
        **{s: _ERRORS[s] for s in route.errors},
    }
    return {
        "operationId": operation_id(f"{route.function}_head"),
        "summary": route.summary,
        "responses": {str(status): {"description": description} for status, description in statuses.items()},
        "security": [],
    }


def _parameter(parameter: Parameter) -> dict[str, object]:
    where = "path" if parameter.in_path else "query"
    return {
        "name": parameter.name,
        "in": where,
        "required": parameter.in_path,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _answer(answer: DocumentedAnswer) -> dict[str, object]:
    said: dict[str, object] = {"description": answer.description}
    if answer.headers:
        said["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    if answer.media == METRICS:
        said["content"] = {METRICS_TYPE: {"schema": {"type": "string"}}}
    elif answer.media == HTML:
        said["content"] = {"text/html; charset=utf-8": {"schema": {"type": "string"}}}
    elif answer.media != BODILESS:
        said["content"] = {
            "application/json": {"schema": _schema(answer.shape) if answer.shape else {"type": "object"}}
        }
    return said


def _error(status: int) -> dict[str, object]:
    said: dict[str, object] = {"description": _ERRORS[status]}
    if status != 401:
        said["headers"] = {"x-ms-error-code": {"schema": {"type": "string"}}}
        said["content"] = {"application/json": {"schema": _schema(ErrorBody)}}
    return said


def _schema(shape: type[Struct]) -> dict[str, object]:
    return {"$ref": REFERENCE.format(name=shape.__name__)}


def operation_id(name: str) -> str:
    """The name of a function's operation: in camelCase, as generators of most languages want it."""
    first, *more = name.split("_")
    return first + "".join(map(str.title, more))
