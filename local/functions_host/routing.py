"""Owns which function answers a method and a path; does not own sockets, keys or running the function.

Paths are decoded as Kestrel does it, templates are matched as ASP.NET Core does it; both are the real host's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?P<optional>\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": r"(?i:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
_ENCODED_BYTES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_KEPT_IN_ADDRESSES = "!$&'()*+,;=:@/%"  # what PathString leaves as it is, beside letters, digits and -._~


class BadPathError(ValueError):
    """The path holds what no server takes, a null character or a letter beyond ASCII; the answer is 400."""


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
        """The route parameters when this route answers a decoded *path*, else None."""
        if self.methods is not None and method.upper() not in self.methods:
            return None
        found = self.pattern.fullmatch(path)
        return None if found is None else {name: text for name, text in found.groupdict().items() if text}


def find_route(routes: Sequence[Route], method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The first of *routes* that answers a decoded *path*, with its parameters; None is the host's 404."""
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
        return f"(?:/(?P<{name}>(?s:.*)))?"
    text = "[^/]+"
    for constraint in parameter["constraints"].split(":")[1:]:
        if constraint not in _CONSTRAINTS:
            raise RouteError(f"the constraint {constraint!r} in the route {template!r} is none that this host knows")
        text = _CONSTRAINTS[constraint]
    group = f"/(?P<{name}>{text})"
    return f"(?:{group})?" if parameter["optional"] else group


def decode_path(path: str) -> str:
    """*path*, percent-encoded as it came, decoded once and without `.` and `..`.

    An encoded slash and bytes that are no UTF-8 stay as they are.

    Raises:
        BadPathError: no server takes the path; answer 400.
    """
    decoded = _ENCODED_BYTES.sub(_decode_bytes, path)
    if "\0" in decoded or not path.isascii():
        raise BadPathError(path)
    return _without_dots(decoded)


def encode_path(path: str) -> str:
    """A decoded *path* as the worker is told of it: what was encoded needlessly is so no more, %XX stays."""
    return re.sub("%(?![0-9A-Fa-f]{2})", "%25", quote(path, safe=_KEPT_IN_ADDRESSES))


def _decode_bytes(match: re.Match[str]) -> str:
    encoded, start, decoded = match[0], 0, ""
    for character in bytes.fromhex(encoded.replace("%", "")).decode(errors="surrogateescape"):
        end = start + len("%00") * len(character.encode(errors="surrogateescape"))
        stays = character == "/" or "\udc80" <= character <= "\udcff"
        decoded += encoded[start:end] if stays else character
        start = end
    return decoded


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
