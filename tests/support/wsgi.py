"""The app's HTTP functions as a WSGI application, for tools that speak it; a defect is raised, not served."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote
from wsgiref.types import StartResponse, WSGIEnvironment

import azure.functions as func

from shared.web.operation import Route
from shared.web.operation_table import ROUTES


def _pattern(route: Route) -> re.Pattern[str]:
    return re.compile("/api/" + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.template.replace(".", r"\.")))


class FunctionsOverWsgi:
    """Routes requests as the Functions host does; `functions` are those of function_app by name."""

    def __init__(self, functions: Callable[[str], Any]) -> None:
        self._functions = functions
        self._routes = [(route, _pattern(route)) for route in ROUTES]

    def __call__(self, environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._answer(environment)
        status = f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
        start_response(status, list(answer.headers.items()))
        return [answer.get_body()]

    def _answer(self, environment: WSGIEnvironment) -> func.HttpResponse:
        path = environment["PATH_INFO"].encode("latin-1").decode(errors="replace")
        for route, pattern in self._routes:
            match = pattern.fullmatch(path)
            method = environment["REQUEST_METHOD"]
            if match is None or (method != route.method and not (route.head and method == "HEAD")):
                continue
            query = environment.get("QUERY_STRING", "")
            # As the host does: empty values are dropped, of several the last one stays.
            request = func.HttpRequest(
                method,
                f"https://app.example{path}?{query}",
                headers=_headers(environment),
                params=dict(parse_qsl(query)),
                route_params={name: unquote(value) for name, value in match.groupdict().items()},
                body=environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0)),
            )
            function = self._functions(route.function)
            answered: func.HttpResponse = function(request)
            return answered
        return func.HttpResponse(b"", status_code=404)


def _headers(environment: WSGIEnvironment) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environment.items()
        # The tools ask for compression, but don't undo it when they call an application directly.
        if name.startswith("HTTP_") and name != "HTTP_ACCEPT_ENCODING"
    }
