"""Owns how tests read Bicep: parsed files, and walks through what pycep makes of expressions."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

INFRA = Path(__file__).resolve().parents[2] / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))


@cache
def parsed(path: Path) -> Mapping[str, Any]:
    """Return the syntax tree: parameters, variables, resources, modules and outputs by name."""
    tree: Mapping[str, Any] = BicepParser().parse(text=path.read_text(encoding="utf-8"))
    return tree


def texts(tree: Any) -> Iterator[str]:
    """Yield every text of a syntax tree, keys too: names, properties, literals."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key.strip("'")
            yield from texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, str):
        yield tree


def body(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a resource's or module's properties, within its loop or condition if it has one."""
    config: Mapping[str, Any] = resource["config"]
    while "loop_type" in config or "condition" in config:
        config = config["config"]
    return config


def resources(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield `file: name` and properties of each resource of that type which is created, not only referred to."""
    for path in FILES:
        for name, resource in parsed(path).get("resources", {}).items():
            if resource["type"] == kind and not resource["existing"]:
                yield f"{path.name}: {name}", body(resource)
