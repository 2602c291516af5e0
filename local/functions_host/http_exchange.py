"""Owns what the worker sees of an HTTP request and what its answer means; does not own sockets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from azure.functions.meta import Datum

from local.functions_host.routing import encode_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came: *target* is path and query."""

    method: str
    scheme_and_host: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    def query(self) -> Mapping[str, str]:
        """Query parameters: empty ones dropped, repeated ones joined by a comma, names told apart without case."""
        pairs = parse_qsl(self.target.partition("?")[2], keep_blank_values=False)
        return _joined((name, value) for name, value in pairs)

    def header(self, name: str) -> str | None:
        """The first header called *name*, without case; None when there is none."""
        return _first(self.headers, name)

    def key(self) -> str | None:
        """The key it shows: the header x-functions-key, even an empty one, before the first ?code=."""
        shown = self.header("x-functions-key")
        return _first(parse_qsl(self.target.partition("?")[2]), "code") if shown is None else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer to send."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def trigger_data(request: Request, path: str, route_parameters: Mapping[str, str]) -> Datum:
    """What the host sends to the worker of a request for the decoded *path*.

    Header names are lower case; empty query values are dropped, empty headers are not; no body is b''.
    """
    headers = _joined((name.lower(), value) for name, value in request.headers)
    address = request.scheme_and_host + encode_path(path) + request.target[len(request.path) :]
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(address, "string"),
            "headers": _strings(headers),
            "params": _strings(route_parameters),
            "query": _strings(request.query()),
            "body": Datum(request.body, "bytes"),
        },
        "http",
    )


def answer(returned: Datum | None) -> Response:
    """The response that a function's return value means: 200 text/plain for a string, 500 for anything unknown."""
    if returned is not None and returned.type == "string":
        plain = ("content-type", "text/plain; charset=utf-8")
        return Response(status=200, headers=(plain,), body=returned.value.encode())
    if returned is None or returned.type != "http":
        return Response(status=500)
    value = returned.value
    headers = tuple((name, text.value) for name, text in value["headers"].items())
    cookies = tuple(("Set-Cookie", morsel.OutputString()) for jar in value["cookies"] or () for morsel in jar.values())
    return Response(status=int(value["status_code"].value), headers=headers + cookies, body=bytes(value["body"].value))


def _first(pairs: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in pairs if key.lower() == name.lower()), None)


def _joined(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    spelled: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in pairs:
        first = spelled.setdefault(name.lower(), name)
        values[first] = f"{values[first]},{value}" if first in values else value
    return values


def _strings(values: Mapping[str, str]) -> Mapping[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}
