"""The schemas say what every event holds, and refuse what no event of ours is."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not worth a dependency
import pytest

from shared.messages.events import Event, EventType
from tests.messages.every_event import EVENTS, event_named
from tests.polling.pipeline import body_of

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def _schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{kind.removeprefix('prepwatch.')}.json").read_text())
    return found


def _own_schema(event: Event) -> dict[str, Any]:
    """The schema that an event names; the first number of a type stands in the file without one."""
    kind, number = body_of(event)["dataschema"].removeprefix("urn:prepwatch:schema:").split(":")
    return _schema(kind if number == "1" else f"{kind}.{number}")


def _validator(kind: str | dict[str, Any]) -> jsonschema.Draft202012Validator:
    schema = kind if isinstance(kind, dict) else _schema(kind)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_there_is_a_schema_for_each_type() -> None:
    """Every event type has its schema, there is none beside them, and these tests make an event of every type."""
    kinds = {kind.value.removeprefix("prepwatch.") for kind in EventType}

    assert {re.sub(r"\.\d+$", "", path.stem) for path in SCHEMAS.glob("*.json")} == kinds
    assert {event_named(name).type for name in EVENTS} == set(EventType)


@pytest.mark.parametrize("kind", EventType)
def test_the_schema_itself(kind: EventType) -> None:
    """A schema is valid 2020-12, has the id that events name, and says what it is about."""
    schema = _schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$id"] == f"urn:prepwatch:schema:{kind.value.removeprefix('prepwatch.')}:1"
    assert schema["title"] == kind.value
    assert schema["description"]


def test_every_event_is_valid(event: Event) -> None:
    """Every event is valid under its own schema and no other."""
    body, schema = body_of(event), _own_schema(event)
    _validator(schema).validate(body)

    assert body["dataschema"] == schema["$id"]
    assert schema["title"] == event.type.value
    assert not [kind for kind in EventType if kind is not event.type and _validator(kind).is_valid(body)]


def test_every_field_is_described(event: Event) -> None:
    """An event holds no field that its schema does not name: what is sent is documented."""
    schema = _own_schema(event)

    def undescribed(value: object, under: Mapping[str, Any], path: str) -> list[str]:
        if "$ref" in under:
            under = schema["$defs"][under["$ref"].rsplit("/", 1)[1]]
        if isinstance(value, list):
            return [name for item in value for name in undescribed(item, under["items"], path + "[]")]
        if not isinstance(value, dict):
            return []
        if "additionalProperties" in under:  # names of states, each with its number
            return []
        known = under.get("properties", {})
        unknown = [f"{path}.{name}" for name in value.keys() - known.keys()]
        return unknown + [
            deep
            for name in value.keys() & known.keys()
            for deep in undescribed(value[name], known[name], f"{path}.{name}")
        ]

    assert undescribed(body_of(event), schema, "") == []


def _without(*path: str) -> Callable[[Any], None]:
    def mutate(body: Any) -> None:
        for name in path[:-1]:
            body = body[name]
        del body[path[-1]]

    return mutate


def _with(value: object, *path: str | int) -> Callable[[Any], None]:
    def mutate(body: Any) -> None:
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = value

    return mutate


@pytest.mark.parametrize(
    ("name", "mutate"),
    [
        *(
            (name, _without(field))
            for name in ("failed", "resolved", "account.reachable", "ping")
            for field in ("id", "source", "type", "time", "dataschema", "recordedtime", "data")
        ),
        ("failed", _with("a.b", "id")),
        ("failed", _with("0.3", "specversion")),
        ("failed", _with("yesterday", "time")),
        ("failed", _with("pools/x", "subject")),
        ("failed", _with([], "data", "nodes")),
        ("failed", _with("release", "data", "phase")),
        ("failed", _with("x", "data", "nodes", 0, "occurrenceId")),
        ("failed", _with("1", "data", "nodes", 0, "exitCode")),
        ("failed", _with(-1, "data", "counts", "nodes")),
        ("failed", _without("data", "counts", "preparation", "open")),
        ("failed", _with(0, "data", "causes", 0, "nodes")),
        ("resolved", _with([], "data", "nodes")),
        ("resolved", _with("boredom", "data", "reason")),
        ("closed: jobEnded", _with([{"nodeId": "x"}], "data", "nodes")),
        ("account.unreachable", _without("data", "error", "code")),
        ("ping", _with("No Name", "data", "webhook")),
    ],
)
def test_a_mutated_event_is_not_valid(name: str, mutate: Callable[[Any], None]) -> None:
    """The schemas refuse what no event of ours is: a missing field, another type, a value out of its range."""
    body = body_of(event_named(name))
    mutate(body)

    assert not _validator(event_named(name).type).is_valid(body)
