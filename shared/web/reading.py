"""What a request asks for: its query parameters, its page, its body.

Owns how they are read, every problem naming the parameter and the mend, and the links to further pages. Which
parameters a route has, and within which bounds, stands in the table that describes it (`web.operation_table`).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Struct

from shared.decoding import UNDECODABLE, json_decoder
from shared.web.errors import RequestError
from shared.web.http import Request
from shared.web.operation import SKIP_TOKEN, Route

DEFAULT_TOP = 100
_FIELD = re.compile(r"(?:field `|at `\$\.)(\w+)")  # as msgspec's messages name it
_Enum = TypeVar("_Enum", bound=StrEnum)
_Body = TypeVar("_Body", bound=Struct)
_Entry = TypeVar("_Entry")
_Moment = Annotated[datetime, Meta(tz=True)]


class Query:
    """Reads the query parameters of a route.

    Raises:
        RequestError: There is one that the route does not have; the readers raise it for one that has a wrong value.
    """

    def __init__(self, request: Request, route: Route) -> None:
        self._given = dict(request.query)
        self._parameters = {parameter.name: parameter for parameter in route.parameters if not parameter.in_path}
        unknown = sorted(name for name in self._given if name not in {*self._parameters, "code"})
        if unknown:
            known = ", ".join(sorted(self._parameters)) or "none"
            raise RequestError(
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

    def number(self, name: str) -> int | None:
        """A whole number within the parameter's bounds, None when missing."""
        given = self.text(name)
        if given is None:
            return None
        least, most = self._parameters[name].bounds
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

    def period(self) -> tuple[datetime | None, datetime | None]:
        """The moments `since` and `until`, None where one is missing."""
        since, until = self.moment("since"), self.moment("until")
        if since is not None and until is not None and since >= until:
            raise _wrong("until", "later than since")
        return since, until

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
        RequestError: It is not such a body; the message names the field, or what kept the body from getting here.
    """
    if not request.body and "chunked" in request.headers.get("transfer-encoding", "").lower():
        # Source: the Functions host hands a body over only when Content-Length says that there is one.
        message = "The body did not arrive: the platform drops one that is sent in chunks. Send it with Content-Length."
        raise RequestError(400, "MissingContentLength", message, target="Content-Length")
    if not request.body:
        message = f"A JSON body is missing: {_fields_in_words(kind)}."
        raise RequestError(400, "InvalidRequestBody", message, target="body")
    try:
        return json_decoder(kind).decode(request.body)
    except UNDECODABLE as error:
        named = _FIELD.search(str(error))
        target = named[1] if named else "body"
        message = f"The body can't be used: {error}. As JSON {_fields_in_words(kind)}."
        raise RequestError(400, "InvalidRequestBody", message, target=target) from error


def _fields_in_words(kind: type[Struct]) -> str:
    """What such a body must have, and may."""
    fields: dict[bool, list[str]] = {True: [], False: []}
    for each in msgspec.structs.fields(kind):
        is_choice = isinstance(each.type, type) and issubclass(each.type, StrEnum)
        choices = f" ({' or '.join(value.value for value in each.type)})" if is_choice else ""
        fields[each.required].append(each.encode_name + choices)
    words = {True: "must have", False: "may have"}
    return "it " + " and ".join(f"{words[needed]} {', '.join(names)}" for needed, names in fields.items() if names)


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
        RequestError: One of them is not a number within bounds.
    """
    return Paging(top=query.number("top") or default, skip=query.number("skip") or 0)


def next_link(request: Request, *, skip: int) -> str:
    """The absolute URL of the page that begins after `skip` entries; the key in `code` is not repeated in it."""
    return _link(request, "skip", str(skip))


def next_token_link(request: Request, token: str) -> str:
    """The absolute URL of the page that begins after what `token` names."""
    return _link(request, SKIP_TOKEN.name, token)


def wrong_token() -> RequestError:
    """What is wrong with a `skip-token` that no answer held."""
    return _wrong(SKIP_TOKEN.name, "what a nextLink holds")


def _link(request: Request, name: str, value: str) -> str:
    query = {key: given for key, given in request.query.items() if key not in {name, "code"}}
    return f"{request.url.partition('?')[0]}?{urlencode({**query, name: value})}"


def _wrong(name: str, mend: str) -> RequestError:
    return RequestError(400, "InvalidQueryParameterValue", f"The query parameter {name!r} must be {mend}.", target=name)
