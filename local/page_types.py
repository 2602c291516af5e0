"""What the API answers, as TypeScript declarations, so that the page's scripts are checked against it.

Owns the translation of the OpenAPI document; `python -m local.page_types` writes it anew. Does not own the shapes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.web.openapi import document

FILE = Path(__file__).resolve().parents[1] / "shared/web/dashboard/answers.d.ts"
_PLAIN = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def declarations() -> str:
    """One type for each shape of the API's document; a field with a default may be missing."""
    shapes: dict[str, Any] = json.loads(document())["components"]["schemas"]
    head = "// What the API answers, from its OpenAPI document: `python -m local.page_types` writes this file.\n"
    return head + "".join(_declaration(name, shape) for name, shape in sorted(shapes.items()))


def _declaration(name: str, shape: Mapping[str, Any]) -> str:
    if "properties" not in shape:
        return f"\ntype {name} = {_type(shape)};\n"
    required = shape.get("required", ())
    fields = "".join(
        f"  {_name(field)}{'' if field in required else '?'}: {_type(of)};\n"
        for field, of in shape["properties"].items()
    )
    return f"\ntype {name} = {{\n{fields}}};\n"


def _name(field: str) -> str:
    return field if field.isidentifier() else json.dumps(field)


def _type(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            said = reference.rpartition("/")[2]
        case {"anyOf": [*options]}:
            said = " | ".join(map(_type, options))
        case {"enum": [*values]}:
            said = " | ".join(json.dumps(value) for value in values)
        case {"type": [*kinds]}:
            said = " | ".join(_type({**schema, "type": kind}) for kind in kinds)
        case {"type": "array", "items": dict(items)}:
            said = f"Array<{_type(items)}>"
        case {"type": "object", "additionalProperties": dict(values)}:
            said = f"Record<string, {_type(values)}>"
        case {"type": "object"}:
            said = "Record<string, any>"
        case {"type": str(plain)} if plain in _PLAIN:
            said = _PLAIN[plain]
        case _:
            said = "any"
    return said


if __name__ == "__main__":
    FILE.write_text(declarations(), encoding="utf-8")
