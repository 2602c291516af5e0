"""Owns what azd makes of variables: the file that it keeps them in, and the parameters that it hands over.

The file is godotenv's (Marshal, doubleQuoteEscape), of which azd quotes numbers with zeros in front. Parameters come
of infra/main.parameters.json as azd's bicep_provider.go makes them (loadParameters and armParameterFileValue, read in
August 2026); what it would ask a person for is answered with Enter.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.stack.infra.bicep import INFRA

GENERATED = "A" * 44
"""What azd makes for WEBHOOK_SECRET when nobody gives one."""
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}


def dotenv(variables: Mapping[str, str]) -> str:
    """The .env of an azd environment with these variables."""
    lines = [f"{name}={value if _is_number(value) else _quoted(value)}" for name, value in variables.items()]
    return "\n".join(sorted(lines)) + "\n"


def _is_number(value: str) -> bool:
    return re.fullmatch("-?[1-9][0-9]*|0", value) is not None


def _quoted(value: str) -> str:
    escaped = re.sub(r'([\\"!$`])', r"\\\1", value)
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def parameters(variables: Mapping[str, str], template: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a compiled template gets.

    Raises:
        ValueError: azd ends here: a value is not JSON where it must be, or breaks the quotes that it is put into.
    """
    file = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    given = {name: _given(entry["value"], variables, template["parameters"][name]) for name, entry in file.items()}
    asked = {name: "" for name, declared in template["parameters"].items() if "defaultValue" not in declared}
    generated = {name for name in asked if "generate" in json.dumps(template["parameters"][name].get("metadata", {}))}
    return {
        **asked,
        **dict.fromkeys(generated, GENERATED),
        **{name: value for name, value in given.items() if value is not None},
    }


def _given(entry: str, variables: Mapping[str, str], declared: Mapping[str, Any]) -> Any:
    """The value of one parameter; None leaves it out."""
    kind = declared["type"].removeprefix("secure").lower()
    text = _VARIABLE.sub(lambda match: variables.get(match[1], ""), entry)
    unset = any(name not in variables for name in _VARIABLE.findall(entry))
    if text == "" and unset:
        return None
    if kind in {"array", "object"}:
        return json.loads(text)
    # azd puts the text between quotes without escaping it.
    text = json.loads(f'"{text}"')
    if kind == "bool":
        return True if text in _TRUE else False if text in _FALSE else None
    if kind == "int":
        return int(text) if text.isdigit() else None
    return text if text or declared.get("defaultValue") else None
