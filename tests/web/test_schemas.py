"""The schemas of the API's document are such that code generators of several languages make good clients of them."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import pytest
from msgspec import Struct

from shared.web.openapi import document
from shared.web.schemas import schemas_of

DOCUMENT: dict[str, Any] = json.loads(document())
OPERATIONS = [
    pytest.param(operation, id=operation["operationId"])
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
]


class Colour(StrEnum):
    """A colour."""

    RED = "red"


class Inner(Struct, kw_only=True, rename="camel"):
    """Something within."""

    seen_at: tuple[datetime, ...] = ()


class Rare(Struct, kw_only=True, omit_defaults=True):
    """Something that is left out."""

    exit_code: int | None = None


class Shape(Struct, kw_only=True, rename="camel"):
    """A shape; `ended_at` is null before.

    It goes on.
    """

    ended_at: datetime | None
    names: tuple[str, ...] | None = None
    colour: Colour | None = None
    inner: Inner | None = None
    rare: Rare


def _schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _schemas_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _schemas_in(value)


def test_each_kind_of_field_is_said_plainly() -> None:
    """Null stands beside a type, times and enumerations say what they are, names are the wire's, no defaults."""
    made = schemas_of({Shape}, set())
    assert made["Shape"] == {
        "title": "Shape",
        "description": "A shape; `endedAt` is null before.\n\nIt goes on.",
        "type": "object",
        "properties": {
            "endedAt": {"type": ["string", "null"], "format": "date-time"},
            "names": {"type": ["array", "null"], "items": {"type": "string"}},
            "colour": {"anyOf": [{"$ref": "#/components/schemas/Colour"}, {"type": "null"}]},
            "inner": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]},
            "rare": {"$ref": "#/components/schemas/Rare"},
        },
        "required": ["endedAt", "names", "colour", "inner", "rare"],
    }
    assert made["Colour"]["type"] == "string"
    assert made["Inner"]["properties"]["seenAt"]["items"] == {"type": "string", "format": "date-time"}


def test_what_may_be_missing_is_not_required() -> None:
    """An answer has what it always writes; a field that is left out, or that a caller may leave out, is optional."""
    assert schemas_of({Shape}, set())["Rare"]["required"] == []
    assert schemas_of(set(), {Shape})["Shape"]["required"] == ["endedAt", "rare"]


def test_the_document_holds_nothing_that_generators_stumble_over() -> None:
    """No union of a plain type with null, no default, no enumeration without a type, no indented description."""
    for schema in _schemas_in(DOCUMENT):
        for option in schema.get("anyOf", ()):
            assert option.keys() == {"$ref"} or option == {"type": "null"}
        assert "default" not in schema
        assert ("enum" in schema) <= (schema.get("type") == "string")
        assert not re.search(r"\n +", str(schema.get("description", "")))


def test_nothing_is_described_that_is_only_stored() -> None:
    """Each member has a name that is on the wire; what the state keeps beside it (digits of times) is not shown."""
    schemas = DOCUMENT["components"]["schemas"]
    named = {name for schema in schemas.values() for name in schema.get("properties", {})}
    assert {name for name in named if re.fullmatch(r"(odata\.)?[a-z]\w*", name) is None} == set()


def test_every_time_says_that_it_is_one() -> None:
    """What is named like a moment has the format of one."""
    for schema in DOCUMENT["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name != "notLookedAt" and re.search(r"(At|Time|[sS]ince|[uU]ntil|Before|From|GoodPoll)$", name):
                assert field.get("format") == "date-time", name


def test_descriptions_have_the_names_of_the_wire() -> None:
    """No description names a field as the code spells it."""
    assert re.findall(r"`\w+_\w+`", document().decode()) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_easy_to_call(operation: dict[str, Any]) -> None:
    """It has a camelCase name and a subject; each answer has one shape; what answers 304 takes If-None-Match."""
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", operation["operationId"])
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            assert content["schema"].keys() in ({"$ref"}, {"type"})
    taken = {parameter["name"] for parameter in operation.get("parameters", ())}
    assert ("304" in operation["responses"]) == ("If-None-Match" in taken) or operation["operationId"].endswith("Head")


def test_operations_have_names_of_their_own() -> None:
    """No two operations share a name."""
    names = [parameter.id for parameter in OPERATIONS]
    assert len(names) == len(set(names))
