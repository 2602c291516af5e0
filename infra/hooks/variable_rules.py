"""Owns what the template takes for a variable, by the table that the template itself reads.

What a kind of rule means stands here as in app/variables.bicep, as Azure's engine knows no Python; tests put the same
mistakes to both.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).resolve().parents[1] / "app" / "variable-rules.json"
_GUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _numbers(first: int, last: int) -> Sequence[str]:
    return [str(number) for number in range(first, last + 1)]


def _is_network(text: str, values: Sequence[Any]) -> bool:
    address, _, length = text.partition("/")
    parts, allowed = address.split("."), _numbers(0, 255)
    return len(parts) == 4 and all(part in allowed for part in parts) and length in _numbers(*values)


def _is_id_of(text: str, values: Sequence[Any]) -> bool:
    return re.fullmatch(f"/subscriptions/{_GUID}/resourcegroups/[^/]+/providers/{values[0]}/[^/]+", text) is not None


_KINDS: Mapping[str, Callable[[str, Sequence[Any]], bool]] = {
    "one of": lambda text, values: text in values,
    "whole number": lambda text, values: text in _numbers(*values),
    "network": _is_network,
    "guid": lambda text, _values: re.fullmatch(_GUID, text) is not None,
    "id of": _is_id_of,
    "mail address": lambda text, _values: re.fullmatch(r"[^@ ,;<>]+@[^@ ,;<>]+", text) is not None,
}


def mistakes(value_of: Callable[[str], str]) -> dict[str, str]:
    """What is wrong with each variable that the template would refuse, and how to mend it; empty is never wrong."""
    rules = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        rule["name"]: rule["wrong"]
        for rule in rules
        if (text := value_of(rule["name"]).lower()) and not _KINDS[rule["is"]](text, rule["values"])
    }
