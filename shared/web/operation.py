"""What the description of an HTTP route is made of.

Owns the words for parameters, answers and routes. Does not own any route (`web.operation_table`) or the document that
is made of them (`web.openapi`).
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

MAX_TOP = 1000
JSON, METRICS, HTML, BODILESS = "json", "metrics", "html", ""


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of the query, or of the path; `schema` is its JSON Schema.

    One that is not `listed` is taken, but not in the document: what it asks for is an operation of its own there.
    """

    name: str
    description: str
    schema: Mapping[str, object]
    in_path: bool = False
    listed: bool = True

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most that a whole number may be."""
        return msgspec.convert((self.schema["minimum"], self.schema["maximum"]), tuple[int, int])


class DocumentedAnswer(Struct, frozen=True, kw_only=True):
    """An answer that is not an error; without `shape` a JSON body is just some object."""

    status: int = 200
    description: str
    shape: type[Struct] | None = None
    media: str = JSON
    headers: tuple[str, ...] = ()


class Route(Struct, frozen=True, kw_only=True):
    """A function, how it is called, and every status that it may answer; `head` says that HEAD is answered as well."""

    function: str
    method: str
    template: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    body: type[Struct] | None = None
    answers: tuple[DocumentedAnswer, ...]
    errors: tuple[int, ...] = (400, 401, 404, 500, 503)
    anonymous: bool = False
    head: bool = False


def text(name: str, description: str, **more: object) -> Parameter:
    """A parameter of the query that is a text; `more` is JSON Schema."""
    return Parameter(name=name, description=description, schema={"type": "string", **more})


def choice(name: str, description: str, kind: type[StrEnum]) -> Parameter:
    """A parameter of the query that is one of an enumeration's values."""
    return text(name, description, enum=[each.value for each in kind])


def whole(name: str, description: str, least: int, most: int) -> Parameter:
    """A parameter of the query that is a whole number within bounds."""
    return Parameter(name=name, description=description, schema={"type": "integer", "minimum": least, "maximum": most})


def path(name: str, description: str) -> Parameter:
    """A part of the path."""
    schema = {"type": "string", "minLength": 1}
    return Parameter(name=name, description=description, schema=schema, in_path=True)


def moment(name: str, description: str) -> Parameter:
    """A parameter of the query that is a time with its zone."""
    return text(name, description, format="date-time")


def unlisted(parameter: Parameter) -> Parameter:
    """The same parameter, taken but kept out of the document."""
    return replace(parameter, listed=False)


def answer_with(
    shape: type[Struct], description: str, status: int = 200, headers: tuple[str, ...] = ()
) -> DocumentedAnswer:
    """An answer with a JSON body of that shape."""
    return DocumentedAnswer(status=status, description=description, shape=shape, headers=headers)


NOT_MODIFIED = DocumentedAnswer(
    status=304, description="Nothing has changed since If-None-Match.", media=BODILESS, headers=("etag",)
)


def tagged_answers(shape: type[Struct], description: str) -> tuple[DocumentedAnswer, ...]:
    """An answer with a JSON body of that shape and its ETag, and none to whoever has it already."""
    return DocumentedAnswer(description=description, shape=shape, headers=("etag",)), NOT_MODIFIED


ACCOUNT = text("account", "The account's host, in any case. Needed when several accounts have a job of that id.")
ONE_ACCOUNT = text("account", "The account's host, in any case: only what is of this account.")
TOP = whole("top", "How many at most.", 1, MAX_TOP)
SKIP_TOKEN = text("skip-token", "What a nextLink holds.")
SKIP = whole("skip", "What a nextLink holds.", 0, 1_000_000)
