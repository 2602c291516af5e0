"""The schemas of the events, and the AsyncAPI document of them, as other people's tools take them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not worth a dependency

from local.asyncapi import FILE, document
from local.node import node
from shared.messages.events import EventType
from tests.support.needs import need

MODULES = Path(__file__).parents[1] / "node_modules"
SCHEMAS = FILE.parent / "schemas"
COMPILE_STRICTLY = """
const { default: Ajv } = require(`${process.argv[1]}/ajv/dist/2020`);
const schemas = JSON.parse(require("node:fs").readFileSync(0));
const formats = { "date-time": true, uri: true };
for (const [name, schema] of Object.entries(schemas)) {
  try {
    new Ajv({ strict: true, formats }).compile(schema);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
"""


def test_ajv_takes_every_schema_in_strict_mode() -> None:
    """Receivers in JavaScript validate with ajv, whose strict mode refuses what is merely doubtful."""
    need((MODULES / "ajv").is_dir(), "ajv is missing: run `python3 dev.py test-fast` once")
    schemas = json.dumps({file.name: json.loads(file.read_text()) for file in SCHEMAS.glob("*.json")})
    run = [str(node()), "-e", COMPILE_STRICTLY, str(MODULES)]
    done = subprocess.run(run, input=schemas, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""


def test_the_asyncapi_document_is_valid() -> None:
    """It has the form that the AsyncAPI 3.0 specification describes."""
    specification = MODULES / "@asyncapi/specs/schemas/3.0.0-without-$id.json"
    need(specification.is_file(), "@asyncapi/specs is missing: run `python3 dev.py test-fast` once")
    schema: dict[str, Any] = json.loads(specification.read_text(encoding="utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(json.loads(FILE.read_text(encoding="utf-8")))
    assert [error.message for error in errors] == []


def test_the_asyncapi_document_has_every_event() -> None:
    """It is what the code makes now: a message for each type. `python -m local.asyncapi` writes it anew."""
    written: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    assert written == document()
    messages = written["components"]["messages"].values()
    assert {message["name"] for message in messages} == set(EventType)
    for message in messages:
        schema = json.loads((FILE.parent / message["payload"]["$ref"]).read_text(encoding="utf-8"))
        assert schema["properties"]["type"] == {"const": message["name"]}
