"""Owns what the host's admin endpoints answer to who may ask; does not own keys or running a function."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.functions_host.functions import Index
from local.functions_host.http_exchange import Request, Response

_JSON = re.compile(r"(application|text)/json|application/[\w.-]+\+json", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """The endpoints below /admin/: the host's state, the functions and what is wrong with them, running one.

    *addresses* has the route template of each HTTP function. *run* starts any other function by its name with its
    input.
    """

    index: Index
    addresses: Mapping[str, str]
    run: Callable[[str, str], None]

    def respond(self, request: Request, path: str) -> Response:
        """The answer to a request for the decoded *path*; who asks has shown the master key."""
        match request.method, path.lower().removesuffix("/").split("/")[2:]:
            case "GET", ["host", "status"]:
                return _ok({"state": "Running"})
            case "GET", ["functions"]:
                return _ok([self._described(name, request) for name in sorted(self._names().values(), key=str.upper)])
            case "GET", ["functions", asked] if asked in self._names():
                return _ok(self._described(self._names()[asked], request))
            case "GET", ["functions", asked, "status"] if asked in self._names():
                wrong = self.index.errors.get(self._names()[asked])
                return _ok({} if wrong is None else {"errors": [wrong]})
            case "POST", ["functions", asked]:
                return self._started(asked, request)
        return Response(status=404)

    def _started(self, asked: str, request: Request) -> Response:
        media_type = (request.header("content-type") or "").partition(";")[0].strip()
        if not _JSON.fullmatch(media_type):
            return Response(status=415)
        given = _input(request.body)
        if given is None:
            return Response(status=400, body=b'The body must be JSON: {"input": "..."}')
        names = {function.name.lower(): function.name for function in self.index.functions}
        if asked not in names:
            return Response(status=404)
        name = names[asked]
        if name in self.addresses:
            return Response(status=400, body=b"An HTTP function is run by a request to its route.")
        self.run(name, given)
        return Response(status=202)

    def _names(self) -> Mapping[str, str]:
        names = (*(function.name for function in self.index.functions), *self.index.disabled, *self.index.errors)
        return {name.lower(): name for name in names}

    def _described(self, name: str, request: Request) -> Mapping[str, Any]:
        route = self.addresses.get(name)
        return {
            "name": name,
            "href": f"{request.scheme_and_host}/admin/functions/{name}",
            "invoke_url_template": None if route is None else f"{request.scheme_and_host}/{route}",
            "language": "python",
            "isDisabled": name in self.index.disabled,
        }


def _input(body: bytes) -> str | None:
    """The text that a body hands to a function, '' without one; None when the body is no such JSON."""
    try:
        given = {name.lower(): value for name, value in json.loads(body).items()}.get("input")
    except (ValueError, AttributeError):
        return None
    if isinstance(given, str) or given is None:
        return given or ""
    return None if isinstance(given, dict | list) else json.dumps(given)


def _ok(document: object) -> Response:
    headers = (("content-type", "application/json; charset=utf-8"),)
    return Response(status=200, headers=headers, body=json.dumps(document).encode())
