"""HTTP as the use cases' translators speak it: requests, answers, errors, query parameters.

Owns the form of errors and paging. Does not own any route's meaning (`web.routes`) or the platform's types
(`function_app`).
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from shared.api.refusals import ApiError, ErrorBody, ErrorDetail, ErrorInfo
from shared.errors import (
    BatchError,
    JobNotFoundError,
    SettingsError,
    StoreError,
    ThrottledError,
    UnreadableRowError,
)

MAX_TOP = 1000
DEFAULT_TOP = 100
_FIELD = re.compile(r"(?:field `|at `\$\.)(\w+)")  # as msgspec's messages name it
_Enum = TypeVar("_Enum", bound=StrEnum)
_Body = TypeVar("_Body", bound=Struct)
_Entry = TypeVar("_Entry")
_Moment = Annotated[datetime, Meta(tz=True)]


class Request(Struct, frozen=True, kw_only=True):
    """A request as the platform hands it over: header names in lower case, `url` the absolute URL asked for."""

    url: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    route: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Answer(Struct, frozen=True, kw_only=True):
    """An answer; `nudges` are the accounts whose deliveries should be looked after soon."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    nudges: Sequence[str] = ()


def json_answer(body: Struct, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(
        status=status,
        headers={"content-type": "application/json", "cache-control": "no-store", **(headers or {})},
        body=msgspec.json.encode(body),
    )


def tagged_answer(request: Request, body: Struct, identity: Struct | None = None) -> Answer:
    """A JSON answer with the ETag of `identity` (None: of all that it says); 304 when the caller has it already."""
    answer = json_answer(body)
    return tagged(request, answer, answer.body if identity is None else msgspec.json.encode(identity))


def tagged(request: Request, answer: Answer, identity: bytes) -> Answer:
    """The answer with the ETag of `identity`; 304 without a body when the caller has it already."""
    etag = f'"{hashlib.sha256(identity).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return Answer(status=304, headers=headers)
    return replace(answer, headers={**answer.headers, **headers})


def error_answer(error: Exception) -> Answer:
    """The answer to an error: what is known is said, what is not is hidden."""
    status, info, headers = _explain(error)
    headers = {"x-ms-error-code": info.code, **headers}
    return json_answer(ErrorBody(error=info), status=status, headers=headers)


def error_answer_to_anybody(error: Exception) -> Answer:
    """The answer to an error for somebody without a key: that the settings are wrong, and not which."""
    if isinstance(error, SettingsError):
        message = "The app's settings are not usable; whoever may call the API, or read the app's log, is told which."
        error = ApiError(500, "InvalidSettings", message)
    return error_answer(error)


def _explain(error: Exception) -> tuple[int, ErrorInfo, dict[str, str]]:
    if isinstance(error, ApiError):
        return error.status, error.info, _retry_after(error.retry_after)
    if isinstance(error, SettingsError):
        details = tuple(ErrorDetail(code="InvalidSetting", message=problem) for problem in error.problems)
        message = "The app's settings are not usable; mend what the details name and restart it."
        return 500, ErrorInfo(code="InvalidSettings", message=message, details=details), {}
    if isinstance(error, JobNotFoundError):
        return 404, ErrorInfo(code=error.code, message=error.message), {}
    if isinstance(error, BatchError):
        return _explain_batch(error)
    if isinstance(error, StoreError):
        return _explain_store(error)
    return 500, ErrorInfo(code="InternalError", message="Something went wrong; the app's log says what."), {}


def _explain_batch(error: BatchError) -> tuple[int, ErrorInfo, dict[str, str]]:
    details = [ErrorDetail(code=key, message=value) for key, value in error.values]
    if error.request_id is not None:
        details.append(ErrorDetail(code="requestId", message=error.request_id))
    info = ErrorInfo(code=error.code, message=f"Batch says: {error.message}", target="Batch", details=tuple(details))
    if isinstance(error, ThrottledError):
        return 429, info, _retry_after(error.retry_after or timedelta(seconds=15))
    # A refusal of this very request is the caller's to mend; anything else is between Batch and us.
    return (error.status if error.status in {400, 409} else 503), info, {}


def _explain_store(error: StoreError) -> tuple[int, ErrorInfo, dict[str, str]]:
    if isinstance(error, UnreadableRowError):  # trying again does not help: the message says what does
        return 503, ErrorInfo(code="UnreadableRow", message=str(error)), {}
    message = "The state can't be read or written right now; try again in a few seconds."
    return 503, ErrorInfo(code="StoreUnavailable", message=message), {"retry-after": "5"}


def _retry_after(wait: timedelta | None) -> dict[str, str]:
    return {} if wait is None else {"retry-after": str(max(1, ceil(wait.total_seconds())))}


class Query:
    """Reads a request's query parameters; every problem names the parameter and the mend."""

    def __init__(self, request: Request, allowed: Collection[str]) -> None:
        self._given = dict(request.query)
        unknown = sorted(name for name in self._given if name not in {*allowed, "code"})
        if unknown:
            known = ", ".join(sorted(allowed)) or "none"
            raise ApiError(
                400,
                "UnsupportedQueryParameter",
                f"The query parameter {unknown[0]!r} is not known here; known are: {known}.",
                target=unknown[0],
            )

    def text(self, name: str) -> str | None:
        """A parameter as it is, None when it is missing or empty."""
        return self._given.get(name) or None

    def host(self, name: str) -> str | None:
        """A host in lower case, as all that are known are; None when missing or empty."""
        given = self.text(name)
        return given.lower() if given else None

    def number(self, name: str, *, least: int, most: int, default: int) -> int:
        """A whole number within bounds."""
        given = self.text(name)
        if given is None:
            return default
        if given.isascii() and given.isdecimal() and least <= int(given[:12]) <= most:
            return int(given)
        raise _wrong(name, f"a whole number from {least} to {most}")

    def flag(self, name: str) -> bool:
        """True or false; false when missing."""
        given = (self.text(name) or "false").lower()
        if given not in {"true", "false"}:
            raise _wrong(name, "true or false")
        return given == "true"

    def moment(self, name: str) -> datetime | None:
        """A time with its zone, None when missing."""
        given = self.text(name)
        if given is None:
            return None
        try:
            return msgspec.convert(given, _Moment).astimezone(UTC)
        except (msgspec.ValidationError, OverflowError):
            raise _wrong(name, "an RFC 3339 time with its zone, such as 2026-11-01T12:00:00Z") from None

    def choice(self, name: str, kind: type[_Enum]) -> _Enum | None:
        """One of an enumeration's values, None when missing."""
        given = self.text(name)
        if given is None:
            return None
        for value in kind:
            if value.value.lower() == given.lower():
                return value
        raise _wrong(name, "one of " + ", ".join(value.value for value in kind))


def read_body(request: Request, kind: type[_Body]) -> _Body:
    """A request's JSON body.

    Raises:
        ApiError: It is not such a body; the message names the field, or what kept the body from getting here.
    """
    if not request.body and "chunked" in request.headers.get("transfer-encoding", "").lower():
        # Source: the Functions host hands a body over only when Content-Length says that there is one.
        message = "The body did not arrive: the platform drops one that is sent in chunks. Send it with Content-Length."
        raise ApiError(400, "MissingContentLength", message, target="Content-Length")
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        named = _FIELD.search(str(error))
        target = named[1] if named else "body"
        raise ApiError(400, "InvalidRequestBody", f"The body can't be used: {error}.", target=target) from error


class Paging(Struct, frozen=True, kw_only=True):
    """Which entries of a list are wanted: so many, after so many on the pages before."""

    top: int
    skip: int

    def cut(self, request: Request, entries: Sequence[_Entry]) -> tuple[tuple[_Entry, ...], str | None]:
        """Those entries, and the link to what is behind them, None when nothing is."""
        behind = self.skip + self.top
        more = next_link(request, skip=behind) if behind < len(entries) else None
        return tuple(entries[self.skip : behind]), more


def read_paging(query: Query, default: int = DEFAULT_TOP) -> Paging:
    """The paging that `top` and `skip` ask for.

    Raises:
        ApiError: One of them is not a number within bounds.
    """
    return Paging(
        top=query.number("top", least=1, most=MAX_TOP, default=default),
        skip=query.number("skip", least=0, most=1_000_000, default=0),
    )


def next_link(request: Request, *, skip: int) -> str:
    """The absolute URL of the page that begins after `skip` entries; the key in `code` is not repeated in it."""
    return _link(request, "skip", str(skip))


def next_token_link(request: Request, token: str) -> str:
    """The absolute URL of the page that begins after what `token` names."""
    return _link(request, "skip-token", token)


def _link(request: Request, name: str, value: str) -> str:
    query = {key: given for key, given in request.query.items() if key not in {name, "code"}}
    return f"{request.url.partition('?')[0]}?{urlencode({**query, name: value})}"


def _wrong(name: str, mend: str) -> ApiError:
    return ApiError(400, "InvalidQueryParameterValue", f"The query parameter {name!r} must be {mend}.", target=name)
