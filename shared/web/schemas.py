"""The shapes of bodies as JSON Schemas that code generators of many languages read the same way.

Owns what msgspec's schemas need for that: a time says that it is one, null stands beside a type rather than in a union,
every enumeration has a type, nothing has a default, and a description has the names of the wire. Does not own the
shapes (`api.job_views` and its siblings) or the document around them (`web.openapi`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import Struct, inspect

REFERENCE = "#/components/schemas/{name}"
_NOT_SENT = "-"
"""What the names of fields begin with that are kept in the state and taken away before anything is answered."""
_NAMED = re.compile(r"`(\w+)`")


def schemas_of(answered: Iterable[type[Struct]], taken: Iterable[type[Struct]]) -> dict[str, dict[str, Any]]:
    """The schema of each shape, and of those within it, by name.

    What is only answered has every field that is always written among the required ones; of what is `taken`, callers
    may leave out what has a default.
    """
    optional = {type_.cls for type_ in _structs(taken)}
    structs = _structs({*answered, *taken})
    _, schemas = msgspec.json.schema_components([type_.cls for type_ in structs], ref_template=REFERENCE)
    names = {field.name: field.encode_name for type_ in structs for field in type_.fields}
    for type_ in structs:
        schema = schemas[type_.cls.__name__]
        for field in type_.fields:
            if field.encode_name.startswith(_NOT_SENT):
                del schema["properties"][field.encode_name]
                continue
            said = _each(schema["properties"][field.encode_name], _plain)
            schema["properties"][field.encode_name] = _timed(field.type, said)
        if type_.cls not in optional and not type_.cls.__struct_config__.omit_defaults:
            schema["required"] = [field.encode_name for field in type_.fields]
    return {name: _described(_each(schema, _plain), names) for name, schema in sorted(schemas.items())}


def _structs(shapes: Iterable[type[Struct]]) -> list[inspect.StructType]:
    """The shapes and all those within them, each once."""
    found: dict[type, inspect.StructType] = {}

    def look(type_: Any) -> None:
        if isinstance(type_, inspect.StructType):
            if type_.cls in found:
                return
            found[type_.cls] = type_
            for field in type_.fields:
                look(field.type)
        for within in ("types", "item_types"):
            for one in getattr(type_, within, ()):
                look(one)
        for within in ("type", "item_type", "value_type"):
            if (one := getattr(type_, within, None)) is not None:
                look(one)

    for type_ in inspect.multi_type_info(sorted(shapes, key=lambda shape: shape.__name__)):
        look(type_)
    return list(found.values())


def _timed(type_: inspect.Type, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type with the format of its times: msgspec gives one only to those that must have a zone."""
    match type_:
        case inspect.DateTimeType():
            return {**schema, "format": "date-time"}
        case inspect.Metadata(type=inner):
            return _timed(inner, schema)
        case inspect.UnionType(types=options):
            for option in options:
                schema = _timed(option, schema)
        case inspect.VarTupleType(item_type=each):
            return {**schema, "items": _timed(each, schema["items"])}
    return schema


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The same meaning in the words that generators know."""
    said = {key: value for key, value in schema.items() if key != "default"}
    if "enum" in said and "type" not in said:
        said["type"] = "string"  # as every enumeration of ours
    match said.get("anyOf"):
        case [{"type": str(kind)} as plain, {"type": "null"}]:
            del said["anyOf"]
            said |= {**plain, "type": [kind, "null"]}
    return said


def _each(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The schema with every schema within it changed, the innermost first."""
    match schema:
        case dict():
            return change({key: _each(value, change) for key, value in schema.items()})
        case list():
            return [_each(value, change) for value in schema]
    return schema


def _described(schema: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    if "description" not in schema:
        return schema
    text = cleandoc(schema["description"])
    return {**schema, "description": _NAMED.sub(lambda found: f"`{names.get(found[1], found[1])}`", text)}
