"""Owns which function answers a method and a path; does not own sockets, keys or running the function."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?P<optional>\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": r"(?i:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
_ENCODED_SLASH = re.compile(r"(%2f)", re.IGNORECASE)


class RouteError(ValueError):
    """The route template is none that this host knows; the message names the part at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A function's route template, with the prefix, and the methods it listens to (None: every method)."""

    function: str
    template: str
    methods: frozenset[str] | None
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, *, function: str, template: str, prefix: str, methods: Sequence[str] | None) -> Self:
        """The route of *function*.

        Raises:
            RouteError: a segment is no literal, {name}, {name:constraint}, {name?} or {*name}; correct the route.
        """
        full = "/".join(part for part in (prefix, template.strip("/")) if part)
        pattern = "".join(_segment(segment, full) for segment in full.split("/") if segment)
        return cls(
            function=function,
            template=full,
            methods=None if methods is None else frozenset(method.upper() for method in methods),
            pattern=re.compile(pattern + "/?"),
        )

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """The route parameters when this route answers, else None. An encoded slash stays encoded in them."""
        if self.methods is not None and method.upper() not in self.methods:
            return None
        found = self.pattern.fullmatch(_decode(path))
        return None if found is None else {name: text for name, text in found.groupdict().items() if text}


def find_route(routes: Sequence[Route], method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The first route in registration order that answers, with its parameters; None is the host's 404."""
    for route in routes:
        parameters = route.match(method, path)
        if parameters is not None:
            return route, parameters
    return None


def _segment(segment: str, template: str) -> str:
    if "{" not in segment:
        return f"/(?i:{re.escape(segment)})"
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        raise RouteError(f"{segment!r} in the route {template!r} is none that this host knows")
    name = parameter["name"]
    if parameter["rest"]:
        return f"(?:/(?P<{name}>.*))?"
    text = "[^/]+"
    for constraint in parameter["constraints"].split(":")[1:]:
        if constraint not in _CONSTRAINTS:
            raise RouteError(f"the constraint {constraint!r} in the route {template!r} is none that this host knows")
        text = _CONSTRAINTS[constraint]
    group = f"/(?P<{name}>{text})"
    return f"(?:{group})?" if parameter["optional"] else group


def _decode(path: str) -> str:
    parts = _ENCODED_SLASH.split(path)
    return "".join(part if index % 2 else unquote(part) for index, part in enumerate(parts))
